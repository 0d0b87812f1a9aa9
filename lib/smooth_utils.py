"""The original release's module name; the code lives in ``lib.geometry.one_euro``."""

# ruff: noqa: F401
from lib.geometry.one_euro import OneEuroFilter, smooth_pose
