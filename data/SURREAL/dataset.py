"""SURREAL (train and test; SMPL joints).

Files in ``data/SURREAL/data``: ``{train,val}.json`` and, without ``use_gt_input``,
``hrnet_output_on_{train,val}set.json``; the test split reads the files named ``val``. The first annotation of each
image; bodies have their own gender, in the camera frame; true joints are those of the body layer.
"""

import numpy as np

from lib.datasets.annotated import camera_joints
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Inspection, MeshSamples, NeededFile, Protocol, image_path, released
from lib.datasets.storage.annotations import Detections, field
from lib.datasets.storage.columns import People, body_fit, camera, sort_rows
from lib.evaluation.evaluator import Figure
from lib.evaluation.lift import LiftEvaluator, lift_figures
from lib.evaluation.mesh import SMPL_JOINTS, VERTICES, BodyEvaluator, model_regressor
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
    inspection = Inspection("data/*.json", gendered=True)
    mesh_samples = MeshSamples(1, lambda records, index: image_path(records, index).stem, 1.0, aligned=True, truth=True)

    @property
    def repeated(self) -> int:
        return 1 if self.mode == "train" else 0

    @classmethod
    def needed_files(cls, split, root):
        folder, stem = root / "data" / cls.name / "data", FILE_SPLIT[split]
        detections = released("1dkHOZwaflluUCPZpbLwio9s3kN1QwHz8")
        return [
            NeededFile(folder / f"{stem}.json", "annotations", released("1vvJXM0WYzbkjTTVAFsfXRAdyAwAhEPPh")),
            NeededFile(folder / f"hrnet_output_on_{stem}set.json", "detections", detections),
        ]

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
        columns = sort_rows(columns, np.append(order, order[: self.repeated]))
        if self.sources.detections:
            found = Detections.from_list(self.files()[1], SMPL.keypoint_num, "image_id")
            columns["detections"] = found.of(columns["image_id"].tolist())
        return columns, skipped

    def sort_keys(self):
        return {"image_id": self.records["image_id"]}

    def annotation(self, posed, places):
        return camera_joints(self, places, SMPL.joint_num)

    def evaluator(self, joint_set, full=True, regressor=None):
        if regressor is None:
            figures = lift_figures(joint_set, "joints of the body layer")
            return LiftEvaluator(joint_set, figures, full=full).described("val split")
        # true joints are regressed by the neutral body too, even from male and female meshes
        figures = (
            Figure("SMPL MPJPE", SMPL_JOINTS, line="Pose error (MPJPE): %.2f mm"),
            Figure("MPVPE", VERTICES, line="Mesh error (MPVPE): %.2f mm"),
        )
        evaluator = BodyEvaluator(joint_set, regressor, figures, model_regressor(self.mesh_model, "smpl"), full=full)
        return evaluator.described("val split", start="")
