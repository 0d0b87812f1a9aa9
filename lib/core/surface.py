"""Mean distances of meshes, a few samples at a time so that everything stays in the cache.

Loops over a last axis of three numbers cannot use vector instructions: there, a norm costs ten times as much as over
three planes of V numbers. Meshes (B, V, 3) are therefore read as planes (B, 3, V), whichever way they lie in memory,
and no aligned mesh is put together again. Results carry no gradients.
"""

import torch
from torch import Tensor

_BLOCK = 16  # samples at a time on a CPU


@torch.no_grad()
def mean_distance(pred: Tensor, target: Tensor, shift: Tensor | None = None) -> Tensor:
    """Mean distance of corresponding points.

    Args:
        pred, target: (B, N, 3).
        shift: (B, 3) added to every difference ``pred - target``.

    Returns:
        (B,), in the unit of the points.
    """
    parts = []
    for part in _blocks(pred):
        difference = _difference(pred[part].transpose(1, 2), target[part].transpose(1, 2))
        parts.append(_mean_length(difference if shift is None else difference.add_(shift[part][..., None])))
    return torch.cat(parts)


@torch.no_grad()
def distances(pred: Tensor, target: Tensor, pred_origin: Tensor, target_origin: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance of corresponding points before and after the best similarity transform of each sample.

    Args:
        pred, target: (B, N, 3).
        pred_origin, target_origin: (B, 3), become the origin. The first result depends on them; the second does not,
            up to rounding, which is least when they are near the points.

    Returns:
        (B,) and (B,), in the unit of the points.
    """
    plain, aligned = [], []
    for part in _blocks(pred):
        source = _planes(pred[part], pred_origin[part])
        goal = _planes(target[part], target_origin[part])
        plain.append(_mean_length(source - goal))
        aligned.append(_aligned_distance(source, goal))
    return torch.cat(plain), torch.cat(aligned)


def rotation_and_stretch(covariance: Tensor, reflect: bool = False) -> tuple[Tensor, Tensor]:
    """The rotation that maximises trace(R C), and that maximum (orthogonal Procrustes).

    Args:
        covariance: (..., 3, 3) C, sum or mean of source times target, both centred.
        reflect: also allow mirror images.

    Returns:
        rotation (..., 3, 3) from source to target, and (...,) the maximum.
    """
    u, s, vh = torch.linalg.svd(covariance)
    sign = torch.ones_like(s)
    if not reflect:
        sign[..., 2] = torch.where(torch.linalg.det(u @ vh) < 0, -1.0, 1.0)
    return (vh.transpose(-1, -2) * sign[..., None, :]) @ u.transpose(-1, -2), (s * sign).sum(-1)


def scale_of(stretch: Tensor, variance: Tensor) -> Tensor:
    """Scale of a similarity, stretch / variance; 0 for a source whose points all coincide."""
    return torch.where(variance > 0, stretch / variance.clamp_min(torch.finfo(variance.dtype).tiny), 0.0)


def _blocks(points: Tensor) -> list[slice]:
    size = _BLOCK if points.device.type == "cpu" else len(points)
    return [slice(start, start + size) for start in range(0, len(points), max(size, 1))] or [slice(0)]


def _planes(points: Tensor, origin: Tensor) -> Tensor:
    """(B, 3, N) contiguous coordinates of points (B, N, 3), relative to the origin (B, 3)."""
    return _difference(points.transpose(1, 2), origin[..., None])


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """a - b as contiguous planes (B, 3, N). Also the fastest way to transpose: torch copies numbers one by one."""
    return torch.sub(a, b, out=a.new_empty(a.shape, dtype=torch.result_type(a, b)))


def _mean_length(planes: Tensor) -> Tensor:
    """Mean length (B,) of the vectors in planes (B, 3, N), which are overwritten."""
    x, y, z = planes.square_().unbind(1)
    return x.add_(y).add_(z).sqrt_().mean(-1)


def _aligned_distance(source: Tensor, goal: Tensor) -> Tensor:
    """Mean distance (B,) of planes (B, 3, N) after alignment; ``goal`` is overwritten.

    Moments are taken about the origin and corrected by the means, which saves two passes; the 3 x 3 problem is solved
    in double precision.
    """
    count = source.shape[-1]
    mean_s, mean_g = source.mean(-1).double(), goal.mean(-1).double()
    covariance = (source @ goal.transpose(1, 2)).double() / count - mean_s[..., None] * mean_g[:, None]
    variance = torch.linalg.vector_norm(source.flatten(1), dim=1).double().square() / count - mean_s.square().sum(-1)
    rotation, stretch = rotation_and_stretch(covariance)
    turn = scale_of(stretch, variance)[:, None, None] * rotation
    shift = mean_g[..., None] - turn @ mean_s[..., None]
    return _mean_length(goal.baddbmm_(turn.to(source), source, beta=-1).add_(shift.to(source)))
