"""The original release's module name; the code lives in ``lib.mesh.smpl``."""

# ruff: noqa: F401
from lib.mesh.smpl import SMPL
