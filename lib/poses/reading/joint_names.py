"""Joints by the names that files give them, in whatever spelling: ``left_shoulder``, ``LShoulder``, ``shoulder.L``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lib.joints.tables import MANO
from lib.messages import shown_names
from lib.poses.sources import SOURCES, Source

# parts of a body in the spellings that are used, without spaces, and their roles (lib.poses.sources)
_MIDDLE = {
    "Nose": "nose",
    "Neck": "neck upperneck headbottom bottomhead neckbottom neckbase collar",
    "HeadTop": "headtop tophead topofhead head crown vertex skulltop",
    "Pelvis": "pelvis root rootpelvis hip hips midhip hipcenter hipscenter bodycenter centerhip spinebase sacrum",
    "Thorax": "thorax spineshoulder upperchest",
    "MidSpine": "spine torso belly spinemid spine2 midspine chest",
    "LowSpine": "spine1 lowspine",
    "HighSpine": "spine3 highspine",
    "Skull": "jaw skull",
}
_SIDED = {
    "Eye": "eye",
    "EyeInner": "eyeinner innereye",
    "EyeOuter": "eyeouter outereye",
    "Ear": "ear",
    "Mouth": "mouth mouthcorner",
    "Shoulder": "shoulder sho shld uparm upperarm",
    "Elbow": "elbow elb forearm lowarm lowerarm",
    "Wrist": "wrist wri wr",
    "Hip": "hip upleg upperleg thigh",
    "Knee": "knee kne leg lowerleg shin",
    "Ankle": "ankle ank",
    "Foot": "foot",
    "Heel": "heel",
    "BigToe": "bigtoe toe1",
    "SmallToe": "smalltoe littletoe toe5",
    "Toe": "toe toebase toes",
    "FootIndex": "footindex footindextoe",
    "Pinky": "pinky pinkie littlefinger pinky1",
    "Index": "index indexfinger index1",
    "Thumb": "thumb thumb2",
    "Hand": "hand palm",
    "Collar": "collar clavicle",
}
_FINGERS = {
    "Thumb": "thumb",
    "Index": "index indexfinger forefinger",
    "Middle": "middle middlefinger",
    "Ring": "ring ringfinger",
    "Pinky": "pinky pinkyfinger pinkie little littlefinger",
}
_KNUCKLES = {"mcp": 1, "pip": 2, "dip": 3, "tip": 4}
_THUMB_KNUCKLES = {"cmc": 1, "mcp": 2, "ip": 3, "tip": 4}
_HAND_ROOT = ("root", "wrist", "handroot", "handwrist", "palm", "hand")
_NO_PERSON = ("tail", "paw", "hoof", "withers", "throat", "beak", "wing", "snout", "fin", "antenna", "wheel")
_LEFT, _RIGHT = ("left", "l", "lt", "lft"), ("right", "r", "rt", "rgt")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_KNOWN = {
    **{spelling: role for role, spellings in _MIDDLE.items() for spelling in spellings.split()},
    **{f"-{spelling}": role for role, spellings in _SIDED.items() for spelling in spellings.split()},
}
_FINGER_NAMES = {
    f"{spelling}{joint}": f"{finger}_{number}"
    for finger, spellings in _FINGERS.items()
    for spelling in spellings.split()
    for joint, number in (
        *((str(number), number) for number in range(1, 5)),
        *(_THUMB_KNUCKLES if finger == "Thumb" else _KNUCKLES).items(),
    )
}
HUMAN36_NAMES = ("root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine",
                 "thorax", "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
                 "right_elbow", "right_wrist")  # fmt: skip
"""Human3.6M's 17 joints as MMPose names them; VideoPose3D has the same order."""
_LEAST = 6  # joints of a body that names must tell
_FACE = re.compile(r"face-?\d+|(contour|eyebrow|lip|jaw|nose(bridge)?)\d*")


@dataclass(frozen=True)
class NamedJoints:
    """Which joints of a file's list are which.

    Attributes:
        body: (J,) roles, "" for joints without one.
        hands: places of the joints of MANO in the left and in the right hand; empty for a hand that is not there.
    """

    body: tuple[str, ...]
    hands: tuple[tuple[int, ...], tuple[int, ...]]


def named_joints(names: Sequence[str], where: str, body: str = "body") -> NamedJoints:
    """The joints that some names mean.

    Args:
        names: as in the file, in its order.
        where: file or record, for messages.
        body: ``body`` or ``hand``; decides about names like ``thumb_tip`` that tell no side.

    Raises:
        ValueError: names of an animal or a thing, or too few of a person.
    """
    words = _without_start([_words(name) for name in names])
    strange = strange_joints(names)
    if strange:
        raise ValueError(
            f"{where}: its joints are not a person's ({shown_names(strange)}); only people and hands can be lifted"
        )
    roles = [_role(parts) for parts in words]
    if any(role.endswith("_Foot") for role in roles):
        ankles = any(role.endswith("_Ankle") for role in roles)
        roles = [re.sub("_Foot$", "_Toe" if ankles else "_Ankle", role) for role in roles]
    roles = _in_context(roles)
    unique = tuple(role if role not in roles[:place] else "" for place, role in enumerate(roles))
    hands = tuple(_hand(words, side) for side in (_LEFT, _RIGHT))
    alone = _hand(words, ())
    if body == "hand" and alone and not any(hands):
        hands = ((), alone)
    known = sum(bool(role) for role in unique)
    if not any(hands) and not alone and known < _LEAST:
        raise ValueError(
            f"{where}: of its joint names ({shown_names(names)}) {known or 'none'} are known as a person's; name them "
            "as COCO does (nose, left_eye, ..., right_ankle)"
        )
    return NamedJoints(unique, (hands[0], hands[1]))


def strange_joints(names: Sequence[str]) -> list[str]:
    """Names of joints that no person has."""
    return [name for name in names if set(_words(name)) & set(_NO_PERSON)]


def named_source(names: Sequence[str], roles: Sequence[str]) -> Source:
    """The source that has these roles: a known one with the same joints in this order, else one of the file's own."""
    for source in SOURCES.values():
        if source.body == "body" and source.role_names == tuple(roles):
            return source
    joints = tuple(role or f"{place} {name}" for place, (role, name) in enumerate(zip(roles, names)))
    return Source(f"{len(joints)} named joints", joints, "joints that the file names")


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(str(name)))


def _without_start(words: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The names without words that all begin with, as in ``PoseLandmark.NOSE``; a side stays."""
    sides = {*_LEFT, *_RIGHT, *_HAND_ROOT}
    while len(words) >= _LEAST and all(len(parts) > 1 and parts[0] == words[0][0] for parts in words):
        if words[0][0] in sides and words[0][:2] != ("hand", "landmark"):
            break
        words = [parts[1:] for parts in words]
    return words


def _side(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """L, R or nothing, and the other words."""
    for side, spellings in (("L", _LEFT), ("R", _RIGHT)):
        if set(words) & set(spellings):
            return side, tuple(word for word in words if word not in spellings)
    first = words[0] if words else ""
    for side in ("L", "R"):  # lshoulder, rknee
        if first[:1] == side.lower() and f"-{''.join((first[1:], *words[1:]))}" in _KNOWN:
            return side, (first[1:], *words[1:])
    return "", words


def _role(words: tuple[str, ...]) -> str:
    side, rest = _side(words)
    text = "".join(rest)
    if not side:
        return _KNOWN.get(text, "")
    part = _KNOWN.get(f"-{text}")
    return f"{side}_{part}" if part else ""


def _in_context(roles: list[str]) -> list[str]:
    """Human3.6M's names in COCO form: its ``neck_base`` is the joint by the nose, above the thorax."""
    if "Nose" not in roles and "Neck" in roles and {"Thorax", "MidSpine", "HeadTop"} <= set(roles):
        return ["Nose" if role == "Neck" else role for role in roles]
    return roles


def _hand(words: list[tuple[str, ...]], side: tuple[str, ...]) -> tuple[int, ...]:
    """Places of a hand's joints in MANO's order; empty when its fingers are not named.

    Args:
        side: spellings of the side that is meant; empty: names without a side.
    """
    places: dict[str, int] = {}
    for place, parts in enumerate(words):
        of_side = bool(set(parts) & set(side)) if side else not set(parts) & {*_LEFT, *_RIGHT}
        rest = "".join(part for part in parts if part not in side)
        joint = _FINGER_NAMES.get(rest.removeprefix("hand"), "Wrist" if rest in _HAND_ROOT else "")
        if of_side and joint:
            places.setdefault(joint, place)
    return tuple(places[joint] for joint in MANO.joints) if set(MANO.joints) <= set(places) else ()
