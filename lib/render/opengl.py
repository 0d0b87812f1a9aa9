"""Rasterising with OpenGL through pyrender, without a display: EGL (a GPU or Mesa's software driver) or OSMesa.

Nothing here loads OpenGL before a context is made.
"""

import ctypes
import ctypes.util
import os
from typing import Any

import numpy as np

PLATFORMS = ("egl", "osmesa")


def problem(platform: str) -> str | None:
    """Why a platform cannot work here, or None. Looks at libraries only: PyOpenGL can be bound once per process."""
    chosen = os.environ.get("PYOPENGL_PLATFORM")
    if chosen in PLATFORMS and chosen != platform:
        return f"PYOPENGL_PLATFORM={chosen} is set"
    return egl_problem() if platform == "egl" else osmesa_problem()


def osmesa_problem() -> str | None:
    """None when there is an OSMesa library."""
    return None if ctypes.util.find_library("OSMesa") else "no OSMesa library (Debian/Ubuntu: libosmesa6)"


def egl_problem() -> str | None:
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


class GLContext:
    """One OpenGL context, kept for any number of pictures of any size.

    Args:
        platform: one of ``PLATFORMS``.
    """

    def __init__(self, platform: str):
        os.environ["PYOPENGL_PLATFORM"] = platform  # read by PyOpenGL at its first import
        import pyrender

        class ScreenCamera(pyrender.camera.Camera):
            """The points are screen coordinates already; OpenGL's y points up and its near plane is at -1."""

            def get_projection_matrix(self, width=None, height=None):
                return np.diag([1.0, -1.0, 1.0, 1.0])

        self._pyrender = pyrender
        self._camera = ScreenCamera(znear=0.1, zfar=10.0)
        self._renderer: Any = None  # an OffscreenRenderer from the first picture on

    def draw(
        self, points: list[np.ndarray], faces: list[np.ndarray], colours: list[np.ndarray], size: tuple[int, int]
    ) -> np.ndarray:
        """Rasterise people; arguments and result as in ``lib.render.software.draw``; faces (F, 3) of each."""
        pyrender = self._pyrender
        ends = np.cumsum([len(own) for own in points])
        rgba = np.concatenate([np.concatenate(colours), np.ones((ends[-1], 1))], axis=1)
        primitive = pyrender.Primitive(
            positions=np.concatenate(points).astype(np.float32),
            indices=np.concatenate([own + first for own, first in zip(faces, [0, *ends])]).astype(np.uint32),
            color_0=rgba.astype(np.float32),
            material=pyrender.MetallicRoughnessMaterial(baseColorFactor=(1.0, 1.0, 1.0, 1.0), doubleSided=True),
            mode=pyrender.constants.GLTF.TRIANGLES,
        )
        scene = pyrender.Scene(bg_color=(0, 0, 0, 0))
        scene.add(pyrender.Mesh([primitive]))
        scene.add(self._camera)
        if self._renderer is None:
            self._renderer = pyrender.OffscreenRenderer(*size)
        self._renderer.viewport_width, self._renderer.viewport_height = size
        # FLAT: vertex colours as they are; pyrender's lights would need numpy 1 (np.infty) for shadows and bounds
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA | pyrender.RenderFlags.SKIP_CULL_FACES
        colour, depth = self._renderer.render(scene, flags=flags)
        if colour.shape[2] == 3:  # OSMesa gives no alpha
            colour = np.dstack([colour, np.where(depth > 0, 255, 0).astype(np.uint8)])
        return colour

    def close(self) -> None:
        """Free the context; the next picture makes a new one."""
        if self._renderer is not None:
            self._renderer.delete()
            self._renderer = None
