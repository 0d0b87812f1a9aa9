"""Joint regressors that read few vertices, against the full matrix product."""

import pytest
import torch

from lib.mesh.joint_regressor import JointRegressor


def sparse_matrix(joints: int, vertices: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    matrix = torch.rand(joints, vertices, generator=generator)
    return matrix * (torch.rand(joints, vertices, generator=generator) < 0.1)


@pytest.mark.parametrize("batch", [0, 1, 5])
@pytest.mark.parametrize("side_by_side", [False, True], ids=["points", "axes side by side"])
def test_equals_the_full_product(batch, side_by_side):
    matrix = sparse_matrix(7, 200)
    mesh = torch.randn(batch, 200, 3, generator=torch.Generator().manual_seed(4))
    if side_by_side:
        mesh = mesh.transpose(1, 2).contiguous().transpose(1, 2)
    joints = JointRegressor(matrix) @ mesh
    torch.testing.assert_close(joints, matrix @ mesh)
    assert joints.is_contiguous()


def test_joints_of_moved_meshes_need_the_row_sums():
    matrix, mesh = sparse_matrix(7, 200), torch.randn(3, 200, 3)
    origin, regressor = torch.randn(3, 3), JointRegressor(matrix)
    moved = regressor @ mesh - regressor.row_sums[:, None] * origin[:, None]
    torch.testing.assert_close(moved, matrix @ (mesh - origin[:, None]), atol=1e-4, rtol=1e-4)


def test_strided_meshes_and_other_number_types():
    matrix = sparse_matrix(4, 50)
    mesh = torch.randn(3, 100, 3, dtype=torch.float64)[:, ::2]
    regressor = JointRegressor(matrix).to(mesh)
    torch.testing.assert_close(regressor @ mesh, matrix.double() @ mesh)


def test_a_regressor_without_joints_and_one_of_zeros():
    mesh = torch.randn(2, 50, 3)
    assert (JointRegressor(torch.zeros(0, 50)) @ mesh).shape == (2, 0, 3)
    assert torch.equal(JointRegressor(torch.zeros(3, 50)) @ mesh, torch.zeros(2, 3, 3))


def test_meshes_of_another_size_are_refused():
    with pytest.raises(ValueError, match="50 vertices got meshes of 51"):
        JointRegressor(sparse_matrix(4, 50)) @ torch.zeros(1, 51, 3)
