"""Files: written whole or not at all; NumPy's read without executing anything; YAML without doubled keys."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np
import yaml

# what a disk answers that takes no more, and one that takes nothing
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
_NUMPY, _ZIP = b"\x93NUMPY", b"PK"  # first bytes of .npy and .npz


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
) -> np.ndarray:
    """The array of a ``.npy`` file. Pickled objects are refused.

    Args:
        path: file.
        wanted: what belongs there, for messages.
        hint: what to do when it does not, for messages.
        kinds: of ``dtype.kind`` that are wanted.
        mmap_mode: see ``numpy.load``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file or array; one line that names the file, what was found, what is wanted.
    """
    found = ""
    with _named_errors(path, wanted, hint, _NUMPY):
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
) -> dict[str, np.ndarray]:
    """Arrays of a ``.npz`` file by name. Pickled objects are refused.

    Args:
        path: file.
        keys: names of the arrays that are read, or what chooses them from the names in the file; None: all.
        wanted, hint: see ``read_array``.
        unread: names that the file must have beside them.
        skip_objects: leave arrays of Python objects out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, damage, missing names; see ``read_array``.
    """
    arrays = {}
    with _named_errors(path, wanted, hint, _ZIP), np.load(path, allow_pickle=False) as stored:
        names = stored.files
        chosen = keys(names) if callable(keys) else names if keys is None else keys
        missing = [key for key in (*chosen, *unread) if key not in names]
        for key in () if missing else chosen:
            try:
                arrays[key] = stored[key]
            except ValueError:
                if not skip_objects:
                    raise
    if missing:
        raise ValueError(
            _message(path, f"has no {', '.join(missing)}, only {', '.join(names) or 'nothing'}", wanted, hint)
        )
    return arrays


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
        reason = str(error) or type(error).__name__
        # no advice to allow what may execute anything
        found = "holds Python objects" if "allow_pickle" in reason else f"cannot be read ({reason})"
        raise ValueError(_message(path, found, wanted, hint)) from error


def _message(path: str | Path, found: str, wanted: str, hint: str) -> str:
    return f"{path} {found}; expected {wanted}" + (f"; {hint}" if hint else "")


class UniqueKeys(yaml.SafeLoader):
    """YAML reader that refuses a key that is given twice: one of the two would silently vanish."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.YAMLError(f"{key!r} is given twice, the second time in line {key_node.start_mark.line + 1}")
            seen.add(str(key))
        return super().construct_mapping(node, deep)
