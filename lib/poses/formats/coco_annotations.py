"""COCO's keypoint annotations and data sets in their form: PoseTrack, CrowdPose, AIC, COCO-WholeBody, Human3.6M, ..."""

from dataclasses import replace

import numpy as np

from lib.messages import one_line, shown_name
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found
from lib.poses.reading.records import Person, person_of, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'COCO keypoint annotations {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"id", '
    '"image_id", "keypoints": [x, y, v, ... 17 joints]}], "categories": [{"keypoints": [their names]}]}'
)
_LEFT_OUT = "annotation(s) left out: crowds, or no labelled joint"


def matches(content) -> bool:
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def add(builder: FrameBuilder, content, name: str) -> None:
    """People by image; crowds and people without a labelled joint are left out and counted in the notes.

    Labelled joints (v of 1 or 2) have the score 1, the others 0.
    """
    try:
        images = {image["id"]: image for image in content["images"]}
        names = {number: str(image["file_name"]) for number, image in images.items()}
        sizes = {(int(image["width"]), int(image["height"])) for image in images.values() if "width" in image}
        places = {number: place for place, number in enumerate(images)}
        people = {entry["id"]: entry for entry in content["annotations"] if entry["image_id"] in places}
        order = sorted(people.values(), key=lambda entry: places[entry["image_id"]])
        joints = {entry["id"]: _names(entry) for entry in content.get("categories") or ()}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{builder.path}: field {one_line(error, 100)} is missing or unusable; expected {_LAYOUT}"
        ) from error
    if len(sizes) == 1:
        builder.sized(*sizes.pop())
    for entry in order:
        where = f"annotation {shown_name(entry['id'])}"
        if "keypoints" not in entry:
            raise ValueError(f"{builder.path}: {where} is {found(entry)}; expected {_LAYOUT}")
        person = record_of(entry, f"{builder.path}: {where}", _LAYOUT, ("keypoints",), 3)
        if person is None or person.pose is None or entry.get("iscrowd") or not (person.pose[:, 2] > 0).any():
            builder.skip(_LEFT_OUT)
            continue
        person = replace(person, pose=_flags(person.pose), track=entry.get("track_id"))
        person = _with_parts(person, entry, f"{builder.path}: {where}")
        known = joints.get(entry.get("category_id"))
        if known and person.pose is not None and len(known) == len(person.pose):
            person = replace(person, names=known)
        builder.add(names[entry["image_id"]], person, where)


def _names(category: dict) -> tuple[str, ...] | None:
    names = category.get("keypoints")
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def _flags(pose: np.ndarray) -> np.ndarray:
    """Visibility flags as scores."""
    if np.isin(pose[:, 2], (0, 1, 2)).all():
        pose = np.column_stack([pose[:, :2], pose[:, 2] > 0])
    return pose


def _with_parts(person: Person, entry: dict, where: str) -> Person:
    """With feet and hands of COCO-WholeBody's fields, where they are marked as valid."""
    parts = {}
    for key, valid in (("foot_kpts", "foot_valid"), ("lefthand_kpts", "lefthand_valid"),
                       ("righthand_kpts", "righthand_valid")):  # fmt: skip
        if entry.get(key) and entry.get(valid, True):
            pose = person_of(entry[key], f"{where}, {key}", _LAYOUT, columns=3).pose
            parts[key] = None if pose is None else _flags(pose)
    feet, left, right = (parts.get(key) for key in ("foot_kpts", "lefthand_kpts", "righthand_kpts"))
    return replace(person, left_hand=left, right_hand=right) if feet is None or person.pose is None else replace(
        person, pose=np.concatenate([person.pose, feet]), left_hand=left, right_hand=right
    )  # fmt: skip


FORMAT = Format("COCO keypoint annotations", _LAYOUT, matches, add)
