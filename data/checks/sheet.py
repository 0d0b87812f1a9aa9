"""Contact sheet of ``data/verify.py``: fits, annotated and detected joints and boxes over the images."""

import contextlib
from pathlib import Path

import cv2
import numpy as np

from data.checks.view import View
from lib.files import atomic_write
from lib.files.images import read_image
from lib.render.poses import draw_pose, pixel, vis_coco_skeleton

TILE, COLUMNS, CAPTION, LEGEND = 320, 4, 22, 30
# blue, green, red
_CANVAS, _OUTSIDE, _TEXT = (235, 235, 235), (120, 120, 120), (40, 40, 40)
_TRUTH, _FOUND, _BOX = (0, 0, 0), (200, 0, 200), (0, 160, 230)
_MARGIN = 1.25
_CAPTION_LETTERS = 40


def write_sheet(file: Path, view: View, title: str, image_folder: Path) -> int:
    """Write a PNG with one tile per record.

    Args:
        file: to write.
        view: the records.
        title: shown on top.
        image_folder: where image names start; records without an image file get a blank canvas.

    Returns:
        Number of images that were found.
    """
    tiles, found = [], 0
    for row, name in enumerate(view.names):
        path = image_folder / name
        image = None
        with contextlib.suppress(ValueError, OSError):  # names are those of the annotations, the images may be anywhere
            image = read_image(path)
        found += image is not None
        tiles.append(_tile(view, row, image))
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    blank = np.full((TILE + CAPTION, TILE, 3), 255, dtype=np.uint8)
    grid = [cv2.hconcat(row + [blank] * (COLUMNS - len(row))) for row in rows]
    _, data = cv2.imencode(".png", cv2.vconcat([_legend(title), *grid]))
    with atomic_write(file, "wb") as stream:
        stream.write(data.tobytes())
    return found


def _tile(view: View, row: int, image: np.ndarray | None) -> np.ndarray:
    sets = [points[row] for points in (view.fit_image, view.detections) if points is not None]
    if view.truth_image is not None:
        sets.append(view.truth_image[row][view.valid[row]])
    size = view.size[row] if view.size is not None else np.zeros(2)
    if image is not None:
        size = np.array(image.shape[1::-1])
    corners = None if view.bbox is None or not view.bbox[row, 2:].any() else _corners(view.bbox[row])
    place = _window(sets if sets else [corners])
    tile = np.full((TILE, TILE, 3), _OUTSIDE, dtype=np.uint8)
    if image is not None:
        cv2.warpAffine(image, place, (TILE, TILE), dst=tile, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    elif size.all():
        frame = _move(_corners(np.array([0.0, 0.0, *size])), place).clip(-(10**4), 10**4)
        cv2.fillConvexPoly(tile, frame.round().astype(np.int32), _CANVAS)
    else:
        tile[:] = _CANVAS
    if corners is not None:
        box = _move(corners, place).clip(-(10**4), 10**4).round().astype(np.int32)
        cv2.polylines(tile, [box], True, _BOX, 1, cv2.LINE_AA)
    if view.fit_image is not None:
        joints = _move(view.fit_image[row], place)
        tile = draw_pose(tile, joints, view.joint_set)
    if view.truth_image is not None:
        for point in _move(view.truth_image[row][view.valid[row]], place):
            cv2.circle(tile, pixel(point), 5, _TRUTH, 1, cv2.LINE_AA)
    if view.detections is not None:
        joints = _move(view.detections[row], place)
        if view.fit_image is None:
            tile = vis_coco_skeleton(tile, joints.T, view.detected_set.bones, (0.8, 0.0, 0.8), alpha=0.3)
        for point in joints:
            cv2.drawMarker(tile, pixel(point), _FOUND, cv2.MARKER_TILTED_CROSS, 7, 1, cv2.LINE_AA)
    caption = np.full((CAPTION, TILE, 3), 255, dtype=np.uint8)
    name = view.names[row] if len(view.names[row]) < _CAPTION_LETTERS else Path(view.names[row]).name
    _write(caption, f"{view.indices[row]}  {name}", (4, 15), _TEXT, 0.38)
    return cv2.vconcat([tile, caption])


def _legend(title: str) -> np.ndarray:
    strip = np.full((LEGEND, COLUMNS * TILE, 3), 255, dtype=np.uint8)
    _write(strip, title, (8, 20), _TEXT, 0.55)
    entries = (("fit: left red, right green", _TEXT), ("o annotated", _TRUTH), ("x detected", _FOUND), ("box", _BOX))
    for number, (text, colour) in enumerate(entries):
        _write(strip, text, (500 + (0, 260, 400, 520)[number], 20), colour, 0.5)
    return strip


def _write(picture: np.ndarray, text: str, at: tuple[int, int], colour, scale: float) -> None:
    ascii_text = text.encode("ascii", "replace").decode()  # OpenCV's font has no other letters
    cv2.putText(picture, ascii_text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _corners(box: np.ndarray) -> np.ndarray:
    x, y, width, height = (float(value) for value in box)
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def _window(sets: list[np.ndarray]) -> np.ndarray:
    """Affine matrix (2, 3) from image pixels to a tile that shows all points."""
    points = np.concatenate(sets)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = TILE / max(_MARGIN * float((high - low).max()), 1.0)
    shift = TILE / 2 - scale * (low + high) / 2
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])


def _move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]
