"""The original release's module name; the code lives in ``lib.mesh.mano``."""

# ruff: noqa: F401
from lib.mesh.mano import MANO
