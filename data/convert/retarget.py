"""Retargeting of CMU motion capture (BVH) to SMPL's 24 joint rotations.

SMPL's rotations are rotations away from its T-pose. Where a source skeleton's zero pose has a bone in another
direction than the target body's T-pose (legs splayed by 20 degrees, elbow hinges rolled by 30), a constant correction
C makes up for it: G_target(k) = G_source(source of k) @ C(k), with G the rotation relative to the world. Directions
of arm and leg bones are thus kept exactly, whatever the proportions of the two bodies.

Both skeletons: y up, the zero pose faces +z, the subject's left is +x.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from data.convert.bvh import BvhMotion
from lib.joints.tables import SMPL

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Parent of each of SMPL's 24 joints (the layout of its kinematic tree)."""

_J = {name: index for index, name in enumerate(SMPL.joints)}
# In this joint set Torso, Spine and Chest are SMPL's spine 1 to 3, Thorax is the collar and Toe the foot.

# Frames are dropped beyond these angles (degrees): they are faults of the source data, about 2 % of the frames.
MAX_STEP = 60.0
MAX_HIP_TWIST = 75.0
MAX_SHOULDER_TWIST = 135.0
MAX_BEND = 85.0
MAX_WRIST = 100.0
_STEP_SECONDS = 1.0 / 30.0


@dataclass(frozen=True)
class SourceSkeleton:
    """How a source skeleton's joints drive SMPL's joints.

    Attributes:
        name: shown in reports.
        sources: source joints of each SMPL joint; of two, the rotation half-way between them is taken.
        bones: SMPL joint -> (SMPL child, source joint whose zero-pose offset is the bone's direction, or a direction).
        turns: SMPL joint -> constant rotation vector in degrees, applied from the left after the bone's alignment.
        unit: metres per file unit, or None when the figure's size says nothing; then the leg's length sets the scale.
    """

    name: str
    sources: dict[int, tuple[str, ...]]
    bones: dict[int, tuple[int, str | tuple[float, float, float]]]
    turns: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    unit: float | None = None

    @property
    def joints(self) -> set[str]:
        return {joint for joints in self.sources.values() for joint in joints}


# SMPL's joints of an arm and a leg, and the bones between them whose direction is kept
_LIMBS = ("Hip", "Knee", "Ankle", "Toe", "Thorax", "Shoulder", "Elbow", "Wrist", "Hand")
_BONES = (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"))


def _limbs(side: str, names: tuple[str, ...], forearm: str | tuple[float, float, float]) -> tuple[dict, dict]:
    """Sources and bones of a side's arm and leg (see ``SourceSkeleton``).

    Args:
        side: ``L`` or ``R``. names: source joints of ``_LIMBS``. forearm: what gives the direction of that bone.
    """
    source = dict(zip(_LIMBS, names))
    bones = {_J[f"{side}_{joint}"]: (_J[f"{side}_{child}"], source[child]) for joint, child in _BONES}
    bones[_J[f"{side}_Elbow"]] = (_J[f"{side}_Wrist"], forearm)
    return {_J[f"{side}_{joint}"]: (name,) for joint, name in source.items()}, bones


def _cmu_skeleton() -> SourceSkeleton:
    """The 31 joints of the CMU database (ASF/AMC and the cgspeed conversions)."""
    sources = {0: ("Hips",), 3: ("LowerBack",), 6: ("Spine",), 9: ("Spine1",), 12: ("Neck", "Neck1"), 15: ("Head",)}
    bones, turns = {}, {}
    limbs = ("UpLeg", "Leg", "Foot", "ToeBase", "Shoulder", "Arm", "ForeArm", "FingerBase", "FingerBase")
    for side, source, splay in (("L", "Left", 20.0), ("R", "Right", -20.0)):
        own_sources, own_bones = _limbs(side, tuple(source + limb for limb in limbs), f"{source}Hand")
        sources |= own_sources
        bones |= own_bones
        # the elbow's hinge is rolled by 30 degrees about the arm; feet only have the splay of the legs undone
        turns |= {_J[f"{side}_{joint}"]: (-30.0, 0.0, 0.0) for joint in ("Shoulder", "Elbow")}
        turns |= {_J[f"{side}_{joint}"]: (0.0, 0.0, splay) for joint in ("Ankle", "Toe")}
    return SourceSkeleton("CMU", sources, bones, turns, unit=0.0254 / 0.45)


def _daz_skeleton() -> SourceSkeleton:
    """The fixed 43-joint figure of the "DAZ-friendly" cgspeed conversions; an approximation of the same data."""
    sources = {0: ("hip",), 3: ("hip", "abdomen"), 6: ("abdomen",), 9: ("chest",), 12: ("neck",), 15: ("head",)}
    bones = {}
    limbs = ("Thigh", "Shin", "Foot", "Foot", "Collar", "Shldr", "ForeArm", "Hand", "Hand")
    for side, source, outwards in (("L", "l", 1.0), ("R", "r", -1.0)):
        # rotations were made for a straight forearm, though the figure's own forearm points forward
        own_sources, own_bones = _limbs(side, tuple(source + limb for limb in limbs), (outwards, 0.0, 0.0))
        sources |= own_sources
        bones |= own_bones
    return SourceSkeleton("CMU (DAZ figure)", sources, bones)


SKELETONS = (_cmu_skeleton(), _daz_skeleton())


def find_skeleton(motion: BvhMotion) -> SourceSkeleton:
    """The known source skeleton whose joints a clip has; ValueError names what is missing when there is none."""
    missing = {}
    for skeleton in SKELETONS:
        missing[skeleton.name] = sorted(skeleton.joints - set(motion.joints))
        if not missing[skeleton.name]:
            return skeleton
    lacks = "; ".join(f"{name}: lacks {', '.join(joints)}" for name, joints in missing.items())
    raise ValueError(f"no known skeleton fits the clip's joints ({lacks})")


def retarget(motion: BvhMotion, rest_joints: np.ndarray, share_wrist_twist: bool = True) -> np.ndarray:
    """SMPL pose of each frame of a clip.

    Args:
        motion: F frames of one of the known skeletons.
        rest_joints: (24, 3) the target body's joints in T-pose; only their directions matter.
        share_wrist_twist: move half of the wrist's twist to the elbow, so that a skinned forearm does not collapse
            like a sweet's wrapper. The hand's orientation stays exactly the same.

    Returns:
        (F, 24, 3) axis-angle relative to the parent joint, root in the source's world (y up), radians.
    """
    skeleton = find_skeleton(motion)
    corrections = _corrections(skeleton, motion, rest_joints)
    source = motion.global_rotations()
    target = np.empty((len(motion), 24, 3, 3))
    for joint, names in skeleton.sources.items():
        rotation = source[:, motion.index(names[0])]
        if len(names) == 2:
            rotation = _half_way(rotation, source[:, motion.index(names[1])])
        target[:, joint] = rotation @ corrections[joint]
    local = target.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, joint] = np.swapaxes(target[:, parent], -1, -2) @ target[:, joint]
    if share_wrist_twist:
        for side in "LR":
            elbow, wrist = _J[f"{side}_Elbow"], _J[f"{side}_Wrist"]
            _share_twist(local, elbow, wrist, rest_joints[wrist] - rest_joints[elbow])
    return Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)


def root_positions(motion: BvhMotion, rest_joints: np.ndarray) -> np.ndarray:
    """World position of the pelvis, (F, 3) metres, y up."""
    skeleton = find_skeleton(motion)
    unit = skeleton.unit
    if unit is None:
        hip, knee, ankle = (_J[f"L_{name}"] for name in ("Hip", "Knee", "Ankle"))
        leg = np.linalg.norm(rest_joints[knee] - rest_joints[hip]) + np.linalg.norm(
            rest_joints[ankle] - rest_joints[knee]
        )
        sources = [motion.index(skeleton.bones[joint][1]) for joint in (hip, knee)]
        unit = leg / sum(np.linalg.norm(motion.offsets[source]) for source in sources)
    return motion.translations()[:, 0] * unit


def keep_frames(poses: np.ndarray, rest_joints: np.ndarray, frame_time: float) -> np.ndarray:
    """Which frames are free of the source data's faults, (F,) bool.

    Dropped: both sides of a joint's jump of over 60 degrees within 1/30 s; hip twist over 75 degrees; shoulder twist
    over 135; ankle, neck or head turned by more than 85, wrist by more than 100.

    Args:
        poses: (F, 24, 3) axis-angle, successive frames. rest_joints: (24, 3). frame_time: seconds between frames.
    """
    keep = np.ones(len(poses), dtype=bool)
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)
    trace = np.einsum("fjab,fjab->fj", local[1:], local[:-1])
    step = np.degrees(np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0))).max(axis=1, initial=0.0)
    # a slower clip may turn further between frames, but beyond 170 degrees a jump cannot be told from noise
    jumps = step > min(MAX_STEP * frame_time / _STEP_SECONDS, 170.0)
    keep[1:] &= ~jumps
    keep[:-1] &= ~jumps
    for name, child, limit in (("Hip", "Knee", MAX_HIP_TWIST), ("Shoulder", "Elbow", MAX_SHOULDER_TWIST)):
        for side in "LR":
            joint, end = _J[f"{side}_{name}"], _J[f"{side}_{child}"]
            angle = twist_angle(poses[:, joint], rest_joints[end] - rest_joints[joint])
            keep &= np.abs(angle) <= np.radians(limit)
    bends = [_J[name] for name in ("L_Ankle", "R_Ankle", "Neck", "Head")]
    keep &= (np.linalg.norm(poses[:, bends], axis=-1) <= np.radians(MAX_BEND)).all(axis=1)
    wrists = poses[:, [_J["L_Wrist"], _J["R_Wrist"]]]
    return keep & (np.linalg.norm(wrists, axis=-1) <= np.radians(MAX_WRIST)).all(axis=1)


def twist_angle(rotation: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Signed angle about ``axis`` (3,) in the swing-twist split of axis-angle rotations (..., 3); radians in ±π."""
    quaternion = Rotation.from_rotvec(rotation.reshape(-1, 3)).as_quat()
    along = quaternion[:, :3] @ (axis / np.linalg.norm(axis))
    angle = 2.0 * np.arctan2(along, quaternion[:, 3])
    return ((angle + np.pi) % (2.0 * np.pi) - np.pi).reshape(rotation.shape[:-1])


def z_up(poses: np.ndarray, positions: np.ndarray, rest_joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From a y-up world to the z-up world of AMASS files: everything is turned by +90 degrees about x.

    Args:
        poses: (F, 24, 3) axis-angle. positions: (F, 3) pelvis in metres, y up. rest_joints: (24, 3).

    Returns:
        poses with the new root orientation, and ``trans`` (F, 3) metres such that the posed body's pelvis, which the
        body layer leaves at its rest position, comes to the pelvis' position in the z-up world.
    """
    turn = Rotation.from_rotvec([np.pi / 2.0, 0.0, 0.0])
    turned = poses.copy()
    turned[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return turned, turn.apply(positions) - rest_joints[0]


def _corrections(skeleton: SourceSkeleton, motion: BvhMotion, rest_joints: np.ndarray) -> np.ndarray:
    """The constant C of every SMPL joint, (24, 3, 3)."""
    corrections = np.tile(np.eye(3), (24, 1, 1))
    for joint, (child, source) in skeleton.bones.items():
        direction = motion.offsets[motion.index(source)] if isinstance(source, str) else np.array(source)
        corrections[joint] = smallest_rotation(rest_joints[child] - rest_joints[joint], direction)
    for side in "LR":
        # hands follow the forearm's direction, but not the roll of its hinge
        corrections[_J[f"{side}_Wrist"]] = corrections[_J[f"{side}_Hand"]] = corrections[_J[f"{side}_Elbow"]]
    for joint, degrees in skeleton.turns.items():
        corrections[joint] = Rotation.from_rotvec(degrees, degrees=True).as_matrix() @ corrections[joint]
    return corrections


def smallest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) by the smallest angle that takes direction ``start`` (3,) to direction ``end`` (3,)."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), float(start @ end)
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        if cosine > 0:
            return np.eye(3)
        raise ValueError("opposite directions have no unique smallest rotation between them")
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix()


def _half_way(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation half-way between two, (F, 3, 3) each."""
    difference = Rotation.from_matrix(np.swapaxes(first, -1, -2) @ second).as_rotvec()
    return first @ Rotation.from_rotvec(0.5 * difference).as_matrix()


def _share_twist(local: np.ndarray, elbow: int, wrist: int, axis: np.ndarray) -> None:
    """Move half of the wrist's twist about the forearm to the elbow, in place; local is (F, 24, 3, 3)."""
    rotation = Rotation.from_matrix(local[:, wrist]).as_rotvec()
    half = 0.5 * twist_angle(rotation, axis)[:, None] * (axis / np.linalg.norm(axis))
    local[:, elbow] = local[:, elbow] @ Rotation.from_rotvec(half).as_matrix()
    local[:, wrist] = Rotation.from_rotvec(-half).as_matrix() @ local[:, wrist]
