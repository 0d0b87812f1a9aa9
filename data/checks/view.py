"""Some records of a data set, posed and projected, with what is annotated and detected; for ``data/verify.py``.

Some sets annotate joints that training does not read; they are taken from the annotation file itself here.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch

from data.FreiHAND.evaluation import JOINT_FILE, load_truth
from lib.datasets.annotations import read_json
from lib.datasets.fit_errors import MUCO_ROWS
from lib.datasets.pose_dataset import RecordDataset, stream
from lib.datasets.posed import Posed, PosedBodies
from lib.geometry.cameras import project
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO, HUMAN36, MANO

MM = 1000.0
METRES_END = 50.0  # nobody is that many metres from the camera, or that few millimetres


@dataclass(frozen=True)
class View:
    """N sampled records. Joints are those of ``joint_set``; None where a data set has no such thing.

    Attributes:
        indices: (N,) samples of the data set.
        names: image names, empty where there are none.
        joint_set: of everything but the detections.
        posed: the bodies.
        fit: (N, J, 3) mm, camera frame, joints of the body fit; fit_image: (N, J, 2) px, projected.
        truth: (N, J, 3) mm annotated joints; truth_image: (N, J, 2) px; valid: (N, J) which ones.
        placed: whether fit and annotation are in the same place, not only relative to the root.
        detections, expected: (N, K, 2) px detected joints and where they should be, of ``detected_set``.
        size: (N, 2) image width and height, px. bbox: (N, 4) px.
    """

    indices: np.ndarray
    names: list[str]
    joint_set: JointSet
    detected_set: JointSet
    posed: Posed
    fit: np.ndarray | None = None
    fit_image: np.ndarray | None = None
    truth: np.ndarray | None = None
    truth_image: np.ndarray | None = None
    valid: np.ndarray | None = None
    placed: bool = True
    detections: np.ndarray | None = None
    expected: np.ndarray | None = None
    size: np.ndarray | None = None
    bbox: np.ndarray | None = None

    def pick(self, rows: np.ndarray) -> "View":
        """Some of the records; ``posed`` stays that of all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        picked = {name: value[rows] for name, value in arrays.items() if isinstance(value, np.ndarray)}
        return replace(self, names=[self.names[row] for row in rows], **picked)


def look(dataset: RecordDataset, indices: np.ndarray) -> View:
    """The view of some samples."""
    rows = dataset.rows(indices, stream(0))
    records = dataset.records
    own, detected = _JOINT_SETS[dataset.name]
    needed = {own, detected, dataset.cfg.DATASET.input_joint_set}
    if dataset.protocol.fit_check is not None:
        needed |= set(dataset.protocol.fit_check.joint_sets)
    bodies = PosedBodies(dataset.mesh_model, needed, whole_mesh=False)
    posed = Posed(bodies, rows, dataset.cfg.DATASET.input_joint_set, dataset.protocol.annotated_set)
    places = indices if records.count == len(dataset) else indices * records.count // len(dataset)
    columns = {name: records[name][places] for name in ("image", "image_size", "bbox", "detections") if name in records}
    values = {
        "names": [name.decode() for name in columns["image"]] if "image" in columns else [""] * len(indices),
        "size": columns.get("image_size"),
        "bbox": columns.get("bbox"),
        "detections": columns.get("detections"),
    }
    found = _ANNOTATED.get(dataset.name, _fit_only)(dataset, posed, places)
    if values["detections"] is not None and "expected" not in found:
        found["expected"] = _project(posed, MM * posed.targets(detected).numpy())
    return View(
        indices, joint_set=get_joint_set(own), detected_set=get_joint_set(detected), posed=posed, **values, **found
    )


def _fit_only(dataset, posed: Posed, places) -> dict:
    joints = MM * posed.joints(_JOINT_SETS[dataset.name][0]).numpy()
    return {"fit": joints, "fit_image": _project(posed, joints)}


def _human36m(dataset, posed: Posed, places) -> dict:
    truth = posed.rows["joint_cam"].numpy()
    return _fit_only(dataset, posed, places) | _truth(posed, truth)


def _muco(dataset, posed: Posed, places) -> dict:
    annotated = posed.rows["joint_cam"].numpy()
    truth = np.zeros((len(annotated), HUMAN36.joint_num, 3), dtype=annotated.dtype)
    valid = np.zeros(truth.shape[:2], dtype=bool)
    joints, rows = [HUMAN36.index(name) for name in MUCO_ROWS], list(MUCO_ROWS.values())
    truth[:, joints], valid[:, joints] = annotated[:, rows], True
    truth[~valid] = np.repeat(annotated[:, rows].mean(axis=1), (~valid).sum(axis=1), axis=0)
    return _fit_only(dataset, posed, places) | _truth(posed, truth, valid)


def _coco(dataset, posed: Posed, places) -> dict:
    keypoints = posed.rows["keypoints"]
    valid = torch.zeros(len(keypoints), COCO.joint_num, dtype=torch.bool)
    valid[:, : COCO.keypoint_num] = keypoints[..., 2] > 0
    truth = COCO.add_derived(keypoints[..., :2]).numpy()
    fit = MM * posed.joints("coco").numpy()
    return {"fit": fit, "fit_image": posed.image("coco").numpy(), "truth_image": truth, "valid": valid.numpy()}


def _smpl_joints(dataset, posed: Posed, places) -> dict:
    """PW3D and SURREAL."""
    content = read_json(dataset.files()[0], dict)
    joints = {annotation["id"]: annotation.get("joint_cam") for annotation in content["annotations"]}
    fit = _fit_only(dataset, posed, places)
    try:
        wanted = [joints[number] for number in dataset.records["annotation_id"][places].tolist()]
        truth = _millimetres(np.asarray(wanted, dtype=np.float32).reshape(fit["fit"].shape))
    except (TypeError, ValueError):  # not read in training, so it may be missing
        return fit
    return fit | _truth(posed, truth)


def _freihand(dataset, posed: Posed, places) -> dict:
    folder: Path = dataset.files()[1].parent
    hands = read_json(dataset.files()[1], dict)
    numbers = dataset.records["db_idx"][places]
    entries = [hands[str(number)] for number in numbers.tolist()]
    lens = [
        torch.tensor([entry["cam_param"][key] for entry in entries], dtype=torch.float32)
        for key in ("focal", "princpt")
    ]
    if dataset.mode == "test":
        everyone = load_truth(folder / JOINT_FILE, dataset.records["db_idx"], MANO.joint_num)
        truth, fit = None if everyone is None else everyone[places], None
    else:
        truth = np.asarray([entry["joint_3d"] for entry in entries], dtype=np.float32).reshape(len(entries), -1, 3)
        truth = _millimetres(truth)
        fit = MM * posed.joints("mano").numpy()
    if truth is None:
        return {"expected": None}
    result = {"truth": truth, "truth_image": project(torch.from_numpy(truth), *lens).numpy()}
    result |= {"valid": np.ones(truth.shape[:2], dtype=bool), "placed": False, "expected": result["truth_image"]}
    if fit is not None:
        # training is relative to the wrist, so the files need not say where it is
        fit = fit + (truth - fit)[:, MANO.root, None]
        result |= {"fit": fit, "fit_image": project(torch.from_numpy(fit), *lens).numpy()}
    return result


def _millimetres(joints: np.ndarray) -> np.ndarray:
    """Camera-frame joints (N, J, 3) that training does not read: files have them in metres or in millimetres."""
    return joints if np.median(joints[..., 2]) > METRES_END else MM * joints


def _truth(posed: Posed, truth: np.ndarray, valid: np.ndarray | None = None) -> dict:
    valid = np.ones(truth.shape[:2], dtype=bool) if valid is None else valid
    return {"truth": truth, "truth_image": _project(posed, truth), "valid": valid}


def _project(posed: Posed, joints: np.ndarray) -> np.ndarray:
    return project(torch.from_numpy(joints), posed.rows["focal"], posed.rows["princpt"]).numpy()


# joint sets of the annotation (or of the fit where no joints are annotated) and of the detections
_JOINT_SETS = {
    "Human36M": ("human36", "human36"),
    "MuCo": ("human36", "human36"),
    "COCO": ("coco", "coco"),
    "PW3D": ("smpl", "coco"),
    "AMASS": ("human36", "human36"),
    "SURREAL": ("smpl", "smpl"),
    "FreiHAND": ("mano", "mano"),
}
_ANNOTATED = {
    "Human36M": _human36m,
    "MuCo": _muco,
    "COCO": _coco,
    "PW3D": _smpl_joints,
    "SURREAL": _smpl_joints,
    "FreiHAND": _freihand,
}
