"""Reading AMASS-format motion files (``<subset>/<subject>/<clip>_poses.npz``)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.files import read_arrays

READ_KEYS, OTHER_KEYS = ("poses", "betas"), ("dmpls", "trans", "gender")
FRAME_RATES = "mocap_framerate", "mocap_frame_rate"  # of AMASS's SMPL+H and SMPL-X files
SMPL_POSE = 72  # of the SMPL+H vector's 156 columns; see ``read_motion``
SHAPE = 10


@dataclass(frozen=True)
class Motion:
    """Frames of one clip: poses (F, 72) axis-angle, z up; betas (10,)."""

    path: Path
    poses: np.ndarray
    betas: np.ndarray


@dataclass(frozen=True)
class Clip(Motion):
    """A clip with the way of its root: trans (F, 3) metres, z up; fps frames per second; first, the number of its first
    frame as its file counts them."""

    trans: np.ndarray
    fps: float
    first: int


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


def read_clips(path: Path) -> list[Clip]:
    """The clips of a file: every frame, with the root's way and the frame rate.

    A file that counts its frames (``frame``, of data/convert/cmu_bvh.py) is cut where some were left out.

    Raises:
        ValueError: see ``read_motion``; trans of another length, or no frame rate.
    """
    motion = read_motion(path)
    wanted = ("trans", "frame", *FRAME_RATES)
    stored = read_arrays(path, lambda names: ["trans", *(name for name in wanted[1:] if name in names)])
    trans, count = stored["trans"], len(motion.poses)
    rates = [float(stored[name]) for name in FRAME_RATES if name in stored and stored[name].size == 1]
    if trans.shape != (count, 3) or trans.dtype.kind not in "fiu" or not np.isfinite(trans).all():
        raise ValueError(f"{path}: trans must be finite numbers ({count}, 3), got {trans.dtype} {trans.shape}")
    if not rates or not 1 <= rates[0] <= 1000:
        raise ValueError(f"{path}: no frame rate from 1 to 1000 per second ({' or '.join(FRAME_RATES)})")
    frame = stored.get("frame", np.arange(count))
    if frame.shape != (count,) or frame.dtype.kind not in "iu":
        raise ValueError(f"{path}: frame must be whole numbers ({count},), got {frame.dtype} {frame.shape}")
    cuts = np.flatnonzero(np.diff(frame.astype(np.int64)) != 1) + 1
    parts = zip(*(np.split(values, cuts) for values in (motion.poses, trans.astype(np.float32), frame)))
    return [
        Clip(path, poses, motion.betas, way, rates[0], int(places[0])) for poses, way, places in parts if len(poses)
    ]
