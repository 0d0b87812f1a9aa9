"""Where a person is in the camera's frame: the translation of root-relative joints that explains a 2D pose."""

import torch
from torch import Tensor

_NEAREST = 0.1  # metres in front of the camera that no root is placed nearer
_ROUNDS = 20  # of re-weighting
_USUAL = 0.5  # errors above this share of the pose's median count by their length, no more by their square


def root_from_joints(joints: Tensor, pose2d: Tensor, focal: Tensor, princpt: Tensor, robust: bool = False) -> Tensor:
    """Root of each frame on its own, by least squares in closed form.

    A joint (X, Y, Z) + t is seen at u = (X + t_x) / (Z + t_z): X + t_x - u (Z + t_z) = 0 and likewise for Y are linear
    in t. Their squares are those of the reprojection errors, weighted by the joints' depths, which hardly differ.

    Args:
        joints: (F, J, 3) metres, root-relative, camera frame.
        pose2d: (F, J, 2) pixels.
        focal, princpt: (2,) or (F, 2) pixels.
        robust: joints with unusual errors count less (Huber's weights, re-weighted least squares): for 2D poses with
            gross errors.

    Returns:
        (F, 3) metres, at least 0.1 in front of the camera.

    Raises:
        ValueError: shapes that do not fit, a 2D pose without extent, values that are not finite.
    """
    if joints.shape[2:] != (3,) or pose2d.shape != (*joints.shape[:2], 2):
        raise ValueError(f"joints (F, J, 3) and 2D poses (F, J, 2) wanted, got {(*joints.shape,)}, {(*pose2d.shape,)}")
    points, seen = joints.double(), pose2d.double()
    focal, princpt = (value.to(seen).expand(len(seen), 2)[:, None] for value in (focal, princpt))
    rays = (seen - princpt) / focal
    weights = torch.ones_like(rays[..., :1])
    root = _weighted_root(points, rays, weights)
    usable = ((rays.amax(1) - rays.amin(1)).amax(1) > 0) & torch.isfinite(root).all(1)
    if not usable.all():
        raise ValueError(
            f"pose {int((~usable).nonzero()[0])} is a point in the picture, or not all its numbers are finite"
        )
    for _ in range(_ROUNDS if robust else 0):
        placed = points + root[:, None]
        errors = (placed[..., :2] / placed[..., 2:].clamp_min(_NEAREST) - rays).norm(dim=2, keepdim=True)
        limit = (_USUAL * errors.median(dim=1, keepdim=True).values).clamp_min(1e-9)
        root = _weighted_root(points, rays, limit / errors.maximum(limit))
    return root.to(joints.dtype)


def _weighted_root(points: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """(F, 3) from joints (F, J, 3), rays (F, J, 2) and weights (F, J, 1); depths from ``_NEAREST``."""
    weights = weights / weights.sum(dim=1, keepdim=True)
    apart = points[..., :2] - rays * points[..., 2:]
    middle, ray = (weights * apart).sum(1, keepdim=True), (weights * rays).sum(1, keepdim=True)
    about = weights * (rays - ray)
    depth = (about * (apart - middle)).sum((1, 2)) / (about * (rays - ray)).sum((1, 2))
    depth = depth.clamp_min(_NEAREST)[:, None]
    return torch.cat([ray[:, 0] * depth - middle[:, 0], depth], dim=1)
