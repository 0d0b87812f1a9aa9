"""Rotations as axis-angle vectors and matrices: batched, differentiable, any float dtype and device.

Own code and not ``roma`` (1.8): released weights need SMPL's formula, and roma takes 0.8 to 1.8 times as long on a core
(24, 1,536 and 98,304 rotations, with and without gradients); both are exact to 6e-7 from angle 0 to pi, but at 1e-4 rad
the gradient of roma's matrices is off by 1e-4, here by 4e-7.
"""

import torch

from lib.geometry.constants import constant

# Of 4 q_i squared: signs of the matrix's diagonal
_SIGNS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
# Where 4 q_i q_j stand among the four squares, nine differences and nine sums of the matrix and its transpose: one
# look-up, as for the few rotations of a body each operation costs its start
_CANDIDATES = (0, 11, 6, 7, 11, 1, 16, 15, 6, 16, 2, 20, 7, 15, 20, 3)


def axis_angle_to_matrix(axis_angle: torch.Tensor) -> torch.Tensor:
    """Rotation matrices of axis-angle vectors, by the SMPL layer's formula (unit quaternion).

    Args:
        axis_angle: (..., 3) axis times angle, radians.

    Returns:
        (..., 3, 3).
    """
    # 1e-8 on every component keeps norm and gradient finite at zero; released weights were trained with this formula
    angle = (axis_angle + 1e-8).norm(dim=-1, keepdim=True)
    half = 0.5 * angle
    quaternion = torch.cat([half.cos(), half.sin() * (axis_angle / angle)], dim=-1)
    return quaternion_to_matrix(quaternion)


def quaternion_to_matrix(quaternion: torch.Tensor) -> torch.Tensor:
    """Rotation matrices of quaternions.

    Args:
        quaternion: (..., 4) as w, x, y, z; any length but zero.

    Returns:
        (..., 3, 3).
    """
    w, x, y, z = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    ww, xx, yy, zz = w * w, x * x, y * y, z * z
    wx, wy, wz, xy, xz, yz = w * x, w * y, w * z, x * y, x * z, y * z
    entries = (
        ww + xx - yy - zz, 2 * (xy - wz), 2 * (wy + xz),
        2 * (wz + xy), ww - xx + yy - zz, 2 * (yz - wx),
        2 * (xz - wy), 2 * (wx + yz), ww - xx - yy + zz,
    )  # fmt: skip
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def matrix_to_quaternion(matrix: torch.Tensor) -> torch.Tensor:
    """Unit quaternions of rotation matrices, well conditioned at every angle.

    Args:
        matrix: (..., 3, 3) rotations.

    Returns:
        (..., 4) as w, x, y, z with w >= 0.
    """
    signed = matrix.diagonal(dim1=-2, dim2=-1)[..., None, :] * constant(_SIGNS, matrix)
    squares = 1 + signed[..., 0] + signed[..., 1] + signed[..., 2]
    transposed = matrix.transpose(-1, -2)
    parts = [squares, (matrix - transposed).flatten(-2), (matrix + transposed).flatten(-2)]
    # row i is 4 q_i q; the row with the largest q_i is at least 2 long, so that no division is near zero
    places = constant(_CANDIDATES, matrix, torch.int64)
    candidates = torch.cat(parts, dim=-1).index_select(-1, places).unflatten(-1, (4, 4))
    best = squares.argmax(dim=-1)[..., None, None].expand(*matrix.shape[:-2], 1, 4)
    quaternion = candidates.gather(-2, best).squeeze(-2)
    quaternion = quaternion / quaternion.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: torch.Tensor) -> torch.Tensor:
    """Axis-angle vectors of rotation matrices, accurate and differentiable from angle 0 to pi.

    Args:
        matrix: (..., 3, 3) rotations.

    Returns:
        (..., 3) axis times angle, radians, angle in [0, pi].
    """
    quaternion = matrix_to_quaternion(matrix)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    square = (vector * vector).sum(dim=-1, keepdim=True)
    tiny = square < torch.finfo(matrix.dtype).eps ** 2
    sine = torch.where(tiny, torch.ones_like(square), square).sqrt()
    return torch.where(tiny, torch.full_like(sine, 2.0), 2.0 * torch.atan2(sine, w) / sine) * vector


def axis_angle_between(start: torch.Tensor, end: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Rotations on the way from one to another: normalised linear interpolation of quaternions, the short way.

    Args:
        start, end: (..., 3) axis-angle, radians, not more than half a turn apart.
        share: (..., 1) from 0, the start, to 1, the end.

    Returns:
        (..., 3) axis-angle, angle in [0, pi].
    """
    quaternions = []
    for turn in (start, end):
        half = turn.norm(dim=-1, keepdim=True) / 2
        quaternions.append(torch.cat([half.cos(), 0.5 * torch.special.sinc(half / torch.pi) * turn], dim=-1))
    first, second = quaternions
    second = torch.where((first * second).sum(dim=-1, keepdim=True) < 0, -second, second)
    between = torch.lerp(first, second, share)
    between = torch.where(between[..., :1] < 0, -between, between)
    w, vector = between[..., :1], between[..., 1:]
    sine = vector.norm(dim=-1, keepdim=True)
    return vector * torch.where(sine > 1e-9, 2 * torch.atan2(sine, w) / sine.clamp_min(1e-9), 2.0)


def rotate_root(rotation: torch.Tensor, axis_angle: torch.Tensor) -> torch.Tensor:
    """A root rotation seen after turning the world: axis-angle of ``rotation @ matrix(axis_angle)``.

    A zero root rotation gives ``rotation`` alone.

    Args:
        rotation: (B, 3, 3), for example world to camera.
        axis_angle: (B, 3) radians.

    Returns:
        (B, 3) radians.
    """
    return matrix_to_axis_angle(rotation @ axis_angle_to_matrix(axis_angle))


def rotation_from_6d(vectors: torch.Tensor, symmetric: bool = False) -> torch.Tensor:
    """Rotation matrices of the continuous 6D representation (Zhou et al., CVPR 2019), columns x, y, z.

    Args:
        vectors: (..., 6), two 3-vectors a and b. x = a, z = x × b, y = z × x, all made unit length.
        symmetric: treat a and b alike: x and y lie at 45 degrees on either side of their bisector.

    Returns:
        (..., 3, 3).
    """
    a, b = vectors[..., :3], vectors[..., 3:]
    x = _unit(a)
    if symmetric:
        b = _unit(b)
        middle, other = _unit(x + b), _unit(x - b)
        x, y = _unit(middle + other), _unit(middle - other)
        z = _unit(torch.linalg.cross(x, y))
    else:
        z = _unit(torch.linalg.cross(x, b))
        y = torch.linalg.cross(z, x)
    return torch.stack([x, y, z], dim=-1)


def _unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-8)


def nearest_rotation(matrix: torch.Tensor) -> torch.Tensor:
    """Orthogonal matrices nearest to (..., 3, 3) matrices; reflections get their third column negated."""
    u, _, vh = torch.linalg.svd(matrix)
    rotation = u @ vh
    third = rotation[..., 2:]
    third = torch.where(torch.linalg.det(rotation)[..., None, None] < 0, -third, third)
    return torch.cat([rotation[..., :2], third], dim=-1)
