"""Pictures of people: meshes over the image, and input pose, overlay and side view next to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.tables import JOINT_SETS
from lib.render.marks import mark_risks
from lib.render.mesh_renderer import MeshRenderer
from lib.render.poses import add_hands, draw_pose
from lib.render.shading import rotate_view

if TYPE_CHECKING:
    from lib.export.people import Meshes, PeopleArrays

_HEIGHT = 720  # pixels of the panels
_LARGEST_WIDTH = 1280
_MARGIN = 0.08  # around the people, as a share of the larger side of their box
_GAP, _GAP_COLOUR = 6, (255, 255, 255)
_SIDE_GROUND = (58, 52, 48)  # blue, green, red


def draw_people(
    image: np.ndarray,
    people: PeopleArrays,
    colours: Sequence[tuple[float, float, float]] | None = None,
    renderer: MeshRenderer | None = None,
) -> np.ndarray:
    """Meshes over their picture, nearer people before farther ones, with a triangle over those who may be far off.

    Args:
        image: (H, W, 3) uint8, blue-green-red, of the size ``people.image_size``; not modified.
        people: N people, 0 too.
        colours: N times (r, g, b) in 0..1; None: ``person_colour`` of each row.
        renderer: draws; None takes one for a single picture.

    Returns:
        (H, W, 3) uint8.
    """
    renderer = renderer or MeshRenderer()
    cameras, depths = people.camera_image, people.translation[:, 2]
    picture = renderer.render_people(people.drawn, people.row_faces, image, cameras, colours, depths)
    return mark_risks(picture, people)


def draw_views(
    image: np.ndarray,
    poses: np.ndarray,
    joint_set: JointSet,
    overlay: np.ndarray,
    people: PeopleArrays,
    colours: Sequence[tuple[float, float, float]] | None = None,
    renderer: MeshRenderer | None = None,
) -> np.ndarray:
    """Three panels, cut to the people: input pose | overlay | side view.

    In the side view each person is turned on the spot, what was at the right of the picture towards the viewer: the
    places and sizes of people stay those of the overlay.

    Args:
        image: (H, W, 3) uint8, blue-green-red.
        poses: (N, J, 2) pixels, at least one.
        joint_set: of the poses.
        overlay: (H, W, 3) uint8, the image with the meshes (``draw_people``).
        people: the N people's ``whole``, ``drawn``, ``row_faces`` and ``hands``, ``camera_image`` and ``translation``.
        colours: N times (r, g, b) in 0..1; None: ``person_colour`` of each row.
        renderer: draws the side view; None takes one for a single picture.

    Returns:
        (h, w, 3) uint8.
    """
    renderer = renderer or MeshRenderer()
    size = np.array([image.shape[1], image.shape[0]], dtype=np.float64)
    turned = [rotate_view(mesh.astype(np.float64)) for mesh in people.whole]
    cameras = np.asarray(people.camera_image, dtype=np.float64)
    front, side = (_pixels(meshes, cameras, size) for meshes in (people.drawn, turned))
    low, high = _box(np.concatenate([front, np.asarray(poses).reshape(-1, 2)]), size)
    scale = min(_HEIGHT / (high[1] - low[1]), _LARGEST_WIDTH / (high[0] - low[0]))
    shape = np.maximum(np.rint((high - low) * scale), 1).astype(int).tolist()

    def cut(picture: np.ndarray) -> np.ndarray:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return cv2.resize(picture[low[1] : high[1], low[0] : high[0]], shape, interpolation=method)

    skeletons = cut(image)
    for pose in poses:
        skeletons = draw_pose(skeletons, (pose - low) * scale, joint_set)

    for hands in () if people.hands is None else people.hands.hand_pose2d:
        add_hands(skeletons, (hands - low) * scale, JOINT_SETS["mano"])

    # as wide as the people from the side, as high as the other panels
    side_low, side_high = side[:, 0].min(), side[:, 0].max()
    margin = _MARGIN * (high[1] - low[1])
    left, right = np.floor(side_low - margin), np.ceil(side_high + margin)
    # somebody seen far beyond the picture's edge shall not make the panel any wider than the others
    right = min(right, left + max(high[0] - low[0], _LARGEST_WIDTH / scale))
    window = np.array([left, low[1]]), np.array([right, high[1]])
    ground = np.full((shape[1], max(round((right - left) * scale), 1), 3), _SIDE_GROUND, dtype=np.uint8)
    profile = renderer.render_people(
        turned,
        people.row_faces,
        ground,
        _window_cameras(cameras, size, window),
        colours,
        depths=people.translation[:, 2],
    )
    gap = np.full((shape[1], _GAP, 3), _GAP_COLOUR, dtype=np.uint8)
    return np.concatenate([skeletons, gap, cut(overlay), gap, profile], axis=1)


def _pixels(meshes: Meshes, cameras: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n, 2) places of all vertices in a picture of this size."""
    places = [((mesh[:, :2] + camera[2:]) * camera[:2] + 1) * size / 2 for mesh, camera in zip(meshes, cameras)]
    return np.concatenate(places)


def _box(points: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (2,) and (2,) around points with a margin, whole pixels inside the picture; all of it if they miss it."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * (high - low).max()
    low = np.clip(np.floor(low - margin), 0, size).astype(int)
    high = np.clip(np.ceil(high + margin), 0, size).astype(int)
    return (low, high) if (high > low).all() else (np.zeros(2, dtype=int), size.astype(int))


def _window_cameras(cameras: np.ndarray, size: np.ndarray, window: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Cameras (N, 4) of a picture as cameras of a window of it, given by its corners in pixels."""
    low, high = window
    scale = cameras[:, :2] * size / (high - low)
    shift = cameras[:, 2:] + (size - (low + high)) / (cameras[:, :2] * size)
    return np.concatenate([scale, shift], axis=1)
