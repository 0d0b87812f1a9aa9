"""People whom the detector lost for a moment: their poses between the frames before and behind."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib.poses import Selection
from lib.poses.filters import duplicates

# Nearly straight: in 0.1 s a limb that swings once per second leaves the line between by a 20th of its swing at most.
# Detectors also lose single frames of slow films.
_LONGEST = 0.1  # seconds
_SHORTEST = 2  # frames


def longest_carried(fps: float) -> int:
    """Frames in a row for which an unseen person is carried over."""
    return max(_SHORTEST, int(_LONGEST * fps + 1e-6))


def carry_over(selections: Sequence[Selection], fps: float) -> list[Selection]:
    """People of a film, each track of whom at most ``longest_carried`` frames are missing in between made whole.

    The pose is interpolated linearly, joint by joint, and so are the scores. Nobody is put where the same person is
    seen under another number, and nobody before a track's beginning or after its end.

    Args:
        selections: of all frames, in order of time.
        fps: frames per second.

    Returns:
        the frames with these people behind the others, ``carried`` and without a number among those found (-1).
    """
    longest = longest_carried(fps)
    seen: dict[int, tuple[int, int]] = {}  # track: frame and row it was seen in last
    result = list(selections)
    for number, people in enumerate(selections):
        for row, track in enumerate(people.tracks.tolist()):
            before, row_before = seen.get(track, (number, row))
            if track >= 0 and 1 < number - before <= longest + 1:
                ends = selections[before], people
                for place in range(before + 1, number):
                    share = (place - before) / (number - before)
                    pose, scores = (
                        (1 - share) * first[row_before] + share * last[row]
                        for first, last in ((end.poses for end in ends), (end.scores for end in ends))
                    )
                    if not duplicates(pose, selections[place].poses):
                        result[place] = _with(result[place], pose, scores, track)
            seen[track] = number, row
    return result


def _with(people: Selection, pose: np.ndarray, scores: np.ndarray, track: int) -> Selection:
    carried = np.zeros(len(people), bool) if people.carried is None else people.carried
    return replace(
        people,
        poses=np.concatenate([people.poses, pose[None]]),
        scores=np.concatenate([people.scores, scores[None].astype(people.scores.dtype)]),
        filled=np.concatenate([people.filled, np.ones((1, len(pose)), bool)]),
        kept=np.append(people.kept, -1),
        tracks=np.append(people.tracks, track),
        carried=np.append(carried, True),
    )
