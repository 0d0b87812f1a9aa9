"""The original release's module name; the code lives in ``lib.datasets.noise``."""

# ruff: noqa: F401
from lib.datasets.noise import human36_noise, synthesize_pose, synthesize_poses
