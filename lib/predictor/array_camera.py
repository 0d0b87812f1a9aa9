"""The weak-perspective camera of poses in numpy: what ``lib.geometry.camera_fit`` and ``crop`` compute with PyTorch."""

import math

import numpy as np

CROP_SIZE, BOX_SCALE = 500, 1.25  # pixels of the crop that cameras are fitted in; its box over the pose's
_MIN_SCALE_RATIO = 1e-3


def camera_crop(pose2d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square boxes (B, 4) around poses (B, J, 2) in pixels, and the poses in their 500 x 500 crops (B, J, 2)."""
    low = pose2d.min(axis=1)
    size = pose2d.max(axis=1) - low - 1
    centre = low + size / 2
    side = BOX_SCALE * size.max(axis=1, keepdims=True)
    box = np.concatenate([centre - side / 2, side, side], axis=1)
    return box, (pose2d - centre[:, None]) * (CROP_SIZE / side[:, None]) + CROP_SIZE / 2


def fit_weak_perspective(joints: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cameras s, tx, ty (B, 3) and residuals (B,) of joints (B, n, 3), metres, seen at targets (B, n, 2), crop pixels.

    The exact least mean absolute distance; ``lib.geometry.camera_fit.fit_weak_perspective`` says how.

    Raises:
        ValueError: NaN or infinite values, or all joints of a pose in one point.
    """
    half = CROP_SIZE / 2
    source = joints[..., :2].astype(np.float64).swapaxes(1, 2)  # (B, 2, n)
    goal = ((target - half) / half).swapaxes(1, 2)
    if not (np.isfinite(source).all() and np.isfinite(goal).all()):
        raise ValueError("camera fit: joints or targets contain NaN or infinite values")
    spread, wanted = _spread(source), _spread(goal)
    if ((spread <= 1e-9) | (wanted <= 1e-9)).any():
        raise ValueError("camera fit: all joints of a pose lie in one point")
    scale = _best_scale(source, goal, _MIN_SCALE_RATIO * wanted / spread)
    residuals = goal - scale[:, None, None] * source
    shift = np.median(residuals, axis=2)
    error = np.abs(residuals - shift[..., None]).mean(axis=(1, 2)) * half
    return np.concatenate([scale[:, None], shift / scale[:, None]], axis=1), error


def _spread(points: np.ndarray) -> np.ndarray:
    return np.abs(points - points.mean(axis=2, keepdims=True)).mean(axis=(1, 2))


def _best_scale(source: np.ndarray, goal: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """argmin over s >= lower (B,) of ``sum |goal - s*source - median|`` for source, goal (B, 2, n)."""
    n = source.shape[2]
    i, j = np.triu_indices(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        corners = ((goal[..., i] - goal[..., j]) / (source[..., i] - source[..., j])).reshape(len(source), -1)
    lower = lower[:, None]
    corners = np.where(np.isfinite(corners), corners, lower)  # joints on one vertical have no corner
    corners = np.sort(np.concatenate([np.maximum(corners, lower), lower], axis=1), axis=1)
    sign = np.where(np.arange(n) < n // 2, -1.0, 1.0)  # upper half minus lower half: its subgradient by ranks
    sign[n // 2] *= 1 - n % 2

    def value_and_slope(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residuals = goal - np.take_along_axis(corners, place[:, None], 1)[..., None] * source
        order = residuals.argsort(axis=2, kind="stable")
        value = (np.take_along_axis(residuals, order, 2) * sign).sum(axis=(1, 2))
        return value, -(np.take_along_axis(source, order, 2) * sign).sum(axis=(1, 2))

    low = np.zeros(len(source), dtype=np.int64)
    high = np.full_like(low, corners.shape[1] - 1)
    for _ in range(math.ceil(math.log2(corners.shape[1])) + 1):
        middle = (low + high) // 2
        _, slope = value_and_slope(middle)
        low[slope <= 0] = middle[slope <= 0]
        high[slope >= 0] = middle[slope >= 0]
    better = value_and_slope(low)[0] <= value_and_slope(high)[0]
    return np.take_along_axis(corners, np.where(better, low, high)[:, None], 1)[:, 0]


def crop_to_image_camera(camera: np.ndarray, box: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Cameras (B, 4) of an image of (width, height) from those (B, 3) of square crops (B, 4).

    A point (x, y) lands at ``((x + tx) * sx + 1) * W/2``, ``((y + ty) * sy + 1) * H/2``.
    """
    size = np.asarray(image_size, dtype=np.float64)
    centre = box[:, :2] + box[:, 2:] / 2
    scale = camera[:, :1] * box[:, 3:4] / size
    return np.concatenate([scale, camera[:, 1:3] + (centre - size / 2) / (size / 2) / scale], axis=1)
