"""Marks over people whose meshes may be far off, or who were not seen."""

from collections.abc import Iterator

import cv2
import numpy as np

from lib.export.people import HIGH_RISK, PeopleArrays

_SIDE = 0.045  # of the picture's height
_FILL, _EDGE, _RING = (0, 200, 255), (0, 0, 0), (255, 255, 255)  # blue, green, red


def mark_risks(picture: np.ndarray, people: PeopleArrays) -> np.ndarray:
    """The picture (H, W, 3) uint8 with a warning triangle over each person whose risk is high; itself when none is."""
    doubtful = np.flatnonzero(people.risk > HIGH_RISK)  # NaN is unknown, not high
    if not len(doubtful):
        return picture
    marked, side = picture.copy(), _side(picture)
    for x, y in _tops(picture, people, doubtful):
        corners = np.array(
            [[x, y - int(1.4 * side)], [x - side // 2 - 1, y - side // 2], [x + side // 2 + 1, y - side // 2]]
        )
        cv2.fillPoly(marked, [corners], _FILL, cv2.LINE_AA)
        cv2.polylines(marked, [corners], True, _EDGE, max(side // 14, 1), cv2.LINE_AA)
        thick = max(side // 9, 1)
        cv2.line(marked, (x, y - int(1.1 * side)), (x, y - int(0.8 * side)), _EDGE, thick, cv2.LINE_AA)
        cv2.circle(marked, (x, y - int(0.63 * side)), max(thick // 2, 1), _EDGE, cv2.FILLED, cv2.LINE_AA)
    return marked


def mark_carried(picture: np.ndarray, people: PeopleArrays) -> np.ndarray:
    """The picture (H, W, 3) uint8 with a ring over each person who was not seen in it; itself when all were."""
    unseen = np.flatnonzero(people.carried)
    if not len(unseen):
        return picture
    marked, side = picture.copy(), _side(picture)
    radius, thick = side // 2, max(side // 8, 2)
    for x, y in _tops(picture, people, unseen):
        aside = int(1.5 * side) if x + 2.3 * side < picture.shape[1] else -int(1.5 * side)  # of the triangle
        middle = x + aside, y - int(0.9 * side)
        cv2.circle(marked, middle, radius, _EDGE, thick + 2, cv2.LINE_AA)
        cv2.circle(marked, middle, radius, _RING, thick, cv2.LINE_AA)
    return marked


def _side(picture: np.ndarray) -> int:
    return max(int(_SIDE * picture.shape[0]), 12)


def _tops(picture: np.ndarray, people: PeopleArrays, rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Highest points of people, moved so that a mark above fits into the picture, pixels."""
    side, size = _side(picture), np.array([picture.shape[1], picture.shape[0]])
    for row in rows:
        scale, shift = np.split(people.camera_image[row].astype(np.float64), 2)
        points = ((people.drawn[row][:, :2] + shift) * scale + 1) * size / 2
        x, y = np.clip(points[points[:, 1].argmin()], [side, 1.5 * side], size - [side, 1]).astype(int).tolist()
        yield x, y
