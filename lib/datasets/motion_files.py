"""Reading AMASS-format motion files (``<subset>/<subject>/<clip>_poses.npz``)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

REQUIRED_KEYS = ("poses", "dmpls", "trans", "betas", "gender")
SMPL_POSE = 72  # of the SMPL+H vector's 156 columns; see ``read_motion``
SHAPE = 10


@dataclass(frozen=True)
class Motion:
    """Frames of one clip: poses (F, 72) axis-angle, z up; betas (10,)."""

    path: Path
    poses: np.ndarray
    betas: np.ndarray


def find_motion(root: Path) -> list[Path]:
    """All motion files below a folder, sorted by path (the original's order was that of the file system)."""
    return sorted(root.glob("**/*_poses.npz"))


def read_motion(path: Path, step: int = 1) -> Motion:
    """Read every ``step``-th frame of a clip.

    SMPL's two hand joints are the last six of the 72 columns; in an SMPL+H vector those columns hold finger joints of
    the left hand. The original reads them as they are, and so do we.

    Raises:
        ValueError: not an npz, missing keys, wrong shapes, or values that are not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [key for key in REQUIRED_KEYS if key not in arrays.files]
            poses, betas = ((None if key in missing else arrays[key]) for key in ("poses", "betas"))
    except Exception as error:
        # damaged archives raise errors of zipfile and zlib, which share no base class with the others
        raise ValueError(f"{path} is not a readable npz file: {error}") from error
    if missing:
        raise ValueError(f"{path}: keys {', '.join(missing)} are missing; an AMASS file has {', '.join(REQUIRED_KEYS)}")
    numeric = {poses.dtype.kind, betas.dtype.kind} <= set("fiu")
    if not numeric or poses.ndim != 2 or poses.shape[1] < SMPL_POSE or betas.size < SHAPE:
        raise ValueError(
            f"{path}: poses must be numbers (frames, >= {SMPL_POSE}) and betas (>= {SHAPE},), "
            f"got {poses.dtype} {poses.shape} and {betas.dtype} {betas.shape}"
        )
    poses = poses[::step, :SMPL_POSE].astype(np.float32)
    betas = betas.ravel()[:SHAPE].astype(np.float32)
    if not (np.isfinite(poses).all() and np.isfinite(betas).all()):
        raise ValueError(f"{path}: poses or betas hold values that are not finite")
    return Motion(path, poses, betas)
