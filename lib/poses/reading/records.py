"""One person's joints and scores in the ways that files write them: flat numbers, rows, columns, marks, by name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.poses.reading.content import counted, first_key, found, numbers
from lib.poses.reading.joint_parts import JOINT_NUMBERS

KEYPOINTS = ("keypoints", "pose_keypoints_2d", "keypoints_2d", "joints", "joints_2d", "joints2d", "kpts", "pose2d",
             "pose_2d", "pose", "points", "landmarks")  # fmt: skip
SCORES = ("keypoint_scores", "keypoints_scores", "scores", "confidence", "confidences", "conf", "score", "visible",
          "visibility", "keypoints_visible", "kp_score", "likelihood")  # fmt: skip
TRACKS = ("track_id", "tracking_id", "idx", "person_id", "personID", "track", "id", "id_")
FRAMES = ("frame_id", "frame_index", "frame_idx", "frame_num", "frame_number", "frame")
IMAGES = ("image_id", "image_name", "image_path", "image", "file_name", "filename", "img_name", "imgname")
_MARK_SCORES = ("visibility", "score", "confidence", "likelihood", "v", "c")
_MARK_NAMES = ("name", "part", "label", "joint")
_MOST_SCORE = 1.5  # detectors' scores go a little beyond 1
_PERCENT = 20.0  # scores that reach this are per cent
_MOST_PERCENT, _BYTE = 100.5, 255
_UNSCORED = (34, 52, 266, 272)  # numbers of 17, 26, 133 and 136 joints without scores, where scores are usual


@dataclass(frozen=True)
class Person:
    """One person, or one hand, of a file.

    Attributes:
        pose: (J, 3) x, y, score as in the file; None when only hands are given.
        names: of the joints, where the file has them.
        scored: the file has scores.
        left_hand, right_hand: (21, 3) in MANO's order; None for hands that are not there.
        side: ``left`` or ``right`` when ``pose`` is a hand of known side.
        track: number of the person; None without.
    """

    pose: np.ndarray | None
    names: tuple[str, ...] | None = None
    scored: bool = True
    left_hand: np.ndarray | None = None
    right_hand: np.ndarray | None = None
    side: str | None = None
    track: int | None = None


def person_of(values, where: str, layout: str, scores=None, columns: int | None = None) -> Person:
    """The joints of one person.

    Args:
        values: flat numbers ``[x, y, s, ...]`` or ``[x, y, ...]``, rows ``[[x, y], ...]``, columns ``{"x": [...],
            "y": [...]}``, marks ``[{"x", "y"}, ...]`` or joints by name ``{name: row or mark}``.
        where, layout: see ``lib.poses.reading.content.numbers``.
        scores: (J,) of the joints where they stand beside; None when they are among ``values`` or nowhere.
        columns: numbers of a joint in a flat list, where the format says so.

    Raises:
        ValueError: something else.
    """
    if isinstance(values, dict):
        if isinstance(values.get("x"), list) and isinstance(values.get("y"), list):
            rows = numbers(list(zip(values["x"], values["y"])), where, layout)
            if rows.ndim != 2:
                raise ValueError(f"{where} is {found(values)}; expected {layout}")
            key = first_key(values, SCORES)
            return _scored(Person(rows), values[key] if key and scores is None else scores, where, layout)
        names = tuple(map(str, values))
        return replace(person_of(list(values.values()), where, layout, scores), names=names)
    if isinstance(values, list) and isinstance(next((mark for mark in values if mark is not None), None), dict):
        return _scored(_of_marks(values, where, layout), scores, where, layout)
    rows = numbers(values, where, layout)
    rows = rows[0] if rows.ndim == 3 and len(rows) == 1 else rows
    if rows.ndim == 1:
        columns = 2 if columns and len(rows) in _UNSCORED else columns
        if columns and (len(rows) % columns or not len(rows)):
            raise ValueError(f"{where} holds numbers of shape {rows.shape}; expected {layout}")
        rows = rows.reshape(-1, columns) if columns else unflattened(rows, where, layout, scores is not None)
    if rows.ndim != 2 or rows.shape[1] < 2 or not len(rows):
        raise ValueError(f"{where} has shape {rows.shape}; expected {layout}")
    return _scored(Person(rows), scores, where, layout)


def record_of(
    record, where: str, layout: str, keys: Sequence[str] = KEYPOINTS, columns: int | None = None
) -> Person | None:
    """The person of a dict with joints under one of ``keys``, scores beside them, and a track number; None when the
    joints are null or an empty list.

    Raises:
        ValueError: no dict, or without joints; names the place.
    """
    key = first_key(record, tuple(keys))
    if key is None:
        if record is None or any(isinstance(record, dict) and name in record for name in keys):
            return None
        raise ValueError(f"{where} is {found(record)}, without {keys[0]}; expected {layout}")
    if not record[key]:
        return None
    score_key = first_key(record, SCORES)
    scores = record[score_key] if score_key and isinstance(record[score_key], list) else None
    person = person_of(record[key], f"{where}, {key}", layout, scores, columns)
    other = None if person.scored or person.pose is None else _other_scores(record, len(person.pose))
    if other is not None:
        person = person_of(record[key], f"{where}, {key}", layout, other, columns)
    track_key = first_key(record, TRACKS)
    return replace(person, track=None if track_key is None else counted(record[track_key]))


def scores_by_name(name: str) -> bool:
    """Whether a key says that its values are scores."""
    return any(word in name.lower() for word in ("score", "conf", "prob", "visib", "likelihood"))


def _other_scores(record: dict, joint_num: int) -> list | None:
    """Scores of the joints under a key that is not among the usual ones."""
    return next(
        (
            values
            for key, values in record.items()
            if scores_by_name(key)
            and isinstance(values, list)
            and len(values) == joint_num
            and all(isinstance(value, int | float) for value in values)
        ),
        None,
    )


def unflattened(flat: np.ndarray, where: str, layout: str, scores_beside: bool = False) -> np.ndarray:
    """Numbers (..., n) as joints (..., J, 2, 3 or 4) of a known number J, with scores where the third ones can be such.

    Raises:
        ValueError: no known number of joints fits.
    """
    count = flat.shape[-1]
    for columns in (2, 3, 4) if scores_beside else (3, 2, 4):
        if count % columns or not count:
            continue
        rows = flat.reshape(*flat.shape[:-1], -1, columns)
        if rows.shape[-2] in JOINT_NUMBERS and (columns == 2 or score_like(rows[..., -1])):
            return rows
    if count % 3 == 0 and count:
        return flat.reshape(*flat.shape[:-1], -1, 3)
    raise ValueError(f"{where} holds numbers of shape {flat.shape}; expected {layout}")


def score_like(values: np.ndarray) -> bool:
    """Numbers that can be scores, visibility flags or per cent, and not pixels."""
    seen = values[np.isfinite(values)]
    if not len(seen):
        return True
    low, high = seen.min(), seen.max()
    return bool(low >= 0 and (high <= _MOST_SCORE or np.isin(seen, (0, 1, 2)).all()))


def _of_marks(marks: Sequence, where: str, layout: str) -> Person:
    """Dicts with x, y (or a position with these), a score and perhaps a name each."""
    rows: list[tuple] = []
    names: list[str | None] = []
    scored = False
    for mark in marks:
        place = mark.get("position", mark) if isinstance(mark, dict) else None
        if not isinstance(place, dict) or not {"x", "y"} <= set(place):
            raise ValueError(f"{where} is {found(list(marks))}; expected {layout}")
        key = first_key(mark, _MARK_SCORES)
        scored |= key is not None
        rows.append((place["x"], place["y"], mark[key] if key else 0.0))
        name = first_key(mark, _MARK_NAMES)
        names.append(str(mark[name]) if name else None)
    pose = numbers(rows, where, layout)
    if not pose[:, 2].any():  # MediaPipe gives hands no visibility: they count as seen
        pose[:, 2], scored = 1.0, False
    known = [name for name in names if name is not None]
    # tools that know no names number them
    useful = len(known) == len(names) and not all(name.lstrip("n").isdecimal() for name in known)
    return Person(pose, tuple(known) if useful else None, scored)


def _scored(person: Person, scores, where: str, layout: str) -> Person:
    """The person with a column of scores: those beside, else the last column, else 1."""
    rows = person.pose
    assert rows is not None
    if scores is not None:
        beside = numbers(scores, f"{where}, scores", layout)
        if beside.size != len(rows):
            raise ValueError(
                f"{where} has keypoints of shape {rows.shape} and scores of shape {beside.shape}; expected {layout}"
            )
        return replace(person, pose=np.column_stack([rows[:, :2], beside.reshape(-1)]), scored=True)
    if rows.shape[1] == 3 and (person.names is not None or len(rows) not in _DEPTH_JOINTS or score_like(rows[:, 2])):
        return replace(person, pose=rows)
    if rows.shape[1] > 3:  # x, y, depth, visibility of MediaPipe; else x, y, score and a tag
        score = rows[:, 3] if len(rows) == _DEPTH_JOINTS[0] else rows[:, 2]
        return replace(person, pose=np.column_stack([rows[:, :2], score]))
    return replace(person, pose=np.column_stack([rows[:, :2], np.ones(len(rows))]), scored=False)


_DEPTH_JOINTS = (33, 21)  # of BlazePose and MediaPipe's hands, whose third column may be a depth


def plain_scores(scores: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Scores (N, J) of a file from 0 to 1, and a note when they were something else."""
    finite = scores[np.isfinite(scores)]
    if scores.size and not (finite > 0).any():
        kind = ("0" if finite.any() == 0 else "0 or less") if len(finite) else "NaN"
        return np.ones_like(scores), f"all scores are {kind}, so they say nothing: every joint counts as seen"
    known = np.nan_to_num(scores)
    if not finite.size or finite.max() <= _MOST_SCORE:
        return known, None
    if np.isin(finite, (0, 1, 2)).all():
        return (known > 0).astype(scores.dtype), None  # visibility flags of annotations
    if finite.max() >= _PERCENT and finite.min() >= 0:
        if finite.max() > _MOST_PERCENT and finite.max() <= _BYTE:
            return known / _BYTE, "scores are from 0 to 255: divided by 255"
        return known / 100, "scores are per cent: divided by 100"
    if (finite[finite < 0] != -1).any():
        logits = np.where(np.isfinite(scores), scores, -np.inf).clip(-50, 50)
        return 1 / (
            1 + np.exp(-logits)
        ), f"scores from {finite.min():.3g} to {finite.max():.3g} are logits: made fractions"
    return known, None
