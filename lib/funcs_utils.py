"""The original release's module name; the code lives in the modules named below."""

# ruff: noqa: F401
from lib.export.obj import save_obj
from lib.files import atomic_write
from lib.models.parameters import count_parameters
