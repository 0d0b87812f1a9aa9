"""Pictures of meshes: software or GPU OpenGL through pyrender where it works, matplotlib elsewhere.

Nothing here touches OpenGL before a picture is asked for: the backend is chosen when a ``MeshRenderer`` is made
(EGL, then OSMesa, then matplotlib). All backends draw the same shaded vertex colours under the same camera, so
their pictures agree up to anti-aliasing.

Frames: vertices in metres, x right, y down, z away from the viewer (the network's frame). Images are uint8 in
OpenCV's channel order (blue, green, red); colours are given as (red, green, blue) in 0..1.
"""

import colorsys
import ctypes
import ctypes.util
import os
import random

import cv2
import numpy as np

BACKENDS = ("egl", "osmesa", "matplotlib")

# Directions towards the lights and their strengths: a key light from the viewer's upper left, a weak one from the right
_LIGHTS = ((np.array([-0.60, -0.60, -0.55]), 0.66), (np.array([0.85, -0.05, -0.35]), 0.16))
_AMBIENT_TOP, _AMBIENT_BOTTOM = 0.40, 0.22
_GLOSS, _GLOSS_POWER = 0.16, 24.0


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
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return (vertices - centre) @ rotation.T + centre


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3), outward for faces that turn counter-clockwise seen from outside."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], face_normals)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def shade(vertices: np.ndarray, faces: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """Vertex colours (V, 3) in 0..1 under two lights, sky light from above and a slight gloss."""
    normals = vertex_normals(vertices, faces)
    up = 0.5 - 0.5 * normals[:, 1]
    light = _AMBIENT_BOTTOM + (_AMBIENT_TOP - _AMBIENT_BOTTOM) * up
    gloss = np.zeros(len(vertices))
    for direction, strength in _LIGHTS:
        direction = direction / np.linalg.norm(direction)
        light = light + strength * np.clip(normals @ direction, 0, None)
        halfway = direction + np.array([0.0, 0.0, -1.0])
        gloss += strength * np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0, None) ** _GLOSS_POWER
    return np.clip(light[:, None] * np.asarray(colour) + _GLOSS * gloss[:, None], 0, 1)


class MeshRenderer:
    """Draws meshes over pictures.

    Args:
        backend: ``auto`` or one of ``BACKENDS``; auto takes the first that works on this machine.

    Attributes:
        backend: the one in use.
        note: one line that says which one and, for the fallback, why.

    Raises:
        ValueError: unknown backend.
        RuntimeError: a backend was asked for by name and does not work here.
    """

    def __init__(self, backend: str = "auto"):
        if backend not in ("auto", *BACKENDS):
            raise ValueError(f"unknown render backend {backend!r}; choose auto or one of {', '.join(BACKENDS)}")
        reasons = []
        for candidate in BACKENDS if backend == "auto" else (backend,):
            reason = _unavailable(candidate)
            if reason is None:
                break
            reasons.append(reason)
        else:
            raise RuntimeError(f"render backend {backend!r} does not work here: {reasons[-1]}")
        self._auto = backend == "auto"
        self.backend = candidate
        self.note = f"{candidate} (OpenGL)" if candidate != "matplotlib" else _fallback_note(reasons)

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
        vertices = np.asarray(vertices, dtype=np.float64)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or not np.isfinite(vertices).all():
            raise ValueError(f"expected finite vertices (V, 3), got shape {vertices.shape}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}")
        colours = shade(vertices, faces, person_colour() if colour is None else colour)
        points = _screen_points(vertices, np.asarray(camera, dtype=np.float64))
        if self.backend != "matplotlib":
            try:
                return _composite(_draw_opengl(self.backend, points, faces, colours, image.shape), image)
            # drivers fail in many ways (assertions, GL errors, missing symbols); auto promises a picture regardless
            except Exception as error:
                if not self._auto:
                    raise RuntimeError(f"render backend {self.backend!r} failed: {error!r}") from error
                self.backend, self.note = "matplotlib", _fallback_note([f"{self.backend} failed: {error!r}"])
        return _composite(_draw_matplotlib(points, faces, colours, image.shape), image)


def render_mesh(
    vertices: np.ndarray,
    faces: np.ndarray,
    image: np.ndarray,
    camera: np.ndarray,
    colour: tuple[float, float, float] | None = None,
    backend: str = "auto",
) -> np.ndarray:
    """One picture; see ``MeshRenderer.render``."""
    return MeshRenderer(backend).render(vertices, faces, image, camera, colour)


def _fallback_note(reasons: list[str]) -> str:
    why = f"; no OpenGL: {'; '.join(reasons)}" if reasons else ""
    return f"matplotlib (triangles sorted by depth{why})"


def _unavailable(backend: str) -> str | None:
    """Why a backend cannot work here, or None. Looks at libraries only: PyOpenGL can be bound once per process."""
    if backend == "matplotlib":
        return None
    chosen = os.environ.get("PYOPENGL_PLATFORM")
    if chosen in ("egl", "osmesa") and chosen != backend:
        return f"PYOPENGL_PLATFORM={chosen} is set"
    return _egl_problem() if backend == "egl" else _osmesa_problem()


def _osmesa_problem() -> str | None:
    return None if ctypes.util.find_library("OSMesa") else "no OSMesa library (Debian/Ubuntu: libosmesa6)"


def _egl_problem() -> str | None:
    """None when the EGL device that pyrender will take can be initialised."""
    name = ctypes.util.find_library("EGL")
    if name is None:
        return "no EGL library (Debian/Ubuntu: libegl1 libgl1-mesa-dri)"
    try:
        egl = ctypes.CDLL(name)
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
        query = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
        display_of = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
        if not query or not display_of:
            return "EGL without device support"
        index = int(os.environ.get("EGL_DEVICE_ID", "0"))
        devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int()
        query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))(query)
        if not query(16, devices, ctypes.byref(count)) or count.value <= index:
            return "EGL finds no device"
        display_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_of)
        platform_device = 0x313F  # EGL_PLATFORM_DEVICE_EXT
        display = display_of(platform_device, devices[index], None)
        egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        if not display or not egl.eglInitialize(display, None, None):
            return "EGL device cannot be initialised"
    except (OSError, AttributeError, ValueError) as error:
        return f"EGL does not load: {error}"
    return None


def _screen_points(vertices: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(V, 3): x, y in -1..1 across the picture (y down), z in -0.9..0.9 with the nearest at -0.9."""
    sx, sy, tx, ty = camera
    z = vertices[:, 2]
    reach = max(float(z.max() - z.min()) / 2, 1e-9)
    # the original clipped what lies more than 1 m before or behind the root; only the order in depth matters here
    depth = (z - (z.max() + z.min()) / 2) / reach * 0.9
    return np.stack([(vertices[:, 0] + tx) * sx, (vertices[:, 1] + ty) * sy, depth], axis=1)


def _composite(rgba: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Lay premultiplied (H, W, 4) red-green-blue-alpha uint8 over a blue-green-red picture."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    out = rgba[..., 2::-1] + image * (1 - alpha)
    return np.clip(out + 0.5, 0, 255).astype(np.uint8)


def _draw_opengl(
    platform: str, points: np.ndarray, faces: np.ndarray, colours: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """(H, W, 4) premultiplied RGBA by pyrender."""
    os.environ["PYOPENGL_PLATFORM"] = platform  # read by PyOpenGL at its first import
    import pyrender

    class ScreenCamera(pyrender.camera.Camera):
        """The points are screen coordinates already; OpenGL's y points up and its near plane is at -1."""

        def get_projection_matrix(self, width=None, height=None):
            return np.diag([1.0, -1.0, 1.0, 1.0])

    primitive = pyrender.Primitive(
        positions=points.astype(np.float32),
        indices=np.asarray(faces, dtype=np.uint32),
        color_0=np.concatenate([colours, np.ones((len(colours), 1))], axis=1).astype(np.float32),
        material=pyrender.MetallicRoughnessMaterial(baseColorFactor=(1.0, 1.0, 1.0, 1.0), doubleSided=True),
        mode=pyrender.constants.GLTF.TRIANGLES,
    )
    scene = pyrender.Scene(bg_color=(0, 0, 0, 0))
    scene.add(pyrender.Mesh([primitive]))
    scene.add(ScreenCamera(znear=0.1, zfar=10.0))
    renderer = pyrender.OffscreenRenderer(shape[1], shape[0])
    try:
        # FLAT: vertex colours as they are; pyrender's lights would need numpy 1 (np.infty) for shadows and bounds
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA | pyrender.RenderFlags.SKIP_CULL_FACES
        colour, depth = renderer.render(scene, flags=flags)
    finally:
        renderer.delete()
    if colour.shape[2] == 3:  # OSMesa gives no alpha
        colour = np.dstack([colour, np.where(depth > 0, 255, 0).astype(np.uint8)])
    return colour


def _draw_matplotlib(points: np.ndarray, faces: np.ndarray, colours: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W, 4) premultiplied RGBA by depth-sorted, smoothly coloured triangles."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.transforms import IdentityTransform

    height, width = shape[:2]
    pixels = (points[:, :2] + 1) * np.array([width, height]) / 2
    x0, y0 = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 1, 0, [width, height]).tolist()
    x1, y1 = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 1, 0, [width, height]).tolist()
    rgba = np.zeros((height, width, 4), dtype=np.uint8)
    if x0 >= x1 or y0 >= y1:
        return rgba
    size = (x1 - x0, y1 - y0)
    # drawn larger and averaged, for smooth edges; Agg widens each triangle by half a (small) pixel against seams
    factor = 4 if size[0] * size[1] <= 1_000_000 else 2
    renderer = RendererAgg(size[0] * factor, size[1] * factor, 100)
    canvas_points = np.stack([pixels[:, 0] - x0, y1 - pixels[:, 1]], axis=1) * factor  # its y points up
    order = np.argsort(-points[faces, 2].mean(axis=1), kind="stable")
    opaque = np.concatenate([colours, np.ones((len(colours), 1))], axis=1)
    triangles = faces[order]
    renderer.draw_gouraud_triangles(renderer.new_gc(), canvas_points[triangles], opaque[triangles], IdentityTransform())
    drawn = np.array(renderer.buffer_rgba())
    for channel in range(3):
        drawn[..., channel] = cv2.multiply(drawn[..., channel], drawn[..., 3], scale=1 / 255)
    rgba[y0:y1, x0:x1] = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    return rgba
