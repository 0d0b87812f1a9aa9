"""From the weak-perspective camera of each person to one perspective camera for all.

A weak-perspective camera has no distances: every person stands in a frame of its own. With a focal length the size in
the picture tells how far away a person is, and all of them stand in one scene, in the frame of the camera (x right,
y down, z forward, metres).
"""

import numpy as np


def default_focal(image_size: tuple[int, int]) -> float:
    """Focal length in pixels for a picture (width, height) of unknown origin: its diagonal, a view of 53 degrees.

    A phone's or camera's own value is better: focal length in millimetres / sensor width in millimetres * image width.
    """
    return float(np.hypot(*image_size))


def full_perspective(camera: np.ndarray, image_size: tuple[int, int], focal: float | None = None) -> np.ndarray:
    """Where mesh origins stand before a perspective camera that shows them at the same place and size.

    Args:
        camera: (N, 4) sx, sy, tx, ty of ``lib.geometry.camera_fit.crop_to_image_camera``.
        image_size: width and height, pixels.
        focal: focal length in pixels, principal point in the middle; None takes ``default_focal``.

    Returns:
        (N, 3) metres: mesh + translation is in the camera's frame. Projected with ``project_perspective`` the origin's
        plane agrees with the weak camera; nearer parts become larger.

    Raises:
        ValueError: wrong shape, scales or focal length that are not positive.
    """
    camera = np.asarray(camera, dtype=np.float64)
    if camera.ndim != 2 or camera.shape[1] != 4:
        raise ValueError(f"expected cameras (N, 4) as sx, sy, tx, ty, got {camera.shape}")
    focal = default_focal(image_size) if focal is None else float(focal)
    if not (np.isfinite(focal) and focal > 0):
        raise ValueError(f"focal length must be a positive number of pixels, got {focal}")
    pixels_per_metre = camera[:, :2] * np.asarray(image_size) / 2
    if not (pixels_per_metre > 0).all():
        raise ValueError("cameras have scales that are not positive")
    depth = focal / pixels_per_metre.mean(axis=1)
    # the weak camera shows point x at (x + t) * pixels_per_metre from the middle of the picture
    shift = camera[:, 2:] * pixels_per_metre * depth[:, None] / focal
    return np.concatenate([shift, depth[:, None]], axis=1)


def place_people(
    vertices: np.ndarray, camera: np.ndarray, image_size: tuple[int, int], focal: float | None = None
) -> np.ndarray:
    """Meshes (N, V, 3) in metres, moved from frames of their own into that of one camera (``full_perspective``)."""
    return np.asarray(vertices) + full_perspective(camera, image_size, focal)[:, None].astype(np.float32)


def project_perspective(points: np.ndarray, image_size: tuple[int, int], focal: float | None = None) -> np.ndarray:
    """Pixels (..., 2) of points (..., 3) in metres in the camera's frame; principal point in the middle."""
    focal = default_focal(image_size) if focal is None else focal
    return focal * points[..., :2] / points[..., 2:] + np.asarray(image_size) / 2
