"""Times of the stages: the newest ones for the screen, all of them in bounded memory for the end."""

import time
from collections import deque

import numpy as np

_KEPT = 20_000  # newest times of each stage, of which the summary is made
_RECENT = 30  # pictures that the shown figures are of
_MS = 1000.0
STAGES = {"finding people": "find", "mesh": "mesh", "drawing": "draw", "from picture to screen": "all"}


class Figures:
    """Times in seconds by stage, names as in ``STAGES``, and pictures per second."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {stage: deque(maxlen=_KEPT) for stage in STAGES}
        self._ends: deque[float] = deque(maxlen=_RECENT)
        self._first = self._last = time.perf_counter()
        self.pictures = self.left_out = 0

    def add(self, people: int, **seconds: float) -> None:
        """A picture is shown; ``seconds`` of stages by their short names. Without people there was no mesh."""
        self._last = time.perf_counter()
        if not self.pictures:
            self._first = self._last
        self._ends.append(self._last)
        self.pictures += 1
        for stage, name in STAGES.items():
            if name in seconds and (people or name not in ("mesh", "draw")):
                self._times[stage].append(seconds[name])

    @property
    def fps(self) -> float:
        """Of the newest pictures; 0 before the second one."""
        return (len(self._ends) - 1) / max(self._ends[-1] - self._ends[0], 1e-9) if len(self._ends) > 1 else 0.0

    def times(self, name: str) -> np.ndarray:
        """Seconds of a stage, by its short name: the newest."""
        return np.array(next(times for stage, times in self._times.items() if STAGES[stage] == name))

    @property
    def mean_fps(self) -> float:
        """Of all pictures; 0 before the second one."""
        seconds = self._last - self._first
        return (self.pictures - 1) / seconds if self.pictures > 1 and seconds > 0 else 0.0

    def lines(self, people: int, detected: bool) -> list[str]:
        """For the screen: pictures per second, people, medians of the newest times."""
        found = {stage: _MS * float(np.median(list(times)[-_RECENT:])) for stage, times in self._times.items() if times}
        rate = f"{self.fps:.1f} frames/s, " if self.fps else ""
        lines = [f"{rate}{people} {'person' if people == 1 else 'people'}"]
        if "mesh" in found:
            lines.append(f"mesh {found['mesh']:.1f} ms")
        if detected and "finding people" in found:
            lines.append(f"detector {found['finding people']:.1f} ms")
        return lines

    def summary(self) -> list[str]:
        """For the end: median and 95th percentile of each stage."""
        shown = f"{self.pictures} pictures shown, {self.mean_fps:.1f} per second"
        lines = [f"{shown}; {self.left_out} came too fast and were left out"]
        for stage, times in self._times.items():
            if times:
                middle, late = _MS * np.percentile(np.array(times), [50, 95])
                lines.append(f"  {stage}: median {middle:.1f} ms, 95th percentile {late:.1f} ms")
        return lines
