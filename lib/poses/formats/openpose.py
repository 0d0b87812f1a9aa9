"""OpenPose's JSON files (``--write_json``): one file per image or frame. Pose2Sim and many others write the same."""

from dataclasses import replace

import numpy as np

from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found, whole_number
from lib.poses.reading.records import Person, person_of
from lib.poses.reading.request import Format

SUFFIX = "_keypoints"
_LAYOUT = (
    'OpenPose JSON {"people": [{"pose_keypoints_2d": [x, y, score, ...]}]} with 25 (BODY_25), 18 (COCO) or 15 (MPI) '
    "joints, hand_left_keypoints_2d and hand_right_keypoints_2d with 21 for hands; one file, or a folder of "
    "*_keypoints.json"
)
_POSE = ("pose_keypoints_2d", "pose_keypoints", "body_parts")
_HANDS = (
    ("hand_left_keypoints_2d", "hand_left_keypoints"),
    ("hand_right_keypoints_2d", "hand_right_keypoints"),
)


def matches(content) -> bool:
    return isinstance(content, dict) and "canvas_width" not in content and are_people(content.get("people"))


def are_people(people) -> bool:
    """A list of OpenPose's records, and not of others with keypoints."""
    keys = {*_POSE, *_HANDS[0], *_HANDS[1]}
    return isinstance(people, list) and not any(
        isinstance(person, dict) and "keypoints" in person and not keys & set(person) for person in people
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    """The people of one file as one frame."""
    name = name.removesuffix(SUFFIX)
    builder.add_frame(name)
    for number, person in enumerate(content["people"]):
        where = f"person {number}" if not builder.folder else f"{name}, person {number}"
        builder.add(name, openpose_person(person, f"{builder.path}: {where}", builder.form.layout), where)


def openpose_person(person, where: str, layout: str) -> Person | None:
    """A record with a body, hands or both; None when it is null or all its lists are empty.

    Raises:
        ValueError: no such record.
    """
    if person is None:
        return None
    keys = (*_POSE, *_HANDS[0], *_HANDS[1])
    if not isinstance(person, dict) or not set(keys) & set(person):
        raise ValueError(f"{where} is {found(person)}, without {_POSE[0]}; expected {layout}")
    pose, left, right = (_joints(person, names, where, layout) for names in (_POSE, *_HANDS))
    if pose is None and left is None and right is None:
        return None
    hands = (None if hand is None else hand.pose for hand in (left, right))
    body = pose or Person(None)
    left_hand, right_hand = hands
    track = whole_number(person.get("person_id"))
    return replace(body, left_hand=left_hand, right_hand=right_hand, track=track)


def _joints(person: dict, keys: tuple[str, ...], where: str, layout: str) -> Person | None:
    key = next((key for key in keys if person.get(key)), None)
    if key is None:
        return None
    joints = person_of(person[key], f"{where}, {key}", layout)
    # all zero: not seen
    return joints if joints.pose is not None and np.nan_to_num(joints.pose[:, :2]).any() else None


FORMAT = Format("OpenPose JSON", _LAYOUT, matches, add, per_image=True)
