"""Numbers in the names of frames: do they make a film, and which frame of it is which?"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from lib.poses.timeline import split_number

_LARGEST_STEP = 30  # between frames of a film, in the median; ids of images in data sets are further apart
# names that cameras give to photos, which are numbered and no film
_PHOTO = re.compile(r"(img|dsc[fn]?|dcim|pxl|pic|photo|p|sam|gopr|_?mg|imgp|cimg|wp|screenshot)[-_ ]*", re.IGNORECASE)


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


def close(numbers: Sequence[int]) -> bool:
    """Frame numbers are as near to each other as a film's."""
    steps = np.diff(np.unique(np.array(numbers, dtype=np.int64)))
    return not len(steps) or float(np.median(steps)) <= _LARGEST_STEP
