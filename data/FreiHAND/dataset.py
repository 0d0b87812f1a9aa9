"""FreiHAND (train and test; hand joints).

Files in ``data/FreiHAND/data``: ``freihand_{train,eval}_coco.json``, ``freihand_{train,eval}_data.json`` (``db_idx`` ->
camera, MANO parameters) and ``hrnet_output_on_{train,test}set.json``. The 2D input is always detected, whatever
``use_gt_input`` says. The evaluation annotations are not public: test targets are dummies, figures come from
``pred.json`` and the official evaluation (or from its ground-truth files where they are in place).
"""

from pathlib import Path

import numpy as np
import torch

from data.FreiHAND.evaluation import JOINT_FILE, MESH_FILE, NO_TARGETS, FreiHandEvaluator, Submission, load_truth
from lib.datasets.annotated import millimetres
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Inspection, MeshSamples, NeededFile, Protocol, released
from lib.datasets.storage.annotations import Detections, field, read_json, whole_number
from lib.datasets.storage.columns import BODY_COLUMNS, People, body_fit, sort_rows
from lib.geometry.cameras import project
from lib.joints.tables import MANO
from lib.messages import naming
from lib.units import MM_PER_M

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
    inspection = Inspection("data/freihand_*_data.json")
    mesh_samples = MeshSamples(scale=1.0)

    @property
    def no_targets(self) -> str:
        return NO_TARGETS if self.mode == "test" else ""

    @classmethod
    def needed_files(cls, split, root):
        folder, stem = root / "data" / cls.name / "data", FILE_SPLIT[split]
        site, found = released("1syj8KEGxHV6lXGOStJGJ6qGaIol-4xD7"), released("1QfAoCNTuQKbFTIoS5p9Hm_4IRdM5xVif")
        files = [NeededFile(folder / f"freihand_{stem}_{part}.json", "annotations", site) for part in ("coco", "data")]
        return [*files, NeededFile(folder / f"hrnet_output_on_{split}set.json", "detections", found)]

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

    def sort_keys(self):
        return {"image_id": self.records["image_id"]}

    def _truth(self, file: str, points: int) -> np.ndarray | None:
        """True joints or vertices of the evaluation split (N, points, 3) mm, where their file is there."""
        return load_truth(self.folder / "data" / file, np.asarray(self.column("db_idx")), points)

    def annotation(self, posed, places):
        path = self.files()[1]
        hands, numbers = read_json(path, dict), self.records["db_idx"][places].tolist()

        def values(size: int, *keys: str) -> np.ndarray:
            found = [field(path, f"hand {number}", hands, str(number), *keys) for number in numbers]
            with naming(f"{path}: {'.'.join(keys)}"):
                try:
                    return np.float32(found).reshape(len(found), size)
                except TypeError as error:
                    raise ValueError(f"expected {size} numbers of each hand") from error

        lens = [torch.from_numpy(values(2, "cam_param", key)) for key in ("focal", "princpt")]
        if self.mode == "test":
            truth = self._truth(JOINT_FILE, MANO.joint_num)
            if truth is None:
                return {}
            truth = truth[places]
        else:
            truth = millimetres(values(3 * MANO.joint_num, "joint_3d").reshape(len(numbers), -1, 3))
        found = {"truth": truth, "truth_image": project(torch.from_numpy(truth), *lens).numpy(), "placed": False}
        if self.mode == "test":
            return found
        # training is relative to the wrist, so the files need not say where it is
        fit = MM_PER_M * posed.joints("mano").numpy()
        fit = fit + (truth - fit)[:, MANO.root, None]
        return found | {"fit": fit, "fit_image": project(torch.from_numpy(fit), *lens).numpy()}

    def evaluator(self, joint_set, full=True, regressor=None):
        joints = meshes = None
        if full:
            joints = self._truth(JOINT_FILE, MANO.joint_num)
            meshes = None if regressor is None else self._truth(MESH_FILE, self.mesh_model.vertex_num)
        return FreiHandEvaluator(joints, meshes, regressor, full)

    def writers(self, run, regressor=None):
        points, numbers = MANO.joint_num if regressor is None else self.mesh_model.vertex_num, self.column("db_idx")
        return [Submission(run / "pred.json", numbers, points, self.cfg.TEST.freihand_unit, regressor)]
