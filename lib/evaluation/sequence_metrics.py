"""Errors of motion: roots that tremble or jump in depth, feet that slide. Several clips at once, one number per frame.

What needs the frame before has no value (NaN) in a clip's first frame, accelerations have none in its last one either.
Jitter is measured against the truth, whose own acceleration is no fault. Foot sliding is that of WHAM (Shin et al.,
CVPR 2024): how far heels and toes move in a frame in which the true ones rest.
"""

import re

import numpy as np

from lib.evaluation.video_metrics import Videos
from lib.joints.joint_set import JointSet
from lib.joints.tables import SMPL
from lib.mesh.mesh_model import MeshModel

STILL = 10.0  # mm per frame, at 30 frames per second: slower points of a foot rest, as in WHAM
_SOLE = 0.03  # metres above the lowest point of a foot of the standing body
_FOOT_JOINTS = re.compile("ankle|heel|toe|foot", re.IGNORECASE)
_FOOT_PARTS = (("L_Ankle", "L_Toe"), ("R_Ankle", "R_Toe"))


def root_errors(videos: Videos, pred: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Errors of the root joint's way through the camera's frame.

    Args:
        videos: clips of the rows.
        pred, target: (N, 3) mm, x right, y down, z away from the camera.

    Returns:
        (N,) each: ``MRPE``, distance from the true root, mm (mean root position error: Moon et al., ICCV 2019); ``root
        jitter``, its acceleration error, mm per frame squared; ``root step error``, that of its displacement since the
        frame before, mm per frame; ``depth jump``, the share of the last one that is along the optical axis.
    """
    step = videos.steps(pred) - videos.steps(target)
    return {
        "MRPE": np.linalg.norm(pred.astype(np.float64) - target, axis=1),
        "root jitter": videos.acceleration_error(pred[:, None], target[:, None]),
        "root step error": np.linalg.norm(step, axis=1),
        "depth jump": np.abs(step[:, 2]),
    }


def foot_slide(videos: Videos, feet: np.ndarray, true_feet: np.ndarray, still: float = STILL) -> np.ndarray:
    """How far points of feet moved since the frame before while the true ones rested.

    Args:
        videos: clips of the rows.
        feet, true_feet: (N, P, 3) mm in the frame of a camera that stands still; the true ones twice give how much
            the truth itself slides.
        still: mm per frame that a point that rests moves less than.

    Returns:
        (N,) mm per frame, mean over the points that rest; NaN where none does.
    """
    moved, true_moved = (np.linalg.norm(videos.steps(points), axis=2) for points in (feet, true_feet))
    resting = true_moved < still  # not where there is no frame before
    counts = resting.sum(axis=1)
    slide = np.where(resting, moved, 0).sum(axis=1)
    return np.divide(slide, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def foot_vertices(mesh_model: MeshModel) -> list[int]:
    """Left heel and toe, right heel and toe of a mesh: the ends of each sole; nothing of a hand."""
    if mesh_model.kind != "body":
        return []
    arrays = mesh_model.arrays()
    rest, leading = arrays["v_template"], arrays["weights"].argmax(axis=1)  # y is up, z forward
    found = []
    for joints in _FOOT_PARTS:
        foot = np.flatnonzero(np.isin(leading, [SMPL.joints.index(joint) for joint in joints]))
        height = rest[foot, 1]
        sole = foot[height <= height.min() + _SOLE]
        found += [int(sole[rest[sole, 2].argmin()]), int(sole[rest[sole, 2].argmax()])]
    return found


def foot_joints(joint_set: JointSet) -> list[int]:
    """Joints of feet, ankles among them, by their names, for where there is no mesh; not all sets have any."""
    return [number for number, name in enumerate(joint_set.joints) if _FOOT_JOINTS.search(name)]
