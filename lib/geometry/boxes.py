"""Boxes of persons in images."""

import torch

CROP_WIDTH, CROP_HEIGHT = 288, 384  # virtual crop of the 2D poses, pixels
CROP_ASPECT = CROP_WIDTH / CROP_HEIGHT


def tight_boxes(joints: torch.Tensor) -> torch.Tensor:
    """Smallest boxes around all joints, whatever their visibility.

    Args:
        joints: (..., J, >=2), x and y first, pixels.

    Returns:
        (..., 4) x, y, width, height, pixels.
    """
    low = joints[..., :2].amin(dim=-2)
    high = joints[..., :2].amax(dim=-2)
    return torch.cat([low, high - low], dim=-1)


def process_boxes(
    boxes: torch.Tensor, aspect_ratio: float = CROP_ASPECT, scale: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Grow boxes to an aspect ratio, around their centres, as the released models were trained with.

    Width and height lose one pixel first (a box of w pixels spans w - 1 between pixel centres), which also moves the
    centre by half a pixel.

    Args:
        boxes: (..., 4) x, y, width, height, pixels, floating point.
        aspect_ratio: width / height of the result.
        scale: enlargement of the result around its centre.

    Returns:
        boxes (..., 4) and valid (...) bool. A box is invalid when it is narrower or lower than one pixel, or when
        nothing is left of it (1 x 1 pixel); the numbers of an invalid box mean nothing.
    """
    size = boxes[..., 2:] - 1
    centre = boxes[..., :2] + size / 2
    width = torch.maximum(size[..., 0], size[..., 1] * aspect_ratio)
    height = torch.maximum(size[..., 1], size[..., 0] / aspect_ratio)
    grown = torch.stack([width, height], dim=-1) * scale
    valid = (size >= 0).all(dim=-1) & (grown > 0).all(dim=-1)
    return torch.cat([centre - grown / 2, grown], dim=-1), valid
