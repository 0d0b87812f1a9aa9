"""Poses of TensorFlow.js (MoveNet, PoseNet, BlazePose) and ml5: marks with names and scores, in pixels."""

from dataclasses import replace

from lib.poses.people import SIDES
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.records import person_of, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'TensorFlow.js poses [{"score": 0.9, "keypoints": [{"x": 1, "y": 2, "score": 0.9, "name": "nose"}, ...]}], also '
    "PoseNet's {part, position}; a pose, a list of poses, a list of these for frames, or the marks alone"
)


def matches(content) -> bool:
    for _ in range(3):
        if isinstance(content, dict):
            content = _unwrapped(content).get("keypoints")
        if not isinstance(content, list) or not content:
            return False
        if _is_mark(content[0]):
            return True
        content = next((entry for entry in content if entry), None)
    return False


def _is_mark(value) -> bool:
    return (
        isinstance(value, dict)
        and (isinstance(value.get("position"), dict) or {"x", "y"} <= set(value))
        and bool({"score", "name", "part"} & set(value))
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    if isinstance(content, dict) or _is_mark(content[0]):
        content = [content]
    if all(isinstance(frame, list) and not (frame and _is_mark(frame[0])) for frame in content):
        for number, people in enumerate(content):
            _add_frame(builder, people, str(number), number)
    else:
        builder.perhaps_frames = True
        _add_frame(builder, content, name, None)


def _add_frame(builder: FrameBuilder, people: list, name: str, number: int | None) -> None:
    builder.add_frame(name, number)
    for row, record in enumerate(people):
        where = f"person {row}" if number is None else f"frame {number}, person {row}"
        place = f"{builder.path}: {where}"
        record = _unwrapped(record)
        person = person_of(record, place, _LAYOUT) if isinstance(record, list) else record_of(record, place, _LAYOUT)
        side = str(record.get("handedness")).lower() if isinstance(record, dict) else ""
        if person is not None and side in SIDES:
            person = replace(person, side=side)
        builder.add(name, person, where, number)


def _unwrapped(record):
    """ml5 writes the person beside its skeleton."""
    inner = record.get("pose") if isinstance(record, dict) else None
    return inner if isinstance(inner, dict) and "keypoints" in inner else record


FORMAT = Format("TensorFlow.js poses", _LAYOUT, matches, add, per_image=True)
