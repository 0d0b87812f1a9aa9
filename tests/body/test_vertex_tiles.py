"""Tiles of large batches: the same numbers as the whole products, whatever the batch and the zeros of the model."""

from dataclasses import replace

import pytest
import torch

from lib.body import lbs as body_lbs
from lib.body.lbs import BodyParams, lbs
from lib.body.vertex_tiles import VertexTiles
from tests.helpers import assert_close
from tests.support.open_models import random_pose


def posed(params: BodyParams, count: int, whole: bool, monkeypatch) -> torch.Tensor:
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(params.joint_num, count, seed=count))
    with monkeypatch.context() as patched:
        if whole:
            patched.setattr(body_lbs.VertexTiles, "take", lambda *_: False)
        return lbs(params, pose, betas)[0]


def dense(params: BodyParams) -> BodyParams:
    """The same kind of model without a zero."""
    noise = torch.randn(params.blend.shape, generator=torch.Generator().manual_seed(3))
    weights = params.weights + 0.01
    return replace(params, blend=params.blend + 1e-3 * noise, weights=weights / weights.sum(1, keepdim=True))


@pytest.mark.parametrize("count", [12, 40, 64, 65, 150])
@pytest.mark.parametrize("full", [False, True])
def test_tiles_give_the_numbers_of_whole_products(open_model, count, full, monkeypatch):
    params = dense(open_model.params()) if full else open_model.params()
    tiled = posed(params, count, False, monkeypatch)
    assert "tiles" in vars(params)
    assert tiled.is_contiguous()
    # up to the order in which a matrix library may sum
    assert_close(tiled, posed(params, count, True, monkeypatch), 1e-6)


def test_tiles_leave_out_more_than_half_of_the_open_body(body):
    tiles = body.params().tiles
    columns = [len(first.ids) + sum(len(columns.ids) for columns in others) for _, first, others, _ in tiles._tiles]
    assert sum(columns) / len(columns) < body.params().blend.shape[2] / 2


def test_a_model_with_parts_at_the_origin(body):
    params = body.params()
    blend, weights = params.blend.clone(), params.weights.clone()
    blend[:600] = 0
    weights[:300] = 0
    assert_close(
        lbs(replace(params, blend=blend, weights=weights), torch.zeros(20, 72), torch.ones(20, 10))[0][:, :300],
        torch.zeros(20, 300, 3),
        0,
    )


def test_what_is_not_finite_reaches_every_vertex_of_its_sample_alone(body):
    """A fault of a hand must not hide in the few vertices that hang on it."""
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(24, 20, seed=2))
    pose[3, -1] = torch.nan
    betas[5, 2] = torch.inf
    finite = torch.isfinite(lbs(body.params(), pose, betas)[0]).flatten(1)
    broken = torch.zeros(20, dtype=torch.bool)
    broken[[3, 5]] = True
    assert not finite[broken].any()
    assert finite[~broken].all()


def test_gradients_and_few_samples_take_whole_products():
    coefficients, bones = torch.zeros(218, 64), torch.zeros(24, 4, 3, 64)
    assert VertexTiles.take(coefficients, bones)
    assert not VertexTiles.take(coefficients[:, :11], bones[..., :11])
    assert not VertexTiles.take(coefficients.clone().requires_grad_(), bones)
    assert not VertexTiles.take(coefficients, bones.clone().requires_grad_())
