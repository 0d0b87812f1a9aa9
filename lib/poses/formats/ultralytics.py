"""Ultralytics' YOLO-pose: ``results.to_json()``, and the labels that ``save_txt`` writes."""

import re
from dataclasses import replace

import numpy as np

from lib.messages import shown_name
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found, whole_number
from lib.poses.reading.kinds import no_person
from lib.poses.reading.records import FRAMES, Person, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'Ultralytics JSON [{"name": "person", "confidence": 0.9, "box": {...}, "keypoints": {"x": [17], "y": [17], '
    '"visible": [17]}, "track_id": 1}], a list for each frame, or one'
)
_LABELS_LAYOUT = (
    "YOLO pose labels: a line for each person, class cx cy w h, "
    "then x y [score] of 17 joints (or 21 of a hand) as fractions of the image; a "
    "file for each image"
)
_BOX = 5  # class and box before the joints
_JOINTS = (17, 21, 26, 133)
_OUTSIDE = 0.05  # of the picture: how far boxes may reach beyond it
_PEOPLE = ("results", "predictions", "detections", "people", "persons", "objects")


def matches(content) -> bool:
    people = [person for _, people in _frames(content) for person in people]
    return bool(people) and all(_is_person(person) for person in people)


def _is_person(person) -> bool:
    keypoints = person.get("keypoints") if isinstance(person, dict) else None
    return isinstance(keypoints, dict) and isinstance(keypoints.get("x"), list)


def _frames(content) -> list[tuple[int | None, list]]:
    """Number and people of each frame."""
    for key in _PEOPLE[:3]:
        if isinstance(content, dict) and isinstance(content.get(key), list):
            content = content[key]
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return []
    if content and all(isinstance(entry, list) for entry in content):
        return [(number, entry) for number, entry in enumerate(content)]
    if content and all(isinstance(entry, dict) and "keypoints" not in entry for entry in content):
        return [
            (whole_number(next((entry[key] for key in FRAMES if key in entry), None)), people)
            for entry in content
            for key, people in entry.items()
            if key in ("results", "predictions", "detections", "people", "persons", "objects")
            and isinstance(people, list)
        ]
    return [(None, content)]


def add(builder: FrameBuilder, content, name: str) -> None:
    frames = _frames(content)
    for place, (number, people) in enumerate(frames):
        number = place if number is None and len(frames) > 1 else number
        frame = name if number is None else str(number)
        builder.add_frame(frame, number)
        for row, record in enumerate(people):
            where = f"frame {frame}, person {row}" if len(frames) > 1 else f"person {row}"
            if record is not None and not _is_person(record):
                raise ValueError(f"{builder.path}: {where} is {found(record)}; expected {_LAYOUT}")
            if isinstance(record, dict) and no_person(record.get("name")):
                builder.skip(f"{shown_name(record['name'])} left out: no person")
                continue
            builder.add(frame, record_of(record, f"{builder.path}: {where}", _LAYOUT, ("keypoints",)), where, number)


def are_labels(rows) -> bool:
    if not rows or not all(_shape(len(row)) and re.fullmatch(r"[0-9]{1,4}(\.0*)?", row[0]) for row in rows):
        return False
    try:
        boxes = np.array([row[1:_BOX] for row in rows], dtype=np.float64)
    except ValueError:
        return False
    return bool(((boxes >= -_OUTSIDE) & (boxes <= 1 + _OUTSIDE)).all())


def _shape(count: int) -> tuple[int, int] | None:
    """Joints, and 2 or 3 numbers for each, in a line of so many, confidence and track number at its end perhaps."""
    fits = ((joints, columns) for joints in _JOINTS for columns in (3, 2) if 0 <= count - _BOX - columns * joints <= 2)
    return next(fits, None)


def add_labels(builder: FrameBuilder, rows, name: str) -> None:
    builder.add_frame(name)
    builder.first_number = 1  # frames of videos are counted from 1
    for row, line in enumerate(rows):
        values = np.array(line, dtype=np.float64)
        count, columns = _shape(len(values)) or (0, 0)
        end = _BOX + columns * count
        joints = values[_BOX:end].reshape(count, columns)
        scored = columns == 3
        pose = joints if scored else np.column_stack([joints, (joints != 0).any(axis=1)])
        # one number more is the confidence, a fraction, or else the track
        tracked = len(values) == end + 2 or (len(values) == end + 1 and line[-1].isdecimal())
        track = whole_number(float(values[-1])) if tracked else None
        builder.add(name, replace(Person(pose), scored=scored, track=track), f"line {row + 1}")


FORMAT = Format("Ultralytics JSON", _LAYOUT, matches, add, per_image=True)
LABELS = Format("YOLO labels", _LABELS_LAYOUT, are_labels, add_labels, per_image=True)
