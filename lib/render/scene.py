"""People in the coordinates of a picture, one at a time: memory does not grow with their number."""

from collections.abc import Sequence

import numpy as np

from lib.render.shading import Colour, person_colour, shade
from lib.render.software import Area, faces_of_each, pixel_area

_DEPTH = 0.9  # z of the farthest point; of the nearest one -0.9


class Scene:
    """People before the camera of a picture. Arguments as for ``MeshRenderer.render_people``.

    Screen points have x, y in -1..1 across the picture (y down) and z in -0.9..0.9, smaller is nearer. The original
    clipped what lies more than 1 m before or behind the root; only the order in depth matters here.

    Attributes:
        faces: (F, 3) vertex indices of each person.
        size: width and height of the picture, pixels.

    Raises:
        ValueError: wrong shapes, NaN or infinite vertices, cameras or depths.
    """

    def __init__(
        self,
        meshes: np.ndarray | Sequence[np.ndarray],
        faces: np.ndarray | Sequence[np.ndarray],
        image: np.ndarray,
        cameras: np.ndarray,
        colours: Sequence[Colour] | None,
        depths: np.ndarray | None,
    ):
        self._meshes = [mesh if mesh.dtype.kind == "f" else mesh.astype(np.float64) for mesh in map(np.asarray, meshes)]
        self._cameras = np.asarray(cameras, dtype=np.float64)
        for mesh in self._meshes:
            if mesh.ndim != 2 or mesh.shape[1] != 3 or not np.isfinite(mesh).all():
                raise ValueError(f"expected finite vertices (N, V, 3) or N times (V, 3), one mesh is {mesh.shape}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}")
        count = len(self._meshes)
        self.faces = faces_of_each(faces, count)
        if self._cameras.shape != (count, 4) or not np.isfinite(self._cameras).all():
            raise ValueError(f"expected finite cameras ({count}, 4), got shape {self._cameras.shape}")
        self._colours = [person_colour(index) for index in range(count)] if colours is None else colours
        if len(self._colours) != count:
            raise ValueError(f"{count} meshes have {len(self._colours)} colours")
        self._depths = None if depths is None else np.asarray(depths, dtype=np.float64)
        if self._depths is not None and (self._depths.shape != (count,) or not np.isfinite(self._depths).all()):
            raise ValueError(f"expected finite depths ({count},), got shape {self._depths.shape}")
        self.size = image.shape[1], image.shape[0]
        bounds = [[reduce(self._place(index), axis=0) for reduce in (np.min, np.max)] for index in range(count)]
        self._boxes = np.array(bounds).reshape(count, 2, 3)

    def __len__(self) -> int:
        return len(self._meshes)

    @property
    def area(self) -> Area:
        """Pixels that people may cover."""
        return pixel_area(self._boxes[..., :2], self.size)

    def area_of(self, index: int) -> Area:
        """Pixels that a person may cover."""
        return pixel_area(self._boxes[index, :, :2], self.size)

    def points(self, index: int) -> np.ndarray:
        """(V, 3) screen points of a person."""
        points = self._place(index)
        points[:, 2] = _DEPTH * _unit(points[:, 2], self._boxes[:, 0, 2].min(), self._boxes[:, 1, 2].max())
        return points

    def shaded(self, index: int) -> np.ndarray:
        """(V, 3) red, green, blue in 0..1 of a person's vertices."""
        return shade(self._mesh(index), self.faces[index], self._colours[index])

    def _mesh(self, index: int) -> np.ndarray:
        return self._meshes[index].astype(np.float64)

    def _place(self, index: int) -> np.ndarray:
        """(V, 3) screen x and y, and a z that is yet to be scaled."""
        points, camera = self._mesh(index), self._cameras[index]
        points[:, :2] = (points[:, :2] + camera[2:]) * camera[:2]
        z = points[:, 2]
        # without depths each person gets a layer of depth, the last one the nearest
        points[:, 2] = _unit(z, z.min(), z.max()) - 2 * index if self._depths is None else z + self._depths[index]
        return points


def _unit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Moved and scaled from low..high to -1..1."""
    return (values - (low + high) / 2) / max((high - low) / 2, 1e-9)
