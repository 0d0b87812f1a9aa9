"""Distance between body poses, and thinning of motion by it."""

import numpy as np
from scipy.spatial.transform import Rotation

from data.convert.retarget import PARENTS


def heading_free_joints(poses: np.ndarray, rest_joints: np.ndarray) -> np.ndarray:
    """Posed joints relative to the pelvis, seen from the front of the body whatever way it faces.

    Args:
        poses: (N, 72) axis-angle, radians, z-up world.
        rest_joints: (24, 3) metres, the body's joints in T-pose.

    Returns:
        (N, 24, 3) metres.
    """
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    local[:, 0] = remove_heading(Rotation.from_matrix(local[:, 0])).as_matrix()
    joints = np.zeros((len(poses), 24, 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            joints[:, joint] = joints[:, parent] + local[:, parent] @ (rest_joints[joint] - rest_joints[parent])
            local[:, joint] = local[:, parent] @ local[:, joint]
    return joints


def remove_heading(root: Rotation) -> Rotation:
    """Root orientations without their turn about the vertical (z) axis, measured from SMPL's upright stance.

    What is left leans the body (about a horizontal axis) after standing it upright, facing -y.
    """
    upright = Rotation.from_rotvec([np.pi / 2.0, 0.0, 0.0])
    quaternion = (root * upright.inv()).as_quat()
    heading = 2.0 * np.arctan2(quaternion[:, 2], quaternion[:, 3])
    return Rotation.from_rotvec(np.stack([0.0 * heading, 0.0 * heading, -heading], axis=1)) * root


def thin(joints: np.ndarray, distance: float) -> np.ndarray:
    """Indices of poses such that no two kept ones are closer than ``distance``.

    Poses are taken in the given order; each kept pose strikes out all later ones near it. The result depends only on
    the input.

    Args:
        joints: (N, J, 3) metres, for example from ``heading_free_joints``.
        distance: root mean square distance over the joints, metres.

    Returns:
        (M,) ascending indices.
    """
    points = np.ascontiguousarray(joints.reshape(len(joints), -1), dtype=np.float32)
    limit = distance**2 * joints.shape[1]
    left, kept = np.arange(len(points)), []
    while len(left):
        kept.append(left[0])
        far = np.square(points[1:] - points[0]).sum(axis=1) >= limit
        left, points = left[1:][far], points[1:][far]
    return np.array(kept, dtype=np.int64)
