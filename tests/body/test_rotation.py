"""Rotations in every notation: against SciPy, round trips, special angles, gradients."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.body.rotation import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    nearest_rotation,
    quaternion_to_matrix,
    rotate_root,
    rotation_from_6d,
)
from tests.helpers import assert_close


def test_axis_angle_to_matrix_matches_scipy():
    vectors = np.random.default_rng(0).normal(size=(500, 3)) * 2
    expected = Rotation.from_rotvec(vectors).as_matrix()
    double = torch.from_numpy(vectors)
    assert_close(axis_angle_to_matrix(double), expected, 1e-7)  # 1e-8 is part of the formula
    assert_close(axis_angle_to_matrix(double.float()), expected, 2e-6)


def test_zero_axis_angle_is_identity_with_finite_gradient():
    vector = torch.zeros(2, 3, requires_grad=True)
    matrix = axis_angle_to_matrix(vector)
    assert_close(matrix.detach(), np.broadcast_to(np.eye(3), (2, 3, 3)), 1e-7)
    matrix[:, 0, 1].sum().backward()
    assert torch.isfinite(vector.grad).all()
    assert_close(vector.grad, [[0, 0, -1]] * 2, 1e-4)  # dR/dz at identity is the generator of rotations about z


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-6, 1e-4, 0.01, 1.0, 3.0, np.pi - 1e-3, np.pi - 1e-6])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 3e-8), (torch.float32, 2e-6)])
def test_axis_angle_round_trip(angle, dtype, tolerance):
    axes = np.random.default_rng(1).normal(size=(200, 3))
    vectors = torch.from_numpy(axes / np.linalg.norm(axes, axis=1, keepdims=True) * angle).to(dtype)
    result = matrix_to_axis_angle(axis_angle_to_matrix(vectors))
    assert result.norm(dim=1).max() <= np.pi + 1e-6
    # near pi, rounding may give the same rotation with the opposite axis
    error = torch.minimum((result - vectors).norm(dim=1), 2 * np.pi - (result - vectors).norm(dim=1))
    assert error.max() <= tolerance


def test_matrix_to_axis_angle_of_half_turns():
    axes = np.random.default_rng(2).normal(size=(100, 3))
    axes = np.concatenate([np.eye(3), axes / np.linalg.norm(axes, axis=1, keepdims=True)])
    matrices = torch.from_numpy(Rotation.from_rotvec(axes * np.pi).as_matrix())
    vectors = matrix_to_axis_angle(matrices)
    assert_close(vectors.norm(dim=1), np.full(len(axes), np.pi), 1e-12)
    assert_close(np.abs((vectors.numpy() * axes).sum(axis=1)), np.full(len(axes), np.pi), 1e-12)


def test_matrix_to_axis_angle_gradients():
    assert torch.equal(matrix_to_axis_angle(torch.eye(3)), torch.zeros(3))
    matrix = torch.eye(3, dtype=torch.float64).requires_grad_()
    matrix_to_axis_angle(matrix).sum().backward()
    assert torch.isfinite(matrix.grad).all()
    vectors = torch.from_numpy(np.random.default_rng(3).normal(size=(4, 3)) * 0.5)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)).sum(0), vectors
    )
    assert_close(jacobian.permute(1, 0, 2), np.broadcast_to(np.eye(3), (4, 3, 3)), 1e-6)


def test_rotate_root_matches_scipy():
    rng = np.random.default_rng(4)
    left, right = Rotation.random(50, rng), Rotation.random(50, rng)
    result = rotate_root(torch.from_numpy(left.as_matrix()), torch.from_numpy(right.as_rotvec()))
    assert_close(Rotation.from_rotvec(result.numpy()).as_matrix(), (left * right).as_matrix(), 1e-7)


def test_rotate_root_of_zero_rotation_is_the_rotation_alone():
    """The original divided by the zero angle and passed NaN on."""
    rotation = Rotation.random(5, np.random.default_rng(5))
    result = rotate_root(torch.from_numpy(rotation.as_matrix()).float(), torch.zeros(5, 3))
    assert torch.isfinite(result).all()
    assert_close(result, rotation.as_rotvec(), 1e-6)


def test_rotation_from_6d():
    rotations = torch.from_numpy(Rotation.random(20, np.random.default_rng(6)).as_matrix())
    columns = torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)
    for symmetric in (False, True):
        assert_close(rotation_from_6d(columns, symmetric), rotations, 1e-12)
        noisy = rotation_from_6d(2 * columns + 0.1, symmetric)
        assert_close(noisy.transpose(1, 2) @ noisy, np.broadcast_to(np.eye(3), (20, 3, 3)), 1e-12)
        assert (torch.linalg.det(noisy) > 0).all()
    # x keeps the direction of the first vector only in the asymmetric reading
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([1.0, 1.0, 0])
    assert_close(rotation_from_6d(torch.cat([a, b]))[:, 0], [1, 0, 0], 1e-6)
    symmetric = rotation_from_6d(torch.cat([a, b]), symmetric=True)
    half = np.deg2rad(22.5)
    bisector = symmetric[:, 0] + symmetric[:, 1]
    assert_close(bisector / bisector.norm(), [np.cos(half), np.sin(half), 0], 1e-6)


def test_nearest_rotation():
    rotations = torch.from_numpy(Rotation.random(20, np.random.default_rng(7)).as_matrix())
    scaled = rotations @ torch.diag(torch.tensor([1.3, 0.8, 1.1], dtype=torch.float64))
    assert_close(nearest_rotation(rotations * 3), rotations, 1e-12)
    assert_close(torch.linalg.det(nearest_rotation(scaled)), np.ones(20), 1e-12)
    mirrored = rotations * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    assert_close(nearest_rotation(mirrored), rotations, 1e-12)


def test_quaternion_length_does_not_matter():
    quaternion = torch.tensor([0.3, -0.4, 0.5, 0.6], dtype=torch.float64)
    assert_close(quaternion_to_matrix(3 * quaternion), quaternion_to_matrix(quaternion), 1e-12)
