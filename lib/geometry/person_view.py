"""A person followed over time as cameras see him that look straight at him, and back into the camera of the picture.

Where somebody stands in the picture is lost when his 2D pose is standardised, and with it the direction that he is seen
from (CLIFF, ECCV 2022). Here each frame's camera is turned towards the person first, which a pinhole camera's picture
allows without loss; what is found in the turned frame is turned back.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.geometry.crops import standardise

# Standard deviations in frames, at 30 per second, of the Gaussians that direction and size are smoothed with: slow
# enough not to carry a detector's jitter into what is turned and scaled by them.
_DIRECTION, _SIZE = 4.0, 6.0
_TAIL = 2.0  # standard deviations that a Gaussian reaches to either side
_NEAREST = 0.05  # least cosine of an angle to the line of sight: who is seen further from it is behind the camera
_USUAL_WAY = 4.0  # body sizes that people move away from where they are most of the time


class PersonView(NamedTuple):
    """B people in T frames, seen straight on.

    Attributes:
        pose2d: (B, T, J, 2) standardised joints in the turned pictures (``lib.geometry.crops.standardise``).
        motion: (B, T, 6) direction and size against the medians of all frames, place and size in the turned picture
            against the smooth ones; without unit, of the order of 1.
        rotation: (B, T, 3, 3) from the camera of the picture to the turned one.
        size: (B, T, 1) smooth spread of the joints, tangents of angles.
    """

    pose2d: Tensor
    motion: Tensor
    rotation: Tensor
    size: Tensor

    def to_camera(self, points: Tensor) -> Tensor:
        """Points or vectors (B, T, n, 3) of the turned frames in the frame of the picture's camera."""
        return points @ self.rotation  # the rotation's transpose, from the left


def towards(direction: Tensor) -> Tensor:
    """Rotations (..., 3, 3) of cameras that turn, without rolling, to what is seen at ``direction`` (..., 2), x/z, y/z.

    Rows are right, down and forward of the turned camera in the frame of the one that turns.
    """
    x, y = direction.unbind(-1)
    level, length, zero = (1 + x * x).sqrt(), (1 + x * x + y * y).sqrt(), torch.zeros_like(x)
    right = torch.stack([1 / level, zero, -x / level], dim=-1)
    forward = torch.stack([x / length, y / length, 1 / length], dim=-1)
    return torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)


def person_view(pose2d: Tensor, focal: Tensor, princpt: Tensor, input_scale: str = "common") -> PersonView:
    """Turn cameras to people.

    Args:
        pose2d: (B, T, J, 2) pixels of T frames that follow each other, about 30 per second.
        focal, princpt: (B, T or 1, 2) pixels, of the camera.
        input_scale: see ``lib.geometry.crops.standardise``.

    Returns:
        in ``pose2d``'s type.

    Raises:
        ValueError: 2D poses without extent.
    """
    rays = (pose2d - princpt[:, :, None]) / focal[:, :, None]
    direction = smooth(rays.median(dim=2).values, _DIRECTION)
    rotation = towards(direction)
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1) @ rotation.transpose(-1, -2)
    seen = turned[..., :2] / turned[..., 2:].clamp_min(_NEAREST)
    middle = seen.mean(dim=2)
    spread = (seen - middle[:, :, None]).square().mean(dim=(2, 3)).clamp_min(1e-12).sqrt().log()[..., None]
    smooth_spread = smooth(spread, _SIZE)
    size, usual = smooth_spread.exp(), smooth_spread.median(dim=1, keepdim=True).values
    away = (direction - direction.median(dim=1, keepdim=True).values) / (_USUAL_WAY * usual.exp())
    motion = torch.cat([away, smooth_spread - usual, middle / size, spread - smooth_spread], dim=-1)
    return PersonView(standardise(seen, input_scale), motion, rotation, size)


def smooth(values: Tensor, std: float) -> Tensor:
    """(B, T, n) convolved along T with a Gaussian of ``std`` frames; the ends are repeated."""
    reach = math.ceil(_TAIL * std)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / std).square()).to(values)
    rows = F.pad(values.transpose(1, 2), (reach, reach), mode="replicate")
    return (
        F.conv1d(rows.flatten(0, 1)[:, None], kernel[None, None] / kernel.sum())
        .view(len(values), values.shape[2], -1)
        .transpose(1, 2)
    )
