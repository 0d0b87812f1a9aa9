"""Landmarks of MediaPipe Pose (33) and Hands (21), as lists of its x, y, z, visibility records."""

from pathlib import Path

import numpy as np

from lib.poses.formats.content import FrameBuilder, Request, found, numbers, people_in
from lib.poses.people import PoseSequence

LAYOUT = (
    'MediaPipe JSON: a list of 33 (pose) or 21 (hand) landmarks {"x": 0.5, "y": 0.4, "z": -0.1, "visibility": 0.9}, a '
    "list of such lists for several people, or a list of these for frames; x and y are fractions of the image, "
    "so its size is needed"
)
# names under which the lists stand in results of the Python, JavaScript and protobuf interfaces
_KEYS = ("pose_landmarks", "poseLandmarks", "hand_landmarks", "multi_hand_landmarks", "landmarks", "landmark")


def matches(content) -> bool:
    content = _unwrapped(content)
    while isinstance(content, list):
        content = next((_unwrapped(entry) for entry in content if entry not in ([], {}, None)), None)
    return isinstance(content, dict) and {"x", "y"} <= set(content)


def read_mediapipe(path: Path, content, request: Request) -> PoseSequence:
    """One person, several people, or frames of several people; still in fractions of the image.

    Raises:
        ValueError: another layout; names what was found.
    """
    content = _unwrapped(content)
    depth = _depth(content)
    if depth > 3:
        raise ValueError(f"{path} holds lists in lists, {depth} or more; expected {LAYOUT}")
    frames = content if depth == 3 else [content if depth == 2 else [content]]
    builder = FrameBuilder(path, request, LAYOUT)
    for number, people in enumerate(frames):
        name = str(number) if depth == 3 else path.stem
        builder.add_frame(name)
        for person, landmarks in enumerate(people_in(_unwrapped(people) or [], f"{path}: frame {number}", LAYOUT)):
            where = f"frame {number}, person {person}"
            builder.add(name, _pose(path, _unwrapped(landmarks), where), where)
    return builder.sequence("MediaPipe JSON", is_video=depth == 3 and len(frames) > 1)


def _unwrapped(content):
    """The list inside a result object."""
    while isinstance(content, dict) and "x" not in content:
        key = next((key for key in _KEYS if key in content), None)
        if key is None:
            return content
        content = content[key]
    return content


def _depth(content, most: int = 4) -> int:
    """Lists around a landmark, counted up to ``most``."""
    content = _unwrapped(content)
    if not isinstance(content, list) or not most:
        return 0
    return 1 + max((_depth(entry, most - 1) for entry in content), default=0)


def _pose(path: Path, landmarks, where: str) -> np.ndarray:
    """(J, 3) of one person, fractions of the image. MediaPipe gives no visibility for hands: they count as seen."""
    if not isinstance(landmarks, list) or not all(
        isinstance(mark, dict) and isinstance(mark.get("x"), int | float) and isinstance(mark.get("y"), int | float)
        for mark in landmarks
    ):
        raise ValueError(f"{path}: {where} is {found(landmarks)}; expected {LAYOUT}")
    marks = [(mark["x"], mark["y"], mark.get("visibility") or 0.0) for mark in landmarks]
    rows = numbers(marks, f"{path}: {where}", LAYOUT)
    if not rows[:, 2].any():
        rows[:, 2] = 1.0
    return rows
