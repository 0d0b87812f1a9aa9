"""Files that appear under their names complete or not at all."""

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

# what a disk answers that takes no more, and one that takes nothing
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)

_STAGED = r"\.results\.\d+-[0-9a-f]{8}\.tmp"
_ABANDONED = 24 * 3600  # seconds


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


@contextlib.contextmanager
def staged(folder: str | Path, earlier: Iterable[Path] = ()) -> Iterator[Path]:
    """A hidden folder whose files, also those in folders of it, are moved to ``folder`` when the block ends well.

    The ``earlier`` files are removed before the first is moved: whoever is killed leaves earlier files or new ones, not
    both. When the block raises, ``folder`` stays as it was. Hidden folders that killed processes left go after a day.
    """
    folder = Path(folder)
    for left in folder.glob(".results.*-*.tmp"):
        if re.fullmatch(_STAGED, left.name) and time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
    aside = hidden_beside(folder / "results")
    aside.mkdir(parents=True)
    try:
        yield aside
        files = [path for path in sorted(aside.rglob("*")) if path.is_file()]
        for path in earlier:
            path.unlink(missing_ok=True)
        for path in files:
            target = folder / path.relative_to(aside)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def say_replaced(files: Iterable[str | Path]) -> None:
    """Tell the user, in one line, which files of an earlier run are no more."""
    names = [str(file) for file in files]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        print(f"Replaced, of an earlier run: {', '.join(names[:3])}{more}")


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
