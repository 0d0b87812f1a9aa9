"""Left hands as right ones: everything mirrored at a vertical plane. Mirroring twice changes nothing.

Frame: x right, y down, z away from the camera. What is mirrored keeps its order: joint 5 stays joint 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Values = TypeVar("Values", np.ndarray, "torch.Tensor")


def mirror_points(points: Values, left, axis: float = 0.0) -> Values:
    """Points, or vectors, with x mirrored in some rows.

    Args:
        points: (B, ..., n), x first; n may be 1.
        left: (B,) bool, the rows to mirror.
        axis: sum of x and its mirror image: the width of a picture, 0 about the origin.
    """
    mirrored = _copy(points)
    mirrored[left, ..., 0] = axis - points[left, ..., 0]
    return mirrored


def mirror_boxes(box: Values, left, axis: float = 0.0) -> Values:
    """Boxes (B, 4) of x, y, width, height, some mirrored as their points are."""
    mirrored = _copy(box)
    mirrored[left, 0] = axis - box[left, 0] - box[left, 2]
    return mirrored


def mirror_pose(pose: Values, left) -> Values:
    """Axis-angle rotations (B, 3K), some as the mirrored body has them: x stays, y and z change sign."""
    mirrored = _copy(pose)
    for component in (1, 2):
        mirrored[left, component::3] = -pose[left, component::3]
    return mirrored


def _copy(values: Values) -> Values:
    return values.copy() if isinstance(values, np.ndarray) else values.clone()
