"""Cameras, person boxes, rigid alignment and other coordinate helpers.

Two families with one formula each: batched torch functions for training, and the original release's NumPy functions
for single samples, which call them. The NumPy functions never write into their arguments.
"""

import numpy as np
import torch

from lib.core import metrics

CROP_WIDTH, CROP_HEIGHT = 288, 384  # virtual crop of the 2D poses, pixels
CROP_ASPECT = CROP_WIDTH / CROP_HEIGHT


def to_tensor(values, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy an array as a tensor of ``dtype``; None keeps floating point types and turns whole numbers to float64.

    Whole-number coordinates must never be computed on as such: every step would truncate them.
    """
    values = np.array(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    return torch.from_numpy(values).to(dtype)


def project(points: torch.Tensor, focal: torch.Tensor, princpt: torch.Tensor) -> torch.Tensor:
    """Perspective projection of camera coordinates.

    Args:
        points: (..., N, 3) in the camera frame, any length unit.
        focal: (..., 2) focal lengths, pixels.
        princpt: (..., 2) principal point, pixels.

    Returns:
        (..., N, 2) image coordinates, pixels.
    """
    return points[..., :2] / points[..., 2:3] * focal[..., None, :] + princpt[..., None, :]


def tight_boxes(joints: torch.Tensor) -> torch.Tensor:
    """Smallest boxes around all joints, whatever their visibility.

    Args:
        joints: (..., J, >=2), x and y first, pixels.

    Returns:
        (..., 4) x, y, width, height, pixels.
    """
    low = joints[..., :2].amin(dim=-2)
    high = joints[..., :2].amax(dim=-2)
    return torch.cat([low, high - low], dim=-1)


def process_boxes(
    boxes: torch.Tensor, aspect_ratio: float = CROP_ASPECT, scale: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Grow boxes to an aspect ratio, around their centres, as the released models were trained with.

    Width and height lose one pixel first (a box of w pixels spans w - 1 between pixel centres), which also moves the
    centre by half a pixel.

    Args:
        boxes: (..., 4) x, y, width, height, pixels, floating point.
        aspect_ratio: width / height of the result.
        scale: enlargement of the result around its centre.

    Returns:
        boxes (..., 4) and valid (...) bool. A box is invalid when it is narrower or lower than one pixel, or when
        nothing is left of it (1 x 1 pixel); the numbers of an invalid box mean nothing.
    """
    size = boxes[..., 2:] - 1
    centre = boxes[..., :2] + size / 2
    width = torch.maximum(size[..., 0], size[..., 1] * aspect_ratio)
    height = torch.maximum(size[..., 1], size[..., 0] / aspect_ratio)
    grown = torch.stack([width, height], dim=-1) * scale
    valid = (size >= 0).all(dim=-1) & (grown > 0).all(dim=-1)
    return torch.cat([centre - grown / 2, grown], dim=-1), valid


def get_bbox(joint_img: np.ndarray) -> np.ndarray:
    """Tight box (4,) float32 x, y, width, height of joints (J, >=2); see `tight_boxes`."""
    return tight_boxes(to_tensor(joint_img)).numpy().astype(np.float32)


def get_center_scale(box_info) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and size (2,), float32, of a box x, y, width, height."""
    x, y, width, height = box_info
    return np.array([x + width / 2, y + height / 2], np.float32), np.array([width, height], np.float32)


def process_bbox(bbox, aspect_ratio: float | None = None, scale: float = 1.0) -> np.ndarray | None:
    """One box through `process_boxes`.

    Args:
        bbox: x, y, width, height, pixels.
        aspect_ratio: width / height of the result, 288/384 when None.
        scale: enlargement of the result around its centre.

    Returns:
        (4,) box in the dtype of ``bbox``; None when it is narrower or lower than one pixel. Whole numbers in,
        whole numbers out (truncated toward zero), because released annotations were made that way.
    """
    box = np.asarray(bbox)
    if not (box[2] >= 1 and box[3] >= 1):
        return None
    grown, _ = process_boxes(
        to_tensor(box, torch.float64), CROP_ASPECT if aspect_ratio is None else aspect_ratio, scale
    )
    grown = grown.numpy()
    if np.issubdtype(box.dtype, np.integer):
        size = np.trunc(grown[2:])
        grown = np.concatenate([grown[:2] + grown[2:] / 2 - size / 2, size])
    return grown.astype(box.dtype)


def world2cam(world_coord: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """World (n, 3) to camera coordinates (n, 3): R x + t, with rotation R (3, 3) and translation t (3,)."""
    return world_coord @ R.T + np.reshape(t, (1, 3))


def cam2pixel(cam_coord: np.ndarray, f, c) -> np.ndarray:
    """Camera coordinates (n, 3) to (n, 3): image x, y in pixels and the unchanged depth; f, c: (2,) pixels."""
    points = to_tensor(cam_coord)
    image = project(points, to_tensor(f, points.dtype), to_tensor(c, points.dtype))
    return torch.cat([image, points[:, 2:]], dim=1).numpy()


def pixel2cam(pixel_coord: np.ndarray, c, f) -> np.ndarray:
    """Inverse of `cam2pixel`; (n, 3) float64. Mind the argument order: principal point first."""
    depth = np.asarray(pixel_coord, np.float64)[:, 2:]
    xy = (pixel_coord[:, :2] - np.asarray(c, np.float64)) * depth / np.asarray(f, np.float64)
    return np.concatenate([xy, depth], axis=1)


def euler2mat(theta, to_4x4: bool = False) -> np.ndarray:
    """Rotation matrix Rz Ry Rx of three angles (radians, about x, y, z): (3, 3), or (4, 4) homogeneous."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(theta), np.sin(theta)
    rotation = np.array(
        [
            [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
            [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
            [-sy, cy * sx, cy * cx],
        ]
    )
    if not to_4x4:
        return rotation
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    return matrix


def rigid_transform_3D(A: np.ndarray, B: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and translation (3,) that map points A (n, 3) best to B (n, 3); no reflections."""
    scale, rotation, translation = metrics.similarity(*_same_type(A, B))
    return scale.item(), rotation.numpy(), translation.numpy()


def rigid_align(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Points A (n, 3) after `rigid_transform_3D` to B, in the more precise of their floating point types."""
    return metrics.rigid_align(*_same_type(A, B)).numpy()


def compute_error_accel(joints_gt: np.ndarray, joints_pred: np.ndarray, vis: np.ndarray | None = None) -> np.ndarray:
    """Acceleration error of a sequence.

    Args:
        joints_gt, joints_pred: (N, J, 3) consecutive frames, mm.
        vis: (N,) bool; windows of three frames that hold an invisible one are left out.

    Returns:
        (N - 2,) mm per frame squared, or fewer with ``vis``.
    """
    visible = None if vis is None else torch.from_numpy(np.array(vis, dtype=bool))
    return metrics.accel_error(*_same_type(joints_pred, joints_gt), visible).numpy()


def _same_type(a, b) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = to_tensor(a), to_tensor(b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(dtype)
