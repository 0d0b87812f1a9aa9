"""Mean distances of meshes against the slow formulas: plain differences, alignment sample by sample."""

import numpy as np
import pytest
import torch

from lib.core import surface
from lib.core.metrics import pa_mpvpe, rigid_align
from tests.plain.metrics import rigid_align as slow_align


def meshes(batch: int, vertices: int = 500, far: float = 0.0, dtype=torch.float32):
    """Predicted and true meshes in millimetres, body-sized, some 40 mm apart, ``far`` mm from the origin."""
    generator = torch.Generator().manual_seed(batch)
    target = torch.randn(batch, vertices, 3, generator=generator) * torch.tensor([200.0, 400.0, 150.0])
    pred = 1.1 * target + 40 * torch.randn(batch, vertices, 3, generator=generator)
    return (pred + far).to(dtype), (target - far).to(dtype)


def slow_distances(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(pred.double() - target.double(), dim=-1).mean(-1)


@pytest.mark.parametrize("batch", [0, 1, 5, 40])
def test_mean_distance(batch):
    pred, target = meshes(batch)
    shift = torch.randn(batch, 3)
    found = surface.mean_distance(pred, target)
    assert (found - slow_distances(pred, target)).abs().sum() < 1e-3
    moved = surface.mean_distance(pred, target, shift)
    assert (moved - slow_distances(pred + shift[:, None], target)).abs().sum() < 1e-3


@pytest.mark.parametrize("batch", [0, 1, 40])
@pytest.mark.parametrize("side_by_side", [False, True], ids=["points", "axes side by side"])
def test_distances_before_and_after_alignment(batch, side_by_side):
    pred, target = meshes(batch, far=300.0)
    expected = slow_distances(pred - pred[:, :1], target - target[:, :1])
    aligned = [np.linalg.norm(slow_align(*pair) - pair[1], axis=1).mean() for pair in zip(pred.numpy(), target.numpy())]
    if side_by_side:
        pred, target = (mesh.transpose(1, 2).contiguous().transpose(1, 2) for mesh in (pred, target))
    kept = pred.clone(), target.clone()
    plain, best = surface.distances(pred, target, pred[:, 0], target[:, 0])
    assert (plain - expected).abs().sum() < 1e-3 * max(batch, 1)
    assert np.abs(best.numpy() - np.array(aligned)).sum() < 1e-3 * max(batch, 1)
    assert torch.equal(pred, kept[0])  # nothing is computed in the caller's memory
    assert torch.equal(target, kept[1])


def test_alignment_far_from_the_origin_keeps_its_digits():
    pred, target = meshes(8, vertices=6890, far=5000.0)
    double = pred.double(), target.double()
    expected = slow_distances(rigid_align(*double), double[1])
    assert (pa_mpvpe(pred, target) - expected).abs().max() < 1e-3
    assert (pa_mpvpe(*double) - expected).abs().max() < 1e-9


def test_a_mirrored_mesh_is_not_mirrored_back_and_a_point_has_scale_zero():
    _, target = meshes(2)
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    assert (pa_mpvpe(mirrored, target) > 50).all()
    spread = slow_distances(target, target.mean(1, keepdim=True).expand_as(target))
    point = torch.full_like(target, 7.0)
    assert (pa_mpvpe(point, target) - spread).abs().max() < 1e-2
