"""The original release's module name; the code lives in ``lib.render.mesh_renderer``."""

# ruff: noqa: F401
from lib.render.mesh_renderer import BACKENDS, MeshRenderer, render_mesh
