"""The original release's module name; the code lives in ``lib.geometry``."""

# ruff: noqa: F401
from lib.evaluation.video_metrics import compute_error_accel
from lib.geometry.single import (
    cam2pixel,
    euler2mat,
    get_bbox,
    get_center_scale,
    pixel2cam,
    process_bbox,
    rigid_align,
    rigid_transform_3D,
    world2cam,
)
