"""Landmarks of MediaPipe Pose (33), Hands (21) and Holistic, in the forms that its interfaces and people write."""

from dataclasses import replace

from lib.messages import shown_name
from lib.poses.people import SIDES
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import first_key, found, people_in, whole_number
from lib.poses.reading.records import FRAMES, Person, person_of
from lib.poses.reading.request import Format

_LAYOUT = (
    'MediaPipe JSON: a list of 33 (pose) or 21 (hand) landmarks {"x": 0.5, "y": 0.4, "z": -0.1, "visibility": 0.9}, a '
    "list of such lists for several people, or a list of these for frames; x and y are fractions of the image, "
    "so its size is needed"
)
# names under which the lists stand in results of the Python, JavaScript and protobuf interfaces
_POSE = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "pose")
_HANDS = ("hand_landmarks", "handLandmarks", "multi_hand_landmarks", "multiHandLandmarks")
_LEFT, _RIGHT = ("left_hand_landmarks", "leftHandLandmarks", "left_hand", "leftHand", "Left", "left"), (
    "right_hand_landmarks", "rightHandLandmarks", "right_hand", "rightHand", "Right", "right")  # fmt: skip
_SIDE = ("handedness", "side", "label", "hand")  # of a hand in a list of hands
_HANDEDNESS = ("handedness", "handednesses", "multi_handedness", "multiHandedness")
_WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "worldLandmarks", "world_landmarks", "hand_world_landmarks",
          "multi_hand_world_landmarks")  # fmt: skip
_KEYS = (*_POSE, *_HANDS, *_LEFT, *_RIGHT, "hands")
_MOST_LISTS = 3


def matches(content) -> bool:
    for _ in range(3 * _MOST_LISTS):
        if isinstance(content, dict):
            if {"x", "y"} <= set(content):
                return isinstance(content["x"], int | float) and not {"name", "part", "score"} & set(content)
            key = first_key(content, (*_KEYS, "frames")) or next(
                (key for key in (*_KEYS, *_WORLD) if key in content), ""
            )
            if key == "hands":
                return _is_hands(content[key])
            if key in ("pose", *_LEFT[2:], *_RIGHT[2:]):
                return matches(content[key])
            if key:
                return key != "frames" or matches(content[key])
            if not content or not all(name.isdecimal() for name in content):
                return False
            content = list(content.values())
        if not isinstance(content, list):
            return False
        content = next((entry for entry in content if entry not in ([], {}, None)), None)
    return False


def add(builder: FrameBuilder, content, name: str) -> None:
    """One person, several people, or frames of several people; still in fractions of the image."""
    frames = _frames(content)
    if frames is None:
        builder.perhaps_frames = isinstance(content, list)
        _add_frame(builder, content, name, None, "")
        return
    for place, (number, result) in enumerate(frames):
        number = place if number is None else number
        _add_frame(builder, result, str(number), number, f"frame {shown_name(str(number))}, ")


def _frames(content) -> list[tuple[int | None, object]] | None:
    """Numbers and results of the frames; None when the content is one image's."""
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        content = content["frames"]
    elif isinstance(content, dict) and content and all(key.isdecimal() for key in content):
        return [(whole_number(int(key[:15])), result) for key, result in content.items()]
    if not isinstance(content, list):
        return None
    results = [entry for entry in content if isinstance(entry, dict) and not {"x", "y"} <= set(entry)]
    if results and all(set(entry) & {*_KEYS, *FRAMES, *_WORLD} - {"landmark"} for entry in results):
        return [(_number(entry), entry) for entry in content]
    if _depth(content) > _MOST_LISTS - 1:
        return [(None, entry) for entry in content]
    return None


def _number(entry) -> int | None:
    key = first_key(entry, FRAMES)
    return None if key is None else whole_number(entry[key])


def _add_frame(builder: FrameBuilder, result, name: str, number: int | None, before: str) -> None:
    builder.add_frame(name, number)
    for row, (marks, person) in enumerate(_people(builder, result, f"{builder.path}: {before}person 0")):
        where = f"{before}person {row}"
        if marks is not None:
            body = person_of(marks, f"{builder.path}: {where}", _LAYOUT)
            person = replace(body, side=person.side, left_hand=person.left_hand, right_hand=person.right_hand)
        builder.add(name, person, where, number)


def _people(builder: FrameBuilder, result, where: str) -> list[tuple[list | None, Person]]:
    """Landmarks and everything else of each person or hand of one image."""
    if result is None:
        return []
    if isinstance(result, list):
        lists = result if _depth(result) > 1 or not result else [result]
        return [(_unwrapped(marks), Person(None)) for marks in people_in(lists, where, _LAYOUT)]
    if not isinstance(result, dict):
        raise ValueError(f"{where} is {found(result)}; expected {_LAYOUT}")
    if _is_hands(result.get("hands")):
        keys = [(hand, first_key(hand, _SIDE)) for hand in result["hands"]]
        named = [(hand, str(hand[key]).lower() if key else "") for hand, key in keys]
        return [
            (_unwrapped(hand["landmarks"]), Person(None, side=side if side in SIDES else None)) for hand, side in named
        ]
    left, right = (_hand(result, keys, where) for keys in (_LEFT, _RIGHT))
    hands, key = first_key(result, _HANDS), first_key(result, _POSE)
    sides = _sides(result)
    if hands is not None or (sides and key is not None):
        marks = _lists(result[hands or key or ""], where)
        sides = sides + [None] * (len(marks) - len(sides))
        return [(_unwrapped(hand), Person(None, side=side)) for hand, side in zip(marks, sides)]
    if key is None and left is None and right is None:
        if first_key(result, _WORLD) and not set(result) & set(_KEYS):
            raise ValueError(
                f"{builder.path} holds world landmarks only, metres around the hips, which do not say where the person "
                "is in the image; give the landmarks in fractions of the image (pose_landmarks, landmarks)"
            )
        return []
    bodies = _lists(result[key], where) if key else []
    if len(bodies) > 1:
        return [(_unwrapped(marks), Person(None)) for marks in bodies]
    return [(_unwrapped(bodies[0]) if bodies else None, Person(None, left_hand=left, right_hand=right))]


def _is_hands(value) -> bool:
    return isinstance(value, list) and all(isinstance(hand, dict) and "landmarks" in hand for hand in value)


def _lists(value, where: str) -> list:
    """The lists of landmarks of several people, or of the one person whose landmarks these are."""
    value = _unwrapped(value)
    if isinstance(value, dict) or (isinstance(value, list) and value and _depth(value) < 2):
        return [value]
    return people_in(value, where, _LAYOUT)


def _unwrapped(value):
    """The list inside a protobuf message as a dict."""
    return value["landmark"] if isinstance(value, dict) and "landmark" in value else value


def _depth(content, most: int = _MOST_LISTS + 1) -> int:
    """Lists around a landmark, counted up to ``most``."""
    content = _unwrapped(content)
    if not isinstance(content, list) or not most:
        return 0
    return 1 + max((_depth(entry, most - 1) for entry in content), default=0)


def _hand(result: dict, keys: tuple[str, ...], where: str):
    key = first_key(result, keys)
    marks = None if key is None else _lists(result[key], where)
    return person_of(_unwrapped(marks[0]), f"{where}, {key}", _LAYOUT).pose if marks else None


def _sides(result: dict) -> list[str | None]:
    """Left or right of each hand.

    The class numbers have kept their meaning (0: a right hand in a picture that is not mirrored), while the labels have
    changed sides: the older interface names hands as if the picture were a mirror's, the newer one as they are.
    """
    key = first_key(result, _HANDEDNESS)
    sides: list[str | None] = []
    for entry in result[key] if key and isinstance(result[key], list) else ():
        entry = entry.get("classification", entry) if isinstance(entry, dict) else entry
        entry = entry[0] if isinstance(entry, list) and entry else entry
        if not isinstance(entry, dict):
            sides.append(str(entry).lower() if str(entry).lower() in ("left", "right") else None)
            continue
        label = str(entry.get("category_name") or entry.get("categoryName") or entry.get("label") or "").lower()
        other = {"left": "right", "right": "left"}.get(label)
        if entry.get("index") in (0, 1):
            sides.append("left" if entry["index"] else "right")
        else:
            sides.append(other if "label" in entry else (label if other else None))
    return sides


FORMAT = Format("MediaPipe JSON", _LAYOUT, matches, add, per_image=True)
