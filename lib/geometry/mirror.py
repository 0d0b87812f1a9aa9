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
    mirrored, x = _copy(points), points[..., 0]
    mirrored[..., 0] = _chosen(left, axis - x, x)
    return mirrored


def mirror_boxes(box: Values, left, axis: float = 0.0) -> Values:
    """Boxes (B, 4) of x, y, width, height, some mirrored as their points are."""
    mirrored, x = _copy(box), box[:, 0]
    mirrored[:, 0] = _chosen(left, axis - x - box[:, 2], x)
    return mirrored


def mirror_pose(pose: Values, left) -> Values:
    """Axis-angle rotations (B, 3K), some as the mirrored body has them: x stays, y and z change sign."""
    mirrored = _copy(pose)
    for component in (1, 2):
        values = pose[:, component::3]
        mirrored[:, component::3] = _chosen(left, -values, values)
    return mirrored


def _chosen(left, mirrored: Values, others: Values) -> Values:
    """Rows of either. A mask as index would let the host wait for a GPU."""
    rows = left.reshape(-1, *(1,) * (others.ndim - 1))
    if isinstance(others, np.ndarray):
        return np.where(rows, mirrored, others)
    import torch

    return torch.where(torch.as_tensor(rows, device=others.device), mirrored, others)


def _copy(values: Values) -> Values:
    return values.copy() if isinstance(values, np.ndarray) else values.clone()
