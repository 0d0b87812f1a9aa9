"""The original release's NumPy functions for single samples; they call the batched ones and leave arguments alone."""

import numpy as np
import torch

from lib.geometry.boxes import CROP_ASPECT, process_boxes, tight_boxes
from lib.geometry.cameras import project
from lib.geometry.crops import (
    Pairs,
    apply_affine,
    crop_matrices,
    flip_2d,
    rotate_flip_3d,
    sample_augmentation,
)
from lib.geometry.procrustes import rigid_align as align
from lib.geometry.procrustes import similarity


def to_tensor(values, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy an array as a tensor of ``dtype``; None keeps floating point types and turns whole numbers to float64.

    Whole-number coordinates must never be computed on as such: every step would truncate them.
    """
    values = np.array(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    return torch.from_numpy(values).to(dtype)


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
    boxes, _ = process_boxes(
        to_tensor(box, torch.float64), CROP_ASPECT if aspect_ratio is None else aspect_ratio, scale
    )
    grown = boxes.numpy()
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
    scale, rotation, translation = similarity(*same_type(A, B))
    return scale.item(), rotation.numpy(), translation.numpy()


def rigid_align(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Points A (n, 3) after `rigid_transform_3D` to B, in the more precise of their floating point types."""
    return align(*same_type(A, B)).numpy()


def same_type(a, b) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = to_tensor(a), to_tensor(b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(dtype)


def get_affine_transform(center, scale, rot: float, output_size, shift=(0, 0), inv: bool = False) -> np.ndarray:
    """`crop_matrices` for one box.

    Args:
        center: (2,) box centre, pixels.
        scale: (2,) box width and height, or one number for both, pixels.
        rot: degrees.
        output_size: width and height of the crop, pixels.
        shift: (2,) displacement of the centre in box sizes.
        inv: return the map from the crop back to the image.

    Returns:
        (2, 3) float64 affine matrix.

    Raises:
        ValueError: box without width.
    """
    size = np.broadcast_to(np.asarray(scale, np.float64), 2)
    corner = np.asarray(center, np.float64) + size * np.asarray(shift, np.float64) - size / 2
    box = to_tensor(np.concatenate([corner, size]))
    matrix = crop_matrices(box, torch.tensor(rot, dtype=torch.float64), tuple(output_size)).numpy()
    if not inv:
        return matrix
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def affine_transform(pt, t: np.ndarray) -> np.ndarray:
    """Map one point (2,) by an affine matrix (2, 3); float64."""
    return np.asarray(t, np.float64) @ np.array([pt[0], pt[1], 1.0])


def flip_2d_joint(kp: np.ndarray, width: float, flip_pairs: Pairs) -> np.ndarray:
    """`flip_2d` for one pose (J, >=2); returns a new floating point array."""
    return flip_2d(to_tensor(kp), width, flip_pairs).numpy()


def flip_3d_joint(kp: np.ndarray, flip_pairs: Pairs) -> np.ndarray:
    """Mirror one 3D pose (J, 3) as `rotate_flip_3d` does; returns a new floating point array."""
    return rotate_flip_3d(to_tensor(kp), None, flip_pairs).numpy()


def j2d_processing(kp: np.ndarray, res, bbox, rot: float, f: bool, flip_pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Crop, rotate and mirror one 2D pose.

    Args:
        kp: (J, >=2) x and y first, image pixels, any number type; further columns are kept. Never written to.
        res: width and height of the crop, pixels.
        bbox: (4,) x, y, width, height, image pixels, e.g. from `lib.geometry.single.process_bbox`.
        rot: degrees, as in `crop_matrices`.
        f: mirror the result.
        flip_pairs: left/right joint index pairs.

    Returns:
        (J, >=2) float32 crop pixels, and the (2, 3) float64 matrix of the crop (without the mirroring).

    Raises:
        ValueError: no box (`process_bbox` found it too small), or one without width.
    """
    if bbox is None:
        raise ValueError("cannot crop a pose without a box: the box around its joints is smaller than one pixel")
    box = to_tensor(bbox, torch.float64)
    matrix = crop_matrices(box, torch.tensor(rot, dtype=torch.float64), tuple(res))
    # float first: truncating cropped whole-number joints would move them by up to a pixel
    joints = to_tensor(kp, torch.float64)
    joints[:, :2] = apply_affine(joints[:, :2], matrix)
    if f:
        joints = flip_2d(joints, res[0], flip_pairs)
    return joints.numpy().astype(np.float32), matrix.numpy()


def j3d_processing(S: np.ndarray, r: float, f: bool, flip_pairs: Pairs) -> np.ndarray:
    """`rotate_flip_3d` for one pose S (J, 3), rotation r in degrees, mirrored if f; float32."""
    joints = to_tensor(S, torch.float64)
    rotation = torch.tensor(r, dtype=torch.float64)
    return rotate_flip_3d(joints, rotation, flip_pairs, torch.tensor(bool(f))).numpy().astype(np.float32)


def augm_params(
    is_train: bool, flip: bool, rotate_factor: float, generator: torch.Generator | None = None
) -> tuple[int, float]:
    """`sample_augmentation` for one sample: flip (0 or 1) and rotation in degrees; (0, 0) outside training."""
    if not is_train:
        return 0, 0.0
    mask, rotation = sample_augmentation(1, flip, rotate_factor, generator)
    return int(mask), float(rotation)


def transform_joint_to_other_db(src_joint: np.ndarray, src_name, dst_name) -> np.ndarray:
    """Copy joints (J, C) into the order of another joint set by name: (len(dst_name), C) float32, zeros if unknown."""
    src_joint = np.asarray(src_joint)
    row = {name: i for i, name in enumerate(src_name)}
    moved = np.zeros((len(dst_name), src_joint.shape[1]), np.float32)
    for i, name in enumerate(dst_name):
        if name in row:
            moved[i] = src_joint[row[name]]
    return moved
