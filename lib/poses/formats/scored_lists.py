"""People with their scores beside: Hugging Face's pose estimation (ViTPose) and rtmlib's two arrays."""

from dataclasses import replace

import numpy as np

from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import first_key, found, whole_number
from lib.poses.reading.records import Person, person_of, record_of
from lib.poses.reading.request import Format

_HUGGING_FACE = (
    'Hugging Face JSON [[{"keypoints": [17 x [x, y]], "scores": [17], "labels": [...], "bbox": [...]}]]: people of '
    "each image, or of one"
)
_POSES = ("keypoints", "pred_keypoints", "preds")
_SCORES = ("keypoint_scores", "keypoints_scores", "scores")
_MODELS = (17, 133)  # joints of models whose labels are numbers
_RTMLIB = 'rtmlib JSON {"keypoints": [N][J][2], "scores": [N][J]}, one image or a list of frames'


def is_hugging_face(content) -> bool:
    people = [person for image in _images(content) for person in image]
    return bool(people) and all(
        isinstance(person, dict) and {"keypoints", "scores"} <= set(person) and "idx" not in person for person in people
    ) and not is_rtmlib(content)  # fmt: skip


def _images(content) -> list[list]:
    if isinstance(content, list) and content and all(isinstance(image, list) for image in content):
        return content
    return [content] if isinstance(content, list) else []


def add_hugging_face(builder: FrameBuilder, content, name: str) -> None:
    images = _images(content)
    for number, image in enumerate(images):
        frame = name if len(images) == 1 else str(number)
        builder.add_frame(frame, None if len(images) == 1 else number)
        for row, record in enumerate(image):
            where = f"person {row}" if len(images) == 1 else f"image {number}, person {row}"
            person = record_of(record, f"{builder.path}: {where}", _HUGGING_FACE, ("keypoints",))
            builder.add(frame, _labelled(person, record.get("labels")), where)


def _labelled(person: Person | None, labels) -> Person | None:
    """All joints of the model, each at the place that its label tells: unsure ones are not in the lists."""
    if person is None or person.pose is None or not isinstance(labels, list) or len(labels) != len(person.pose):
        return person
    if all(isinstance(label, str) for label in labels):
        return replace(person, names=tuple(labels))
    places = [whole_number(label) for label in labels]
    known = [place for place in places if place is not None]
    if len(set(known)) < len(places) or max(known) >= _MODELS[-1]:
        return person
    pose = np.full((next(count for count in _MODELS if max(known) < count), 3), np.nan)
    pose[:, 2] = 0
    pose[known] = person.pose
    return replace(person, pose=pose)


def is_rtmlib(content) -> bool:
    """Joints of all people, and scores of these or of people beside."""
    frames = content if isinstance(content, list) else [content]
    return bool(frames) and all(map(_is_frame, frames))


def _is_frame(frame) -> bool:
    poses = None if first_key(frame, _POSES) is None else frame[first_key(frame, _POSES) or ""]
    scores = first_key(frame, (*_SCORES, "boxes", "pred_boxes"))
    return (
        isinstance(poses, list)
        and scores is not None
        and isinstance(frame[scores], list)
        and all(isinstance(person, list) and person and isinstance(person[0], list) for person in poses)
    )


def _scores_of(frame: dict, poses: list) -> list | None:
    """Scores of the joints; None where there are only those of the people."""
    keys = [key for key in _SCORES if isinstance(frame.get(key), list)]
    return next((frame[key] for key in keys if any(isinstance(row, list) for row in frame[key]) or not poses), None)


def add_rtmlib(builder: FrameBuilder, content, name: str) -> None:
    frames = content if isinstance(content, list) else [content]
    for number, frame in enumerate(frames):
        frame_name = name if len(frames) == 1 else str(number)
        builder.add_frame(frame_name, None if len(frames) == 1 else number)
        poses = frame[first_key(frame, _POSES) or ""]
        scores = _scores_of(frame, poses)
        if scores is None:
            scores = [None] * len(poses)
        if len(poses) != len(scores):
            raise ValueError(
                f"{builder.path}: frame {number}: {len(poses)} people, scores are {found(scores)}; expected {_RTMLIB}"
            )
        for row, (pose, marks) in enumerate(zip(poses, scores)):
            where = f"frame {number}, person {row}"
            builder.add(frame_name, person_of(pose, f"{builder.path}: {where}", _RTMLIB, marks), where)


HUGGING_FACE = Format("Hugging Face JSON", _HUGGING_FACE, is_hugging_face, add_hugging_face, per_image=True)
RTMLIB = Format("rtmlib JSON", _RTMLIB, is_rtmlib, add_rtmlib, per_image=True)
