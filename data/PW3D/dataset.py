"""3DPW (test and validation; COCO joints).

Files in ``data/PW3D/data``: ``3DPW_latest_{split}.json`` (made by ``data/3dpw2coco.py``: SMPL parameters already in the
camera frame) and, without ``use_gt_input``, ``darkpose_3dpw_{split}set_output.json``. Bodies have their own gender.
Samples are ordered by person and image, so that the frames of a video follow each other.
"""

from pathlib import Path

import numpy as np

from lib.datasets.annotations import (
    Detections,
    field,
    text,
    whole_number,
)
from lib.datasets.columns import (
    People,
    body_fit,
    camera,
    sort_rows,
)
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Protocol
from lib.joints.tables import COCO


class PW3D(RecordDataset):
    """One sample per person and frame."""

    name = "PW3D"
    splits = ("test", "validation")
    image_folder = "imageFiles"
    protocol = Protocol(target_set="human36", input_sets=("coco",), test_detections=True, augment=False)

    def files(self) -> list[Path]:
        files = [self.folder / "data" / f"3DPW_latest_{self.mode}.json"]
        if self.sources.detections:
            files.append(self.folder / "data" / f"darkpose_3dpw_{self.mode}set_output.json")
        return files

    def parse(self):
        path = self.files()[0]
        people = People()
        data = people.open(path)
        for annotation in data.annotations:
            image, record = data.image_of(annotation), f"annotation {annotation['id']}"
            if not people.usable(annotation):
                continue
            view = f"image {image['id']}"
            sequence, file_name = (text(path, view, image, key) for key in ("sequence", "file_name"))
            person = whole_number(path, record, annotation, "person_id")
            people.add(
                annotation,
                image,
                name=f"{sequence}/{file_name}",
                video=f"{sequence}{person}",
                person_id=person,
                **camera(path, image),
                **body_fit(path, record, field(path, record, annotation, "smpl_param"), gender=True),
            )
        columns, skipped = people.columns()
        columns = sort_rows(columns, np.lexsort((columns["image"], columns["person_id"])))
        if self.sources.detections:
            found = Detections.from_list(self.files()[1], COCO.keypoint_num, "annotation_id")
            columns["detections"] = COCO.add_derived(found.of(columns["annotation_id"].tolist()))
        return columns, skipped
