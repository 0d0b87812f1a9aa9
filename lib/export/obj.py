"""Wavefront OBJ files as the original release writes them."""

from pathlib import Path

import numpy as np
import torch

from lib.files import atomic_write


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
