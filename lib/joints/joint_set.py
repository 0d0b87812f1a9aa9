"""What a joint set is: names, bones, flip pairs, root, derived and evaluated joints."""

import re
from dataclasses import dataclass

import numpy as np

from lib.joints.sources import JointSource
from lib.messages import shown

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
    def eval_names(self) -> tuple[str, ...]:
        """Names of ``eval_joints``."""
        return tuple(self.joints[joint] for joint in self.eval_joints)

    @property
    def right_joints(self) -> tuple[int, ...]:
        """Joints of the person's right side (drawn in another colour)."""
        return tuple(i for i in range(self.joint_num) if self.side(i) == "right")

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
            raise ValueError(f"joint set {self.name!r} has no joint {shown(joint)}; it has {', '.join(self.joints)}")
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
