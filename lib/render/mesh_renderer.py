"""Pictures of meshes, one person or several, one picture or a video's worth.

Backends: ``software``, a z-buffer in NumPy that works everywhere, and OpenGL through pyrender (``egl``, ``osmesa``),
which needs more than a second to start and is then a few times faster. All draw the same shaded vertex colours under
the same camera, so their pictures agree up to anti-aliasing. Nothing here touches OpenGL before a picture is asked
for.

Frames: vertices in metres, x right, y down, z away from the viewer (the network's frame). Images are uint8 in
OpenCV's channel order (blue, green, red); colours are given as (red, green, blue) in 0..1.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from lib.render import opengl, software
from lib.render.scene import Scene
from lib.render.shading import Colour, person_colour, rotate_view, shade, vertex_normals

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
        colour: Colour | None = None,
    ) -> np.ndarray:
        """Draw a mesh over a picture.

        Args:
            vertices: (V, 3) metres, x right, y down, z away from the viewer.
            faces: (F, 3) vertex indices.
            image: (H, W, 3) uint8, blue-green-red; not modified.
            camera: (4,) sx, sy, tx, ty of the image (``crop_to_image_camera``).
            colour: (r, g, b) in 0..1, or (V, 3) of each vertex; None takes ``person_colour()``.

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
        meshes: np.ndarray | Sequence[np.ndarray],
        faces: np.ndarray | Sequence[np.ndarray],
        image: np.ndarray,
        cameras: np.ndarray,
        colours: Sequence[Colour] | None = None,
        depths: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw several people over a picture, nearer ones before farther ones.

        Args:
            meshes: (N, V, 3) metres, or N times (V, 3), x right, y down, z away from the viewer; N may be 0.
            faces: (F, 3) vertex indices, of everybody or one array for each person.
            image: (H, W, 3) uint8, blue-green-red; not modified.
            cameras: (N, 4) sx, sy, tx, ty of the image (``crop_to_image_camera``).
            colours: N times (r, g, b) in 0..1, or (V, 3) of each vertex; None takes ``person_colour(index)``.
            depths: (N,) metres from the viewer, added to z: what is nearer covers what is farther, in each pixel.
                None draws in the order given, later people over earlier ones.

        Returns:
            (H, W, 3) uint8, blue-green-red.

        Raises:
            ValueError: wrong shapes, NaN or infinite vertices, cameras or depths.
        """
        scene = Scene(meshes, faces, image, cameras, colours, depths)
        picture, area = image.copy(), scene.area
        if not len(scene) or not image[area].size:
            return picture
        if self.backend == "software":
            canvas = software.Canvas(scene.size, area)
            for index in range(len(scene)):
                canvas.add(scene.points(index), scene.faces[index], scene.shaded(index))
            rgba = canvas.rgba(area)
        else:
            rgba = self._draw_some(scene, range(len(scene)), area)
        picture[area] = _composite(rgba, image[area])
        return picture

    def render_series(
        self,
        meshes: np.ndarray | Sequence[np.ndarray],
        faces: np.ndarray | Sequence[np.ndarray],
        image: np.ndarray,
        cameras: np.ndarray,
        colours: Sequence[Colour] | None = None,
        depths: np.ndarray | None = None,
    ) -> Iterator[tuple[np.ndarray, slice]]:
        """Add people to a picture one after the other; each is drawn once, in memory that their number does not change.

        Arguments and errors are those of ``render_people``. The last picture is that of ``render_people``.

        Yields:
            for each person: the picture (H, W, 3), the same array each time, and its rows that may have changed.
        """
        scene = Scene(meshes, faces, image, cameras, colours, depths)
        picture = image.copy()
        canvas = software.Canvas(scene.size, scene.area) if self.backend == "software" else None
        for index in range(len(scene)):
            area = scene.area_of(index)
            if image[area].size:
                if canvas is not None:
                    canvas.add(scene.points(index), scene.faces[index], scene.shaded(index))
                    rgba = canvas.rgba(area)
                else:  # OpenGL keeps nothing between pictures: those before who stand in the same place are drawn again
                    near = [other for other in range(index) if _meet(scene.area_of(other), area)]
                    rgba = self._draw_some(scene, [*near, index], area)
                picture[area] = _composite(rgba, image[area])
            yield picture, area[0]

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

    def _draw_some(self, scene: Scene, people: Sequence[int], area: software.Area) -> np.ndarray:
        """(h, w, 4) premultiplied RGBA of some people in an area of the picture."""
        corners = np.array([[part.start, part.stop] for part in area[::-1]]).T * 2 / scene.size - 1
        points = [scene.points(index) for index in people]
        for own in points:
            own[:, :2] = (2 * own[:, :2] - corners.sum(axis=0)) / (corners[1] - corners[0])
        shaded = [scene.shaded(index) for index in people]
        rows, columns = area
        faces = [scene.faces[index] for index in people]
        return self._draw(points, faces, shaded, (columns.stop - columns.start, rows.stop - rows.start))

    def _draw(self, points: list, faces: list, colours: list, size: tuple[int, int]) -> np.ndarray:
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


def _meet(one: software.Area, other: software.Area) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other))


def _composite(rgba: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Premultiplied (h, w, 4) red-green-blue-alpha uint8 over blue-green-red (h, w, 3)."""
    through = cv2.cvtColor(255 - rgba[..., 3], cv2.COLOR_GRAY2BGR)
    return cv2.add(cv2.multiply(below, through, scale=1 / 255), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR))
