"""Values of JSON and of text files, and what messages say about them."""

import json
import re
from pathlib import Path

import numpy as np

from lib.files import read_text
from lib.messages import one_line, shown_names

_MOST_JSON = 1 << 29  # bytes: a day of video with several people
_MOST_NUMBER = 2**53
# first bytes of files that are no text, and what to do with them
_KINDS = {
    b"\x80": "a pickle, which may run programs: save the 2D joints in it as .npy or JSON",
    b"\x89HDF": "an HDF5 file (DeepLabCut, SLEAP, ...): save its joints as csv or .npy",
    b"MATLAB": "a MATLAB file: save its joints as .npy",
    b"PK": "a zip archive: unpack it (a PyTorch file: save its joints as .npy; an Excel one: save it as csv)",
    b"<?xml": "XML (CVAT, Kinovea, ...): export the joints as COCO keypoints or csv",
    b"HIERARC": "BVH, 3D motion; poses here are 2D joints of an image",
    b"PathFile": "TRC, 3D markers; poses here are 2D joints of an image",
    b"\x02P": "C3D, 3D markers; poses here are 2D joints of an image",
    b"PAR1": "Parquet: save it as csv",
    b"\xff\xfe": "UTF-16 text, as > of PowerShell writes it: save it as UTF-8",
    b"%YAML": "YAML (OpenPose's --write_keypoint): write JSON instead, --write_json",
    b"\x89PNG": "a picture: give it with --input_img, and --detect finds the poses",
    b"\xff\xd8": "a picture: give it with --input_img, and --detect finds the poses",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive: unpack it",
}


def read_json(path: Path):
    """The content of a JSON file, or of a file with one JSON value in each line, as a list.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, for example cut off or another kind of file; too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"pose file {path} not found")
    refuse_binary(path)
    text = read_text(path, _MOST_JSON)
    try:
        return _unquoted(json.loads(text))
    except (ValueError, RecursionError) as error:
        lines = _json_lines(text)
        if lines is not None:
            return lines
        reason = one_line(error, 200)
        raise ValueError(f"{path} is not valid JSON, perhaps it was not copied completely: {reason}") from error


def _unquoted(content, levels: int = 2):
    """The values of JSON that was written as text into JSON, as ``to_json()`` in ``json.dump`` does."""
    if isinstance(content, str) and content.lstrip()[:1] in ("{", "[") and levels:
        return _unquoted(json.loads(content), levels - 1)
    if isinstance(content, list) and content and levels and all(isinstance(entry, str) for entry in content):
        return [_unquoted(entry, levels - 1) for entry in content]
    return content


def _json_lines(text: str) -> list | None:
    """The values of a text with one JSON value in each of several lines; None when it is no such text."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line.lstrip()[0] in "{[" and line.rstrip()[-1] in "}]" for line in lines):
        return None
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None


def refuse_binary(path: Path) -> None:
    """Raises ValueError for a file that is no text, saying what it is."""
    with open(path, "rb") as stream:
        head = stream.read(8)
    kind = next((kind for start, kind in _KINDS.items() if head.startswith(start)), None)
    if head[4:] == b"ftyp":
        kind = "a video: give it with --input_img, and --detect finds the poses"
    if kind is not None:
        raise ValueError(f"{path} is {kind}; lib/poses/README.md lists the files of poses that are read")


def found(content, levels: int = 3) -> str:
    """A JSON value in a few words, for messages."""
    if isinstance(content, dict):
        return f"a dict with the keys {shown_names(content)}" if content else "an empty dict"
    if isinstance(content, list):
        first = f", the first {found(content[0], levels - 1)}" if levels and content else ""
        return f"a list of {len(content)}{first}" if content else "an empty list"
    return "a number" if isinstance(content, int | float) else f"a {type(content).__name__}"


def numbers(values, where: str, layout: str) -> np.ndarray:
    """A (nested) list of numbers as float64; ``null`` becomes NaN.

    Raises:
        ValueError: text, ragged lists or numbers beyond float64; names the place and the layout that was expected.
    """
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        what = "too large a number" if isinstance(error, OverflowError) else "something else than numbers"
        raise ValueError(f"{where} holds {what}: {found(values)}; expected {layout}") from error


def people_in(values, where: str, layout: str) -> list:
    """A list of people; ``null`` is nobody.

    Raises:
        ValueError: something else; names the place and the layout that was expected.
    """
    if values is None:
        return []
    if not isinstance(values, list):
        raise ValueError(f"{where} is {found(values)} instead of a list of people; expected {layout}")
    return values


def whole_number(value) -> int | None:
    """A number of a person or frame as files write it, alone or in lists, as a whole or real number; None for anything
    else."""
    while isinstance(value, list) and value:
        value = value[0]
    known = isinstance(value, int | float) and 0 <= value < _MOST_NUMBER
    return int(value) if known else None


def counted(value) -> int | None:
    """As ``whole_number``, also of digits in a text."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,15}", value) else whole_number(value)


def first_key(record, keys: tuple[str, ...]) -> str | None:
    """The first of some keys that a dict has with a value; None when it has none or is no dict."""
    if isinstance(record, dict):
        for key in keys:  # a generator would take twice as long, for every field of every person
            if record.get(key) is not None:
                return key
    return None


def natural_key(name: str) -> tuple:
    """Sort key by which frame 10 comes after frame 9."""
    parts = (part for part in re.split(r"([0-9]+)", name) if part)
    # the digits as text: Python makes no number of thousands of them
    return tuple(
        (0, len(part.lstrip("0")), part.lstrip("0")) if "0" <= part[0] <= "9" else (1, 0, part) for part in parts
    )
