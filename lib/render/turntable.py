"""Turntables: films of meshes that turn once round the vertical axis, framed so that nothing ever leaves the picture.

Frame of meshes: metres, x right, y down, z away from the viewer. Pictures are uint8, blue-green-red.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lib.render.mesh_renderer import MeshRenderer

SECONDS = 5.0  # of a turn
_SHORTEST = 4.0  # seconds of a film; shorter sequences are played again
_HEIGHT, _WIDEST, _NARROWEST = 720, 1280, 480  # pixels
_TILT = np.deg2rad(8.0)  # the camera looks down by this
_DISTANCE = 6.0  # of the camera from the middle, in radii of the scene
_MARGIN = 1.1
_GROUND = 255
_PROBED, _POINTS = 24, 400  # directions that a scene is measured from, and about how many vertices of a mesh

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Moment:
    """The people of a frame: N times (V, 3) metres, their faces (F, 3), and colours (r, g, b) in 0..1."""

    meshes: Sequence[np.ndarray]
    faces: Sequence[np.ndarray]
    colours: Sequence[Colour]


class Stage:
    """The space that moments take, for one camera that circles round all of them.

    Args:
        moments: gives all of them, each time it is called.

    Attributes:
        centre: (3,) metres, the mean of all vertices; the axis goes through it.
        radius: metres from it to the farthest vertex.
        size: width and height of pictures, pixels, even.

    Raises:
        ValueError: nobody in any moment.
    """

    def __init__(self, moments: Callable[[], Iterable[Moment]]):
        total, count = np.zeros(3), 0
        for mesh in _meshes(moments):
            total, count = total + mesh.sum(axis=0, dtype=np.float64), count + len(mesh)
        if not count:
            raise ValueError("nobody to turn")
        self.centre = total / count
        self.radius = max(float(np.linalg.norm(mesh - self.centre, axis=1).max()) for mesh in _meshes(moments))
        half, low, high = 0.0, np.inf, -np.inf
        for mesh in _meshes(moments):
            for angle in np.arange(_PROBED) / _PROBED * 2 * np.pi:
                x, y, _ = self.project(mesh[:: max(len(mesh) // _POINTS, 1)], angle).T
                half, low, high = max(half, np.abs(x).max()), min(low, y.min()), max(high, y.max())
        extent = _MARGIN * np.array([2 * half, high - low])  # the axis stays in the middle
        width = np.clip(_HEIGHT * extent[0] / extent[1], _NARROWEST, _WIDEST)
        self.size = 2 * round(width / 2), _HEIGHT
        scale = (np.array(self.size) / extent).min()
        self._camera = np.array([*(2 * scale / np.array(self.size)), 0.0, -(low + high) / 2])

    def project(self, points: np.ndarray, angle: float) -> np.ndarray:
        """Points (n, 3) turned by an angle in radians, as the camera sees them: x and y on a plane through the axis."""
        x, y, z = (np.asarray(points, dtype=np.float64) - self.centre).T
        cos, sin = np.cos(angle), np.sin(angle)
        x, z = cos * x + sin * z, cos * z - sin * x
        y, z = np.cos(_TILT) * y - np.sin(_TILT) * z, np.sin(_TILT) * y + np.cos(_TILT) * z
        distance = _DISTANCE * self.radius
        nearer = distance / (distance + z)
        return np.stack([x * nearer, y * nearer, z], axis=1)

    def draw(self, moment: Moment, angle: float, renderer: MeshRenderer) -> np.ndarray:
        """(height, width, 3) of a moment, turned by an angle in radians."""
        picture = np.full((self.size[1], self.size[0], 3), _GROUND, dtype=np.uint8)
        if not len(moment.meshes):
            return picture
        meshes = [self.project(mesh, angle) for mesh in moment.meshes]
        count, faces = len(meshes), list(moment.faces)
        cameras = np.tile(self._camera, (count, 1))
        return renderer.render_people(meshes, faces, picture, cameras, list(moment.colours), depths=np.zeros(count))


def _meshes(moments: Callable[[], Iterable[Moment]]) -> Iterator[np.ndarray]:
    for moment in moments():
        yield from moment.meshes


def still_frames(moment: Moment, fps: float) -> list[tuple[Moment, float]]:
    """One turn of people who stand still: moments and angles; the frame after the last is the first again."""
    count = max(round(SECONDS * fps), 2)
    return [(moment, 2 * np.pi * number / count) for number in range(count)]


def playing_angles(count: int, fps: float) -> tuple[int, np.ndarray]:
    """The camera of a sequence: it turns in whole turns of about ``SECONDS``, so that the film's end meets its start.

    Args:
        count: frames of the sequence.
        fps: frames per second.

    Returns:
        how many times the sequence is played, and the angle of each frame of the film in radians.
    """
    times = max(int(np.ceil(_SHORTEST * fps / count)), 1)
    frames = times * count
    turns = max(round(frames / fps / SECONDS), 1)
    return times, 2 * np.pi * turns * np.arange(frames) / frames
