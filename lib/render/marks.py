"""Marks over people whose meshes may be far off."""

import cv2
import numpy as np

from lib.export.people import HIGH_RISK, PeopleArrays

_SIDE = 0.045  # of the picture's height
_FILL, _EDGE = (0, 200, 255), (0, 0, 0)  # blue, green, red


def mark_risks(picture: np.ndarray, people: PeopleArrays) -> np.ndarray:
    """The picture (H, W, 3) uint8 with a warning triangle over each person whose risk is high; itself when none is."""
    doubtful = np.flatnonzero(people.risk > HIGH_RISK)  # NaN is unknown, not high
    if not len(doubtful):
        return picture
    marked, size = picture.copy(), np.array([picture.shape[1], picture.shape[0]])
    side = max(int(_SIDE * size[1]), 12)
    for row in doubtful:
        scale, shift = np.split(people.camera_image[row].astype(np.float64), 2)
        points = ((people.drawn[row, :, :2] + shift) * scale + 1) * size / 2
        top = points[points[:, 1].argmin()]
        x, y = np.clip(top, [side, 1.5 * side], size - [side, 1]).astype(int)
        corners = np.array(
            [[x, y - int(1.4 * side)], [x - side // 2 - 1, y - side // 2], [x + side // 2 + 1, y - side // 2]]
        )
        cv2.fillPoly(marked, [corners], _FILL, cv2.LINE_AA)
        cv2.polylines(marked, [corners], True, _EDGE, max(side // 14, 1), cv2.LINE_AA)
        thick = max(side // 9, 1)
        cv2.line(marked, (x, y - int(1.1 * side)), (x, y - int(0.8 * side)), _EDGE, thick, cv2.LINE_AA)
        cv2.circle(marked, (x, y - int(0.63 * side)), max(thick // 2, 1), _EDGE, cv2.FILLED, cv2.LINE_AA)
    return marked
