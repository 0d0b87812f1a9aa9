"""FreiHAND (train and test; hand joints).

Files in ``data/FreiHAND/data``: ``freihand_{train,eval}_coco.json``, ``freihand_{train,eval}_data.json`` (``db_idx`` ->
camera, MANO parameters) and ``hrnet_output_on_{train,test}set.json``. The 2D input is always detected, whatever
``use_gt_input`` says. The evaluation annotations are not public: test targets are dummies, figures come from
``pred.json`` and the official evaluation (or from its ground-truth files where they are in place).
"""

from pathlib import Path

import numpy as np

from lib.datasets.annotations import (
    Detections,
    field,
    read_json,
    whole_number,
)
from lib.datasets.columns import (
    BODY_COLUMNS,
    People,
    body_fit,
    sort_rows,
)
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Protocol
from lib.joints.tables import MANO

FILE_SPLIT = {"train": "train", "test": "eval"}
HAND_POSE = 48


class FreiHAND(RecordDataset):
    """One sample per hand, ordered by image id."""

    name = "FreiHAND"
    image_folder = "data"
    protocol = Protocol(
        target_set="mano",
        input_sets=("mano",),
        test_detections=True,
        train_detections=True,
        augment=False,
        always_detections=True,
    )

    def files(self) -> list[Path]:
        split = FILE_SPLIT[self.mode]
        names = (f"freihand_{split}_coco.json", f"freihand_{split}_data.json", f"hrnet_output_on_{self.mode}set.json")
        return [self.folder / "data" / name for name in names]

    def parse(self):
        path, data_path, detection_path = self.files()
        people = People(pose=(HAND_POSE,))
        data = people.open(path, (data_path, (*BODY_COLUMNS, "cam_R")))
        hands = read_json(data_path, dict)
        for annotation in data.annotations:
            if self.mode == "train" and not people.usable(annotation):
                continue
            image, record = data.image_of(annotation), f"annotation {annotation['id']}"
            index = whole_number(path, f"image {image['id']}", image, "db_idx")
            hand = field(data_path, f"for db_idx of image {image['id']}, the file", hands, str(index))
            people.add(annotation, image, db_idx=index, **self._hand(data_path, record, hand))
        columns, skipped = people.columns()
        columns = sort_rows(columns, np.argsort(columns["image_id"], kind="stable"))
        found = Detections.from_list(detection_path, MANO.keypoint_num, "image_id")
        columns["detections"] = found.of(columns["image_id"].tolist())
        return columns, skipped

    def _hand(self, path: Path, record: str, hand: dict) -> dict:
        if self.mode == "test":
            # an evaluation file without these is not the official one
            for key in ("cam_param", "scale"):
                field(path, record, hand, key)
            return {"pose": [1.0] * HAND_POSE, "betas": [1.0] * 10, "trans": (0, 0, 0), "cam_R": np.eye(3)}
        values = {
            column: field(path, record, hand, "cam_param", key) for column, key in (("cam_R", "R"), ("trans", "t"))
        }
        return values | body_fit(path, record, field(path, record, hand, "mano_param"), trans=False)
