"""EasyMocap's annotations: one file per image, OpenPose's joints, numbers of people."""

from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import people_in
from lib.poses.reading.records import record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'EasyMocap JSON {"filename", "height", "width", "annots": [{"personID": 0, "keypoints": [25 x [x, y, score]]}]}'
)


def matches(content) -> bool:
    return isinstance(content, dict) and isinstance(content.get("annots"), list)


def add(builder: FrameBuilder, content, name: str) -> None:
    builder.add_frame(name)
    builder.sized(content.get("width"), content.get("height"))
    for row, person in enumerate(people_in(content["annots"], f"{builder.path}: annots", _LAYOUT)):
        where = f"person {row}"
        builder.add(name, record_of(person, f"{builder.path}: {where}", _LAYOUT, ("keypoints",)), where)


FORMAT = Format("EasyMocap JSON", _LAYOUT, matches, add, per_image=True)
