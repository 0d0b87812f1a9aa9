"""Cameras and body shapes of drawn samples."""

import math
from typing import NamedTuple

import torch

from lib.settings.config import SyntheticConfig

FOCAL, PRINCPT = 1500.0, 500.0  # pixels; only perspective distortion survives the normalisation of the input
LATERAL = 0.15  # the person stands up to this share of the distance beside the optical axis
BETAS = 10
TEST_STREAM = 2020  # the benchmarks' cameras and shapes never depend on --seed


class Views(NamedTuple):
    """B of them: azimuth, elevation and roll (B,) radians; distance (B,) metres; lateral (B, 2), the person's place
    beside the optical axis as shares of the distance; betas (B, S)."""

    azimuth: torch.Tensor
    elevation: torch.Tensor
    roll: torch.Tensor
    distance: torch.Tensor
    lateral: torch.Tensor
    betas: torch.Tensor

    @property
    def trans(self) -> torch.Tensor:
        """(B, 3) metres, the person's place in the camera frame."""
        return torch.cat([self.distance[:, None] * self.lateral, self.distance[:, None]], dim=1)


def draw_views(settings: SyntheticConfig, count: int, generator: torch.Generator) -> Views:
    """Views as the settings want them."""

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, generator=generator)

    def angle(degrees):
        return uniform(-math.radians(degrees), math.radians(degrees))

    azimuth, elevation, roll = angle(settings.azimuth), angle(settings.elevation), angle(settings.roll)
    distance = uniform(*settings.distance)
    lateral = torch.stack([uniform(-LATERAL, LATERAL), uniform(-LATERAL, LATERAL)], dim=1)
    betas = settings.beta_std * torch.randn(count, BETAS, generator=generator)
    if settings.any_view_share > 0:
        # drawn last, so that shapes, distances and azimuths are those of the same seed without it
        wide = torch.rand(count, generator=generator) < settings.any_view_share
        low, high = map(math.radians, settings.view_elevation)
        elevation = torch.where(wide, uniform(low, high), elevation)
        turned = torch.rand(count, generator=generator) < settings.turned_share
        tilt = math.radians(settings.view_roll) * torch.randn(count, generator=generator)
        roll = torch.where(wide, torch.where(turned, angle(180.0), tilt), roll)
    return Views(azimuth, elevation, roll, distance, lateral, betas)


def look_at_rotations(azimuth: torch.Tensor, elevation: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    """World-to-camera rotations of cameras that look at the origin.

    Args:
        azimuth, elevation, roll: (B,) radians; the world is z up, elevation 0 is level.

    Returns:
        (B, 3, 3), rows right, down, forward.
    """
    cos_e = elevation.cos()
    forward = -torch.stack([cos_e * azimuth.cos(), cos_e * azimuth.sin(), elevation.sin()], dim=-1)
    up = torch.zeros_like(forward)
    up[:, 2] = 1.0
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    cos_r, sin_r = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack([cos_r * right + sin_r * down, cos_r * down - sin_r * right, forward], dim=1)
