"""Hands of the demo's input: which ones are left where files do not say, and whether there are any."""

from dataclasses import replace

import numpy as np

from lib.joints.joint_set import JointSet
from lib.poses import PoseSequence


def sided(sequence: PoseSequence, hand_side: str | None, joint_set: JointSet) -> PoseSequence:
    """The sequence with hands of a side.

    Args:
        sequence: whose hands are of the side that their frames say, or of none.
        hand_side: ``left`` or ``right``, of those that have none; None takes them for right hands and says so.
        joint_set: of the network.

    Raises:
        ValueError: a side for bodies, or for hands that have one already.
    """
    if joint_set.body != "hand":
        if hand_side is not None:
            raise ValueError(f"--hand_side is for hands, {joint_set.name} is of a body; add --joint_set mano")
        return sequence
    known = [frame.left is not None for frame in sequence.frames]
    if all(known):
        if hand_side is not None and known:
            raise ValueError(f"the {sequence.format} poses say which hands are left; leave --hand_side out")
        return sequence
    frames = [
        replace(frame, left=np.full(len(frame.poses), hand_side == "left")) if frame.left is None else frame
        for frame in sequence.frames
    ]
    note = () if hand_side else ("nothing says which hands these are, taken for right ones; --hand_side left",)
    return replace(sequence, frames=frames, notes=(*sequence.notes, *note))


def check_hands(sequence: PoseSequence, joint_set: JointSet, title: str) -> None:
    """Raises ValueError where no hands can be put beside bodies: hands alone, or poses without hands."""
    if joint_set.body == "hand":
        raise ValueError(f"--hands puts hands beside bodies, {joint_set.name} is of a hand; leave --hands out")
    if all(frame.hands is None for frame in sequence.frames):
        raise ValueError(
            f"--hands: {title} holds no hands; they come from OpenPose's --hand, whole-body models (133, 136 or 308 "
            "joints), MediaPipe's holistic landmarks, and RTMPose's whole-body models with --detect"
        )
