"""People whom the detector lost for a moment: between the frames before and behind, or where they were last."""

from collections.abc import Sequence
from dataclasses import fields, replace

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
                        result[place] = _with(result[place], people, row, pose, scores)
            seen[track] = number, row
    return result


class LastSeen:
    """The same while pictures come, of which the next is not known: lost people stay where they were seen last.

    They stay for as long as ``carry_over`` makes up for, or for two pictures where most are left out. Memory is that of
    the people of these pictures.

    Args:
        fps: of the pictures' numbers.
        longest_gap: in numbers, after which nobody is kept, however few pictures there were.
    """

    def __init__(self, fps: float, longest_gap: int):
        self._longest, self._longest_gap = longest_carried(fps), longest_gap
        self._seen: dict[int, tuple[int, int, Selection, int]] = {}  # track: number, pictures since, people, row

    def __call__(self, number: int, people: Selection) -> Selection:
        """The people of picture ``number``, which grows, and behind them those who were lost, ``carried``."""
        result, kept = people, {}
        for track, (last, missed, before, row) in self._seen.items():
            if track in people.tracks:
                continue
            missed, gap = missed + 1, number - last
            if gap <= self._longest or (missed <= _SHORTEST and gap <= self._longest_gap):
                kept[track] = last, missed, before, row
                if not duplicates(before.poses[row], result.poses):
                    result = _with(result, before, row, before.poses[row], before.scores[row])
        seen = {track: (number, 0, people, row) for row, track in enumerate(people.tracks.tolist()) if track >= 0}
        self._seen = seen | kept  # the newest first: of one person under two numbers it stays
        return result


def _with(people: Selection, others: Selection, row: int, pose: np.ndarray, scores: np.ndarray) -> Selection:
    """People of a frame and one who is like the one in a row of others but for the pose (J, 2) and scores (J,)."""
    one = {
        "poses": pose,
        "scores": scores,
        "filled": np.ones(len(pose), bool),
        "kept": np.array(-1),
        "carried": np.array(True),
    }
    changes = {}
    for field in fields(Selection):
        before, like = getattr(people, field.name), getattr(others, field.name)
        if field.name in one:
            added = one[field.name]
        elif isinstance(like, np.ndarray):
            added = like[row]
        elif isinstance(before, np.ndarray):
            added = np.zeros(before.shape[1:], before.dtype)
        else:
            continue  # nothing about single people
        if before is None:
            before = np.zeros((len(people), *added.shape), added.dtype)
        changes[field.name] = np.concatenate([before, added[None].astype(before.dtype)])
    return replace(people, **changes)
