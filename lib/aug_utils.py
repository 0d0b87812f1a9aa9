"""The original release's module name; the code lives in ``lib.geometry``."""

# ruff: noqa: F401
from lib.geometry.single import (
    affine_transform,
    augm_params,
    flip_2d_joint,
    flip_3d_joint,
    get_affine_transform,
    j2d_processing,
    j3d_processing,
    transform_joint_to_other_db,
)
