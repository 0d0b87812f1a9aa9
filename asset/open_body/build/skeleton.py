"""The open body's joints: order, tree, mirror image, the source bones each joint takes over, and poses to fit with.

Axes: x to the body's left, y up, z forward. Lengths are metres, angles radians.
"""

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.tables import COCO, HUMAN36, SMPL

JOINTS = SMPL.joints
PARENTS = np.array([-1] + [parent for _, parent in sorted((child, parent) for parent, child in SMPL.bones)])

# Joint (sided ones without their L_/R_): prefixes of the source bones that move with it. The source splits limbs
# in two for twisting and has five spine bones; the joint sits at the head of the first bone unless listed below.
_BONES = {
    "Pelvis": ("root", "pelvis", "spine05", "spine04"),
    "Torso": ("spine03",),
    "Spine": ("spine02",),
    "Chest": ("spine01",),
    "Neck": ("neck",),
    "Head": ("head", "eye"),
    "Hip": ("upperleg",),
    "Knee": ("lowerleg",),
    "Ankle": ("foot",),
    "Toe": ("toe",),
    "Thorax": ("clavicle", "shoulder"),
    "Shoulder": ("upperarm",),
    "Elbow": ("lowerarm",),
    "Wrist": ("wrist", "metacarpal", "finger1"),
    "Hand": ("finger2", "finger3", "finger4", "finger5"),
}
_HEADS = {
    "Pelvis": ("root",),
    "Torso": ("spine03",),
    "Spine": ("spine02",),
    "Chest": ("spine01",),
    "Neck": ("neck01",),
    "Head": ("head",),
    "Hip": ("upperleg01",),
    "Knee": ("lowerleg01",),
    "Ankle": ("foot",),
    "Toe": ("toe1-1", "toe2-1", "toe3-1", "toe4-1"),
    "Thorax": ("clavicle",),
    "Shoulder": ("upperarm01",),
    "Elbow": ("lowerarm01",),
    "Wrist": ("wrist",),
    "Hand": ("finger2-1", "finger3-1", "finger4-1", "finger5-1"),
}

# Spread of random poses: joint: (mean, standard deviation, limit as (axis, low, high) or None), of the left side
_MOTION = {
    "Hip": ((-0.4, 0, 0), (0.7, 0.3, 0.25), (0, -2.1, 0.6)),
    "Knee": ((0.6, 0, 0), (0.7, 0.08, 0.05), (0, -0.05, 2.4)),
    "Ankle": ((0, 0, 0), (0.25, 0.15, 0.12), None),
    "Toe": ((0, 0, 0), (0.12, 0.03, 0.03), None),
    "Torso": ((0.08, 0, 0), (0.2, 0.15, 0.12), None),
    "Spine": ((0, 0, 0), (0.15, 0.15, 0.12), None),
    "Chest": ((0, 0, 0), (0.1, 0.15, 0.1), None),
    "Neck": ((0, 0, 0), (0.2, 0.25, 0.15), None),
    "Head": ((0, 0, 0), (0.2, 0.25, 0.15), None),
    "Thorax": ((0, 0, 0), (0.05, 0.12, 0.15), None),
    "Shoulder": ((0, -0.2, -0.5), (0.5, 0.55, 0.75), (2, -1.5, 1.4)),
    "Elbow": ((0, -0.7, 0), (0.25, 0.8, 0.15), (1, -2.4, 0.05)),
    "Wrist": ((0, 0, 0), (0.35, 0.2, 0.3), None),
    "Hand": ((0, 0, 0), (0.05, 0.05, 0.15), None),
}

# Poses with deep bends that random poses seldom reach: pose: {joint: axis-angle}
_NAMED = {
    "tpose": {},
    "arms_down": {"L_Shoulder": (0, 0, -1.25), "R_Shoulder": (0, 0, 1.25)},
    "walk": {
        "L_Hip": (-0.5, 0, 0), "R_Hip": (0.35, 0, 0), "L_Knee": (0.25, 0, 0), "R_Knee": (0.6, 0, 0),
        "R_Ankle": (0.2, 0, 0), "L_Shoulder": (0.1, -0.3, -1.2), "R_Shoulder": (0, -0.5, 1.2),
        "L_Elbow": (0, -0.5, 0), "R_Elbow": (0, 0.8, 0), "Torso": (0.05, 0.1, 0), "Chest": (0, -0.15, 0),
    },
    "arms_up": {
        "L_Shoulder": (0, 0, 1.1), "R_Shoulder": (0, 0, -1.1), "L_Thorax": (0, 0, 0.25), "R_Thorax": (0, 0, -0.25),
        "L_Elbow": (0, -0.4, 0), "R_Elbow": (0, 0.4, 0),
    },
    "sit": {
        "L_Hip": (-1.5, 0.15, 0.1), "R_Hip": (-1.5, -0.15, -0.1), "L_Knee": (1.5, 0, 0), "R_Knee": (1.5, 0, 0),
        "L_Shoulder": (0, -0.5, -1.1), "R_Shoulder": (0, 0.5, 1.1), "L_Elbow": (0, -1.2, 0), "R_Elbow": (0, 1.2, 0),
        "Torso": (0.1, 0, 0), "Neck": (0.15, 0, 0),
    },
    "elbows90": {
        "L_Elbow": (0, -1.57, 0), "R_Elbow": (0, 1.57, 0), "L_Knee": (1.2, 0, 0), "L_Hip": (-0.8, 0, 0),
        "Head": (0, 0.6, 0), "L_Wrist": (0, 0, 0.6), "R_Wrist": (0.9, 0, 0),
    },
    "squat": {
        "Pelvis": (0.3, 0, 0), "L_Hip": (-2.0, 0.4, 0.3), "R_Hip": (-2.0, -0.4, -0.3), "L_Knee": (2.2, 0, 0),
        "R_Knee": (2.2, 0, 0), "L_Ankle": (-0.4, 0, 0), "R_Ankle": (-0.4, 0, 0), "L_Shoulder": (0, -1.3, -0.1),
        "R_Shoulder": (0, 1.3, 0.1), "Torso": (0.3, 0, 0), "Spine": (0.2, 0, 0),
    },
    "twist": {
        "Torso": (0, 0.3, 0), "Spine": (0, 0.3, 0), "Chest": (0, 0.25, 0.1), "Neck": (0, 0.3, 0), "Head": (0.1, 0.3, 0),
        "L_Shoulder": (0.8, 0, -0.6), "R_Shoulder": (-0.6, 0.6, 0.7), "L_Elbow": (0, -2.0, 0), "R_Elbow": (0, 1.9, 0),
        "L_Hip": (-0.3, 0.5, 0.2), "R_Hip": (0.1, -0.2, -0.25),
    },
}  # fmt: skip


def mirror_permutation(joint_set: JointSet) -> np.ndarray:
    """Index of each detectable joint's mirror image, itself for joints of the mid plane."""
    mirror = np.arange(joint_set.keypoint_num)
    for a, b in joint_set.flip_pairs:
        mirror[[a, b]] = b, a
    return mirror


FLIP_X = np.array([-1.0, 1, 1])  # mirrors points
MIRROR = mirror_permutation(SMPL)
MIRROR_H36M = mirror_permutation(HUMAN36)
MIRROR_COCO = mirror_permutation(COCO)


def mirrored_posedirs(posedirs: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Pose correctives (V, 3, 207) of the mirrored body, whose vertices are permuted by ``flip`` (V,)."""
    by_joint = posedirs.reshape(len(flip), 3, len(JOINTS) - 1, 3, 3)
    # with S = diag(FLIP_X), a mirrored rotation R becomes S R S and a mirrored offset d becomes S d
    sign = FLIP_X[:, None, None, None] * (FLIP_X[:, None] * FLIP_X)
    return (by_joint[flip][:, :, MIRROR[1:] - 1] * sign).reshape(posedirs.shape)


def split_side(joint: str) -> tuple[str, str]:
    """``"L_Hip"`` -> ``("L", "Hip")``, ``"Neck"`` -> ``("", "Neck")``."""
    side, _, base = joint.rpartition("_")
    return side, base


def joint_of_bone(label: str) -> int:
    """Joint that a source bone moves with; KeyError for an unknown bone."""
    stem, _, side = label.partition(".")
    for base, prefixes in _BONES.items():
        if stem.startswith(prefixes):
            return JOINTS.index(base if base in JOINTS else f"{side}_{base}")
    raise KeyError(f"source bone {label!r} belongs to no joint")


def head_bones(joint: str) -> list[str]:
    """Labels of the source bones whose heads' mean is the joint."""
    side, base = split_side(joint)
    return [f"{bone}.{side}" if side else bone for bone in _HEADS[base]]


def named_poses() -> dict[str, np.ndarray]:
    """Test poses by name, each (24, 3) axis-angle."""
    poses = {}
    for name, angles in _NAMED.items():
        poses[name] = np.zeros((len(JOINTS), 3))
        for joint, angle in angles.items():
            poses[name][JOINTS.index(joint)] = angle
    return poses


def random_poses(count: int, rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """Plausible poses (count, 24, 3) axis-angle with the pelvis at rest, as likely as their mirror images."""
    poses = np.zeros((count, len(JOINTS), 3))
    for j, joint in enumerate(JOINTS[1:], start=1):
        side, base = split_side(joint)
        mean, deviation, limit = _MOTION[base]
        sign = np.array([1, -1, -1]) if side == "R" else np.ones(3)
        poses[:, j] = sign * mean + scale * np.array(deviation) * rng.standard_normal((count, 3))
        if limit is not None:
            axis, *bounds = limit
            low, high = sorted(sign[axis] * np.array(bounds))
            poses[:, j, axis] = np.clip(poses[:, j, axis], low, high)
    return poses
