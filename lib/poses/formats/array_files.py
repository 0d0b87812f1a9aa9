"""Poses in NumPy files."""

import zipfile
from pathlib import Path

import numpy as np

from lib import files
from lib.joints.joint_set import JointSet
from lib.poses.formats.content import Request, source_of
from lib.poses.people import Frame, PoseSequence
from lib.poses.sources import get_source

LAYOUT = (
    ".npy or .npz with numbers of shape (J, 2 or 3) for one person, (N, J, 2 or 3) for N people, or "
    "(T, N, J, 2 or 3) for T frames (absent people NaN); columns x, y, score"
)
_MOST_BYTES = 1 << 28  # of arrays: a day of video with a person
_KEYS = ("poses", "keypoints", "pose2d", "joints2d", "arr_0")


def read_arrays(path: Path, request: Request) -> PoseSequence:
    """Read ``.npy`` or ``.npz``; pickled objects are refused.

    An archive holds one array, or one of ``poses``, ``keypoints``, ``pose2d``, ``joints2d``, and ``scores`` with one
    number per joint beside it where the poses have none. Four columns are MediaPipe's x, y, z, visibility.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file; names the expected layout and what was found.
    """
    poses = _load(path)
    if poses.dtype.kind not in "iuf":
        raise ValueError(f"{path} holds an array of {poses.dtype}; expected {LAYOUT}")
    if poses.ndim not in (2, 3, 4) or poses.shape[-1] not in (2, 3, 4) or 0 in poses.shape:
        hint = " (it is transposed: save array.T)" if poses.ndim == 2 and poses.shape[0] in (2, 3) else ""
        raise ValueError(f"{path} has shape {poses.shape}; expected {LAYOUT}{hint}")
    source, part = source_of(poses.shape[-2], request, str(path), detector=False)
    if poses.shape[-1] == 4 and not str(source).startswith("mediapipe") and source != "mano21":
        raise ValueError(f"{path} has shape {poses.shape}, four columns are for MediaPipe only; expected {LAYOUT}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which counts as missing
        poses = poses.astype(np.float32)
    poses = get_source(source).with_derived(_with_scores(poses, source)[..., part, :])
    is_video = poses.ndim == 4
    poses = poses.reshape(-1, *poses.shape[-3:]) if poses.ndim != 2 else poses[None, None]
    frames = []
    for number, people in enumerate(poses):
        present = np.isfinite(people[..., :2]).all(axis=2).any(axis=1) if is_video else np.ones(len(people), bool)
        frames.append(Frame(str(number) if is_video else path.stem, people[present]))
    note = f"{source}: taken for the number of joints, {poses.shape[2]}"
    return PoseSequence(frames, source, request.image_size, is_video, "NumPy array", (note,))


def _load(path: Path) -> np.ndarray:
    if not path.is_file() or not zipfile.is_zipfile(path):
        return files.read_array(path, LAYOUT, most=_MOST_BYTES)
    hint = f"an archive holds one array, or one of {', '.join(_KEYS)}"
    poses, *scores = files.read_arrays(path, _chosen, LAYOUT, hint, most=_MOST_BYTES).values()
    if not scores or poses.shape[-1] != 2:
        return poses
    if scores[0].size != poses[..., 0].size:
        raise ValueError(f"{path} has {scores[0].shape} scores for {poses.shape[:-1]} joints; expected {LAYOUT}")
    return np.concatenate([poses, scores[0].reshape(*poses.shape[:-1], 1)], axis=-1)


def _chosen(names: list[str]) -> list[str]:
    """The array of poses in an archive, and that of their scores where there is one."""
    poses = names if len(names) == 1 else [name for name in _KEYS if name in names] or [_KEYS[0]]
    return [poses[0], *(["scores"] if "scores" in names and poses[0] != "scores" else [])]


def _with_scores(poses: np.ndarray, source: str | JointSet) -> np.ndarray:
    """(..., J, 3): x, y and score, whatever the columns of the file."""
    fractions = np.nanmax(np.abs(poses[..., :2]), initial=0.0) <= 4
    if poses.shape[-1] == 4:
        hand = source != "mediapipe33"  # MediaPipe gives hands no visibility
        return np.concatenate([poses[..., :2], np.ones_like(poses[..., 3:]) if hand else poses[..., 3:]], axis=-1)
    if poses.shape[-1] == 2 or (fractions and source in ("mediapipe33", "mediapipe_hand21", "mano21")):
        # MediaPipe's third column is a depth
        return np.concatenate([poses[..., :2], np.ones_like(poses[..., :1])], axis=-1)
    return poses
