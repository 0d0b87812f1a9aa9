"""Numbers in the names of frames: do they make a film, and which frame of it is which?"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from lib.poses.timeline import split_number

_LARGEST_STEP = 30  # between frames of a film, in the median; ids of images in data sets are further apart
# names that cameras give to photos, which are numbered and no film
_PHOTO = re.compile(r"(img|dsc[fn]?|dcim|pxl|pic|photo|p|sam|gopr|_?mg|imgp|cimg|wp|screenshot)[-_ ]*", re.IGNORECASE)
# how names of a film's frames end before the number
_FILM = re.compile(r"(frame|frm|video|vid|clip|webcam|movie|film|sequence|seq)s?[-_ .]*$", re.IGNORECASE)
_PADDED = 4  # digits from which padded numbers after a common start are a film's


def number_in(name: str) -> tuple[str, int, str] | None:
    """What stands before the last number of a name without its ending, the number, and what follows; None without."""
    path = PurePosixPath(name.replace("\\", "/"))
    found = split_number(name)
    folder = "" if str(path.parent) == "." else f"{path.parent}/"
    return None if found is None else (folder + found[0], found[1], found[2])


def film_numbers(names: Sequence[str]) -> list[int] | None:
    """The frames' numbers when the names differ in one number only and can be those of a film; else None.

    Photos of a camera (``IMG_0012``) and ids of a data set's images, which lie far apart, are no film.
    """
    parts = [number_in(name) for name in names]
    found = [part for part in parts if part is not None]
    if len(found) < len(names) or len({(before, after) for before, _, after in found}) != 1:
        return None
    numbers = [number for _, number, _ in found]
    if len(set(numbers)) < len(numbers) or _PHOTO.fullmatch(re.split(r"[/\\]", found[0][0])[-1]):
        return None
    return numbers if close(numbers) else None


def film_like(names: Sequence[str]) -> bool:
    """Numbers in the names count: nothing stands before them but a folder, or it says so, or they are padded."""
    before, _, after = number_in(names[0]) or ("", 0, "")
    start = re.split(r"[/\\]", before)[-1]
    digits = re.findall("[0-9]+", names[0][len(before) :])[:1]
    padded = any(len(group) >= _PADDED and group.startswith("0") for group in digits)
    return not start + after or padded or _FILM.search(start) is not None


def films(names: Sequence[str]) -> list[str]:
    """What the names of each film begin with when they are of several films, each with several frames; else nothing."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault((number_in(name) or ("", 0, ""))[0], []).append(name)
    several = len(groups) > 1 and all(len(group) > 1 and film_numbers(group) for group in groups.values())
    return list(groups) if several else []


def close(numbers: Sequence[int]) -> bool:
    """Frame numbers are as near to each other as a film's."""
    steps = np.diff(np.unique(np.array(numbers, dtype=np.int64)))
    return not len(steps) or float(np.median(steps)) <= _LARGEST_STEP
