"""The square crop of a pose in which its camera is fitted."""

import torch

from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.camera_fit import CROP_SIZE
from lib.geometry.crops import apply_affine, crop_matrices

_BOX_SCALE = 1.25  # the camera is fitted in a square crop this much larger than the pose


def camera_crop(pose2d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Square boxes (B, 4) around poses (B, J, 2) in pixels, and the poses in their 500 x 500 crops (B, J, 2)."""
    box, _ = process_boxes(tight_boxes(pose2d), aspect_ratio=1.0, scale=_BOX_SCALE)
    return box, apply_affine(pose2d, crop_matrices(box, torch.zeros_like(box[:, 0]), (CROP_SIZE, CROP_SIZE)))
