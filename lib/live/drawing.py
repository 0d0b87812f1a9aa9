"""What is shown: meshes over the picture, and the figures of speed."""

import cv2
import numpy as np

from lib.export.people import PeopleArrays
from lib.render.marks import mark_carried, mark_risks
from lib.render.mesh_renderer import MeshRenderer, person_colour

_LINE = 0.045  # of the picture's height
_SMALLEST, _LARGEST = 13, 28  # pixels of a line
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 30  # pixels of a line at scale 1


def scaled(picture: np.ndarray, width: int | None) -> np.ndarray:
    """The picture (H, W, 3) in at most ``width`` pixels."""
    if width is None or picture.shape[1] <= width:
        return picture
    height = max(round(picture.shape[0] * width / picture.shape[1]), 1)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def draw_people(renderer: MeshRenderer, picture: np.ndarray, people: PeopleArrays | None) -> np.ndarray:
    """Meshes over a picture (H, W, 3) of any size: cameras are those of its shape, not of its pixels."""
    if people is None:
        return picture
    colours = [person_colour(track) for track in people.track.tolist()]
    depths = people.translation[:, 2]
    drawn = renderer.render_people(people.drawn, people.row_faces, picture, people.camera_image, colours, depths)
    return mark_carried(mark_risks(drawn, people), people)


def draw_figures(picture: np.ndarray, lines: list[str]) -> np.ndarray:
    """The picture with lines of text in its upper left corner, on a darkened ground."""
    height = int(np.clip(_LINE * picture.shape[0], _SMALLEST, _LARGEST))
    scale, thick = height / _FONT_HEIGHT, 1 if height < 22 else 2
    widths = [cv2.getTextSize(line, _FONT, scale, thick)[0][0] for line in lines]
    marked = picture.copy()
    ground = marked[: height * len(lines) + height // 2, : max(widths, default=0) + height]
    ground //= 3
    for row, line in enumerate(lines):
        place = height // 2, round(height * (row + 1))
        cv2.putText(marked, line, place, _FONT, scale, (255, 255, 255), thick, cv2.LINE_AA)
    return marked
