"""How well meshes fit their poses, and what the user is told of it."""

from collections.abc import Iterator

import numpy as np

from lib.demo.sequence_files import FrameResult

BAD_FIT = 30.0  # pixels of the 500 x 500 crop; poses in the right joint order stay below, with gross 2D errors too
_BAD_SHARE = 0.1  # of a person's frames
_FEW_PEOPLE = 2  # that are named each


class SequenceFits:
    """The fits of all frames of a sequence, by track."""

    def __init__(self) -> None:
        self._residuals: dict[int, list[float]] = {}

    def watched(self, results: Iterator[FrameResult]) -> Iterator[FrameResult]:
        """The results as they come, with their fits noted."""
        for result in results:
            if result.people is not None:
                for track, residual in zip(result.people.track.tolist(), result.people.lift_residual.tolist()):
                    self._residuals.setdefault(track, []).append(residual)
            yield result

    @property
    def lines(self) -> list[str]:
        """Warnings about the people whose meshes fit badly in many of their frames."""
        lines = []
        for track, values in sorted(self._residuals.items()):
            residuals = np.array(values)
            bad = int((residuals > BAD_FIT).sum())
            if bad > _BAD_SHARE * len(residuals):
                whose = f" of person {track}" if len(self._residuals) > 1 else ""
                lines.append(
                    f"Warning: the meshes{whose} fit the poses badly in {bad} of {len(residuals)} frames (median "
                    f"{np.median(residuals):.0f} pixels of a 500-pixel crop); are the joints in the order that "
                    "--check_input draws?"
                )
        more = len(lines) - _FEW_PEOPLE
        return [*lines[:_FEW_PEOPLE], *([f"Warning: so do those of {more} more"] if more > 0 else [])]
