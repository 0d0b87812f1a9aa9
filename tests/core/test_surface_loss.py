"""Normal and edge loss on a CPU, block by block, are those of the plain computation."""

import numpy as np
import pytest
import torch

from lib.core import surface_loss
from lib.core.loss import Pose2MeshLoss
from lib.models.cpu.switch import fast_paths
from lib.settings.config import Config
from tests.helpers import assert_close

VERTICES, BATCH = 30, 5
FACES = np.random.default_rng(0).permuted(np.tile(np.arange(VERTICES), (40, 1)), axis=1)[:, :3]


def draw(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def losses(mesh, target, weights=None, samples=None, **changes):
    """Normal and edge loss and the gradient of their sum."""
    cfg = Config()
    for name, value in changes.items():
        cfg = cfg.changed(**{"MODEL" if hasattr(cfg.MODEL, name) else "TRAIN": {name: value}})
    loss = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, FACES, torch.zeros(2, VERTICES), weights)
    mesh = mesh.clone().requires_grad_()
    normal, edge = loss._surface(mesh, target, samples, epoch=99)
    return normal.detach(), edge.detach(), torch.autograd.grad(normal + edge, mesh)[0]


@pytest.mark.parametrize("samples", [1, 2, 16])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{}, {"edge_loss": "relative"}, {"normal_loss_weight": 0.0}, {"edge_loss_weight": 0.0, "normal_loss_weight": 3.0}],
)
def test_equals_the_plain_computation(monkeypatch, samples, weighted, changes):
    monkeypatch.setattr(surface_loss, "SAMPLES", samples)
    weights = (draw(0, VERTICES), torch.tensor([1.0, 0, 1, 1, 1])) if weighted else ()
    given = draw(1, BATCH, VERTICES, 3), draw(2, BATCH, VERTICES, 3), *weights
    blocked = losses(*given, **changes)
    with fast_paths(False):
        plain = losses(*given, **changes)
    for found, expected in zip(blocked, plain):
        assert_close(found, expected, 1e-5)
    assert all(torch.equal(*pair) for pair in zip(blocked, losses(*given, **changes)))


def test_coincident_vertices_and_faces_without_area():
    mesh, target = draw(1, BATCH, VERTICES, 3), draw(2, BATCH, VERTICES, 3)
    mesh[0, FACES[0, 0]] = mesh[0, FACES[0, 1]]
    target[1, FACES[3, 0]] = target[1, FACES[3, 1]]
    mesh[2] = 0
    blocked = losses(mesh, target)
    with fast_paths(False):
        plain = losses(mesh, target)
    for found, expected in zip(blocked, plain):
        assert found.isfinite().all()
        assert_close(found, expected, 1e-5)
