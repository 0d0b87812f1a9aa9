"""The four built-in joint sets: names, bones, flip pairs, roots (the one table of these facts in the project).

Users' own sets are files, see ``lib/joint_set_files.py``.

Source: joint orders of Human3.6M, COCO, SMPL and FreiHAND/MANO as used by Pose2Mesh (ECCV 2020, section 3 and
figure 3). Indices are 0-based.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.joint_sources import JointSource

Pairs = tuple[tuple[int, int], ...]

# the side in a joint's name: R_Knee, r_knee, RKnee, right_knee, rightKnee; knee_r, knee.R, KneeRight, knee_right
_SIDE_NAMES = re.compile(
    r"^(?P<first>[LlRr]|[Ll]eft|LEFT|[Rr]ight|RIGHT)(?=[_ .-]|[A-Z][a-z])"
    r"|(?:[_ .-](?P<last>[LlRr]|[Ll]eft|LEFT|[Rr]ight|RIGHT)|(?<=[a-z])(?P<end>Left|Right))$"
)


def _side_of(name: str) -> str:
    found = _SIDE_NAMES.search(name)
    if found is None:
        return ""
    return "left" if (found["first"] or found["last"] or found["end"])[0] in "Ll" else "right"


@dataclass(frozen=True)
class JointSet:
    """One joint set.

    Attributes:
        name: key in configs (``DATASET.input_joint_set``) and on the command line (``--joint_set``).
        joints: joint names in order.
        root: index of the joint that 3D targets are relative to.
        bones: index pairs, drawn and used as edges of the joint graph.
        graph_links: further edges of the joint graph: the flip pairs, or (hand) links between neighbouring fingers.
        flip_pairs: left/right index pairs that swap when a pose is mirrored (empty for a single hand).
        derived: ``(joint, (a, b))``: joints that no detector gives; each is the mean of joints a and b.
        eval_joints: indices that published MPJPE figures are taken over.
        body: ``body`` or ``hand``; decides the mesh model and MeshNet's channel plan.
        sources: of a user's set: where each joint but the derived ones is on the mesh; empty for built-in sets.
    """

    name: str
    joints: tuple[str, ...]
    root: int
    bones: Pairs
    graph_links: Pairs
    flip_pairs: Pairs
    eval_joints: tuple[int, ...]
    derived: tuple[tuple[int, tuple[int, int]], ...] = ()
    body: str = "body"
    sources: tuple[JointSource, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def joint_num(self) -> int:
        return len(self.joints)

    @property
    def keypoint_num(self) -> int:
        """Number of joints that a detector delivers: all but the derived ones, which come last."""
        return len(self.joints) - len(self.derived)

    @property
    def right_joints(self) -> tuple[int, ...]:
        """Joints of the person's right side (drawn in another colour)."""
        return tuple(i for i in range(self.joint_num) if self.side(i) == "right")

    @property
    def left_joints(self) -> tuple[int, ...]:
        """Joints of the person's left side."""
        return tuple(i for i in range(self.joint_num) if self.side(i) == "left")

    def side(self, joint: int) -> str:
        """``left``, ``right`` or, for the middle and for hands, ``""``.

        Names tell (``R_Knee``, ``rightKnee``, ``knee_r``, ...); in a flip pair whose names do not, the first is left.
        """
        side = _side_of(self.joints[joint])
        if side:
            return side
        for pair in self.flip_pairs:
            if joint in pair:
                other = _side_of(self.joints[pair[1 - pair.index(joint)]])
                return {"left": "right", "right": "left"}.get(other) or ("left" if joint == pair[0] else "right")
        return ""

    def index(self, joint: str) -> int:
        """Index of a joint name; ValueError lists the names when it is unknown."""
        if joint not in self.joints:
            raise ValueError(f"joint set {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self.joints.index(joint)

    def describe(self) -> str:
        """Joint order as one line of text, for help texts and error messages."""
        return ", ".join(f"{i} {joint}" for i, joint in enumerate(self.joints))

    def add_derived(self, keypoints):
        """Append the derived joints.

        Args:
            keypoints: (..., keypoint_num, C) array or tensor; every column (x, y, z, score) is averaged alike.

        Returns:
            (..., joint_num, C) of the same type; the input itself when the set has no derived joints.

        Raises:
            ValueError: wrong number of joints.
        """
        if keypoints.shape[-2] != self.keypoint_num:
            raise ValueError(
                f"joint set {self.name!r} takes {self.keypoint_num} keypoints, got {keypoints.shape[-2]}; "
                f"expected order: {', '.join(self.joints[: self.keypoint_num])}"
            )
        if not self.derived:
            return keypoints
        means = [0.5 * (keypoints[..., a : a + 1, :] + keypoints[..., b : b + 1, :]) for _, (a, b) in self.derived]
        if isinstance(keypoints, np.ndarray):
            return np.concatenate([keypoints, *means], axis=-2)
        import torch

        return torch.cat([keypoints, *means], dim=-2)


_H36M_FLIP = ((1, 4), (2, 5), (3, 6), (14, 11), (15, 12), (16, 13))
_COCO_FLIP = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
_SMPL_FLIP = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23))

HUMAN36 = JointSet(
    name="human36",
    joints=(
        "Pelvis", "R_Hip", "R_Knee", "R_Ankle", "L_Hip", "L_Knee", "L_Ankle", "Torso", "Neck", "Nose", "Head",
        "L_Shoulder", "L_Elbow", "L_Wrist", "R_Shoulder", "R_Elbow", "R_Wrist",
    ),
    root=0,
    bones=(
        (0, 7), (7, 8), (8, 9), (9, 10), (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16),
        (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6),
    ),
    graph_links=_H36M_FLIP,
    flip_pairs=_H36M_FLIP,
    eval_joints=(1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16),
)  # fmt: skip

COCO = JointSet(
    name="coco",
    joints=(
        "Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist",
        "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle", "Pelvis", "Neck",
    ),
    root=17,
    bones=(
        (1, 2), (0, 1), (0, 2), (2, 4), (1, 3), (6, 8), (8, 10), (5, 7), (7, 9), (12, 14), (14, 16), (11, 13),
        (13, 15), (17, 11), (17, 12), (17, 18), (18, 5), (18, 6), (18, 0),
    ),
    graph_links=_COCO_FLIP,
    flip_pairs=_COCO_FLIP,
    eval_joints=tuple(range(19)),
    derived=((17, (11, 12)), (18, (5, 6))),
)  # fmt: skip

SMPL = JointSet(
    name="smpl",
    joints=(
        "Pelvis", "L_Hip", "R_Hip", "Torso", "L_Knee", "R_Knee", "Spine", "L_Ankle", "R_Ankle", "Chest", "L_Toe",
        "R_Toe", "Neck", "L_Thorax", "R_Thorax", "Head", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow",
        "L_Wrist", "R_Wrist", "L_Hand", "R_Hand",
    ),
    root=0,
    bones=(
        (0, 1), (1, 4), (4, 7), (7, 10), (0, 2), (2, 5), (5, 8), (8, 11), (0, 3), (3, 6), (6, 9), (9, 14), (14, 17),
        (17, 19), (19, 21), (21, 23), (9, 13), (13, 16), (16, 18), (18, 20), (20, 22), (9, 12), (12, 15),
    ),
    graph_links=_SMPL_FLIP,
    flip_pairs=_SMPL_FLIP,
    eval_joints=tuple(range(24)),
)  # fmt: skip

MANO = JointSet(
    name="mano",
    joints=(
        "Wrist", "Thumb_1", "Thumb_2", "Thumb_3", "Thumb_4", "Index_1", "Index_2", "Index_3", "Index_4", "Middle_1",
        "Middle_2", "Middle_3", "Middle_4", "Ring_1", "Ring_2", "Ring_3", "Ring_4", "Pinky_1", "Pinky_2", "Pinky_3",
        "Pinky_4",
    ),
    root=0,
    bones=(
        (0, 1), (0, 5), (0, 9), (0, 13), (0, 17), (1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11),
        (11, 12), (13, 14), (14, 15), (15, 16), (17, 18), (18, 19), (19, 20),
    ),
    graph_links=(
        (1, 5), (5, 9), (9, 13), (13, 17), (2, 6), (6, 10), (10, 14), (14, 18), (3, 7), (7, 11), (11, 15), (15, 19),
        (4, 8), (8, 12), (12, 16), (16, 20),
    ),
    flip_pairs=(),
    eval_joints=tuple(range(21)),
    body="hand",
)  # fmt: skip

JOINT_SETS: dict[str, JointSet] = {s.name: s for s in (HUMAN36, COCO, SMPL, MANO)}


def get_joint_set(value: "str | Path | Mapping | JointSet") -> JointSet:
    """A joint set.

    Args:
        value: name of a built-in set, path of a joint set file (``.yml``) or its content as settings carry it; a joint
            set itself is given back.

    Raises:
        ValueError: unknown name (the message lists the known ones), or content that describes no joint set.
        FileNotFoundError: no such file.
    """
    if isinstance(value, JointSet):
        return value
    if isinstance(value, str) and value in JOINT_SETS:
        return JOINT_SETS[value]
    from lib.joint_set_files import SUFFIXES, read_joint_set

    if isinstance(value, str) and not value.lower().endswith(SUFFIXES):
        raise ValueError(
            f"unknown joint set {value!r}; choose one of {', '.join(JOINT_SETS)} or a joint set file (.yml)"
        )
    return read_joint_set(value)
