"""Frames at their places in time: detectors leave out frames in which they saw nobody."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from .people import Frame, PoseSequence

_MOST_EMPTY = 200_000  # frames without people that a file's numbers may imply: two hours of film
_MOST_SPARSE = 1000  # of them for each frame with people
_NUMBER = re.compile(r"^(.*?)([0-9]{1,18})([^0-9]*)$", re.DOTALL)


def split_number(name: str) -> tuple[str, int, str] | None:
    """What stands before a file name's last group of digits, its number, and what follows; None without digits.

    Folders and the ending do not count, unless the ending is the number, as in ``clip.0007``.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    found = _NUMBER.match(path.name if path.suffix[1:].isdecimal() else path.stem)
    return None if found is None else (found[1], int(found[2]), found[3])


def frame_numbers(sequence: PoseSequence) -> list[int]:
    """Places of the frames in the film: their numbers, or the order of the list unless all have different ones."""
    numbers = [frame.number for frame in sequence.frames]
    known = [number for number in numbers if number is not None and number >= 0]
    return known if len(set(known)) == len(numbers) else list(range(len(numbers)))


def numbered_by_name(sequence: PoseSequence) -> PoseSequence:
    """Frames with the numbers in their names, in their order, where the names differ in nothing else.

    Frames that have numbers keep them. Names whose numbers lie far apart, as ids of images do, say nothing about time.
    """
    parts = [split_number(frame.name) for frame in sequence.frames]
    found = [part for part in parts if part is not None]
    places = {number: frame for (_, number, _), frame in zip(found, sequence.frames)}
    alike = len({(before, after) for before, _, after in found}) == 1 and len(places) == len(parts) == len(found)
    given = any(frame.number is not None for frame in sequence.frames)
    if given or not alike or _too_sparse(min(places), max(places), len(places)):
        return sequence
    return replace(sequence, frames=[replace(places[number], number=number) for number in sorted(places)])


def all_frames(sequence: PoseSequence, first: int | None = None, last: int | None = None) -> PoseSequence:
    """A film with all its frames: those that the sequence lacks are there, without people.

    Frames go to the places that their numbers say (``frame_numbers``).

    Args:
        sequence: frames of a film, in any order.
        first, last: numbers of the film's first and last frame, which leave out what lies before and behind; None:
            those of the sequence.

    Returns:
        frames with ``number``; new ones are called by it. A note says how many are new.

    Raises:
        ValueError: without ``first`` and ``last``: numbers so far apart that they cannot be those of a film.
    """
    places = dict(zip(frame_numbers(sequence), sequence.frames))
    if first is None or last is None:
        first, last = min(places), max(places)
        check_span(first, last, len(places), "the frames' numbers")
    tracked = all(frame.tracks is not None for frame in sequence.frames)
    nobody = sequence.frames[0].take(slice(0))
    nobody = nobody if tracked else replace(nobody, tracks=None)
    frames = [
        replace(places[number], number=number) if number in places else replace(nobody, name=str(number), number=number)
        for number in range(first, last + 1)
    ]
    missing = sum(number not in places for number in range(first, last + 1))
    note = (f"{missing} of {len(frames)} frames are not among the poses: nobody is there",) if missing else ()
    return replace(sequence, frames=frames, notes=(*sequence.notes, *note))


def moved(sequence: PoseSequence, steps: int) -> PoseSequence:
    """The same frames with numbers larger by ``steps``."""
    frames: Sequence[Frame] = sequence.frames
    numbers = frame_numbers(sequence)
    return replace(sequence, frames=[replace(frame, number=n + steps) for n, frame in zip(numbers, frames)])


def check_span(first: int, last: int, known: int, what: str) -> None:
    """
    Raises:
        ValueError: too many frames from ``first`` to ``last`` for the ``known`` ones among them.
    """
    if _too_sparse(first, last, known):
        raise ValueError(
            f"{what} go from {first} to {last}, but only {known} of these frames are there: no film has such gaps; "
            "number the frames from 0, or leave --video out"
        )


def _too_sparse(first: int, last: int, known: int) -> bool:
    return last - first + 1 - known > min(_MOST_EMPTY, _MOST_SPARSE * known)
