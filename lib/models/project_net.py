"""The original release's module name; the code lives in ``lib.geometry.camera_fit``."""

# ruff: noqa: F401
from lib.geometry.camera_fit import fit_weak_perspective, project
