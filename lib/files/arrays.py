"""NumPy's files, read without executing anything, in time and memory that their sizes bound."""

import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from lib.messages import naming, one_line, shown, shown_names

_NUMPY, _ZIP = b"\x93NUMPY", b"PK"  # first bytes of .npy and .npz
_MOST_ARRAYS = 1 << 30  # bytes of arrays that are read into memory


def read_array(
    path: str | Path,
    wanted: str = "a .npy file of numbers",
    hint: str = "",
    kinds: str = "fiu",
    mmap_mode: Literal["r", "c"] | None = None,
    most: int = _MOST_ARRAYS,
) -> np.ndarray:
    """The array of a ``.npy`` file. Pickled objects are refused.

    Args:
        path: file.
        wanted: what belongs there, for messages.
        hint: what to do when it does not, for messages.
        kinds: of ``dtype.kind`` that are wanted.
        mmap_mode: see ``numpy.load``.
        most: bytes that may be read into memory.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file or array; one line that names the file, what was found, what is wanted.
    """
    found = ""
    with _named_errors(path, wanted, hint, _NUMPY):
        size = Path(path).stat().st_size
        with open(path, "rb") as stream:
            _check_header(stream, size)
        if mmap_mode is None:
            _check_most(size, most)
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        with open(path, "rb") as stream:
            _check_header(stream, size)
            if size - stream.tell() > array.nbytes:
                raise ValueError(f"it has {size - stream.tell()} bytes of numbers, its header says {array.nbytes}")
        found = "" if array.dtype.kind in kinds else f"holds an array of {array.dtype} {array.shape}"
    if found:
        raise ValueError(_message(path, found, wanted, hint))
    return array


def read_arrays(
    path: str | Path,
    keys: Sequence[str] | Callable[[list[str]], Sequence[str]] | None = None,
    wanted: str = "a .npz file of arrays",
    hint: str = "",
    unread: Sequence[str] = (),
    skip_objects: bool = False,
    most: int = _MOST_ARRAYS,
) -> dict[str, np.ndarray]:
    """Arrays of a ``.npz`` file by name. Pickled objects are refused.

    Args:
        path: file.
        keys: names of the arrays that are read, or what chooses them from the names in the file; None: all.
        wanted, hint: see ``read_array``.
        unread: names that the file must have beside them.
        skip_objects: leave arrays of Python objects out.
        most: bytes that may be read into memory, unpacked.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, damage, missing names; see ``read_array``.
    """
    arrays = {}
    with _named_errors(path, wanted, hint, _ZIP), np.load(path, allow_pickle=False) as stored:
        names = stored.files
        chosen = keys(names) if callable(keys) else names if keys is None else keys
        missing = [key for key in (*chosen, *unread) if key not in names]
        members = [] if missing else [_member(stored.zip, key) for key in chosen]
        _check_most(sum(member.file_size for member in members), most)
        for key, member in zip(chosen, members):
            with stored.zip.open(member) as stream:
                _check_header(stream, member.file_size)
            with stored.zip.open(member) as stream:
                try:
                    arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
                except ValueError:
                    if not skip_objects:
                        raise
                    continue
                # the checksum is compared at the end, which a damaged header would let no one reach
                if stream.read(1):
                    raise ValueError(f"{key} has more bytes than its header says")
    if missing:
        found = f"has no {', '.join(missing)}, only {shown_names(names) or 'nothing'}"
        raise ValueError(_message(path, found, wanted, hint))
    return arrays


def _member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    """The entry of an archive that NumPy means by a key."""
    return archive.getinfo(key if key in archive.namelist() else f"{key}.npy")


def _check_header(stream: IO[bytes], size: int) -> None:
    """Raises ValueError when a stream of so many bytes holds no array, or claims one that is larger."""
    head = stream.read(len(_NUMPY) + 2)
    if not head.startswith(_NUMPY):
        raise ValueError("a part of it is no array")
    version = tuple(head[len(_NUMPY) :])
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version in readers:  # only arrays of records have others
        shape, _, dtype = readers[version](stream)
        if not dtype.hasobject and not 0 <= math.prod(shape) * dtype.itemsize <= size:
            raise ValueError(f"its header claims an array {shown(shape)} of {dtype}, which {size} bytes cannot hold")


def _check_most(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"{size / 1e6:.0f} MB of arrays, at most {most / 1e6:.0f} MB are read")


@contextlib.contextmanager
def _named_errors(path: str | Path, wanted: str, hint: str, start: bytes) -> Iterator[None]:
    """What NumPy's readers raise, as errors that name the file; ``start``: its first bytes."""
    if not Path(path).is_file():
        raise FileNotFoundError(_message(path, "not found", wanted, hint))
    with naming(path), open(path, "rb") as file:
        head = file.read(len(_NUMPY))
    if not head.startswith(start):
        kind = "an archive" if head.startswith(_ZIP) else "a single array" if head == _NUMPY else "no NumPy file"
        raise ValueError(_message(path, f"is {kind}", wanted, hint))
    try:
        yield
    except Exception as error:  # numpy's readers raise what their zip and header parsers do
        reason = one_line(error, 200) or type(error).__name__
        # no advice to allow what may execute anything
        found = "holds Python objects" if "allow_pickle" in reason else f"cannot be read ({reason})"
        raise ValueError(_message(path, found, wanted, hint)) from error


def _message(path: str | Path, found: str, wanted: str, hint: str) -> str:
    return f"{path} {found}; expected {wanted}" + (f"; {hint}" if hint else "")
