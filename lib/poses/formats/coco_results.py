"""COCO's keypoint results, what its evaluation reads."""

from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found
from lib.poses.reading.records import record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'COCO keypoint results [{"image_id": 1, "category_id": 1, "keypoints": [x, y, score, ... 17 joints], "score": 0.9}]'
)


def matches(content) -> bool:
    """One person of a results file; AlphaPose's have further fields and image names for numbers."""
    entry = content[0] if isinstance(content, list) and content else None
    return (
        isinstance(entry, dict)
        and {"image_id", "keypoints"} <= set(entry)
        and not {"box", "idx", "keypoint_scores"} & set(entry)
        and not isinstance(entry["image_id"], str)
    )


def add(builder: FrameBuilder, content, name: str) -> None:
    """People by image, images in the file's order, named by their ids: they are of a data set, no film."""
    add_entries(builder, content)
    builder.film_names = False


def add_entries(builder: FrameBuilder, content: list) -> None:
    """People, each with the image it belongs to.

    Raises:
        ValueError: an entry without one or the other; names it.
    """
    layout = builder.form.layout
    for number, entry in enumerate(content):
        where = f"entry {number}"
        if not isinstance(entry, dict) or not {"image_id", "keypoints"} <= set(entry):
            raise ValueError(f"{builder.path}: {where} is {found(entry)}; expected {layout}")
        person = record_of(entry, f"{builder.path}: {where}", layout, ("keypoints",), 3)
        builder.add(str(entry["image_id"]), person, where)


FORMAT = Format("COCO keypoint results", _LAYOUT, matches, add)
