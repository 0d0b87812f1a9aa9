"""Annotated joints that training does not read, from the annotation files themselves; for ``data/verify.py``."""

import numpy as np

from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.storage.annotations import read_json
from lib.units import MM_PER_M

METRES_END = 50.0  # nobody is that many metres from the camera, or that few millimetres


def millimetres(joints: np.ndarray) -> np.ndarray:
    """Camera-frame joints (N, J, 3) in mm: files have them in metres or in millimetres."""
    return joints if np.median(joints[..., 2]) > METRES_END else MM_PER_M * joints


def camera_joints(dataset: RecordDataset, places: np.ndarray, joint_num: int) -> dict[str, np.ndarray]:
    """``truth`` (N, joint_num, 3) mm of records, from the entries ``joint_cam`` of annotations; empty without them."""
    content = read_json(dataset.files()[0], dict)
    joints = {annotation["id"]: annotation.get("joint_cam") for annotation in content["annotations"]}
    try:
        wanted = [joints[number] for number in dataset.records["annotation_id"][places].tolist()]
        truth = np.asarray(wanted, dtype=np.float32).reshape(len(places), joint_num, 3)
    except (TypeError, ValueError):  # training does without, so they may be missing
        return {}
    return {"truth": millimetres(truth)}
