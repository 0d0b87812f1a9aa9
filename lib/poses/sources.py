"""Which joints each source of poses has, in order: the one table of these facts.

Joint orders are those of the tools' own documentation: COCO keypoints, OpenPose (BODY_25 and COCO models), Halpe,
COCO-WholeBody, MediaPipe (BlazePose and Hands), Kinect v2, CMU Panoptic, InterHand2.6M, HO-3D, and the joint sets of
``lib.joints.tables``.

A joint has a *role*, its name in the common vocabulary that ``lib.poses.mapping`` maps by. Equal names do not always
mean equal joints (``Head`` is the top of the head in Human3.6M and the base of the skull in SMPL), so the roles of the
spine and the head are told apart: LowSpine, MidSpine, HighSpine, Thorax (base of the neck), Neck (between the
shoulders), Skull (its base), HeadTop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lib.joints.files import SUFFIXES
from lib.joints.joint_set import JointSet, Pairs
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO, HUMAN36, JOINT_SETS, MANO, SMPL


@dataclass(frozen=True)
class Source:
    """A source of 2D poses.

    Attributes:
        name: key of ``SOURCES``, and what ``--format`` and messages call it.
        joints: joint names in order.
        about: where such poses come from.
        body: ``body`` or ``hand``.
        roles: role of each joint; the name itself where it is not listed.
        usual: poses are taken for this source by their number of joints; else it has to be named, and
            ``lib.poses.readings`` says where that would fit better.
        joint_set: the joint set that was named as source; None where a key of ``SOURCES`` was.
    """

    name: str
    joints: tuple[str, ...]
    about: str
    body: str = "body"
    roles: Mapping[str, str] = field(default_factory=dict)
    joint_set: JointSet | None = None
    usual: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def joint_num(self) -> int:
        return len(self.joints)

    @property
    def role_names(self) -> tuple[str, ...]:
        """Role of each joint, in order."""
        return tuple(self.roles.get(joint, joint) for joint in self.joints)

    @property
    def flip_pairs(self) -> Pairs:
        """Left/right index pairs that swap when a pose is mirrored."""
        if self.joint_set is not None:
            return self.joint_set.flip_pairs
        return tuple(
            (index, self.joints.index(mirrored(joint)))
            for index, joint in enumerate(self.joints)
            if joint.startswith("L_")
        )

    @property
    def bones(self) -> Pairs:
        """Index pairs to draw, of the joints that have a part in the usual skeleton."""
        if self.joint_set is not None:
            return self.joint_set.bones
        if self.body == "hand":
            names = MANO.joints
            return tuple((self.joints.index(names[a]), self.joints.index(names[b])) for a, b in MANO.bones)
        place = {role: index for index, role in enumerate(self.role_names)}
        return tuple((place[a], place[b]) for a, b in _DRAWN_BONES if a in place and b in place)

    def with_derived(self, poses: np.ndarray) -> np.ndarray:
        """Poses (..., J, C) of a joint set that leave out its derived joints, with these as missing (NaN) ones; other
        poses as they are."""
        if self.joint_set is None or poses.shape[-2] != self.joint_set.keypoint_num or not self.joint_set.derived:
            return poses
        gap = np.full((*poses.shape[:-2], len(self.joint_set.derived), poses.shape[-1]), np.nan, poses.dtype)
        return np.concatenate([poses, gap], axis=-2)

    def describe(self) -> str:
        """Joint order as one line of text."""
        return ", ".join(f"{index} {joint}" for index, joint in enumerate(self.joints))


def mirrored(joint: str) -> str:
    """Name of a joint's partner on the other side; middle joints are their own."""
    return {"L_": "R_", "R_": "L_"}.get(joint[:2], joint[:2]) + joint[2:]


def get_source(source: str | Path | JointSet | Source) -> Source:
    """The source of a name.

    Args:
        source: a source, which is returned; key of ``SOURCES``; or a joint set (its name, the path of its file, or
            itself), of whose joints the poses may leave out the derived ones.

    Raises:
        ValueError: unknown name; the message lists the known ones.
        FileNotFoundError: no such joint set file.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str) and source in SOURCES:
        return SOURCES[source]
    if isinstance(source, str) and source not in JOINT_SETS and not source.lower().endswith(SUFFIXES):
        raise ValueError(
            f"unknown source of poses {source!r}; choose one of {', '.join(SOURCES)}, or a joint set (name or file)"
        )
    joint_set = get_joint_set(source)
    if joint_set.name in JOINT_SETS:
        return replace(SOURCES[OWN_SOURCES[joint_set.name][-1]], joint_set=joint_set)
    about, roles = f"joint set {joint_set.name}", _own_roles(joint_set)
    return Source(joint_set.name, joint_set.joints, about, joint_set.body, roles, joint_set=joint_set)


def _own_roles(joint_set: JointSet) -> dict[str, str]:
    """Roles of the joints of a user's set that are joints of built-in sets by its file, whatever their names."""
    roles: dict[str, str] = {}
    for joint, source in zip(joint_set.joints, joint_set.sources):
        set_name, _, name = source.mean[0].rpartition(".") if len(source.mean) == 1 else ("", "", "")
        role = SOURCES[OWN_SOURCES[set_name][-1]].roles.get(name, name) if set_name else joint
        if role not in roles.values() and (role == joint or role not in joint_set.joints):
            roles[joint] = role
    return roles


def sources_with(joint_num: int, joint_set: str | Path | JointSet | None = None) -> tuple[str, ...]:
    """Names of the usual sources with a number of joints that can serve a joint set, the set's own first.

    Args:
        joint_num: number of joints.
        joint_set: see ``lib.joints.lookup.get_joint_set``; None accepts body and hand.
    """
    names = [
        name
        for name, source in SOURCES.items()
        if source.usual
        and source.joint_num == joint_num
        and (joint_set is None or source.body == get_joint_set(joint_set).body)
    ]
    own = sources_of(joint_set)
    return tuple(sorted(names, key=lambda name: name not in own))


def sources_of(joint_set: str | Path | JointSet | None) -> tuple[str, ...]:
    """Names of the sources that have a built-in set's joints, see ``OWN_SOURCES``; empty for other sets and None."""
    return () if joint_set is None else OWN_SOURCES.get(get_joint_set(joint_set).name, ())


def _sides(*names: str) -> tuple[str, ...]:
    """Each name for the left, then the right side."""
    return tuple(side + name for name in names for side in ("L_", "R_"))


def _of_joint_set(name: str, joint_set: JointSet, about: str, roles: dict[str, str] | None = None) -> Source:
    return Source(name, joint_set.joints, about, joint_set.body, roles or {})


_COCO17 = COCO.joints[: COCO.keypoint_num]
_BODY18 = (
    "Nose", "Neck", "R_Shoulder", "R_Elbow", "R_Wrist", "L_Shoulder", "L_Elbow", "L_Wrist", "R_Hip", "R_Knee",
    "R_Ankle", "L_Hip", "L_Knee", "L_Ankle", "R_Eye", "L_Eye", "R_Ear", "L_Ear",
)  # fmt: skip
_BODY25 = (
    *_BODY18[:8], "Pelvis", *_BODY18[8:], "L_BigToe", "L_SmallToe", "L_Heel", "R_BigToe", "R_SmallToe", "R_Heel",
)  # fmt: skip
_BODY25B = (
    *_COCO17, "Neck", "HeadTop", "L_BigToe", "L_SmallToe", "L_Heel", "R_BigToe", "R_SmallToe", "R_Heel",
)  # fmt: skip
_MPI15 = ("HeadTop", *_BODY18[1:14], "BodyCentre")
_HALPE26 = (*_COCO17, "HeadTop", "Neck", "Pelvis", *_sides("BigToe", "SmallToe", "Heel"))
_WHOLEBODY23 = (*_COCO17, "L_BigToe", "L_SmallToe", "L_Heel", "R_BigToe", "R_SmallToe", "R_Heel")
_FINGERS_TIP_FIRST = tuple(f"{finger}_{joint}" for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")
                           for joint in (4, 3, 2, 1))  # fmt: skip
_SAM3D70 = (
    *_COCO17[:9], *_sides("Hip", "Knee", "Ankle"), *_WHOLEBODY23[17:],
    *(f"R_{joint}" for joint in _FINGERS_TIP_FIRST), "R_Wrist",
    *(f"L_{joint}" for joint in _FINGERS_TIP_FIRST), "L_Wrist",
    *_sides("Olecranon", "CubitalFossa", "Acromion"), "Neck",
)  # fmt: skip
_BLAZEPOSE = (
    "Nose", "L_EyeInner", "L_Eye", "L_EyeOuter", "R_EyeInner", "R_Eye", "R_EyeOuter",
    *_sides("Ear", "Mouth", "Shoulder", "Elbow", "Wrist", "Pinky", "Index", "Thumb", "Hip", "Knee", "Ankle", "Heel"),
    *_sides("FootIndex"),
)  # fmt: skip
_KINECT = (
    "Pelvis", "SpineMid", "Neck", "Head", "L_Shoulder", "L_Elbow", "L_Wrist", "L_Hand", "R_Shoulder", "R_Elbow",
    "R_Wrist", "R_Hand", "L_Hip", "L_Knee", "L_Ankle", "L_Foot", "R_Hip", "R_Knee", "R_Ankle", "R_Foot",
    "SpineShoulder", "L_HandTip", "L_Thumb", "R_HandTip", "R_Thumb",
)  # fmt: skip
_KINECT_ROLES = {
    **{"SpineMid": "MidSpine", "Neck": "Thorax", "Head": "Ears", "SpineShoulder": "Neck"},
    **{"L_Foot": "L_FootIndex", "R_Foot": "R_FootIndex"},
}
_PANOPTIC = (
    "Neck", "Nose", "Pelvis", "L_Shoulder", "L_Elbow", "L_Wrist", "L_Hip", "L_Knee", "L_Ankle", "R_Shoulder",
    "R_Elbow", "R_Wrist", "R_Hip", "R_Knee", "R_Ankle", "L_Eye", "L_Ear", "R_Eye", "R_Ear",
)  # fmt: skip
_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")
_INTERHAND = (*(f"{finger}_{joint}" for finger in _FINGERS for joint in (4, 3, 2, 1)), "Wrist")
_MANO_FINGERS = ("Index", "Middle", "Pinky", "Ring", "Thumb")  # in the order of the model's own joints
_HO3D = (
    "Wrist", *(f"{finger}_{joint}" for finger in _MANO_FINGERS for joint in (1, 2, 3)),
    *(f"{finger}_4" for finger in _FINGERS),
)  # fmt: skip
_MANO_NATIVE = ("Wrist", *(f"{finger}_{joint}" for finger in _MANO_FINGERS for joint in (1, 2, 3, 4)))

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("coco17", _COCO17, "COCO keypoints: HRNet, ViTPose, YOLO-pose, HigherHRNet, AlphaPose, MMPose, ..."),
        _of_joint_set("coco19", COCO, "COCO keypoints followed by pelvis and neck, the demo's own"),
        Source("openpose_body25", _BODY25, "OpenPose, model BODY_25"),
        Source("openpose_coco18", _BODY18, "OpenPose, model COCO"),
        Source("openpose_mpi15", _MPI15, "OpenPose, model MPI"),
        Source("halpe26", _HALPE26, "AlphaPose and MMPose models for Halpe; also the first 26 of 136 joints"),
        Source("wholebody23", _WHOLEBODY23, "COCO-WholeBody: body and feet, the first 23 of 133 joints"),
        Source("openpose_body25b", _BODY25B, "OpenPose, models BODY_25B and BODY_135 (its body)", usual=False),
        Source("sam3d70", _SAM3D70, "SAM 3D Body (MHR); also the first 70 of Sapiens' 308"),
        Source("mediapipe33", _BLAZEPOSE, "MediaPipe Pose (BlazePose)"),
        _of_joint_set(
            "human36", HUMAN36, "Human3.6M joints", {"Torso": "MidSpine", "Neck": "Thorax", "Head": "HeadTop"}
        ),
        _of_joint_set(
            "smpl24",
            SMPL,
            "SMPL's joints",
            {
                **{"Torso": "LowSpine", "Spine": "MidSpine", "Chest": "HighSpine", "Neck": "Thorax", "Head": "Skull"},
                **{"L_Thorax": "L_Collar", "R_Thorax": "R_Collar"},
            },
        ),
        _of_joint_set("mano21", MANO, "MANO / FreiHAND hand joints; OpenPose and Halpe hands have the same order"),
        Source("mediapipe_hand21", MANO.joints, "MediaPipe Hands", "hand"),
        Source("kinect25", _KINECT, "Kinect v2, NTU RGB+D", roles=_KINECT_ROLES, usual=False),
        Source("panoptic19", _PANOPTIC, "CMU Panoptic", usual=False),
        Source(
            "interhand21", _INTERHAND, "InterHand2.6M: each finger from its tip, the wrist last", "hand", usual=False
        ),
        Source("ho3d21", _HO3D, "HO-3D, smplx: MANO's own joints, then the tips", "hand", usual=False),
        Source("mano_native21", _MANO_NATIVE, "MANO's own order of fingers, each with its tip", "hand", usual=False),
    )
}
"""Sources by name."""

OWN_SOURCES = {"human36": ("human36",), "coco": ("coco17", "coco19"), "smpl": ("smpl24",), "mano": ("mano21",)}
"""The sources whose joints are those of a joint set (coco17: before pelvis and neck are derived), all joints last."""

_DRAWN_BONES = (
    ("L_Ear", "L_Eye"), ("R_Ear", "R_Eye"), ("L_Eye", "Nose"), ("R_Eye", "Nose"),
    ("L_Shoulder", "L_Elbow"), ("L_Elbow", "L_Wrist"), ("R_Shoulder", "R_Elbow"), ("R_Elbow", "R_Wrist"),
    ("L_Hip", "L_Knee"), ("L_Knee", "L_Ankle"), ("R_Hip", "R_Knee"), ("R_Knee", "R_Ankle"),
    ("L_Shoulder", "R_Shoulder"), ("L_Hip", "R_Hip"), ("L_Shoulder", "L_Hip"), ("R_Shoulder", "R_Hip"),
    ("Pelvis", "LowSpine"), ("LowSpine", "MidSpine"), ("Pelvis", "MidSpine"), ("MidSpine", "HighSpine"),
    ("MidSpine", "Thorax"), ("HighSpine", "Thorax"), ("Thorax", "Skull"), ("Thorax", "Nose"), ("Nose", "HeadTop"),
    ("Thorax", "L_Collar"), ("Thorax", "R_Collar"), ("Neck", "Nose"), ("Pelvis", "Neck"),
    ("L_Ankle", "L_Toe"), ("R_Ankle", "R_Toe"), ("L_Ankle", "L_BigToe"), ("R_Ankle", "R_BigToe"),
    ("L_Ankle", "L_Heel"), ("R_Ankle", "R_Heel"), ("L_Ankle", "L_FootIndex"), ("R_Ankle", "R_FootIndex"),
    ("L_Wrist", "L_Hand"), ("R_Wrist", "R_Hand"), ("L_Wrist", "L_Index"), ("R_Wrist", "R_Index"),
)  # fmt: skip
