"""Python objects in pickles and NumPy files as plain values: the restricted reader of body models takes them apart, so
that nothing in a file is executed."""

import io
import zipfile
from pathlib import Path

import numpy as np

from lib.body.budget import ENTRY, Budget
from lib.body.safe_pickle import array_objects, load_value, to_array
from lib.messages import one_line

_MOST_BYTES = 1 << 28
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_archive(path: Path, layout: str) -> dict:
    """Everything in an ``.npz`` archive by name.

    Raises:
        ValueError: damaged, too large, or objects of other kinds than lists, dicts, numbers, texts and arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES >> 20} MB, unpacked")
            return {
                member.filename.removesuffix(".npy"): _array(io.BytesIO(archive.read(member)))
                for member in archive.infolist()
            }
    except Exception as error:  # zip's, numpy's and the pickle reader's errors on damage are of many kinds
        raise ValueError(f"{path} cannot be read ({one_line(error, 200)}); expected {layout}") from error


def read_objects(path: Path, layout: str):
    """The objects of a pickle or of an ``.npy`` array, arrays as lists, as JSON would hold them; None when a file holds
    numbers alone.

    Raises:
        ValueError: see ``read_archive``.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MB")
        stream = io.BytesIO(path.read_bytes())
        if stream.getvalue().startswith(b"\x80"):
            return _listed(_plain(load_value(stream)))
        values = _array(stream)
        return None if isinstance(values, np.ndarray) else _listed(values)
    except Exception as error:  # numpy's and the pickle reader's errors on damage are of many kinds
        raise ValueError(f"{path} cannot be read ({one_line(error, 200)}); expected {layout}") from error


def _array(stream: io.BytesIO):
    """An array of numbers, or the objects of one of objects."""
    reader = _READERS[np.lib.format.read_magic(stream)]
    shape, _, dtype = reader(stream)
    if dtype.hasobject:
        values = _plain(load_value(io.BytesIO(stream.read())))
        return values if shape else values[0]
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _listed(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list) else value


def _plain(value, budget: Budget | None = None):
    """What ``load_value`` gives as plain Python: dicts and lists of numbers, texts and arrays.

    Raises:
        ValueError (and what else a damaged pickle's values raise): an object of another kind.
    """
    budget = budget or Budget()
    budget.spend(ENTRY)
    if isinstance(value, dict):
        return {key: _plain(entry, budget) for key, entry in value.items()}
    held = array_objects(value)
    if held is not None or isinstance(value, list | tuple):
        return [_plain(entry, budget) for entry in (value if held is None else held)]
    return value if value is None or isinstance(value, bool | int | float | str | bytes) else to_array(value, budget)
