"""MMPose's prediction files (``pred_out_dir`` of its inferencer, ``--save-predictions`` of its demos), and Sapiens'."""

import re
from dataclasses import replace

from lib.messages import shown_name
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found, whole_number
from lib.poses.reading.joint_names import HUMAN36_NAMES
from lib.poses.reading.kinds import no_person
from lib.poses.reading.records import Person, record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'MMPose JSON: a list of people {"keypoints": [[x, y], ...], "keypoint_scores": [...], "bbox": ...}, a list of '
    'frames {"frame_id": 0, "instances": [people]}, or {"meta_info": ..., "instance_info": [people or frames]}'
)


def matches(content) -> bool:
    if isinstance(content, dict):
        return isinstance(content.get("instance_info"), list)
    entries = _flat(content)
    return bool(entries) and isinstance(entries[0], dict) and bool({"instances", "keypoint_scores"} & set(entries[0]))


def add(builder: FrameBuilder, content, name: str) -> None:
    """The people of an image, or of the frames of a video; with ``track_id`` where it is given."""
    entries = content["instance_info"] if isinstance(content, dict) else _flat(content)
    meta = content.get("meta_info") if isinstance(content, dict) else None
    names = _joint_names(meta)
    if isinstance(meta, dict) and no_person(meta.get("dataset_name")):
        raise ValueError(
            f"{builder.path} has joints of {shown_name(str(meta['dataset_name']))}, not of a person; only people and "
            "hands can be lifted"
        )
    if not any(isinstance(entry, dict) and ("instances" in entry or "frame_id" in entry) for entry in entries):
        _add_people(builder, name, entries, names, "", None)
        return
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("instances"), list):
            raise ValueError(f"{builder.path}: frame {place} is {found(entry)}; expected {_LAYOUT}")
        number = whole_number(entry.get("frame_id", place))
        frame = str(entry.get("frame_id", place))
        if place == 0:
            builder.first_number = int(number == 1)  # the demos of single models count from 1 and list every frame
        _add_people(builder, frame, entry["instances"], names, f"frame {shown_name(frame)}, ", number)


def _add_people(builder: FrameBuilder, frame: str, people: list, names, before: str, number: int | None) -> None:
    builder.add_frame(frame, number)
    for row, record in enumerate(people):
        where = f"{before}person {row}"
        place = f"{builder.path}: {where}"
        if isinstance(record, dict) and record.get("keypoints") and "keypoint_scores" not in record:
            raise ValueError(f"{place} is {found(record)}, without keypoint_scores; expected {_LAYOUT}")
        person = record_of(record, place, _LAYOUT, ("keypoints",))
        builder.add(frame, _named(person, names), where)


def _named(person: Person | None, names: tuple[str, ...] | None) -> Person | None:
    """With the file's names, where they are of a joint set that is told by its number of joints least: 17 are COCO's or
    Human3.6M's."""
    fits = person is not None and person.pose is not None and names is not None and len(names) == len(person.pose)
    return replace(person, names=names) if person is not None and fits else person


def _joint_names(meta) -> tuple[str, ...] | None:
    """Names of the joints in order, where a file's ``meta_info`` lists them or tells a data set of Human3.6M's."""
    if not isinstance(meta, dict):
        return None
    table, numbers = meta.get("keypoint_id2name"), meta.get("keypoint_name2id")
    if not isinstance(table, dict) and isinstance(numbers, dict):
        table = {str(number): name for name, number in numbers.items()}
    if isinstance(table, dict) and table and all(str(number) in table for number in range(len(table))):
        return tuple(str(table[str(number)]) for number in range(len(table)))
    human36 = re.fullmatch("(h36m|human3.?6m?)", str(meta.get("dataset_name")).lower())
    return HUMAN36_NAMES if human36 else None


def _flat(content) -> list:
    """Some versions wrap the people of an image in one more list."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        return content[0]
    return content if isinstance(content, list) else []


FORMAT = Format("MMPose JSON", _LAYOUT, matches, add, per_image=True)
