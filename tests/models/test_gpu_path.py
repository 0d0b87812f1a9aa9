"""No host waits for a GPU inside a training step or a network's prediction: seen without one."""

import pytest
import torch

from lib.core.base import Options, Trainer
from lib.core.optim import build_optimizer
from lib.core.part_loss import PartLoss
from lib.models.meshnet import MeshNet
from tests.support.waiting import DEVICE, HostWait, no_waits

BASE = {"base_components": 4, "base_width": 8, "posenet_freeze": True}


@pytest.mark.parametrize(
    "name, steps, model, train",
    [
        ("posenet", 2, {"posenet_mirror": True}, {}),  # the second one has an optimizer's state
        ("pose2mesh_net", 1, {}, {"edge_loss_start": 0}),
        ("pose2mesh_net", 1, BASE, {"precision": "bf16", "detail_weight": 2.0}),
    ],
)
def test_steps_and_predictions_do_not_wait(small_config, name, steps, model, train):
    sizes = {"DATASET": {"use_gt_input": True}, "SYNTHETIC": {"samples_per_epoch": 4, "test_samples": 1}}
    trainer = Trainer(small_config(name, MODEL=model, TRAIN={"optimizer": "rmsprop", **train}, **sizes), Options())
    batch = next(iter(trainer.loader.epoch(1))).to(DEVICE)
    network = trainer.model.to(DEVICE)
    trainer.stage.criterion.to(DEVICE)
    trainer.optimizer = build_optimizer(trainer.cfg.TRAIN, network.parameters())
    with no_waits():
        for _ in range(steps):
            loss, terms = trainer.step(network.train(), batch, 1)
        assert {value.device.type for value in (loss, *terms.values())} == {DEVICE}
        for module in network.eval().modules():
            if isinstance(module, MeshNet) and "precision" in train:
                module.prepare(torch.bfloat16)
        with torch.no_grad():
            for value in trainer.stage.predict(network, batch).values():
                assert (value.device.type, value.dtype) == (DEVICE, torch.float32)


def test_the_loss_of_parts_waits_once():
    """For its decomposition; see lib/models/README.md."""
    meshes, loss = torch.empty(2, 9, 3, device=DEVICE), PartLoss([torch.arange(4), torch.arange(4, 9)]).to(DEVICE)
    with no_waits(), pytest.raises(HostWait, match="_linalg_svd"):
        loss(meshes, meshes, meshes[:, 0, 0])


WAITING = {
    "a number is read": lambda x: x.sum().item(),
    "a condition is read": lambda x: bool((x > 0).any()),
    "numbers are read": lambda x: x.tolist(),
    "a mask is an index": lambda x: x[x > 0],
    "a list is an index": lambda x: x[:, [0, 1]],
    "a tuple is an index": lambda x: x[:, (0, 1)],
    "an index lies on the host": lambda x: x[:, torch.tensor([0, 1])],
    "numbers become a tensor": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "numbers become a like tensor": lambda x: x.new_tensor([1.0, 2.0]),
    "a tensor is moved there": lambda x: torch.eye(3).to(x),
    "a tensor is moved back": lambda x: x.cpu(),
    "a tensor is filled from the host": lambda x: x.copy_(torch.ones(4, 4)),
    "rows are counted": lambda x: x.unique(),
    "equations are solved": lambda x: torch.linalg.solve(x, x),
    "a matrix is decomposed": lambda x: torch.linalg.svd(x),
}


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_is_seen(name):
    x = torch.empty(4, 4, device=DEVICE)
    with no_waits(), pytest.raises(RuntimeError):
        WAITING[name](x)
