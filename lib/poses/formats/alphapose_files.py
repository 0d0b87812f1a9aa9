"""AlphaPose's ``alphapose-results.json`` in its three forms (default, ``--format open``, ``--format cmu``)."""

from pathlib import Path

from lib.messages import shown_name
from lib.poses.formats.content import FrameBuilder, Request, found, natural_key, people_in, track_number, triples
from lib.poses.people import PoseSequence

LAYOUT = (
    'AlphaPose JSON [{"image_id": "0.jpg", "category_id": 1, "keypoints": [x, y, score, ... of 17, 26, 133 or 136 '
    'joints], "score": 2.9, "box": [...], "idx": track}], or its forms "open" {image: {"people": '
    '[{"pose_keypoints_2d": [18 joints]}]}} and "cmu" {image: {"bodies": [{"joints": [18 joints]}]}}'
)
_FORMS = {"people": "pose_keypoints_2d", "bodies": "joints"}


def matches(content) -> bool:
    if isinstance(content, list):
        entry = content[0] if content else None
        return (
            isinstance(entry, dict)
            and {"image_id", "keypoints"} <= set(entry)
            and (isinstance(entry["image_id"], str) or bool({"box", "idx"} & set(entry)))
        )
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(image, dict) and set(_FORMS) & set(image) for image in content.values())
    )


def read_alphapose(path: Path, content, request: Request) -> PoseSequence:
    """People by image, images in the order of the numbers in their names; with track numbers where they are given.

    Raises:
        ValueError: another layout; names the entry and what was found.
    """
    builder = FrameBuilder(path, request, LAYOUT)
    if isinstance(content, dict):
        _add_form(builder, content)
    else:
        _add_entries(builder, content)
    builder.names.sort(key=natural_key)
    numbered = all(Path(name).stem.isdecimal() for name in builder.names)
    return builder.sequence("AlphaPose JSON", is_video=(numbered or builder.tracked) and len(builder.names) > 1)


def _add_entries(builder: FrameBuilder, content: list) -> None:
    for number, entry in enumerate(content):
        where = f"entry {number}"
        if not isinstance(entry, dict) or not {"image_id", "keypoints"} <= set(entry):
            raise ValueError(f"{builder.path}: {where} is {found(entry)}; expected {LAYOUT}")
        pose = triples(entry["keypoints"], f"{builder.path}: {where}, keypoints", LAYOUT)
        builder.add(str(entry["image_id"]), pose, where, track_number(entry.get("idx")))


def _add_form(builder: FrameBuilder, content: dict) -> None:
    for image, entry in content.items():
        builder.add_frame(image)
        form = next(form for form in _FORMS if form in entry)
        for number, person in enumerate(people_in(entry[form], f"{builder.path}: {shown_name(image)}, {form}", LAYOUT)):
            where = f"{shown_name(image)}, person {number}"
            if not isinstance(person, dict) or _FORMS[form] not in person:
                raise ValueError(
                    f"{builder.path}: {where} is {found(person)}, without {_FORMS[form]}; expected {LAYOUT}"
                )
            builder.add(image, triples(person[_FORMS[form]], f"{builder.path}: {where}", LAYOUT), where)
