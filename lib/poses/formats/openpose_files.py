"""OpenPose's JSON files (``--write_json``): one file per image or frame."""

from pathlib import Path

from lib.messages import shown_name
from lib.poses.formats.content import FrameBuilder, Request, found, natural_key, read_json, track_number, triples
from lib.poses.people import PoseSequence

LAYOUT = (
    'OpenPose JSON {"people": [{"pose_keypoints_2d": [x, y, score, ...]}]} with 25 (BODY_25) or 18 (COCO) joints, '
    "hand_right_keypoints_2d with 21 for hands; one file, or a folder of *_keypoints.json"
)
_SUFFIX = "_keypoints"


def matches(content) -> bool:
    return isinstance(content, dict) and isinstance(content.get("people"), list)


def read_openpose(path: Path, content, request: Request) -> PoseSequence:
    """The people of one file; see ``LAYOUT``.

    Raises:
        ValueError: another layout; names what was found.
    """
    builder = FrameBuilder(path, request, LAYOUT)
    add_people(builder, path, content, request)
    return builder.sequence("OpenPose JSON")


def read_openpose_folder(folder: Path, request: Request) -> PoseSequence:
    """Frames from a folder, ordered by the numbers in their names.

    Raises:
        ValueError: no JSON files, or another layout; names the file.
    """
    files = sorted(folder.glob("*.json"), key=lambda file: natural_key(file.name))
    if not files:
        raise ValueError(f"folder {folder} has no .json files; expected {LAYOUT}")
    builder = FrameBuilder(folder, request, LAYOUT)
    for file in files:
        content = read_json(file)
        if not matches(content):
            raise ValueError(f"{file} holds {found(content)}; expected {LAYOUT}")
        add_people(builder, file, content, request)
    return builder.sequence("OpenPose JSON folder", is_video=len(files) > 1)


def add_people(builder: FrameBuilder, path: Path, content: dict, request: Request) -> None:
    """The people of one file as one frame."""
    name = path.stem.removesuffix(_SUFFIX)
    builder.add_frame(name)
    hand = request.body == "hand"
    keys = ("hand_right_keypoints_2d", "hand_right_keypoints") if hand else ("pose_keypoints_2d", "pose_keypoints")
    for number, person in enumerate(content["people"]):
        where = f"{shown_name(path.name)}, person {number}"
        key = next((key for key in keys if isinstance(person, dict) and key in person), None)
        if key is None:
            raise ValueError(f"{builder.path}: {where} is {found(person)}, without {keys[0]}; expected {LAYOUT}")
        if hand and isinstance(person[key], list) and not any(person[key]):
            continue  # OpenPose writes an empty list, or zeros, for hands it does not see
        builder.add(
            name,
            triples(person[key], f"{builder.path}: {where}, {key}", LAYOUT),
            where,
            track_number(person.get("person_id")),
        )
