"""Reading AMASS-format motion files (``<subset>/<subject>/<clip>_poses.npz``)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.files import read_arrays

READ_KEYS, OTHER_KEYS = ("poses", "betas"), ("dmpls", "trans", "gender")
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
    wanted = f"an AMASS file, a npz with {', '.join(READ_KEYS + OTHER_KEYS)}"
    poses, betas = read_arrays(path, READ_KEYS, wanted, unread=OTHER_KEYS).values()
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
