"""Clips of motion, and windows of them at any speed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.body.rotation import axis_angle_between
from lib.datasets.storage.motion_files import Clip, read_clips
from lib.datasets.storage.records import PoseRecords, load_records

FPS = 30.0  # frames per second of windows
SHORTEST = 15  # frames of a clip
_VERSION = 4
_OWN_SPEED = 0.4  # share of windows at the clip's own speed
_BACKWARDS = 0.3  # share of windows that run backwards


@dataclass(frozen=True)
class Motions:
    """B sequences of T frames: pose (B, T, 3K) axis-angle, trans (B, T, 3) metres; z up. betas (B, S), where known."""

    pose: Tensor
    trans: Tensor
    betas: Tensor | None = None


class Clips:
    """Clips of AMASS-format files. Poses are memory-mapped where there is a cache, so their number is not bounded.

    Args:
        files: the clips. cache: folder of all caches (``load_records``); None keeps them in memory.
        rate: of clips with more frames per second as few are kept as are at least so many; None keeps all.

    Raises:
        FileNotFoundError, ValueError: see ``load_records`` and ``read_clips``.
    """

    def __init__(self, files: Sequence[Path], cache: Path | None, rate: float | None = None):
        self._files, self._rate = list(files), rate
        self.records: PoseRecords = load_records("motion", self._files, {"rate": rate}, _VERSION, self._parse, cache)
        self.starts, self.fps = (np.array(self.records.notes[key]) for key in ("starts", "fps"))
        self.betas = np.array(self.records.notes["betas"], dtype=np.float32)
        self.lengths = np.diff([*self.starts, self.records.count])

    def _parse(self):
        parts = (clip for path in self._files for clip in read_clips(path) if len(clip.poses) >= SHORTEST)
        clips = [self._thinned(clip) for clip in parts]
        if not clips:
            raise ValueError(f"no clip of at least {SHORTEST} frames among {len(self._files)} files of motion")
        starts = np.cumsum([0, *(len(clip.poses) for clip in clips[:-1])])
        columns = {"pose": np.concatenate([clip.poses for clip in clips])}
        columns["trans"] = np.concatenate([clip.trans for clip in clips])
        betas = [clip.betas.tolist() for clip in clips]
        return columns, {"starts": starts.tolist(), "fps": [clip.fps for clip in clips], "betas": betas}

    def _thinned(self, clip: Clip) -> Clip:
        step = max(1, int(clip.fps / self._rate + 1e-6)) if self._rate else 1
        if step == 1:
            return clip
        poses, trans = (values[::step].copy() for values in (clip.poses, clip.trans))  # the others are let go
        return replace(clip, poses=poses, trans=trans, fps=clip.fps / step)

    def draw(self, count: int, frames: int, speeds: Sequence[float], generator: torch.Generator) -> Motions:
        """Windows of clips, those of long clips more often; where a clip ends it runs back.

        Args:
            count, frames: B and T, ``FPS`` frames per second.
            speeds: slowest and fastest, of the clip's own.
            generator: of the draws.
        """

        def uniform():
            return torch.rand(count, generator=generator, dtype=torch.float64).numpy()

        seconds = self.lengths / self.fps
        clip = np.searchsorted(np.cumsum(seconds), uniform() * seconds.sum(), side="right").clip(max=len(seconds) - 1)
        low, high = map(math.log, speeds)
        speed = np.where(uniform() < _OWN_SPEED, 1.0, np.exp(low + (high - low) * uniform()))
        step = speed * self.fps[clip] / FPS
        last = self.lengths[clip] - 1.0
        begin = uniform() * np.maximum(0.0, last - step * (frames - 1))
        place = begin[:, None] + step[:, None] * np.arange(frames)
        place = place % (2 * last[:, None])
        place = np.minimum(place, 2 * last[:, None] - place)
        return self.at(clip, np.where((uniform() < _BACKWARDS)[:, None], place[:, ::-1], place))

    def at(self, clip: np.ndarray, place: np.ndarray) -> Motions:
        """Motion between frames.

        Args:
            clip: (B,) numbers of clips. place: (B, T) in frames of the clip, from 0 to the last one.
        """
        before = np.minimum(np.floor(place).astype(np.int64), self.lengths[clip, None] - 2)
        share = torch.from_numpy((place - before).astype(np.float32))[..., None]
        rows = self.starts[clip, None] + before
        poses = [torch.from_numpy(self.records["pose"][rows + later]).unflatten(2, (-1, 3)) for later in (0, 1)]
        ways = [torch.from_numpy(self.records["trans"][rows + later]) for later in (0, 1)]
        pose = axis_angle_between(poses[0], poses[1], share[..., None])
        return Motions(pose.flatten(2), torch.lerp(ways[0], ways[1], share), torch.from_numpy(self.betas[clip]))
