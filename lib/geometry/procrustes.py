"""Orthogonal Procrustes: the best rotation, scale and translation between corresponding points."""

import numpy as np
import torch
from torch import Tensor


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


def similarity(source: Tensor, target: Tensor, reflect: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Least-squares similarity that maps source points to target points (Procrustes).

    Computed in the dtype given. A source whose points all coincide gets scale 0.

    Args:
        source, target: (..., N, 3).
        reflect: also try mirror images, as scipy.linalg.orthogonal_procrustes does; else R is a rotation.

    Returns:
        scale (...,), rotation (..., 3, 3), translation (..., 3): target ~ scale * R @ source + t.
    """
    centre_s, centre_t = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    centred = source - centre_s
    covariance = centred.transpose(-1, -2) @ (target - centre_t) / source.shape[-2]
    rotation, stretch = rotation_and_stretch(covariance, reflect)
    scale = scale_of(stretch, centred.square().mean(-2).sum(-1))
    moved_centre = scale[..., None] * (rotation @ centre_s.transpose(-1, -2))[..., 0]
    return scale, rotation, centre_t[..., 0, :] - moved_centre


def rigid_align(source: Tensor, target: Tensor, reflect: bool = False) -> Tensor:
    """Source points after the best similarity transform to the target points, (..., N, 3); see ``similarity``."""
    scale, rotation, translation = similarity(source, target, reflect)
    turned = (scale[..., None, None] * rotation) @ source.transpose(-1, -2)
    return turned.transpose(-1, -2) + translation[..., None, :]


def similarity_from_moments(moments: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Least-squares similarity from sums over the points, in double precision.

    In numpy, because a few hundred small matrices cost torch several times as much.

    Args:
        moments: (B, 4, 4) sums of (source, 1) times (target, 1).
        squares: (B,) sums of squared lengths of the source's points.

    Returns:
        (B, 3, 4): target ~ result @ (source, 1). The scale is 0 for a source whose points all coincide.

    Raises:
        torch.linalg.LinAlgError: a point is not finite.
    """
    moments = moments.astype(np.float64)
    count = moments[:, 3:, 3:]
    means_s, means_t = moments[:, :3, 3:] / count, moments[:, 3:, :3] / count
    covariance = moments[:, :3, :3] / count - means_s * means_t
    if not np.isfinite(covariance).all():
        raise torch.linalg.LinAlgError("points that are not finite cannot be aligned")
    u, s, vh = np.linalg.svd(covariance)
    mirrored = np.linalg.det(u @ vh) < 0
    s[mirrored, 2] *= -1
    vh[mirrored, 2] *= -1
    variance = squares / count[:, 0, 0] - np.square(means_s).sum((1, 2))
    scale = np.divide(s.sum(1), variance, out=np.zeros(len(s)), where=variance > 0)
    turn = scale[:, None, None] * (u @ vh).swapaxes(1, 2)
    return np.concatenate([turn, means_t.swapaxes(1, 2) - turn @ means_s], axis=2)
