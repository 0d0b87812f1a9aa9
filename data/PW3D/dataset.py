"""3DPW (test and validation; COCO joints).

Files in ``data/PW3D/data``: ``3DPW_latest_{split}.json`` (made by ``data/3dpw2coco.py``: SMPL parameters already in the
camera frame) and, without ``use_gt_input``, ``darkpose_3dpw_{split}set_output.json``. Bodies have their own gender.
Samples are ordered by person and image, so that the frames of a video follow each other.
"""

import numpy as np

from data.PW3D.evaluation import lift_evaluator, mesh_evaluator
from lib.datasets.annotated import camera_joints
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Inspection, MeshSamples, NeededFile, Protocol, image_path, released
from lib.datasets.storage.annotations import Detections, field, text, whole_number
from lib.datasets.storage.columns import People, body_fit, camera, sort_rows
from lib.joints.tables import COCO, SMPL


def _sample_name(records, index: int) -> str:
    # image names repeat from video to video, and two persons share an image
    return f"3dpw_{bytes(records['video'][index]).decode()}_{image_path(records, index).stem}"


class PW3D(RecordDataset):
    """One sample per person and frame."""

    name = "PW3D"
    splits = ("test", "validation")
    image_folder = "imageFiles"
    protocol = Protocol(target_set="human36", input_sets=("coco",), test_detections=True, augment=False)
    inspection = Inspection("data/*.json", joint_set="smpl", gendered=True)
    mesh_samples = MeshSamples(10, _sample_name, aligned=True)

    @classmethod
    def needed_files(cls, split, root):
        folder = root / "data" / cls.name / "data"
        made = f"{released('1pT0Ix3FxieEQf0HhEbMN1o-DWRzw2Ugh')}; or make it with data/3dpw2coco.py"
        detections = released("1qt5R4wMTP1FSUtSi52lUke3EQazNkqVh")
        return [
            NeededFile(folder / f"3DPW_latest_{split}.json", "annotations", made),
            NeededFile(folder / f"darkpose_3dpw_{split}set_output.json", "detections", detections),
        ]

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
            columns["detections"] = COCO.add_derived(self.detected(found, columns["annotation_id"].tolist()))
        return columns, skipped

    def sort_keys(self):
        return {name: self.records[name] for name in ("person_id", "image")}

    def annotation(self, posed, places):
        return camera_joints(self, places, SMPL.joint_num)

    def evaluator(self, joint_set, full=True, regressor=None):
        build = lift_evaluator if regressor is None else mesh_evaluator
        return build(self, joint_set, full, regressor).described(f"{self.cfg.DATASET.test_split} split")
