"""Virtual crop, mirroring, rotation and normalisation of poses.

Images are never read: the crop only fixes the unit of the 2D errors and the frame that poses are mirrored in.
"""

import torch

from lib.geometry.boxes import CROP_HEIGHT, CROP_WIDTH
from lib.geometry.constants import constant

Pairs = tuple[tuple[int, int], ...]


class BadSamples(ValueError):
    """Some poses of a batch cannot be used.

    Args:
        reason: what is wrong with them.
        bad: (B,) bool, which ones.

    Attributes:
        samples: their places in the batch.
    """

    def __init__(self, reason: str, bad: torch.Tensor, limit: int = 10):
        self.reason, self.samples = reason, torch.atleast_1d(bad).nonzero().squeeze(-1).tolist()
        more = f" and {len(self.samples) - limit} more" if len(self.samples) > limit else ""
        super().__init__(f"{reason}: samples {', '.join(map(str, self.samples[:limit]))}{more}")


def crop_matrices(
    boxes: torch.Tensor, rotation: torch.Tensor | None = None, out_size: tuple[int, int] = (CROP_WIDTH, CROP_HEIGHT)
) -> torch.Tensor:
    """Similarities that map box centres to the centre of the crop and box widths to its width.

    Only the width sets the scale; a box of another aspect ratio overflows or underfills the crop vertically.

    Args:
        boxes: (..., 4) x, y, width, height, pixels.
        rotation: (...) degrees; positive values turn the content by minus that angle (x right, y down). None = 0.
        out_size: width and height of the crop, pixels.

    Returns:
        (..., 2, 3) affine matrices for `apply_affine`.

    Raises:
        ValueError: a box has no width; the message names the samples.
    """
    width = boxes[..., 2]
    bad = ~(width > 0)
    if bad.any():
        raise BadSamples("cannot crop boxes without width (expected width > 0 pixels)", bad)
    angle = torch.zeros_like(width) if rotation is None else torch.deg2rad(rotation.to(width))
    scale = out_size[0] / width
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    cx, cy = (boxes[..., :2] + boxes[..., 2:] / 2).unbind(-1)
    rows = [cos, sin, out_size[0] / 2 - cos * cx - sin * cy, -sin, cos, out_size[1] / 2 + sin * cx - cos * cy]
    return torch.stack(rows, dim=-1).unflatten(-1, (2, 3))


def apply_affine(points: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Map points (..., J, 2) by affine matrices (..., 2, 3); returns (..., J, 2)."""
    return points @ matrices[..., :2].transpose(-1, -2) + matrices[..., None, :, 2]


def inverse_affine(matrices: torch.Tensor) -> torch.Tensor:
    """Affine matrices (..., 2, 3) that undo others."""
    back = torch.linalg.inv(matrices[..., :2])
    return torch.cat([back, -back @ matrices[..., 2:]], dim=-1)


def crop_areas(boxes: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Area (...) of boxes (..., 4) after the crop (..., 2, 3), square pixels: the unit of COCO-style 2D errors."""
    return boxes[..., 2] * boxes[..., 3] * torch.linalg.det(matrices[..., :2])


def flip_2d(points: torch.Tensor, width: float, pairs: Pairs, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mirror 2D poses: x becomes width - x - 1, and left and right joints swap.

    Args:
        points: (..., J, >=2), x first, pixels; further columns move with their joint.
        width: width of the frame, pixels.
        pairs: left/right joint index pairs.
        mask: (...) bool, poses to mirror; None = all.

    Returns:
        New tensor of the shape of ``points``.
    """
    x = width - 1 - points[..., :1]
    return _choose(mask, _swap(torch.cat([x, points[..., 1:]], dim=-1), pairs), points)


def rotate_flip_3d(
    points: torch.Tensor, rotation: torch.Tensor | None, pairs: Pairs, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """3D counterpart of a crop rotation followed by `flip_2d`.

    Args:
        points: (..., J, 3) relative to the root joint, camera axes, any length unit.
        rotation: (...) degrees, as given to `crop_matrices`; poses turn by minus that angle in the x-y plane.
        pairs: left/right joint index pairs.
        mask: (...) bool, poses to mirror (x negated, sides swapped); None = all.

    Returns:
        (..., J, 3).
    """
    if rotation is not None:
        angle = torch.deg2rad(rotation.to(points))[..., None]
        x, y, z = points.unbind(-1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        points = torch.stack([x * cos + y * sin, y * cos - x * sin, z], dim=-1)
    return _choose(mask, _swap(points * constant((-1.0, 1.0, 1.0), points), pairs), points)


def sample_augmentation(
    n: int, flip: bool, rotate_factor: float, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw mirroring and rotation for n training samples.

    Args:
        n: number of samples.
        flip: mirror half of the samples (otherwise none).
        rotate_factor: standard deviation of the rotation, degrees; clipped at twice that. Half of the samples are
            not rotated.
        generator: source of randomness, also fixes the device.

    Returns:
        mask (n,) bool and rotation (n,) float32 degrees.
    """
    device = None if generator is None else generator.device
    draw = torch.rand(2, n, generator=generator, device=device)
    angle = torch.randn(n, generator=generator, device=device) * rotate_factor
    mask = draw[0] < 0.5 if flip else torch.zeros_like(draw[0], dtype=torch.bool)
    rotation = angle.clamp(-2 * rotate_factor, 2 * rotate_factor)
    return mask, torch.where(draw[1] < 0.5, torch.zeros_like(rotation), rotation)


def standardise(pose2d: torch.Tensor, input_scale: str = "axis") -> torch.Tensor:
    """Remove mean and spread of each pose (the network's input).

    Position and size of the crop cancel here. With ``axis``, the published rule, so does the ratio of a pose's width
    to its height, and with it much of what tells depth; ``common`` keeps it.

    Args:
        pose2d: (..., J, 2), any unit, the same for x and y where ``input_scale`` is ``common``.
        input_scale: ``axis`` divides x and y each by its own spread, ``common`` both by one number.

    Returns:
        (..., J, 2) with mean 0 and, over the joints, population standard deviation 1 in each axis (``axis``) or root
        mean square 1 over both axes (``common``).

    Raises:
        ValueError: all joints of a pose share one x or one y (``common``: one point), or a coordinate is not finite;
            names the samples.
    """
    spread = pose2d.amax(dim=-2) - pose2d.amin(dim=-2)
    extent = spread > 0
    wide = extent.all(dim=-1) if input_scale == "axis" else extent.any(dim=-1)
    bad = ~(wide & torch.isfinite(spread).all(dim=-1))
    if bad.any():
        missing = "x or y" if input_scale == "axis" else "x and y"
        raise BadSamples(f"2D poses without extent in {missing}, or not finite, cannot be normalised", bad)
    centred = pose2d - pose2d.mean(dim=-2, keepdim=True)
    over = -2 if input_scale == "axis" else (-2, -1)
    return centred / centred.square().mean(dim=over, keepdim=True).sqrt()


def swapped(count: int, pairs: Pairs) -> list[int]:
    """The order of ``count`` joints after left and right ones swapped."""
    order = list(range(count))
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


def _swap(points: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    return points.index_select(-2, constant(swapped(points.shape[-2], pairs), points, torch.int64))


def _choose(mask: torch.Tensor | None, changed: torch.Tensor, unchanged: torch.Tensor) -> torch.Tensor:
    return changed if mask is None else torch.where(mask[..., None, None], changed, unchanged)
