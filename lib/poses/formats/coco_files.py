"""COCO's keypoint files, results and annotations, and the JSON of the original demo."""

from pathlib import Path

import numpy as np

from lib.messages import one_line, shown_name
from lib.poses.formats.content import FrameBuilder, Request, found, numbers, triples
from lib.poses.people import PoseSequence

RESULTS_LAYOUT = (
    'COCO keypoint results [{"image_id": 1, "category_id": 1, "keypoints": [x, y, score, ... 17 joints], "score": 0.9}]'
)
ANNOTATIONS_LAYOUT = (
    'COCO keypoint annotations {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"id", '
    '"image_id", "keypoints": [x, y, v, ... 17 joints]}], "categories": [...]}'
)
DEMO_LAYOUT = (
    "the original demo's JSON {image name: [person, ...]} with a person = 17 lists [x, y, score] in COCO order"
)


def is_results(content) -> bool:
    return isinstance(content, list) and bool(content) and is_result(content[0])


def is_result(entry) -> bool:
    """One person of a results file; AlphaPose's have further fields and image names for numbers."""
    return (
        isinstance(entry, dict)
        and {"image_id", "keypoints"} <= set(entry)
        and not {"box", "idx", "keypoint_scores"} & set(entry)
        and not isinstance(entry["image_id"], str)
    )


def is_annotations(content) -> bool:
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def is_demo(content) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(people, list) for people in content.values())


def read_results(path: Path, content, request: Request) -> PoseSequence:
    """People by image, images in the file's order, named by their ids.

    Raises:
        ValueError: another layout; names the entry and what was found.
    """
    builder = FrameBuilder(path, request, RESULTS_LAYOUT)
    for number, entry in enumerate(content):
        where = f"entry {number}"
        if not isinstance(entry, dict) or not {"image_id", "keypoints"} <= set(entry):
            raise ValueError(f"{path}: {where} is {found(entry)}; expected {RESULTS_LAYOUT}")
        pose = triples(entry["keypoints"], f"{path}: {where}, keypoints", RESULTS_LAYOUT)
        builder.add(str(entry["image_id"]), pose, where)
    return builder.sequence("COCO keypoint results")


def read_annotations(path: Path, content, request: Request) -> PoseSequence:
    """People by image; crowds and people without a labelled joint are left out and counted in the notes.

    Labelled joints (v of 1 or 2) have the score 1, the others 0.

    Raises:
        ValueError: another layout; names the annotation and what was found.
    """
    try:
        images = {image["id"]: image for image in content["images"]}
        names = {number: str(image["file_name"]) for number, image in images.items()}
        sizes = {(int(image["width"]), int(image["height"])) for image in images.values()}
        places = {number: place for place, number in enumerate(images)}
        people = {entry["id"]: entry for entry in content["annotations"] if entry["image_id"] in places}
        order = sorted(people.values(), key=lambda entry: places[entry["image_id"]])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{path}: field {one_line(error, 100)} is missing or unusable; expected {ANNOTATIONS_LAYOUT}"
        ) from error
    builder = FrameBuilder(path, request, ANNOTATIONS_LAYOUT)
    dropped = 0
    for entry in order:
        where = f"annotation {shown_name(entry['id'])}"
        if "keypoints" not in entry:
            raise ValueError(f"{path}: {where} is {found(entry)}; expected {ANNOTATIONS_LAYOUT}")
        pose = triples(entry["keypoints"], f"{path}: {where}, keypoints", ANNOTATIONS_LAYOUT)
        if entry.get("iscrowd") or not (pose[:, 2] > 0).any():
            dropped += 1
            continue
        if np.isin(pose[:, 2], (0, 1, 2)).all():
            pose[:, 2] = pose[:, 2] > 0
        builder.add(names[entry["image_id"]], pose, where)
    notes = (f"{dropped} annotation(s) left out: crowds, or no labelled joint",) if dropped else ()
    sequence = builder.sequence("COCO keypoint annotations", notes=notes)
    if sequence.image_size is None and len(sizes) == 1:
        return PoseSequence(sequence.frames, sequence.source, sizes.pop(), False, sequence.format, notes)
    return sequence


def read_demo(path: Path, content, request: Request) -> PoseSequence:
    """People by image name; of each joint the first three numbers are read.

    Raises:
        ValueError: another layout; names the person and what was found.
    """
    builder = FrameBuilder(path, request, DEMO_LAYOUT)
    for image, people in content.items():
        builder.add_frame(image)
        for number, person in enumerate(people):
            where = f"{shown_name(image)}, person {number}"
            pose = numbers(person, f"{path}: {where}", DEMO_LAYOUT)
            if pose.ndim != 2 or pose.shape[1] < 3:
                raise ValueError(f"{path}: {where} has shape {pose.shape}; expected {DEMO_LAYOUT}")
            builder.add(image, pose[:, :3], where)
    return builder.sequence("demo JSON")
