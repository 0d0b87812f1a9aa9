"""Frames as a list or a dict around what a tool writes for one image, and lists of people who name their frame."""

import re

from lib.poses.reading.content import counted, first_key
from lib.poses.reading.records import FRAMES, IMAGES
from lib.poses.reading.request import Format

Part = tuple[str, int | None, object]
_WRAPPERS = ("results", "predictions", "preds", "detections", "annotations", "frames", "data", "poses", "outputs",
             "people", "persons", "objects", "instances", "pred_instances")  # fmt: skip
_PERSON = re.compile("(person|player|subject|track|id)[-_ ]?[0-9]+$", re.IGNORECASE)  # keys of people, not of frames
_JOINTS = (  # of a record that is a person, or all people of an image
    "keypoints",
    "kpts",
    "joints",
    "pose_keypoints_2d",
    "keypoints_2d",
    "pred_keypoints",
)
UNSPECIFIC = ("poseflow", "demo", "plain")
"""Formats without marks of a tool of their own: what another one reads, frame by frame, goes before them."""


def of_people(content: dict) -> bool:
    """The keys of a dict are people, whose frames stand below, and not frames."""
    return any(_PERSON.match(name) for name in content)


def inside(content):
    """What stands in a dict under the one key that names no tool; None when there is no such."""
    keys = [key for key in _WRAPPERS if isinstance(content, dict) and isinstance(content.get(key), list | dict)]
    return content[keys[0]] if len(keys) == 1 else None


def frames_of(content) -> list[Part] | None:
    """Name, number and content of each frame; None when the content is no list or dict of frames."""
    if isinstance(content, dict):
        if (
            not content
            or set(_WRAPPERS) & set(content)
            or not all(value is None or isinstance(value, list | dict) for value in content.values())
        ):
            return None
        if of_people(content):
            return None
        named = all(re.search(r"[0-9]|\.\w+$", name) for name in content)
        return [(name, counted(name), value) for name, value in content.items()] if named else None
    if not isinstance(content, list):
        return None
    if content and all(entry is None or isinstance(entry, list) for entry in content):
        return [(str(place), place, entry) for place, entry in enumerate(content)]
    return by_record(content) or _around(content)


def by_record(content: list) -> list[Part] | None:
    """Records of people, or of all people of a frame, by the frame or image that each names."""
    for keys in (FRAMES, IMAGES):
        key = next((key for key in keys if content and isinstance(content[0], dict) and key in content[0]), None)
        if key and all(isinstance(entry, dict) and key in entry and set(_JOINTS) & set(entry) for entry in content):
            break
    else:
        return None
    frames: dict[str, list] = {}
    for entry in content:
        frames.setdefault(str(entry[key]), []).append(entry)
    numbers = keys is FRAMES
    return [(name, counted(people[0][key]) if numbers else None, people) for name, people in frames.items()]


def _around(content: list) -> list[Part] | None:
    """Records of a frame each, with what a tool writes under a key that names none."""
    parts: list[Part] = []
    for place, entry in enumerate(content):
        if not isinstance(entry, dict) or len(set(_WRAPPERS) & set(entry)) != 1:
            return None
        number, image = first_key(entry, FRAMES), first_key(entry, IMAGES)
        key = number or image
        name = str(place) if key is None else str(entry[key])
        parts.append((name, counted(entry[number]) if number else place if key is None else None, inside(entry)))
    return parts


def format_of_all(parts: list[Part], formats: dict[str, Format]) -> str | None:
    """The format that all frames have in which somebody is; None when there is no such."""
    filled = [value for _, _, value in parts if value]
    if any(isinstance(value, dict) and {"x", "y"} <= set(value) for value in filled):
        return None  # joints by name
    records = all(isinstance(value, list) and all(isinstance(entry, dict) for entry in value) for value in filled)
    fits = (
        name
        for name, form in formats.items()
        if form.per_image and filled and (name not in UNSPECIFIC or records) and all(map(form.matches, filled))
    )
    return next(fits, None)
