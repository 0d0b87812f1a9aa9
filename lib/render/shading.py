"""Colours of meshes in pictures: one colour per person, two lights, a slight gloss.

Frame: x right, y down, z away from the viewer. Colours are (red, green, blue) in 0..1.
"""

import colorsys
import random
from dataclasses import dataclass

import numpy as np

# Directions towards the lights and their strengths: a key light from the viewer's upper left, a weak one from the right
_LIGHTS = ((np.array([-0.60, -0.60, -0.55]), 0.66), (np.array([0.85, -0.05, -0.35]), 0.16))
_AMBIENT_TOP, _AMBIENT_BOTTOM = 0.40, 0.22
_GLOSS, _GLOSS_POWER = 0.16, 24.0
_PLAIN = 0.65  # share of a number's colour that no shadow takes


@dataclass(frozen=True)
class NumberColours:
    """Colours (V, 3), red, green, blue in 0..1, of vertices that stand for numbers: light changes them by little."""

    values: np.ndarray


Colour = tuple[float, float, float] | np.ndarray | NumberColours  # of a mesh, or of its vertices (V, 3)


def person_colour(index: int = 0, seed: int = 0) -> tuple[float, float, float]:
    """A light, saturated colour (r, g, b in 0..1) for a person; neighbours in ``index`` differ clearly.

    The same index and seed always give the same colour (the original drew it anew in each run).
    """
    start = 0.57 if seed == 0 else random.Random(seed).random()
    golden_ratio = 0.618033988749895  # steps of this size around the colour circle never come close to each other
    return colorsys.hsv_to_rgb((start + index * golden_ratio) % 1.0, 0.5, 1.0)


def rotate_view(vertices: np.ndarray, degrees: float = 90.0) -> np.ndarray:
    """The mesh seen from the side: turned about the vertical axis through the middle of its bounding box.

    Args:
        vertices: (V, 3) metres.
        degrees: 90 turns what was at the right of the picture towards the viewer.

    Returns:
        (V, 3); drawn under the same camera it stands at the same place.
    """
    centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return (vertices - centre) @ vertical_turn(degrees).T + centre


def vertical_turn(degrees: float) -> np.ndarray:
    """The rotation (3, 3) about the vertical axis that brings what was at the right of the picture to the viewer."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3), outward for faces that turn counter-clockwise seen from outside."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    index = faces.ravel()
    sums = [np.bincount(index, np.repeat(part, 3), minlength=len(vertices)) for part in face_normals.T]
    normals = np.stack(sums, axis=1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def shade(vertices: np.ndarray, faces: np.ndarray, colour: Colour) -> np.ndarray:
    """Vertex colours (V, 3) in 0..1 under two lights, sky light from above and a slight gloss, which numbers lack."""
    normals = vertex_normals(vertices, faces)
    up = 0.5 - 0.5 * normals[:, 1]
    light = _AMBIENT_BOTTOM + (_AMBIENT_TOP - _AMBIENT_BOTTOM) * up
    gloss = np.zeros(len(vertices))
    for direction, strength in _LIGHTS:
        direction = direction / np.linalg.norm(direction)
        light = light + strength * np.clip(normals @ direction, 0, None)
        halfway = direction + np.array([0.0, 0.0, -1.0])
        gloss += strength * np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0, None) ** _GLOSS_POWER
    if isinstance(colour, NumberColours):
        return np.clip((_PLAIN + (1 - _PLAIN) * np.clip(light, 0, 1))[:, None] * colour.values, 0, 1)
    return np.clip(light[:, None] * np.asarray(colour) + _GLOSS * gloss[:, None], 0, 1)
