"""Comparisons of meshes against the slow formulas: plain differences, alignment sample by sample."""

import numpy as np
import pytest
import torch

from lib.evaluation.mesh_pair import MeshPair, compare
from lib.evaluation.metrics import mpvpe, pa_mpjpe
from lib.geometry.procrustes import rigid_align
from lib.mesh.joint_regressor import JointRegressor
from lib.plain.metrics import rigid_align as slow_align


def meshes(batch: int, vertices: int = 500, far: float = 0.0, dtype=torch.float32):
    """Predicted and true meshes in millimetres, body-sized, some 40 mm apart, ``far`` mm from the origin."""
    generator = torch.Generator().manual_seed(batch)
    target = torch.randn(batch, vertices, 3, generator=generator) * torch.tensor([200.0, 400.0, 150.0])
    pred = 1.1 * target + 40 * torch.randn(batch, vertices, 3, generator=generator)
    return (pred + far).to(dtype), (target - far).to(dtype)


def slow_distances(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(pred.double() - target.double(), dim=-1).mean(-1)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def aligned_distances(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return compare(pred, target, align=True).distances()[0]


@pytest.mark.parametrize("batch", [0, 1, 5, 40])
def test_the_plain_formulas_give_the_same(batch):
    """Those of points, with which a pair of meshes has no code in common."""
    pred, target = meshes(batch)
    plain, best = compare(pred, target, align=True).distances(torch.zeros(batch, 3))
    assert (plain - mpvpe(pred, target)).abs().sum() < 1e-3
    assert (best - pa_mpjpe(pred, target)).abs().sum() < 1e-3


@pytest.mark.parametrize("far", [0.0, 3000.0])
@pytest.mark.parametrize("batch", [0, 1, 40])
@pytest.mark.parametrize("side_by_side", [False, True], ids=["points", "axes side by side"])
def test_distances_before_and_after_alignment(batch, side_by_side, far):
    pred, target = meshes(batch, far=far)
    aligned = [np.linalg.norm(slow_align(*pair) - pair[1], axis=1).mean() for pair in zip(pred.numpy(), target.numpy())]
    if side_by_side:
        pred, target = (mesh.transpose(1, 2).contiguous().transpose(1, 2) for mesh in (pred, target))
    kept = pred.clone(), target.clone()
    shifts = target[:, 0] - pred[:, 0], torch.full((batch, 3), 5.0)
    *plain, best = compare(pred, target, align=True).distances(*shifts)
    for found, shift in zip(plain, shifts):
        assert (found - slow_distances(pred + shift[:, None], target)).abs().sum() < 1e-3 * max(batch, 1)
    assert np.abs(best.numpy() - np.array(aligned)).sum() < 1e-3 * max(batch, 1)
    assert torch.equal(pred, kept[0])  # nothing is computed in the caller's memory
    assert torch.equal(target, kept[1])


def test_threads_and_devices_agree(three_threads):
    """A batch of several parts and blocks, and the way that other devices than CPUs go."""
    pred, target = meshes(50, vertices=9000)
    matrix = torch.rand(7, 9000) * (torch.rand(7, 9000) < 0.01)
    regressor, part = JointRegressor(matrix / matrix.sum(1, keepdim=True)), slice(2, 6)
    shift = torch.randn(50, 3)
    blocks, whole = compare(pred, target, regressor, True), MeshPair(pred, target, regressor, True)
    for found, expected in zip(blocks.distances(shift), whole.distances(shift)):
        assert (found - expected).abs().max() < 1e-3
    assert torch.equal(
        compare(pred[20:21], target[20:21]).distances(shift[20:21])[0], blocks.distances(shift)[0][20:21]
    )
    for about in (None, (shift, -shift)):
        for found, expected in zip(blocks.joints(part, about), whole.joints(part, about)):
            assert found.shape == (50, 4, 3)
            assert (found - expected).abs().max() < 1e-3


def test_what_goes_wrong_in_a_thread_is_not_lost(three_threads):
    pred, target = meshes(50, vertices=9000)
    pred[40, 7] = torch.nan
    pair = compare(pred, target, align=True)
    with pytest.raises(torch.linalg.LinAlgError, match="not finite"):
        pair.distances()


def test_regressors_of_another_mesh_are_refused():
    pred, target = meshes(2)
    with pytest.raises(ValueError, match="a regressor of 400 vertices got meshes of 500"):
        compare(pred, target, JointRegressor(torch.ones(2, 400)))


def test_alignment_far_from_the_origin_keeps_its_digits():
    pred, target = meshes(8, vertices=6890, far=5000.0)
    double = pred.double(), target.double()
    expected = slow_distances(rigid_align(*double), double[1])
    assert (aligned_distances(pred, target) - expected).abs().max() < 1e-3
    assert (aligned_distances(*double) - expected).abs().max() < 1e-9


def test_a_mirrored_mesh_is_not_mirrored_back_and_a_point_has_scale_zero():
    pred, target = meshes(2)
    mirrored = pred * torch.tensor([-1.0, 1.0, 1.0])
    pairs = zip(mirrored.double().numpy(), target.double().numpy())
    expected = torch.tensor([np.linalg.norm(slow_align(*pair) - pair[1], axis=1).mean() for pair in pairs])
    assert (expected > 50).all()
    assert (aligned_distances(mirrored, target) - expected).abs().max() < 1e-3
    spread = slow_distances(target, target.mean(1, keepdim=True).expand_as(target))
    point = torch.full_like(target, 7.0)
    assert (aligned_distances(point, target) - spread).abs().max() < 1e-2
