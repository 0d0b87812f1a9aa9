"""The open benchmarks: motion of held-out subjects. ``asset/open_benchmark/README.md`` says where it comes from."""

from typing import NamedTuple

import numpy as np

from lib import ROOT
from lib.files import read_arrays

BENCHMARK = ROOT / "asset" / "open_benchmark" / "cmu_heldout.npz"
SEQUENCES = ROOT / "asset" / "open_benchmark" / "cmu_heldout_sequences.npz"
POSE_UNIT = 1e-4  # radians that 1 stands for in the poses of SEQUENCES


class Sequences(NamedTuple):
    """Clips one after the other, 30 frames per second, no frame missing within a clip.

    Attributes:
        poses: (N, 72) float32 axis-angle, z up.
        trans: (N, 3) float32 metres, as in AMASS files.
        clips: (C,) text, different names.
        starts: (C,) first row of each clip, increasing from 0.
    """

    poses: np.ndarray
    trans: np.ndarray
    clips: np.ndarray
    starts: np.ndarray

    @property
    def clip_of(self) -> np.ndarray:
        """(N,) clip number of each row."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.poses)))


def read_benchmark() -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 72), axis-angle, float16, z up, and the clip of each (N,), text; 10 poses per second of a clip.

    Raises:
        FileNotFoundError, ValueError: see ``lib.files.read_arrays``.
    """
    arrays = read_arrays(BENCHMARK, ("poses", "clip"), "the open benchmark", "data/build/make_benchmark.py makes it")
    return arrays["poses"], arrays["clip"]


def read_sequences() -> Sequences:
    """The clips of the open sequence benchmark.

    Raises:
        FileNotFoundError, ValueError: see ``lib.files.read_arrays``.
    """
    hint = "data/build/make_sequence_benchmark.py makes it"
    arrays = read_arrays(SEQUENCES, ("poses", "trans", "clip", "start"), "the open sequence benchmark", hint)
    poses = (POSE_UNIT * arrays["poses"]).astype(np.float32)
    return Sequences(poses, arrays["trans"], arrays["clip"], arrays["start"])
