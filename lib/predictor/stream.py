"""People while pictures come, lifted by a temporal lifter with what came before."""

import math
from collections import deque

import numpy as np
import torch

from .sequence_lifter import FPS, NEAR, LiftedPeople, SequenceLifter


class StreamLifter:
    """Remembers people's newest poses, and lifts those of a picture with all that is remembered of them.

    As far back as the temporal lifter reaches, 81 frames at about 30 per second: memory does not grow with time.

    Args:
        lifter: of the poses' joints.
        fps: of the pictures' numbers.
    """

    def __init__(self, lifter: SequenceLifter, fps: float):
        self.lifter, self.fps = lifter, fps
        frames = lifter.network.frames
        usual = NEAR[0] <= fps <= NEAR[1]
        self._span = frames if usual else math.floor((frames - 1) * fps / FPS) + 1  # numbers that are remembered
        self._seen: dict[int, deque[tuple[int, np.ndarray, np.ndarray]]] = {}

    def add(self, number: int, tracks: np.ndarray, poses: np.ndarray, seen: np.ndarray) -> None:
        """The people of picture ``number``, which grows from call to call.

        Args:
            tracks: (N,) their numbers; who has none (-1) is not remembered.
            poses: (N, J, 2) pixels, complete. seen: (N, J) bool, which joints are not filled in.
        """
        for row, track in enumerate(tracks.tolist()):
            if track >= 0:
                self._seen.setdefault(track, deque()).append((number, poses[row], seen[row]))
        for track, frames in list(self._seen.items()):
            while frames and frames[0][0] <= number - self._span:
                frames.popleft()
            if not frames:
                del self._seen[track]

    def lift(self, number: int, tracks: np.ndarray, focal: float, principal: tuple[float, float]) -> LiftedPeople:
        """People (N,) by their track numbers, as they were in picture ``number``.

        Those who are not remembered there are not lifted. Focal length and principal point are pixels.
        """
        parts = [self._lifted(number, track, focal, principal) for track in tracks.tolist()]
        return LiftedPeople.joined([LiftedPeople.nobody(0, self.lifter.joint_set.joint_num), *parts])

    def _lifted(self, number: int, track: int, focal: float, principal: tuple[float, float]) -> LiftedPeople:
        frames = self._seen.get(track, ())
        numbers = np.array([frame[0] for frame in frames], dtype=np.int64)
        if number not in numbers:
            return LiftedPeople.nobody(1, self.lifter.joint_set.joint_num)
        poses, seen = (np.stack([frame[part] for frame in frames]) for part in (1, 2))
        runs = self.lifter.runs(poses, seen, numbers, self.fps)
        ends = np.cumsum([len(run.places) for run in runs])
        row = int(np.flatnonzero(numbers == number)[0])
        place = int(np.searchsorted(ends, row, side="right"))
        lifted = self.lifter.lift(runs[place : place + 1], self.fps, focal, principal)
        return lifted[torch.tensor([row - (ends[place] - len(lifted))])]
