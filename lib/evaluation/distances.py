"""Mean distances of meshes."""

from torch import Tensor

from lib.evaluation.mesh_pair import compare


def mean_distance(pred: Tensor, target: Tensor, shift: Tensor | None = None) -> Tensor:
    """Mean distance of corresponding points, without gradient.

    Args:
        pred, target: (B, N, 3).
        shift: (B, 3) added to every difference ``pred - target``.

    Returns:
        (B,), in the unit of the points.
    """
    return compare(pred, target).distances(pred.new_zeros(len(pred), 3) if shift is None else shift)[0]


def aligned_distance(pred: Tensor, target: Tensor) -> Tensor:
    """Mean distance (B,) of corresponding points (B, N, 3) after the best similarity transform of each sample."""
    return compare(pred, target, align=True).distances()[0]
