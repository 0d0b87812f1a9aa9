"""Pose2Mesh: 2D human poses to 3D meshes.

Importing this package is the one bootstrap of the module path: it makes the body-layer packages importable under
their historical names (``smplpytorch.pytorch.smpl_layer``, ``manopth.manolayer``). Scripts only have to put the
repository root on the path before they import from ``lib``.
"""

import sys
from pathlib import Path

__version__ = "0.2.0"  # CHANGELOG.md says what each one brought

ROOT = Path(__file__).resolve().parents[1]

for _package in ("smplpytorch", "manopth"):
    if str(ROOT / _package) not in sys.path:
        sys.path.append(str(ROOT / _package))
