"""Errors of vertices as colours: on the mesh, and as a scale beside it.

Images are uint8, blue-green-red; colours are (red, green, blue) in 0..1, those of matplotlib's viridis: perceptually
uniform, and told apart by colour-blind readers and in grey.
"""

import math

import cv2
import numpy as np

from lib.render.mesh_renderer import MeshRenderer
from lib.render.shading import NumberColours
from lib.units import MM_PER_M

_INK = (40, 40, 40)
_TICKS = 5  # of a scale
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # ends of scales, times a power of ten
_LEGEND = 54  # pixels of the strip that a scale stands in


def vertex_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Distances of corresponding points: (..., N, 3) -> (..., N), of the same unit."""
    return np.linalg.norm(np.asarray(pred, np.float64) - np.asarray(target, np.float64), axis=-1)


def scale_end(errors: np.ndarray) -> float:
    """A round number that at most a twentieth of the errors exceeds, for the end of a scale."""
    largest = float(np.percentile(errors, 95)) if np.size(errors) else 0.0
    if not largest > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(factor * power for factor in _ROUND if factor * power >= largest * (1 - 1e-9))


def error_colours(errors: np.ndarray, largest: float) -> np.ndarray:
    """Colours (N, 3) in 0..1 of errors (N,): from viridis's dark blue at 0 to its yellow at ``largest`` and above.

    Raises:
        ValueError: errors that are not finite, an end of the scale that is not positive.
    """
    errors = np.asarray(errors, dtype=np.float64)
    if not np.isfinite(errors).all() or not largest > 0:
        raise ValueError(f"expected finite errors and a positive end of the scale, got {largest:g}")
    share = np.clip(errors / largest, 0, 1) * 255
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1] / 255
    return np.stack([np.interp(share, np.arange(256), channel) for channel in table.T], axis=-1)


def add_legend(picture: np.ndarray, largest: float, label: str = "vertex error, mm") -> np.ndarray:
    """The picture (H, W, 3) with a strip below it that has the scale from 0 to ``largest``."""
    width = picture.shape[1]
    strip = np.full((_LEGEND, width, 3), 255, dtype=np.uint8)
    bar = min(width - 40, 420)
    left = (width - bar) // 2
    colours = 255 * error_colours(np.linspace(0, largest, bar), largest)[:, ::-1]
    strip[6:20, left : left + bar] = np.rint(colours)
    for tick in range(_TICKS + 1):
        place, value = left + round((bar - 1) * tick / _TICKS), largest * tick / _TICKS
        cv2.line(strip, (place, 20), (place, 23), _INK, 1)
        text = f"{value:g}" if tick < _TICKS else f"{value:g}+"
        put_text(strip, text, (place, 34), centred=True)
    put_text(strip, label, (left + bar // 2, 48), centred=True)
    return cv2.vconcat([picture, strip])


def put_text(picture: np.ndarray, text: str, place: tuple[int, int], scale: float = 0.36, centred=False) -> None:
    """Write into a picture; ``place`` is the left (or middle) end of the baseline, pixels."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, 1
    width = cv2.getTextSize(text, font, scale, thickness)[0][0]
    left = place[0] - width // 2 if centred else place[0]
    left = min(max(left, 1), max(picture.shape[1] - width - 1, 1))
    cv2.putText(picture, text, (left, place[1]), font, scale, _INK, thickness, cv2.LINE_AA)


def draw_mesh(
    mesh: np.ndarray,
    faces: np.ndarray,
    window: tuple[np.ndarray, float],
    size: tuple[int, int],
    renderer: MeshRenderer,
    errors: np.ndarray | None = None,
    largest: float = 0.0,
) -> np.ndarray:
    """A mesh on white, seen from far away.

    Args:
        mesh: (V, 3) mm, x right, y down, z away from the viewer.
        faces: (F, 3) vertex indices.
        window: centre (2,) in mm, and pixels per mm.
        size: width and height, pixels.
        renderer: draws it.
        errors: (V,) mm, drawn as colours; None: the mesh is grey.
        largest: end of the scale of errors.

    Returns:
        (height, width, 3).
    """
    (centre, scale), shape = window, np.array(size)
    camera = np.concatenate([2 * MM_PER_M * scale / shape, -np.asarray(centre) / MM_PER_M])
    ground = np.full((size[1], size[0], 3), 255, dtype=np.uint8)
    colour = (0.78, 0.78, 0.78) if errors is None else NumberColours(error_colours(errors, largest))
    return renderer.render(np.asarray(mesh, np.float64) / MM_PER_M, faces, ground, camera, colour)
