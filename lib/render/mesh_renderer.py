"""Pictures of meshes, one person or several, one picture or a video's worth.

Backends: ``software``, a z-buffer in NumPy that works everywhere, and OpenGL through pyrender (``egl``, ``osmesa``),
which needs more than a second to start and is then a few times faster. All draw the same shaded vertex colours under
the same camera, so their pictures agree up to anti-aliasing. Nothing here touches OpenGL before a picture is asked
for.

Frames: vertices in metres, x right, y down, z away from the viewer (the network's frame). Images are uint8 in
OpenCV's channel order (blue, green, red); colours are given as (red, green, blue) in 0..1.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from lib.render import opengl, software
from lib.render.shading import person_colour, rotate_view, shade, vertex_normals

__all__ = ["BACKENDS", "MeshRenderer", "person_colour", "render_mesh", "rotate_view", "shade", "vertex_normals"]

BACKENDS = (*opengl.PLATFORMS, "software")
# auto takes OpenGL for as many pictures as make up for its start
_MANY_PICTURES = 12


class MeshRenderer:
    """Draws meshes over pictures. Its OpenGL context is made once; ``close`` or a ``with`` block frees it.

    Args:
        backend: one of ``BACKENDS``, or ``auto``: software for a few pictures; for many the first OpenGL backend that
            works on this machine, else software.
        pictures: about how many pictures will be drawn, for ``auto``.

    Attributes:
        backend: the one in use.
        note: one line that says which one and, where OpenGL was wanted and does not work, why.

    Raises:
        ValueError: unknown backend.
        RuntimeError: a backend was asked for by name and does not work here.
    """

    def __init__(self, backend: str = "auto", pictures: int = 1):
        if backend not in ("auto", *BACKENDS):
            raise ValueError(f"unknown render backend {backend!r}; choose auto or one of {', '.join(BACKENDS)}")
        self._auto = backend == "auto"
        self._context: opengl.GLContext | None = None
        automatic = BACKENDS if pictures >= _MANY_PICTURES else ("software",)
        problems = []
        for candidate in automatic if self._auto else (backend,):
            problem = None if candidate == "software" else opengl.problem(candidate)
            if problem is None:
                break
            problems.append(problem)
        else:
            raise RuntimeError(f"render backend {backend!r} does not work here: {problems[-1]}")
        self._use(candidate, problems)

    def render(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        image: np.ndarray,
        camera: np.ndarray,
        colour: tuple[float, float, float] | None = None,
    ) -> np.ndarray:
        """Draw a mesh over a picture.

        Args:
            vertices: (V, 3) metres, x right, y down, z away from the viewer.
            faces: (F, 3) vertex indices.
            image: (H, W, 3) uint8, blue-green-red; not modified.
            camera: (4,) sx, sy, tx, ty of the image (``crop_to_image_camera``).
            colour: (r, g, b) in 0..1; None takes ``person_colour()``.

        Returns:
            (H, W, 3) uint8, blue-green-red.

        Raises:
            ValueError: wrong shapes, NaN or infinite vertices.
        """
        vertices = np.asarray(vertices)
        if vertices.ndim != 2:
            raise ValueError(f"expected finite vertices (V, 3), got shape {vertices.shape}")
        colour = person_colour() if colour is None else colour
        return self.render_people(vertices[None], faces, image, np.asarray(camera)[None], [colour])

    def render_people(
        self,
        meshes: np.ndarray,
        faces: np.ndarray,
        image: np.ndarray,
        cameras: np.ndarray,
        colours: Sequence[tuple[float, float, float]] | None = None,
        depths: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw several people over a picture, nearer ones before farther ones.

        Args:
            meshes: (N, V, 3) metres, x right, y down, z away from the viewer; N may be 0.
            faces: (F, 3) vertex indices.
            image: (H, W, 3) uint8, blue-green-red; not modified.
            cameras: (N, 4) sx, sy, tx, ty of the image (``crop_to_image_camera``).
            colours: N times (r, g, b) in 0..1; None takes ``person_colour(index)``.
            depths: (N,) metres from the viewer, added to z: what is nearer covers what is farther, in each pixel.
                None draws in the order given, later people over earlier ones.

        Returns:
            (H, W, 3) uint8, blue-green-red.

        Raises:
            ValueError: wrong shapes, NaN or infinite vertices, cameras or depths.
        """
        meshes, faces = np.asarray(meshes, dtype=np.float64), np.asarray(faces)
        cameras = np.asarray(cameras, dtype=np.float64)
        if meshes.ndim != 3 or meshes.shape[2] != 3 or not np.isfinite(meshes).all():
            raise ValueError(f"expected finite vertices (N, V, 3), got shape {meshes.shape}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}")
        count = len(meshes)
        if cameras.shape != (count, 4) or not np.isfinite(cameras).all():
            raise ValueError(f"expected finite cameras ({count}, 4), got shape {cameras.shape}")
        colours = [person_colour(index) for index in range(count)] if colours is None else colours
        if len(colours) != count:
            raise ValueError(f"{count} meshes have {len(colours)} colours")
        if depths is not None:
            depths = np.asarray(depths, dtype=np.float64)
            if depths.shape != (count,) or not np.isfinite(depths).all():
                raise ValueError(f"expected finite depths ({count},), got shape {depths.shape}")
        if not count:
            return image.copy()
        shaded = np.stack([shade(mesh, faces, colour) for mesh, colour in zip(meshes, colours)])
        points = _screen_points(meshes, cameras, depths)
        return _composite(self._draw(points, faces, shaded, (image.shape[1], image.shape[0])), image)

    def close(self) -> None:
        """Free what the backend holds; a renderer that is used again makes it anew."""
        if self._context is not None:
            self._context.close()
            self._context = None

    def __enter__(self) -> "MeshRenderer":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close()

    def _use(self, backend: str, problems: Sequence[str]) -> None:
        self.backend = backend
        if backend == "software":
            why = f"; no OpenGL: {'; '.join(problems)}" if problems else ""
            self.note = f"software (z-buffer in NumPy{why})"
        else:
            self.note = f"{backend} (OpenGL)"

    def _draw(self, points: np.ndarray, faces: np.ndarray, colours: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(H, W, 4) premultiplied RGBA."""
        if self.backend != "software":
            try:
                if self._context is None:
                    self._context = opengl.GLContext(self.backend)
                return self._context.draw(points, faces, colours, size)
            # drivers fail in many ways (assertions, GL errors, missing symbols); auto promises a picture regardless
            except Exception as error:
                if not self._auto:
                    raise RuntimeError(f"render backend {self.backend!r} failed: {error!r}") from error
                self._context = None
                self._use("software", [f"{self.backend} failed: {error!r}"])
        return software.draw(points, faces, colours, size)


def render_mesh(
    vertices: np.ndarray,
    faces: np.ndarray,
    image: np.ndarray,
    camera: np.ndarray,
    colour: tuple[float, float, float] | None = None,
    backend: str = "auto",
) -> np.ndarray:
    """One picture; see ``MeshRenderer.render``."""
    with MeshRenderer(backend) as renderer:
        return renderer.render(vertices, faces, image, camera, colour)


def _screen_points(meshes: np.ndarray, cameras: np.ndarray, depths: np.ndarray | None) -> np.ndarray:
    """(N, V, 3): x, y in -1..1 across the picture (y down), z in -0.9..0.9 with the nearest at -0.9.

    The original clipped what lies more than 1 m before or behind the root; only the order in depth matters here.
    """
    xy = (meshes[..., :2] + cameras[:, None, 2:]) * cameras[:, None, :2]
    # without depths each person gets a layer of depth, the last one the nearest
    layers = _unit(meshes[..., 2], axis=1) - 2 * np.arange(len(meshes))[:, None]
    z = layers if depths is None else meshes[..., 2] + depths[:, None]
    return np.concatenate([xy, 0.9 * _unit(z, axis=None)[..., None]], axis=2)


def _unit(values: np.ndarray, axis: int | None) -> np.ndarray:
    """Moved and scaled to -1..1."""
    low, high = values.min(axis=axis, keepdims=True), values.max(axis=axis, keepdims=True)
    return (values - (low + high) / 2) / np.maximum((high - low) / 2, 1e-9)


def _composite(rgba: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Lay premultiplied (H, W, 4) red-green-blue-alpha uint8 over a blue-green-red picture."""
    out = image.copy()
    x, y, width, height = cv2.boundingRect(cv2.extractChannel(rgba, 3))
    if width and height:
        drawn, below = rgba[y : y + height, x : x + width], out[y : y + height, x : x + width]
        through = cv2.cvtColor(255 - drawn[..., 3], cv2.COLOR_GRAY2BGR)
        below[...] = cv2.add(cv2.multiply(below, through, scale=1 / 255), cv2.cvtColor(drawn, cv2.COLOR_RGBA2BGR))
    return out
