"""What the predictor accepts: 2D and 3D poses of a joint set, checked, and completed by the derived joints."""

import numpy as np

from lib.joints.joint_set import JointSet
from lib.units import MM_PER_M

UNITS = {"mm": 1.0, "m": MM_PER_M}
_OTHER_UNITS = {"millimetres": 1.0, "centimetres": 10.0, "metres": MM_PER_M}
# A pose's bones may be this many times as long as the mesh model's: newborns to giants, but no other unit.
_SIZE_RANGE = (0.2, 3.0)
VIEW_SIZE = (1000, 1000)  # pixels; picture of the orthographic view
_VIEW_FILL = 0.5  # the mesh model in its rest pose spans this much of the view


def check_poses(poses: np.ndarray, joint_set: JointSet, input_scale: str = "axis") -> np.ndarray:
    """Validate 2D poses and append derived joints.

    Args:
        poses: (B, J, 2) pixels, or one pose (J, 2); any real type; J may leave out the derived joints
            (coco: 17 or 19).
        input_scale: of the network (``standardise``): with ``common`` one axis may be without extent.

    Returns:
        (B, J, 2) float64. Whole numbers are computed on as real ones: nothing is truncated to pixels.

    Raises:
        ValueError: wrong shape or type, NaN or infinite values, no extent. The message names the expected joints.
    """
    poses = _checked(poses, joint_set, 2, "poses")
    extent = np.ptp(poses, axis=1)
    narrow = extent < 2
    small = np.argwhere(narrow.any(axis=1) if input_scale == "axis" else narrow.all(axis=1))
    if len(small):
        width, height = extent[small[0, 0]]
        raise ValueError(
            f"pose {small[0, 0]} is {width:g} x {height:g} in size, too small: joints must be spread over at least "
            "2 pixels, and coordinates must be pixels, not fractions of the image"
        )
    return joint_set.add_derived(poses) if poses.shape[1] != joint_set.joint_num else poses


def check_pose3d(pose3d: np.ndarray, joint_set: JointSet, template: np.ndarray, unit: str = "mm") -> np.ndarray:
    """Validate 3D poses, append derived joints and make them relative to the root.

    Args:
        pose3d: (B, J, 3) in ``unit``, or one pose (J, 3); J may leave out the derived joints.
        template: (J, 3) metres, the mesh model's joints in its rest pose, which sizes are compared with.
        unit: ``mm`` or ``m``.

    Returns:
        (B, J, 3) float64, millimetres, root-relative.

    Raises:
        ValueError: wrong shape, type or unit, NaN or infinite values, or bones of an impossible length, which most
            often means another unit.
    """
    if unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}; choose one of {', '.join(UNITS)}")
    pose3d = _checked(pose3d, joint_set, 3, "pose3d") * UNITS[unit]
    pose3d = joint_set.add_derived(pose3d) if pose3d.shape[1] != joint_set.joint_num else pose3d
    # the sum of all bones does not change with the posture
    expected = float(_bone_lengths(template[None], joint_set)[0]) * UNITS["m"]
    ratio = _bone_lengths(pose3d, joint_set) / expected
    bad = np.flatnonzero((ratio < _SIZE_RANGE[0]) | (ratio > _SIZE_RANGE[1]))
    if len(bad):
        size = ratio[bad[0]] * expected
        given = size / UNITS[unit]
        fitting = [f"are these {name}?" for name, scale in _OTHER_UNITS.items() if 0.4 < given * scale / expected < 1.6]
        raise ValueError(
            f"3D pose {bad[0]}: all bones together are {given:.4g} {unit} long, the mesh model's are "
            f"{expected / UNITS[unit]:.4g} {unit}; {' '.join(fitting) or 'are the joints in the right order?'} "
            f"The unit was taken to be {unit}, choose from {', '.join(UNITS)}"
        )
    return pose3d - pose3d[:, joint_set.root, None]


def orthographic_view(pose3d: np.ndarray, template: np.ndarray, input_scale: str = "axis") -> np.ndarray:
    """3D poses as seen from infinitely far away.

    The network sees 2D poses without position and scale, so this is the 2D pose of any weak-perspective camera that
    looks along z.

    Args:
        pose3d: (B, J, 3) millimetres, root-relative, x right, y down.
        template: (J, 3) metres, as in ``check_pose3d``; it alone decides the scale, so that sizes stay comparable.
        input_scale: as in ``check_poses``.

    Returns:
        (B, J, 2) pixels of a picture of ``VIEW_SIZE`` with the root in the middle.

    Raises:
        ValueError: a pose without extent in x or y.
    """
    narrow = np.ptp(pose3d[..., :2], axis=1) < 1
    flat = np.argwhere(narrow.any(axis=1) if input_scale == "axis" else narrow.all(axis=1))
    if len(flat):
        raise ValueError(f"3D pose {flat[0, 0]} is flat: all joints share one x or one y, so there is no 2D view of it")
    millimetres = np.ptp(template, axis=0).max() * UNITS["m"]
    return pose3d[..., :2] * (_VIEW_FILL * min(VIEW_SIZE) / millimetres) + np.array(VIEW_SIZE) / 2


def _checked(poses: np.ndarray, joint_set: JointSet, columns: int, name: str) -> np.ndarray:
    """Poses (B, J, columns) float64 with finite values."""
    poses = np.asarray(poses)
    poses = poses[None] if poses.ndim == 2 else poses
    accepted = (joint_set.keypoint_num, joint_set.joint_num)
    if poses.ndim != 3 or poses.shape[1] not in accepted or poses.shape[2] != columns:
        raise ValueError(
            f"expected {name} (B, {' or '.join(map(str, dict.fromkeys(accepted)))}, {columns}) for joint set "
            f"{joint_set.name!r}, got {poses.shape}{_columns_hint(poses.shape, columns)}; joints in order: "
            f"{joint_set.describe()}"
        )
    if poses.dtype.kind not in "iuf":
        raise ValueError(f"expected numbers, got an array of {poses.dtype}")
    poses = poses.astype(np.float64)
    finite = np.isfinite(poses).all(axis=2)
    if not finite.all():
        sample, joint = np.argwhere(~finite)[0]
        raise ValueError(
            f"pose {sample}: joint {joint} ({joint_set.joints[joint]}) is NaN or infinite, in all {(~finite).sum()} "
            "such joints; the network needs every joint, fill missing ones first (predict_detections does, in 2D)"
        )
    return poses


def _columns_hint(shape: tuple[int, ...], columns: int) -> str:
    """Where poses with another number of columns belong."""
    if len(shape) == 3 and columns == 2 and shape[2] == 3:
        return " (x, y and score: predict_detections; x, y and z: predict_pose3d)"
    return ""


def _bone_lengths(pose3d: np.ndarray, joint_set: JointSet) -> np.ndarray:
    """(B,) sum of the lengths of all bones of (B, J, 3)."""
    start, end = np.array(joint_set.bones).T
    return np.linalg.norm(pose3d[:, start] - pose3d[:, end], axis=2).sum(axis=1)
