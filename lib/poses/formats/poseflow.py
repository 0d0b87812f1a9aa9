"""PoseFlow's tracking results, which AlphaPose writes with ``--pose_flow``."""

from lib.poses.formats.frames import of_people
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import natural_key
from lib.poses.reading.records import record_of
from lib.poses.reading.request import Format

_LAYOUT = 'PoseFlow JSON {image: [{"keypoints": [x, y, score, ...], "scores": 2.9, "idx": track}]}'


def matches(content) -> bool:
    if not isinstance(content, dict) or not content or of_people(content):
        return False
    people = [person for image in content.values() if isinstance(image, list) for person in image]
    return (
        all(isinstance(image, list) for image in content.values())
        and bool(people)
        and all(isinstance(person, dict) and "keypoints" in person for person in people)
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    for image, people in content.items():
        builder.add_frame(image)
        for number, person in enumerate(people):
            where = f"{image}, person {number}"
            builder.add(image, record_of(person, f"{builder.path}: {where}", _LAYOUT, ("keypoints",)), where)
    builder.sort(natural_key)


FORMAT = Format("PoseFlow JSON", _LAYOUT, matches, add)
