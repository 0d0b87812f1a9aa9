"""COCO's keypoint annotations and data sets in their form: PoseTrack, CrowdPose, AIC, COCO-WholeBody, Human3.6M, ..."""

from collections import Counter
from dataclasses import replace

import numpy as np

from lib.messages import one_line, shown_name, shown_names
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import counted, found
from lib.poses.reading.joint_names import strange_joints
from lib.poses.reading.kinds import no_person
from lib.poses.reading.records import Person, person_of, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'COCO keypoint annotations {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"id", '
    '"image_id", "keypoints": [x, y, v, ... 17 joints]}], "categories": [{"keypoints": [their names]}]}'
)
_LEFT_OUT = "annotation(s) left out: crowds, or no labelled joint"


def matches(content) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        return False
    return "images" in content or ("categories" in content and bool(content["annotations"]))


def add(builder: FrameBuilder, content, name: str) -> None:
    """People by image; crowds and people without a labelled joint are left out and counted in the notes.

    Labelled joints (v of 1 or 2) have the score 1, the others 0.
    """
    try:
        listed = content.get("images")
        if listed is None:  # annotations alone
            listed = [{"id": number} for number in dict.fromkeys(entry["image_id"] for entry in content["annotations"])]
            builder.film_names = False
        images = {image["id"]: image for image in listed}
        file_names = [
            (image["id"], str(image["file_name"] if "images" in content else image["id"])) for image in listed
        ]
        sizes = {(int(image["width"]), int(image["height"])) for image in images.values() if "width" in image}
        places = {number: place for place, number in enumerate(images)}
        known = [entry for entry in content["annotations"] if entry["image_id"] in places]
        # merged files hold some people twice
        people = {str(entry.get("id", number)): entry for number, entry in enumerate(known)}
        if any(other["keypoints"] != people[str(other["id"])]["keypoints"] for other in known if "id" in other):
            people = {str(number): entry for number, entry in enumerate(known)}
        order = sorted(people.values(), key=lambda entry: places[entry["image_id"]])
        categories = {entry["id"]: entry for entry in content.get("categories") or ()}
        joints = {number: _names(entry) for number, entry in categories.items()}
        others = {number for number, entry in categories.items() if _of_no_person(entry)}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{builder.path}: field {one_line(error, 100)} is missing or unusable; expected {_LAYOUT}"
        ) from error
    names = _image_names(builder, file_names)
    if categories and len(others) == len(categories) and not any(map(strange_joints, filter(None, joints.values()))):
        kinds = shown_names([str(entry.get("name")) for entry in categories.values()])
        raise ValueError(f"{builder.path}: its categories ({kinds}) are no people; only people and hands can be lifted")
    if len(sizes) == 1:
        builder.sized(*sizes.pop())
    if len(known) < len(content["annotations"]):
        builder.notes.append(
            f"{len(content['annotations']) - len(known)} annotation(s) left out: their images are not in the list"
        )
    for entry in order:
        where = f"annotation {shown_name(str(entry.get('id', '')))}"
        kind = entry.get("category_id") if isinstance(entry.get("category_id"), int | str) else None
        if kind in others and len(others) < len(categories):
            builder.skip("annotation(s) left out: no people")
            continue
        if "keypoints" not in entry:
            raise ValueError(f"{builder.path}: {where} is {found(entry)}; expected {_LAYOUT}")
        person = record_of(entry, f"{builder.path}: {where}", _LAYOUT, ("keypoints",), 3)
        if person is None or person.pose is None or entry.get("iscrowd") or not (person.pose[:, 2] > 0).any():
            builder.skip(_LEFT_OUT)
            continue
        person = replace(person, pose=_flags(person.pose), track=counted(entry.get("track_id")))
        person = _with_parts(person, entry, f"{builder.path}: {where}")
        named = joints.get(kind)
        if named and person.pose is not None and len(named) == len(person.pose):
            person = replace(person, names=named)
        builder.add(names[entry["image_id"]], person, where)


def _image_names(builder: FrameBuilder, file_names: list[tuple[object, str]]) -> dict:
    """Names of the images by their ids; of those that share a name the ids before it.

    Raises:
        ValueError: one id for two images.
    """
    names = dict(file_names)
    for number, name in file_names:
        if name != names[number]:
            both = shown_names([name, names[number]])
            raise ValueError(
                f"{builder.path}: two images have the id {shown_name(str(number))} ({both}), so nobody can tell whose "
                "people are whose; number the images of joined files anew"
            )
    count = Counter(names.values())
    return {number: name if count[name] == 1 else f"{number}_{name}" for number, name in names.items()}


def _of_no_person(category: dict) -> bool:
    """An animal or a thing, by its name or its joints' names."""
    return no_person(category.get("name")) or bool(strange_joints(_names(category) or ()))


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
