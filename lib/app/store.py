"""Where the app keeps files: everything in one temporary folder, each file no longer than its page is open."""

import contextlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _LOCK = "pose2mesh_app_", "lock"


class Store:
    """Uploads and results of the sessions, a session being one open page.

    Args:
        keep: seconds after which files go even if their page is still open.

    Attributes:
        uploads: folder that the server writes uploads to.
    """

    def __init__(self, keep: float):
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._own = FileLock(self.root / _LOCK)  # says that the app lives, however it ends
        self._own.acquire()
        self.uploads, self._results, self._inputs = (self.root / name for name in ("uploads", "results", "inputs"))
        for folder in (self.uploads, self._results, self._inputs):
            folder.mkdir()
        self._keep = keep
        self._lock = threading.Lock()
        self._used: dict[Path, set[str]] = {}  # uploads and the sessions that sent them: equal files are kept once
        self._given: dict[str, tuple[str, frozenset[str]]] = {}  # results' key: session, names to hand out
        self._running: set[str] = set()

    def uploaded(self, session: str, path: str | Path) -> Path:
        """A file that a browser says to have sent, which becomes the session's.

        Raises:
            ValueError: it is not there, or no upload.
        """
        found = Path(path).resolve()
        if not (found.is_relative_to(self.uploads.resolve()) and found.is_file()):
            raise ValueError("an uploaded file is gone: files are kept for a limited time; drop it again")
        with self._lock:
            self._used.setdefault(found, set()).add(session)
        return found

    @contextlib.contextmanager
    def job(self, session: str):
        """Key of new results, their folder and a folder for the inputs, which is removed at the end."""
        key = secrets.token_urlsafe(16)
        folders = self._results / key, self._inputs / key
        for folder in folders:
            folder.mkdir()
        with self._lock:
            self._given[key] = (session, frozenset())
            self._running.add(key)
        try:
            yield key, *folders
        finally:
            shutil.rmtree(folders[1], ignore_errors=True)
            with self._lock:
                self._running.discard(key)
                empty = not self._given.get(key, ("", frozenset()))[1]
            if empty:
                self._forget([key])

    def offer(self, key: str, names: Iterable[str]) -> None:
        """Results are complete, and these of their files may be handed out; earlier ones of the session go."""
        with self._lock:
            session = self._given[key][0]
            self._given[key] = session, frozenset(names)
            old = [other for other, (whose, _) in self._given.items() if whose == session and other != key]
        self._forget(old)

    def path(self, key: str, name: str) -> Path | None:
        """A file that may be handed out; None: there is no such file."""
        with self._lock:
            names = self._given.get(key, ("", frozenset()))[1]
        path = self._results / key / name
        return path if name in names and path.is_file() else None

    def close(self, session: str) -> None:
        """The page was closed: its results and uploads go, but for uploads that another page sent, too."""
        with self._lock:
            keys = [key for key, (whose, _) in self._given.items() if whose == session and key not in self._running]
            for path in [path for path, sessions in self._used.items() if session in sessions]:
                self._used[path].discard(session)
                if not self._used[path]:
                    del self._used[path]
                    shutil.rmtree(path.parent, ignore_errors=True)
        self._forget(keys)

    def sweep(self) -> None:
        """Remove what is older than it is kept."""
        oldest = time.time() - self._keep
        with self._lock:
            busy = set(self._running)
        for folder in (*self.uploads.iterdir(), *self._results.iterdir()):
            with contextlib.suppress(OSError):
                if folder.name not in busy and folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
        with self._lock:
            self._given = {key: given for key, given in self._given.items() if (self._results / key).is_dir()}
            self._used = {path: sessions for path, sessions in self._used.items() if path.is_file()}

    def size(self) -> int:
        """Bytes of all uploads."""
        return folder_size(self.uploads)

    def remove(self) -> None:
        """Everything, at the end."""
        self._own.release()
        shutil.rmtree(self.root, ignore_errors=True)

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._lock:
                self._given.pop(key, None)
            shutil.rmtree(self._results / key, ignore_errors=True)


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder, which may be changing."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _remove_abandoned(folder: Path) -> None:
    """What killed apps of this user left."""
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(Timeout, OSError):
            if (left / _LOCK).is_file():
                with FileLock(left / _LOCK, timeout=0):
                    pass
                shutil.rmtree(left)
