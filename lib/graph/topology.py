"""Faces of a mesh: checked, and as a hash that names their topology."""

import hashlib

import numpy as np


def topology_hash(faces: np.ndarray) -> str:
    """Identity of a mesh topology: first 16 hex digits of the SHA-256 of its (F, 3) faces as little-endian int64."""
    return hashlib.sha256(checked_faces(faces).astype("<i8").tobytes()).hexdigest()[:16]


def checked_faces(faces) -> np.ndarray:
    """Faces as an int64 (F, 3) array.

    Raises:
        ValueError: wrong shape, no faces, fractional or NaN indices, negative indices.
    """
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0:
        raise ValueError(f"faces must be (F, 3) vertex indices of triangles, got shape {faces.shape}")
    if not np.issubdtype(faces.dtype, np.integer) and not (np.isfinite(faces) & (faces == np.floor(faces))).all():
        raise ValueError(f"faces must be whole numbers, got {faces.dtype} with fractions or NaN")
    if faces.min() < 0:
        raise ValueError(f"faces must be vertex indices from 0 on, found {faces.min()}")
    return faces.astype(np.int64)
