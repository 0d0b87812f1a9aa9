"""Poses in NumPy files."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from lib import files
from lib.poses.formats.movenet import of_movenet
from lib.poses.formats.videopose3d import ARCHIVE_KEYS, read_archive
from lib.poses.people import Frame, PoseSequence
from lib.poses.reading.joint_parts import JOINT_NUMBERS, joint_parts
from lib.poses.reading.one_person import is_one_person
from lib.poses.reading.records import plain_scores, score_like, scores_by_name, unflattened
from lib.poses.reading.request import Format, Request
from lib.poses.sources import get_source

_LAYOUT = (
    ".npy or .npz with numbers of shape (J, 2 or 3) for one person, (N, J, 2 or 3) for N people, or "
    "(T, N, J, 2 or 3) for T frames (absent people NaN); columns x, y, score"
)
_MOST_BYTES = 1 << 28  # of arrays: a day of video with a person
_LIFTED = "reconstruction"  # what demos of lifting networks call their input, in Human3.6M's order
_KEYS = ("poses", "keypoints", "pose2d", "joints2d", "pred_keypoints_2d", "keypoints_2d", "kpts", "joints_2d",
         "kps", _LIFTED, "data", "arr_0")  # fmt: skip
_SCORES = ("scores", "keypoint_scores", "keypoints_scores", "confidence", "confidences", "conf", "score",
           "scs", "pred_keypoint_scores", "visibility")  # fmt: skip
_DEPTHS = ("mediapipe33", "mediapipe_hand21", "mano21")  # MediaPipe's third column is a depth
_BLAZEPOSE, _MOST_COLUMNS = 33, 5
_MOST_SCORE = 255  # of scores in whatever unit
_LEAST_ROW = 20  # numbers of a row that holds a person's joints


def read_arrays(path: Path, request: Request) -> PoseSequence:
    """Read ``.npy`` or ``.npz``; pickled objects are refused, but for VideoPose3D's archives.

    An archive holds one array, or one of ``_KEYS``, and ``scores`` (or another of ``_SCORES``) with one number per
    joint beside it where the poses have none. Four columns are MediaPipe's x, y, z, visibility.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file; names the expected layout and what was found.
    """
    if _is_archive(path):
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
        if members & set(ARCHIVE_KEYS):
            return read_archive(path, request)
    poses, key = _load(path)
    if key == _LIFTED and poses.shape[-2:-1] == (get_source("human36").joint_num,) and request.source is None:
        request = replace(request, source="human36")
    if poses.dtype.kind not in "iuf":
        raise ValueError(f"{path} holds an array of {poses.dtype}; expected {_LAYOUT}")
    notes: list[str] = []
    moved = of_movenet(poses)
    if moved is not None:
        poses = moved if len(moved) > 1 else moved[0]
        notes.append("y, x, score of MoveNet")
    poses, frames_of_one = _shaped(path, poses)
    parts = joint_parts(poses.shape[-2], None, request, str(path), detector=False)
    source = parts.source
    assert source is not None
    if poses.shape[-1] == 4 and not str(source).startswith("mediapipe") and source != "mano21":
        raise ValueError(f"{path} has shape {poses.shape}, four columns are for MediaPipe only; expected {_LAYOUT}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which counts as missing
        poses = poses.astype(np.float32)
    poses, scored = _with_scores(path, poses, str(source))
    hand = request.body == "hand" and any(parts.hands)
    hands = _hands(poses, parts.hands) if any(parts.hands) else None
    if hand:
        return _hands_alone(path, poses, parts.hands)
    body = poses if parts.body is None else poses[..., list(parts.body), :]
    body = get_source(source).with_derived(body)
    scores, note = plain_scores(body[..., 2])
    body = np.concatenate([body[..., :2], scores[..., None]], axis=-1)
    notes += [note] if note else []
    notes += [] if scored else ["no scores found: every joint counts as seen"]
    is_video = body.ndim == 4 or frames_of_one
    if frames_of_one:
        body, hands = body[:, None], None if hands is None else hands[:, None]
    elif body.ndim == 2:
        body, hands = body[None, None], None if hands is None else hands[None, None]
    elif body.ndim == 3:
        body, hands = body[None], None if hands is None else hands[None]
    frames = []
    for number, people in enumerate(body):
        present = np.isfinite(people[..., :2]).all(axis=2).any(axis=1) if is_video else np.ones(len(people), bool)
        name = str(number) if is_video else path.stem
        both = None if hands is None else hands[number][present]
        tracks = np.zeros(int(present.sum()), np.int64) if frames_of_one else None
        frames.append(Frame(name, people[present], tracks, number if is_video else None, hands=both))
    taken = f"{source}: taken for the number of joints, {poses.shape[-2]}"
    if frames_of_one:
        notes.append(f"{len(frames)} poses of nearly the same place: taken for frames of one person")
    return PoseSequence(frames, source, None, is_video, "NumPy array", (taken, *notes))


def _is_archive(path: Path) -> bool:
    return path.is_file() and zipfile.is_zipfile(path)


def _load(path: Path) -> tuple[np.ndarray, str]:
    """The poses, with their scores as a column where an archive has them, and their key in it."""
    if not _is_archive(path):
        return files.read_array(path, _LAYOUT, most=_MOST_BYTES), ""
    hint = f"an archive holds one array, or one of {', '.join(_KEYS)}"
    arrays = files.read_arrays(path, _chosen, _LAYOUT, hint, most=_MOST_BYTES)
    (key, poses), *scores = arrays.items()
    if not scores or poses.shape[-1] != 2:
        return poses, key
    beside = scores[0][1]
    if beside.size != poses[..., 0].size:
        raise ValueError(f"{path} has {beside.shape} scores for {poses.shape[:-1]} joints; expected {_LAYOUT}")
    return np.concatenate([poses, beside.reshape(*poses.shape[:-1], 1)], axis=-1), key


def _chosen(names: list[str]) -> list[str]:
    """The array of poses in an archive, and that of their scores where there is one."""
    poses = names if len(names) == 1 else [name for name in _KEYS if name in names] or [_KEYS[0]]
    scores = [name for name in _SCORES if name in names and name != poses[0]]
    scores += [name for name in names if scores_by_name(name) and name != poses[0]]
    return [poses[0], *scores[:1]]


def _shaped(path: Path, poses: np.ndarray) -> tuple[np.ndarray, bool]:
    """(J, C), (N, J, C) or (T, N, J, C) of an array in one of these shapes, flattened, or transposed; and whether the
    first axis is frames of one person."""
    shape = poses.shape
    wrong = f"{path} has shape {shape}; expected {_LAYOUT}"
    if 0 in shape:
        empty = " (it is empty: the detector found nobody)" if poses.ndim > 2 and shape[-1] in (2, 3) else ""
        raise ValueError(wrong + empty)
    if poses.ndim == 1 and len(poses) >= _LEAST_ROW:
        return unflattened(poses, str(path), _LAYOUT), False
    if poses.ndim == 2 and shape[1] >= _LEAST_ROW and shape[1] not in (2, 3, 4):
        if shape[0] in (2, 3) and shape[1] in JOINT_NUMBERS and not _flat_row(shape[1]):
            raise ValueError(f"{wrong} (it is transposed: save array.T)")
        poses = unflattened(poses, str(path), _LAYOUT)
        return (poses[0], False) if len(poses) == 1 else (poses, is_one_person(poses))
    if poses.ndim == 3 and shape[1] in (2, 3) and shape[2] not in (2, 3, 4) and shape[2] in JOINT_NUMBERS:
        poses = poses.swapaxes(1, 2)  # 3DPW's poses2d
    elif poses.ndim == 3 and shape[0] in JOINT_NUMBERS and shape[1] in (2, 3) and shape[2] not in JOINT_NUMBERS:
        poses = poses.transpose(2, 0, 1)
    elif poses.ndim == 3 and shape[0] in (2, 3) and shape[1] in JOINT_NUMBERS and shape[2] > _MOST_COLUMNS:
        poses = poses.transpose(2, 1, 0)
    if poses.ndim > 2 and poses.shape[-1] == 4 and poses.shape[-2] != _BLAZEPOSE and score_like(poses[..., 2]):
        poses = poses[..., :3]  # HigherHRNet's tags behind the scores
    if poses.ndim not in (2, 3, 4) or poses.shape[-1] not in (2, 3, 4):
        hint = " (it is transposed: save array.T)" if poses.ndim == 2 and shape[0] in (2, 3) else ""
        raise ValueError(wrong + hint)
    if poses.ndim == 4 and shape[0] == 1:
        poses = poses[0]
    return poses, poses.ndim == 3 and is_one_person(poses)


def _flat_row(count: int) -> bool:
    """A row of so many numbers holds a person's joints as x and y, x, y and score, or MediaPipe's four."""
    return any(count % columns == 0 and count // columns in JOINT_NUMBERS for columns in (2, 3, 4))


def _with_scores(path: Path, poses: np.ndarray, source: str) -> tuple[np.ndarray, bool]:
    """(..., J, 3): x, y and score, whatever the columns of the file; and whether it has scores."""
    fractions = np.nanmax(np.abs(poses[..., :2]), initial=0.0) <= 4
    if poses.shape[-1] == 4 and source == "mediapipe33":
        return np.concatenate([poses[..., :2], poses[..., 3:]], axis=-1), True
    depth = poses.shape[-1] == 3 and source in _DEPTHS and (fractions or not score_like(poses[..., 2]))
    if poses.shape[-1] == 3 and not depth:
        third = poses[..., 2][np.isfinite(poses[..., 2])]
        if len(third) and (third[third != -1].min(initial=0) < 0 or third.max() > _MOST_SCORE):
            raise ValueError(
                f"{path}: the third column, from {third.min():.3g} to {third.max():.3g}, is no score: these are 3D "
                "joints? Poses here are x and y in pixels, and a score from 0 to 1"
            )
        return poses, True
    return np.concatenate([poses[..., :2], np.ones_like(poses[..., :1])], axis=-1), False


def _hands(poses: np.ndarray, places) -> np.ndarray:
    """(..., 2, 21, 3) left and right hand."""
    return np.stack([poses[..., list(hand), :] for hand in places], axis=-3)


def _hands_alone(path: Path, poses: np.ndarray, places) -> PoseSequence:
    """Right and left hands of whole bodies as people."""
    hands = _hands(poses, places)[..., ::-1, :, :]
    flat = hands.reshape(*hands.shape[:-4], -1, *hands.shape[-2:]) if hands.ndim > 3 else hands
    frames = flat if flat.ndim == 4 else flat[None]
    is_video = flat.ndim == 4
    left = np.arange(frames.shape[1]) % 2 == 1
    return PoseSequence(
        [
            Frame(str(number) if is_video else path.stem, people, None, number if is_video else None, left)
            for number, people in enumerate(frames)
        ],
        "mano21", None, is_video, "NumPy array", ("hands of whole bodies",),
    )  # fmt: skip


FORMAT = Format("NumPy array", _LAYOUT, lambda content: False, lambda *_: None)
