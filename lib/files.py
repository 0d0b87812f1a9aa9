"""Files: written whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import yaml


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears under its name complete or not at all.

    The data goes to a hidden file beside ``path``, is flushed to disk and then renamed over ``path``. When the block
    raises, the hidden file is removed and an older ``path`` stays as it was. Missing parent folders are created.

    Args:
        path: file to write.
        mode: ``"w"`` (text, UTF-8, newlines as given) or ``"wb"``.

    Raises:
        ValueError: another mode.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"atomic_write: mode must be 'w' or 'wb', got {mode!r}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with open(aside, mode.replace("w", "x"), **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system lets a folder be synchronised (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
