"""The open benchmark: real poses of held-out subjects. ``asset/open_benchmark/README.md`` says where they come from."""

import numpy as np

from lib import ROOT
from lib.files import read_arrays

BENCHMARK = ROOT / "asset" / "open_benchmark" / "cmu_heldout.npz"


def read_benchmark() -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 72), axis-angle, float16, z up, and the clip of each (N,), text; 10 poses per second of a clip.

    Raises:
        FileNotFoundError, ValueError: see ``lib.files.read_arrays``.
    """
    arrays = read_arrays(BENCHMARK, ("poses", "clip"), "the open benchmark", "data/build/make_benchmark.py makes it")
    return arrays["poses"], arrays["clip"]
