"""Cameras, boxes and crops of one pose at a time (slow reference of ``lib.geometry``)."""

import cv2
import numpy as np

CROP = (288, 384)  # width, height


def camera_to_pixel(points: np.ndarray, focal: np.ndarray, centre: np.ndarray) -> np.ndarray:
    x = points[:, 0] / points[:, 2] * focal[0] + centre[0]
    y = points[:, 1] / points[:, 2] * focal[1] + centre[1]
    return np.stack([x, y, points[:, 2]], axis=1)


def tight_box(joints: np.ndarray) -> np.ndarray:
    x, y = joints[:, 0], joints[:, 1]
    xmin, xmax, ymin, ymax = x.min(), x.max(), y.min(), y.max()
    cx, cy, width, height = (xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin
    return np.array([cx - width / 2, cy - height / 2, width, height], dtype=np.float32)


def process_box(box: np.ndarray, aspect: float = CROP[0] / CROP[1], scale: float = 1.0) -> np.ndarray | None:
    """Shrunk by a pixel, grown to an aspect ratio; None when too small."""
    x, y, width, height = box
    if not (width * height > 0 and width >= 1 and height >= 1):
        return None
    width, height = width - 1, height - 1
    cx, cy = x + width / 2, y + height / 2
    if width > aspect * height:
        height = width / aspect
    elif width < aspect * height:
        width = height * aspect
    width, height = width * scale, height * scale
    return np.array([cx - width / 2, cy - height / 2, width, height], dtype=np.float32)


def _third_point(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    difference = a - b
    return b + np.array([-difference[1], difference[0]], dtype=np.float32)


def affine_of(box: np.ndarray, rotation: float, size: tuple[int, int]) -> np.ndarray:
    """(2, 3) matrix of the crop of a box, from three point pairs."""
    x, y, width, height = box
    angle = np.pi * rotation / 180
    sin, cos = np.sin(angle), np.cos(angle)
    source, target = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    up = -0.5 * width
    source[0] = [x + width / 2, y + height / 2]
    source[1] = source[0] + [-up * sin, up * cos]
    source[2] = _third_point(source[0], source[1])
    target[0] = [size[0] * 0.5, size[1] * 0.5]
    target[1] = target[0] + [0, -0.5 * size[0]]
    target[2] = _third_point(target[0], target[1])
    return cv2.getAffineTransform(source, target)


def transform_point(point: np.ndarray | tuple[float, float], matrix: np.ndarray) -> np.ndarray:
    return np.dot(matrix, np.array([point[0], point[1], 1.0]))[:2]


def crop_joints(joints: np.ndarray, box: np.ndarray, rotation: float = 0.0, size: tuple[int, int] = CROP):
    """Joints (J, >=2) in the crop, float32, one by one, and the crop's matrix."""
    matrix = affine_of(box, rotation, size)
    joints = joints.astype(np.float64)
    for joint in joints:
        joint[:2] = transform_point(joint[:2], matrix)
    return joints.astype(np.float32), matrix


def flip_joints(joints: np.ndarray, pairs, width: int | None = None) -> np.ndarray:
    """Mirrored joints: 2D in a crop of some width, or 3D about x = 0."""
    joints = joints.copy()
    joints[:, 0] = -joints[:, 0] if width is None else width - joints[:, 0] - 1
    for left, right in pairs:
        joints[left], joints[right] = joints[right].copy(), joints[left].copy()
    return joints


def rotate_3d(joints: np.ndarray, rotation: float) -> np.ndarray:
    """Turned by minus ``rotation`` degrees in the image plane."""
    matrix = np.eye(3)
    if rotation != 0:
        angle = -rotation * np.pi / 180
        sin, cos = np.sin(angle), np.cos(angle)
        matrix[0, :2] = [cos, -sin]
        matrix[1, :2] = [sin, cos]
    return np.einsum("ij,kj->ki", matrix, joints).astype(np.float32)


def standardise(joints: np.ndarray) -> np.ndarray:
    """(J, 2) crop pixels to zero mean and unit spread per axis."""
    joints = joints[:, :2] / np.array([[CROP[0], CROP[1]]])
    return ((joints - np.mean(joints, axis=0)) / np.std(joints, axis=0)).astype(np.float32)


def crop_area(box: np.ndarray, matrix: np.ndarray) -> float:
    """Area of a box after the crop, square pixels."""
    x, y, width, height = box
    corners = [transform_point(corner, matrix) for corner in ((x, y), (x + width, y), (x + width, y + height))]
    return float(np.linalg.norm(corners[1] - corners[0]) * np.linalg.norm(corners[2] - corners[1]))
