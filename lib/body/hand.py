"""The 21 joints of a MANO-style hand: 16 kinematic joints and 5 fingertip vertices, in FreiHAND's order."""

import numpy as np
import torch

from lib.geometry.constants import constant

# kinematic order: wrist, index, middle, little, ring, thumb (3 joints each); then the tips, thumb to little finger
_ORDER = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)

# Thumb to little finger. Layer and regressor disagree about the right middle finger; released weights were trained
# with targets from the first and regressed joints from the second.
TIP_VERTICES_LAYER = {"right": (745, 317, 444, 556, 673), "left": (745, 317, 445, 556, 673)}
TIP_VERTICES_REGRESSOR = (745, 317, 445, 556, 673)


def order_hand_joints(joints, axis: int = 1):
    """16 joints and 5 tips along ``axis`` (array or tensor), re-ordered to wrist, thumb 1-4, index, ..., little 1-4."""
    if isinstance(joints, torch.Tensor):
        return joints.index_select(axis, constant(_ORDER, joints, torch.int64))
    return np.take(joints, _ORDER, axis=axis)


def hand_joints(vertices: torch.Tensor, joints: torch.Tensor, tip_vertices) -> torch.Tensor:
    """The 21 posed joints of a hand.

    Args:
        vertices: (B, V, 3).
        joints: (B, 16, 3) posed kinematic joints, in the unit of the vertices.
        tip_vertices: 5 vertex indices, thumb to little finger.

    Returns:
        (B, 21, 3) in the order of joint set ``mano``.
    """
    return order_hand_joints(torch.cat([joints, vertices[:, list(tip_vertices)]], dim=1))
