"""SURREAL (train and test; SMPL joints).

Files in ``data/SURREAL/data``: ``{train,val}.json`` and, without ``use_gt_input``,
``hrnet_output_on_{train,val}set.json``; the test split reads the files named ``val``. The first annotation of each
image; bodies have their own gender, in the camera frame; true joints are those of the body layer.
"""

from pathlib import Path

import numpy as np

from lib.datasets.annotations import Detections, field
from lib.datasets.columns import (
    People,
    body_fit,
    camera,
    sort_rows,
)
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Protocol
from lib.joints.tables import SMPL

FILE_SPLIT = {"train": "train", "test": "val"}
DEBUG_SAMPLES = 1000


class SURREAL(RecordDataset):
    """One sample per image, ordered by image id.

    In training the first sample comes once more at the end. The original did so to avoid a last batch of one; here
    batches are safe without it, and it only keeps the numbering of samples.
    """

    name = "SURREAL"
    image_folder = "data"
    protocol = Protocol(
        target_set="smpl", input_sets=("smpl",), test_detections=True, train_detections=True, flip_in_crop=True
    )

    def files(self) -> list[Path]:
        split = FILE_SPLIT[self.mode]
        files = [self.folder / "data" / f"{split}.json"]
        return [*files, self.folder / "data" / f"hrnet_output_on_{split}set.json"] if self.sources.detections else files

    def parse(self):
        path = self.files()[0]
        people = People()
        data = people.open(path)
        for image in data.images.values():
            if self.debug and len(people) > DEBUG_SAMPLES:
                break
            persons = data.annotations_of(image)
            if not persons:
                people.skip("without a person")
            elif people.usable(persons[0]):
                record = f"annotation {persons[0]['id']}"
                fit = body_fit(path, record, field(path, record, persons[0], "smpl_param"), gender=True)
                people.add(persons[0], image, **camera(path, image), **fit)
        columns, skipped = people.columns()
        order = np.argsort(columns["image_id"], kind="stable")
        if self.mode == "train":
            order = np.append(order, order[0])
        columns = sort_rows(columns, order)
        if self.sources.detections:
            found = Detections.from_list(self.files()[1], SMPL.keypoint_num, "image_id")
            columns["detections"] = found.of(columns["image_id"].tolist())
        return columns, skipped
