"""Files: written whole or not at all; read without executing anything, in time and memory that their sizes bound."""

import contextlib
import errno
import math
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import yaml

from lib.messages import naming, one_line, shown, shown_names

# what a disk answers that takes no more, and one that takes nothing
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
_NUMPY, _ZIP = b"\x93NUMPY", b"PK"  # first bytes of .npy and .npz
_MOST_ARRAYS = 1 << 30  # bytes of arrays that are read into memory
_MOST_YAML = 4 << 20  # bytes; a minute of reading
_MOST_SHARED = 100_000  # values by which shared parts may make content larger than it is written


def hidden_beside(path: str | Path) -> Path:
    """A name of its own, hidden beside ``path``, for what is renamed to ``path`` when it is complete."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears under its name complete or not at all.

    The data goes to a hidden file beside ``path``, is flushed to disk and then renamed over ``path``. When the block
    raises, the hidden file is removed and an older ``path`` stays as it was. Missing parent folders are created.

    Args:
        path: file to write.
        mode: ``"w"`` (text, UTF-8, newlines as given) or ``"wb"``.

    Raises:
        OSError: the disk is full or does not let itself be written; says which file, why and how much room there is.
        ValueError: another mode.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"atomic_write: mode must be 'w' or 'wb', got {mode!r}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = hidden_beside(path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
    try:
        with open(aside, mode.replace("w", "x"), encoding=encoding, newline=newline) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except Exception as error:
        refused = _refusal(error, aside)
        if refused is None:
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        raise type(refused)(
            f"{path} cannot be written: {refused.strerror} ({free:.1f} MB are free there). Nothing of it is left "
            "half-written; a file that had this name is as it was"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _refusal(error: BaseException | None, aside: Path) -> OSError | None:
    """The system's refusal to write ``aside`` behind an error; libraries raise their own while they clean up."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REFUSED and error.filename in (None, str(aside)):
            return error
        error = error.__cause__ or error.__context__
    return None


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system lets a folder be synchronised (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
            try:
                arrays[key] = stored[key]
            except ValueError:
                if not skip_objects:
                    raise
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
    with open(path, "rb") as file:
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


class _UniqueKeys(yaml.SafeLoader):
    """YAML reader that refuses a key that is given twice: one of the two would silently vanish."""

    def get_single_node(self):
        node = super().get_single_node()
        check_spread(node, _node_parts)  # before anything is made of it: merged keys multiply too
        return node

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.YAMLError(
                    f"{shown(key)} is given twice, the second time in line {key_node.start_mark.line + 1}"
                )
            seen.add(str(key))
        return super().construct_mapping(node, deep)


def _node_parts(node) -> list:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _parts(value) -> list:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []


def check_spread(content, parts: Callable[[Any], list] = _parts) -> None:
    """Refuse content of which a few shared parts stand for very many, before anything looks through all of them.

    Args:
        content: nested lists and dicts.
        parts: what a value consists of; empty for plain ones.

    Raises:
        ValueError: shared parts multiply, or one lies inside itself.
    """
    sizes: dict[int, int] = {}
    opened: set[int] = set()
    written = 1
    waiting = [(content, parts(content))]
    while waiting:
        value, inner = waiting[-1]
        if id(value) in sizes:
            waiting.pop()
        elif id(value) in opened:
            sizes[id(value)] = 1 + sum(sizes[id(part)] for part in inner)
        else:
            opened.add(id(value))
            written += len(inner)
            new = [part for part in inner if id(part) not in sizes]
            if any(id(part) in opened for part in new):
                raise ValueError("a part of it lies inside itself")
            waiting += [(part, parts(part)) for part in new]
    if sizes[id(content)] > written + _MOST_SHARED:
        raise ValueError("shared parts in it multiply to more values than anybody wrote")


def read_text(path: str | Path, most: int) -> str:
    """A text file, UTF-8.

    Raises:
        ValueError: more than ``most`` bytes, not UTF-8, cannot be read; names the file.
    """
    with naming(path), open(path, "rb") as stream:
        if Path(path).stat().st_size > most:
            raise ValueError(f"larger than {most / 1e6:.0f} MB")
        return stream.read().decode("utf-8-sig")


def read_yaml(path: str | Path):
    """The content of a YAML file; see ``parse_yaml``."""
    return parse_yaml(read_text(path, _MOST_YAML), path)


def parse_yaml(text: str, where: object):
    """The content of a YAML text.

    Raises:
        ValueError: not YAML, a key that is given twice, or content that is no plain one; starts with ``where``.
    """
    try:
        return yaml.load(text, _UniqueKeys)
    except Exception as error:  # beside its own errors whatever Python's constructors raise for texts like 2020-99-99
        reason = "nested too deeply" if isinstance(error, RecursionError) else one_line(error, 300)
        raise ValueError(f"{where} is not valid YAML: {reason}") from error
