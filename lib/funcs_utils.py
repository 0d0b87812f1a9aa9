"""Small file helpers: atomic writing, OBJ files, parameter counts."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import torch


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


def save_obj(v, f, file_name: str | Path) -> None:
    """Write a mesh as Wavefront OBJ text (format of the original release).

    One line ``v x y z`` per vertex, each number in its shortest form that reads back exactly in its own precision;
    one line ``f a/a b/b c/c`` per face with indices from 1.

    Args:
        v: (V, 3) vertices, array or tensor, in the unit the file shall have (the demo writes metres).
        f: (F, 3) vertex indices from 0.
        file_name: written atomically; missing folders are created.

    Raises:
        ValueError: wrong shapes, or faces that name vertices that do not exist.
    """
    vertices, faces = (x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (v, f))
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"{file_name}: vertices must be (V, 3), got {vertices.shape}")
    if faces.ndim != 2 or faces.shape[1] != 3 or not np.issubdtype(faces.dtype, np.integer):
        raise ValueError(f"{file_name}: faces must be integers (F, 3), got {faces.dtype} {faces.shape}")
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"{file_name}: faces use indices {faces.min()}..{faces.max()} of {len(vertices)} vertices")
    numbers = [str(x) for x in vertices.ravel()]
    lines = [f"v {x} {y} {z}\n" for x, y, z in zip(numbers[::3], numbers[1::3], numbers[2::3])]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}\n" for a, b, c in (faces + 1).tolist()]
    with atomic_write(file_name) as stream:
        stream.writelines(lines)


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trainable values of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
