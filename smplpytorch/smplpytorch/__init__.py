"""SMPL body layer under its historical import path; the implementation is in ``lib/body``."""

import sys
from importlib.util import find_spec
from pathlib import Path

# someone who puts only this package's folder on the path still gets ``lib`` from the repository around it
if find_spec("lib") is None:
    sys.path.append(str(Path(__file__).resolve().parents[2]))
