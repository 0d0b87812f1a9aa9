"""How output files are called after their images."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

_LONGEST = 120  # bytes; file systems allow 255, and endings and person numbers follow


def output_stems(names: Sequence[str]) -> list[str]:
    """Starts of output names, a different one for each image, also where capitals do not count.

    The file's name, with its folders where names repeat, with its ending too where these repeat, and at last a number.
    """
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    ways = (
        [_harmless(path.stem) for path in paths],
        [_harmless("_".join((*path.parts[:-1], path.stem))) for path in paths],
        [_harmless("_".join(path.parts)) for path in paths],
    )
    counts = [Counter(map(str.casefold, way)) for way in ways]
    stems: list[str] = []
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for choices in zip(*ways):
        unique = (choice for choice, count in zip(choices, counts) if count[choice.casefold()] == 1)
        start = stem = next(unique, choices[-1])
        while stem.casefold() in taken:
            numbers[start] += 1
            stem = f"{start}_{numbers[start] + 1}"
        stems.append(stem)
        taken.add(stem.casefold())
    return stems


def _harmless(name: str) -> str:
    """A name that every file system takes, in the output folder and visible."""
    name = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in name)
    return name.lstrip("._").encode()[:_LONGEST].decode(errors="ignore").rstrip() or "pose"
