"""OpenPifPaf's predictions: of an image as a list, of a video one line for each frame."""

from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import whole_number
from lib.poses.reading.records import record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'OpenPifPaf JSON [{"keypoints": [x, y, score, ...], "bbox": [...], "score": 0.8, "category_id": 1}], or lines '
    '{"frame": 1, "predictions": [people]}'
)


def matches(content) -> bool:
    frames = content if isinstance(content, list) else [content]
    if frames and all(isinstance(frame, dict) and isinstance(frame.get("predictions"), list) for frame in frames):
        people = [person for frame in frames for person in frame["predictions"]]
        return not people or all(_is_person(person) for person in people)
    return bool(frames) and all(_is_person(person) for person in frames)


def _is_person(person) -> bool:
    return (
        isinstance(person, dict)
        and {"keypoints", "bbox"} <= set(person)
        and not {"image_id", "keypoint_scores", "scores", "annotations"} & set(person)
        and isinstance(person["keypoints"], list)
        and all(isinstance(value, int | float) for value in person["keypoints"])
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    frames = content if isinstance(content, list) else [content]
    if not (frames and "predictions" in frames[0]):
        frames = [{"predictions": frames}]
    numbers = [whole_number(frame.get("frame")) for frame in frames]
    builder.first_number = int(numbers[0] == 1)  # its videos count from 1
    for frame, number in zip(frames, numbers):
        frame_name = name if number is None else str(number)
        builder.add_frame(frame_name, number)
        for row, person in enumerate(frame["predictions"]):
            where = f"person {row}" if number is None else f"frame {number}, person {row}"
            joints = record_of(person, f"{builder.path}: {where}", _LAYOUT, ("keypoints",), 3)
            if joints is not None and joints.pose is not None and not (joints.pose[:, 2] > 0).any():
                joints = None
            builder.add(frame_name, joints, where, number)


FORMAT = Format("OpenPifPaf JSON", _LAYOUT, matches, add, per_image=True)
