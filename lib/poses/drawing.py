"""A picture of detections with the joints' names: are they in the order that was assumed?"""

import cv2
import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.tables import JOINT_SETS
from lib.render.poses import add_hands, pixel

from .missing import JOINT_SCORE
from .people import Frame
from .sources import Source, get_source

_SHORT_SIDE = 900  # pixels; smaller pictures are enlarged so that names fit
_LARGEST_SIDE = 2400
_NAMED_PEOPLE, _NAMED_SIDE = 12, 130  # whose names have room: the largest people, of this side in the picture, pixels
_MARGIN = 0.35  # around the people where there is no image
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
_TAG_SCALE = 0.6  # of people's numbers
# blue, green, red: the person's left, right and middle, as in lib.render.poses
_COLOURS = {"L": (80, 80, 235), "R": (90, 190, 60), "": (235, 160, 60)}


def draw_check(
    image: np.ndarray | None, frame: Frame, joints: str | JointSet | Source, joint_score: float = JOINT_SCORE
) -> np.ndarray:
    """Draw the people of a frame with the number and name of each joint.

    The person's left is red, right is green. Everybody has a number; people of whom names would cover everything have
    nothing else. Hands that the frame has beside bodies are drawn without names. A legend and the missing joints stand
    in the corner.

    Args:
        image: (H, W, 3) uint8, blue-green-red; None draws on a dark ground cut to the people.
        frame: poses in pixels.
        joints: a source or a joint set (name, file or itself), whose joints the poses have.
        joint_score: largest score of a missing joint, which is left out.

    Returns:
        (H', W', 3) uint8, enlarged where needed.

    Raises:
        ValueError: unknown name, or poses with another number of joints.
    """
    table = get_source(joints)
    if frame.poses.shape[1] != len(table.joints):
        raise ValueError(f"{joints} has {len(table.joints)} joints, the poses have {frame.poses.shape[1]}")
    visible = np.isfinite(frame.poses[..., :2]).all(axis=2) & (frame.poses[..., 2] > joint_score)
    visible &= (frame.poses[..., :2] != 0).any(axis=2)
    picture, scale, shift = _canvas(image, frame.poses[..., :2][visible])
    points = (frame.poses[..., :2] + shift) * scale
    occupied: list[_Box] = []
    # hands alone have a side as a whole
    hand_sides = [""] * len(points) if frame.left is None else ["L_" if left else "R_" for left in frame.left]
    for pose, seen, side in zip(points, visible, hand_sides):
        for a, b in table.bones:
            if seen[a] and seen[b]:
                first, last = _colour(side + table.joints[a]), _colour(side + table.joints[b])
                colour = last if first == _COLOURS[""] else first
                cv2.line(picture, pixel(pose[a]), pixel(pose[b]), colour, 2, cv2.LINE_AA)
    for hands in () if frame.hands is None else frame.hands:
        there = (hands[..., 2:] > joint_score) & (hands[..., :2] != 0).any(axis=2, keepdims=True)
        add_hands(picture, np.where(there, (hands[..., :2] + shift) * scale, np.nan), JOINT_SETS["mano"])
    for pose, seen, side in zip(points, visible, hand_sides):
        for joint in np.flatnonzero(seen):
            cv2.circle(picture, pixel(pose[joint]), 5, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, pixel(pose[joint]), 4, _colour(side + table.joints[joint]), -1, cv2.LINE_AA)
            x, y = pixel(pose[joint])
            occupied.append((x - 6, y - 6, x + 6, y + 6))
    sides = np.array(
        [np.ptp(pose[seen], axis=0).max(initial=0) if seen.any() else 0 for pose, seen in zip(points, visible)]
    )
    named = [person for person in np.argsort(-sides, kind="stable")[:_NAMED_PEOPLE] if sides[person] >= _NAMED_SIDE]
    named = named or np.argsort(-sides, kind="stable")[:1].tolist()
    lines = _legend(joints, frame, visible, table.joints, sorted(named))
    fixed: list[_Box] = [(8, 6 + 18 * row, 8 + _width(line), 24 + 18 * row) for row, line in enumerate(lines)]
    tags = {}
    for person in np.flatnonzero(visible.any(axis=1)).tolist():
        tags[person] = _tag_place(picture, str(person), points[person][visible[person]], fixed)
        fixed.append(tags[person])
    occupied += fixed
    for person in named:
        seen = visible[person]
        for joint in np.flatnonzero(seen):
            text, colour = f"{joint} {table.joints[joint]}", _colour(hand_sides[person] + table.joints[joint])
            _label(picture, text, points[person][joint], points[person][seen].mean(axis=0), colour, occupied)
    for person, (left, top, right, bottom) in tags.items():
        cv2.rectangle(picture, pixel((left, top)), pixel((right, bottom)), (255, 255, 255), -1)
        cv2.putText(picture, str(person), pixel((left + 4, bottom - 4)), _FONT, _TAG_SCALE, (0, 0, 0), 2, cv2.LINE_AA)
    for row, line in enumerate(lines):
        _write(picture, line, (8, 20 + 18 * row), (255, 255, 255))
    return picture


_Box = tuple[float, float, float, float]  # left, top, right, bottom, pixels


def _canvas(image: np.ndarray | None, points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Picture to draw on, and the scale and shift that take pixels of the image to its pixels."""
    if image is not None:
        shift, size = np.zeros(2), np.array(image.shape[1::-1], dtype=np.float64)
    else:
        low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.ones(2))
        margin = _MARGIN * max((high - low).max(), 1.0)
        shift, size = margin - low, np.maximum(high - low + 2 * margin, 1.0)
    scale = min(max(1.0 if image is not None else 0.0, _SHORT_SIDE / size.min()), _LARGEST_SIDE / size.max())
    width, height = np.maximum(np.rint(size * scale).astype(int), 1)
    if image is None:
        return np.full((height, width, 3), 32, np.uint8), scale, shift
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(image, (width, height), interpolation=method), scale, shift


def _colour(joint: str) -> tuple[int, int, int]:
    return _COLOURS[joint[0] if joint[:2] in ("L_", "R_") else ""]


def _tag_place(picture, text: str, points: np.ndarray, fixed: list[_Box]) -> _Box:
    """Where a person's number goes: above the highest joint, or below the lowest, or beside, where there is room."""
    size = np.array(cv2.getTextSize(text, _FONT, _TAG_SCALE, 2)[0]) + 8
    (x, y), limit = points.T, np.maximum(np.array(picture.shape[1::-1]) - size, 0)
    gap = size / 2 + 9
    ends = ((y.argmin(), (0, -1)), (y.argmax(), (0, 1)), (x.argmin(), (-1, 0)), (x.argmax(), (1, 0)))
    corners = [np.clip(points[joint] + gap * side - size / 2, 0, limit) for joint, side in ends]
    boxes: list[_Box] = [(*corner, *np.add(corner, size)) for corner in corners]
    return next((box for box in boxes if not _covered(np.array([box]), fixed)[0]), boxes[0])


def _covered(boxes: np.ndarray, others: list[_Box]) -> np.ndarray:
    """(B,) which of the boxes (B, 4) overlap others."""
    taken = np.array(others).reshape(-1, 4)
    near = (taken[:, :2] < boxes[:, 2:].max(axis=0)) & (taken[:, 2:] > boxes[:, :2].min(axis=0))
    taken = taken[near.all(axis=1)][None]
    both = (boxes[:, None, :2] < taken[..., 2:]) & (taken[..., :2] < boxes[:, None, 2:])
    return both.all(axis=2).any(axis=1)


def _width(text: str) -> int:
    return cv2.getTextSize(_plain(text), _FONT, _FONT_SCALE, 1)[0][0]


def _label(picture, text: str, point: np.ndarray, centre: np.ndarray, colour, occupied: list[_Box]) -> None:
    """Write text beside a joint where it covers nothing, the side away from the person's middle first."""
    (width, height), base = cv2.getTextSize(_plain(text), _FONT, _FONT_SCALE, 1)
    outward = np.arctan2(*(point - centre)[::-1])
    turns = np.array((0, 0.4, -0.4, 0.8, -0.8, 1.2, -1.2, 1.6, -1.6, 2.2, -2.2, 3.1))
    radii = np.repeat(np.arange(14, 200, 10), len(turns))
    directions = np.stack([np.cos(outward + turns), np.sin(outward + turns)], axis=1)
    directions = np.tile(directions, (len(radii) // len(turns), 1))
    anchors = point + radii[:, None] * directions
    corners = np.stack([anchors[:, 0] - width * (1 - directions[:, 0]) / 2, anchors[:, 1] - height / 2], axis=1)
    boxes = np.concatenate([corners - 2, corners + np.array((width + 2, height + base + 2))], axis=1)
    free = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] < picture.shape[1::-1]).all(axis=1)
    places = np.flatnonzero(free & ~_covered(boxes, occupied))
    if not len(places):
        _write(picture, text, (point[0] + 8, point[1]), colour)
        return
    place = places[0]
    occupied.append(tuple(boxes[place]))
    cv2.line(picture, pixel(point), pixel(anchors[place]), (200, 200, 200), 1, cv2.LINE_AA)
    _write(picture, text, corners[place] + (0, height), colour)


def _legend(
    joints: str | JointSet | Source, frame: Frame, visible: np.ndarray, names: tuple[str, ...], named: list[int]
) -> list[str]:
    count = len(frame.poses)
    lines = [
        f"{frame.name}: {count} {'person' if count == 1 else 'people'}, joints of {joints}",
        "left red, right green",
    ]
    shown = np.asarray(visible.any(axis=1))
    numbered = int(shown.sum()) - int(shown[named].sum())
    if numbered:
        lines.append(f"{numbered} of {count} people have numbers only: too small or too many for names")
    if not shown.all():
        lines.append(f"{count - shown.sum()} of {count} people have no joint to show: unseen, or with too low scores")
    for person in named:
        if shown[person] and not visible[person].all():
            gone = [names[joint] for joint in np.flatnonzero(~visible[person])]
            more = f" and {len(gone) - 8} more" if len(gone) > 8 else ""
            lines.append(f"person {person} misses {', '.join(gone[:8])}{more}")
    return lines


def _plain(text: str) -> str:
    """OpenCV's font has no other letters, and halves of surrogate pairs in names end the process."""
    return text.encode("ascii", "replace").decode()


def _write(picture, text: str, place, colour) -> None:
    """Text with a dark rim, readable on any ground."""
    place = pixel(place)
    text = _plain(text)
    cv2.putText(picture, text, place, _FONT, _FONT_SCALE, (0, 0, 0), 3, cv2.LINE_AA)
    light = tuple(round(0.45 * c + 0.55 * 255) for c in colour)
    cv2.putText(picture, text, place, _FONT, _FONT_SCALE, light, 1, cv2.LINE_AA)
