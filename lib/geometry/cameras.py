"""Perspective cameras."""

import torch


def project(points: torch.Tensor, focal: torch.Tensor, princpt: torch.Tensor) -> torch.Tensor:
    """Perspective projection of camera coordinates.

    Args:
        points: (..., N, 3) in the camera frame, any length unit.
        focal: (..., 2) focal lengths, pixels.
        princpt: (..., 2) principal point, pixels.

    Returns:
        (..., N, 2) image coordinates, pixels.
    """
    return points[..., :2] / points[..., 2:3] * focal[..., None, :] + princpt[..., None, :]
