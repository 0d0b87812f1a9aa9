"""The JSON of the original demo."""

from lib.messages import shown_name
from lib.poses.formats.frames import of_people
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import numbers
from lib.poses.reading.records import Person
from lib.poses.reading.request import Format

_LAYOUT = "the original demo's JSON {image name: [person, ...]} with a person = 17 lists [x, y, score] in COCO order"


def matches(content) -> bool:
    if not isinstance(content, dict) or not content or of_people(content):
        return False
    people = [person for image in content.values() if isinstance(image, list) for person in image]
    return all(isinstance(image, list) for image in content.values()) and all(
        isinstance(person, list) and any(isinstance(joint, list) for joint in person) for person in people
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    """People by image name; of each joint the first three numbers are read."""
    for image, people in content.items():
        builder.add_frame(image)
        for number, person in enumerate(people):
            where = f"{shown_name(image)}, person {number}"
            pose = numbers(person, f"{builder.path}: {where}", _LAYOUT)
            if pose.ndim != 2 or pose.shape[1] < 3:
                raise ValueError(f"{builder.path}: {where} has shape {pose.shape}; expected {_LAYOUT}")
            builder.add(image, Person(pose[:, :3]), where)
    builder.film_names = False


FORMAT = Format("demo JSON", _LAYOUT, matches, add)
