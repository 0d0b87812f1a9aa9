"""Poses without a tool's layout: lists of numbers, joints by name, and records that name what they hold."""

from dataclasses import replace

import numpy as np

from lib.messages import shown_name
from lib.poses.formats.movenet import of_movenet
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import counted, first_key, found, numbers, people_in
from lib.poses.reading.joint_names import named_joints
from lib.poses.reading.records import FRAMES, IMAGES, KEYPOINTS, SCORES, TRACKS, person_of, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    "numbers [[x, y, score] for each joint], a list of these for people, a list of such lists for frames; or records "
    '{"keypoints": ..., "scores": ..., "track_id": ..., "frame": ...}; or joints by name {"nose": [x, y, score], ...}'
)
_PEOPLE = ("people", "persons", "instances", "predictions", "detections", "annotations", "objects", "poses", "results",
           "frames", "data")  # fmt: skip
_LEAST = 10  # numbers that can be joints
_JOINTS = (*KEYPOINTS, "keypoints2d", "kp", "joints_2d", "body")


def matches(content) -> bool:
    if isinstance(content, list):
        few = len(content) < _LEAST and not any(isinstance(entry, list | dict) for entry in content)
        filled = [entry for entry in content if entry or isinstance(entry, int | float)]
        return not few and bool(filled) and all(_is_numbers(entry) or _is_record(entry) for entry in filled)
    return _is_record(content)


def _is_numbers(value, levels: int = 4) -> bool:
    if isinstance(value, list) and levels:
        return bool(value) and all(_is_numbers(entry, levels - 1) for entry in value[:2])
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_record(value) -> bool:
    return isinstance(value, dict) and bool(
        first_key(value, (*_JOINTS, *_PEOPLE)) or _by_name(value) or _frames_by_name(value)
    )


def _frames_by_name(value: dict) -> bool:
    """Frames, or images, of a person with joints by name each."""
    people = [person for person in value.values() if person]
    return bool(people) and all(isinstance(person, dict) and _by_name(person) for person in people)


def _by_name(value: dict) -> bool:
    """Joints by name: the names of most are a person's."""
    joints = list(_rows(value))
    if not joints:
        return False
    try:
        named_joints(joints, "")
    except ValueError:
        return False
    return True


def _rows(value: dict) -> dict:
    """The joints of a dict by their names, without scores, numbers and boxes beside them."""
    rows = {key: mark for key, mark in value.items() if _is_row(mark)}
    others = [key for key in value if key not in rows and isinstance(value[key], list | dict)]
    return {} if others else {key: mark for key, mark in rows.items() if key.lower() not in ("box", "bbox")}


def _is_row(mark) -> bool:
    if isinstance(mark, dict):
        return {"x", "y"} <= set(mark)
    return isinstance(mark, list) and 2 <= len(mark) <= 4 and all(isinstance(value, int | float) for value in mark)


def add(builder: FrameBuilder, content, name: str) -> None:
    if isinstance(content, dict) and not first_key(content, _JOINTS) and first_key(content, _PEOPLE):
        content = content[first_key(content, _PEOPLE) or ""]
        if not isinstance(content, list):
            raise ValueError(f"{builder.path} holds {found(content)}; expected {_LAYOUT}")
    joints = first_key(content, _JOINTS)
    if joints and _depth(content[joints]) > 2 and _is_numbers(content[joints]) and not first_key(content, SCORES):
        content = content[joints]
    if isinstance(content, dict):
        content = [content]
    if content and isinstance(content[0], dict) and _frames_by_name(content[0]) and len(content) == 1:
        for frame, person in content[0].items():
            builder.add_frame(frame, counted(frame))
            if person:
                _add_record(builder, person, frame, f"frame {shown_name(frame)}")
        return
    if content and all(isinstance(entry, dict) for entry in content):
        builder.perhaps_frames = True
        for place, entry in enumerate(content):
            _add_record(builder, entry, name, f"record {place}")
        return
    values = of_movenet(content)
    if values is not None:
        content = [[pose for pose in people.tolist() if np.isfinite(pose).any()] for people in values]
    if any(entry is None or entry == [] for entry in content):  # a frame in which nobody was found
        content = [[] if not entry else [entry] if _depth(entry) == 2 else entry for entry in content]
    depth = _depth(content)
    builder.perhaps_frames = depth == 3
    frames = content if depth == 4 else [content if depth > 2 or _flat_people(content) else [content]]
    for number, people in enumerate(frames):
        frame = str(number) if depth == 4 else name
        builder.add_frame(frame, number if depth == 4 else None)
        for row, pose in enumerate(people_in(people, f"{builder.path}: frame {number}", _LAYOUT)):
            where = f"person {row}" if depth < 4 else f"frame {number}, person {row}"
            builder.add(frame, person_of(pose, f"{builder.path}: {where}", _LAYOUT), where)


def _add_record(builder: FrameBuilder, entry: dict, name: str, where: str) -> None:
    """A frame with its people, or a person with its frame."""
    frame, image = first_key(entry, FRAMES), first_key(entry, IMAGES)
    number = None if frame is None else counted(entry[frame])
    key = frame or image
    name = name if key is None else str(entry[key])
    builder.add_frame(name, number)
    people = first_key(entry, _PEOPLE)
    joints = first_key(entry, _JOINTS)
    if people is not None and joints is None:
        for row, person in enumerate(entry[people] if isinstance(entry[people], list) else ()):
            place = f"{where}, person {row}"
            joined = _person(person, f"{builder.path}: {place}")
            builder.add(name, joined, f"frame {shown_name(name)}, person {row}", number)
        return
    builder.add(name, _person(entry, f"{builder.path}: {where}"), where, number)


def _person(value, where: str):
    if isinstance(value, dict) and not first_key(value, _JOINTS) and _by_name(value):
        person = person_of(_rows(value), where, _LAYOUT)
        key = first_key(value, TRACKS)
        return person if key is None else replace(person, track=counted(value[key]))
    if isinstance(value, list):
        return person_of(value, where, _LAYOUT)
    return record_of(value, where, _LAYOUT, _JOINTS)


def _depth(content) -> int:
    filled = [entry for entry in content if entry is not None and entry != []][:1] if isinstance(content, list) else []
    return 1 + max(map(_depth, filled), default=0) if isinstance(content, list) else 0


def _flat_people(content: list) -> bool:
    """A list of people whose numbers are flat, not of joints with two or three each."""
    rows = numbers(content[0], "", _LAYOUT) if isinstance(content[0], list) else None
    return rows is not None and rows.ndim == 1 and len(rows) > 6


FORMAT = Format("plain lists", _LAYOUT, matches, add, per_image=True)
