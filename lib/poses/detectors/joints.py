"""Joints of RTMPose's models: whose they are, and whole bodies taken apart into body and hands."""

import numpy as np

from lib.poses.people import SIDES, Frame
from lib.poses.reading.joint_parts import WHOLE_BODIES

WHOLE_BODY = 133  # joints of COCO-WholeBody
HAND_JOINTS = 21
_SOURCES = {
    "body": {17: "coco17", 26: "halpe26", WHOLE_BODY: "wholebody23"},
    "hand": {HAND_JOINTS: "mano21", WHOLE_BODY: "mano21"},
}
# a hand all of whose scores are smaller is not there: the limit below which rtmlib itself leaves parts of people out
_HAND_SCORE = 0.3


def source_of(kind: str, joint_num: int) -> str | None:
    """Whose joints the poses of a model with so many joints have; None where it has none of that kind.

    Args:
        kind: ``body`` or ``hand``.
        joint_num: of the model.
    """
    return _SOURCES[kind].get(joint_num)


def wanted_joints(kind: str) -> str:
    """The numbers of joints that models of a kind have, in words."""
    return ", ".join(f"{number} ({source})" for number, source in _SOURCES[kind].items())


def frame_of(people: np.ndarray, kind: str, name: str = "") -> Frame:
    """The people that a model found.

    Args:
        people: (N, K, 3) x, y in pixels and score from 0 to 1.
        kind: ``body`` or ``hand``: what is wanted of them; of whole bodies hands are those that are there.
        name: of the frame.

    Returns:
        a frame of joints of ``source_of``; bodies of whole bodies have their hands, hands of whole bodies say which
        are left ones.
    """
    if people.shape[1] != WHOLE_BODY:
        return Frame(name, people)
    parts = WHOLE_BODIES[WHOLE_BODY]
    hands = people[:, list(parts.hands)]
    there = np.any(hands[..., 2] >= _HAND_SCORE, axis=2)
    if kind == "hand":
        return Frame(name, hands[there], left=np.nonzero(there)[1] == SIDES.index("left"))
    return Frame(
        name, people[:, list(parts.body or ())], hands=np.where(there[..., None, None], hands, np.float32(np.nan))
    )
