"""AlphaPose's ``alphapose-results.json``: default, ``--format open``, ``--format cmu`` (also one file per image)."""

from lib.poses.formats.coco_results import add_entries
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import natural_key, people_in
from lib.poses.reading.records import record_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'AlphaPose JSON [{"image_id": "0.jpg", "category_id": 1, "keypoints": [x, y, score, ... of 17, 26, 133 or 136 '
    'joints], "score": 2.9, "box": [...], "idx": track}], or its forms "open" {image: {"people": '
    '[{"pose_keypoints_2d": [18 joints]}]}} and "cmu" {image: {"bodies": [{"joints": [18 joints]}]}}'
)
_CMU = 'AlphaPose JSON of one image, form "cmu": {"version": ..., "bodies": [{"joints": [x, y, score, ... 18 joints]}]}'
_FORMS = {"people": "pose_keypoints_2d", "bodies": "joints"}


def matches(content) -> bool:
    if isinstance(content, list):
        entry = content[0] if content else None
        return (
            isinstance(entry, dict)
            and {"image_id", "keypoints"} <= set(entry)
            and (isinstance(entry["image_id"], str) or bool({"box", "idx"} & set(entry)))
        )
    if not isinstance(content, dict) or not content:
        return False
    return all(isinstance(image, dict) and set(_FORMS) & set(image) for image in content.values())


def is_image(content) -> bool:
    return isinstance(content, dict) and isinstance(content.get("bodies"), list)


def add(builder: FrameBuilder, content, name: str) -> None:
    """People by image, images in the order of the numbers in their names; with track numbers where they are given."""
    if isinstance(content, dict):
        for image, entry in content.items():
            add_image(builder, entry, image)
    else:
        add_entries(builder, content)
    builder.sort(natural_key)


def add_image(builder: FrameBuilder, entry, image: str) -> None:
    """The people of one image in the forms "open" and "cmu"."""
    builder.add_frame(image)
    form = next(form for form in _FORMS if form in entry)
    for number, person in enumerate(people_in(entry[form], f"{builder.path}: {image}, {form}", _LAYOUT)):
        where = f"{image}, person {number}"
        builder.add(image, record_of(person, f"{builder.path}: {where}", _LAYOUT, (_FORMS[form],), 3), where)


FORMAT = Format("AlphaPose JSON", _LAYOUT, matches, add)
CMU = Format("AlphaPose JSON of an image", _CMU, is_image, add_image, per_image=True)
