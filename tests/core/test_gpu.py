"""Training on a GPU is that of the CPU. Skipped where torch sees none."""

import pytest
import torch

from data.Synthetic.dataset import Synthetic
from lib.core.stages import STAGES
from lib.datasets.loader import BatchLoader
from lib.datasets.pose_dataset import stream
from lib.settings.reading import load_config

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
MESH = {
    "MODEL": {"name": "pose2mesh_net", "body": "open_1723", "part_loss_weight": 1.0, "edge_loss_weight": 0.02},
    "TRAIN": {"edge_loss_start": 0, "edge_loss": "relative", "detail_weight": 2.0},
    "DATASET": {"train_list": ["Synthetic"], "input_joint_set": "coco", "use_gt_input": True},
}


def test_the_mesh_stage_has_the_loss_and_the_gradients_of_the_cpu():
    cfg = load_config().changed(**MESH)
    dataset = Synthetic("train", cfg)
    stage = STAGES[cfg.MODEL.name](cfg, dataset.mesh_model)
    torch.manual_seed(0)
    model = stage.build_model()
    rows = dataset.rows(range(12), stream(5))
    found = {}
    for device in ("cpu", "cuda"):
        batch = dataset.finish(rows, torch.Generator(device).manual_seed(1), device)
        model.to(device).train().zero_grad()
        stage.criterion.to(device)
        loss, _ = stage.loss(model, batch, 1)
        loss.backward()
        gradients = {name: p.grad.cpu().clone() for name, p in model.named_parameters() if p.grad is not None}
        found[device] = float(loss), gradients
    assert found["cuda"][0] == pytest.approx(found["cpu"][0], rel=1e-4)
    # biases before a normalisation have no gradient but rounding
    for name, gradient in found["cpu"][1].items():
        if not name.endswith(".bias"):
            error = (found["cuda"][1][name] - gradient).norm() / gradient.norm()
            assert error < 0.01, name


def test_batches_of_a_gpu_repeat_and_do_not_depend_on_workers():
    cfg = load_config().changed(**MESH, SYNTHETIC={"samples_per_epoch": 8})
    batches = [
        next(BatchLoader(Synthetic("train", cfg), 8, workers=workers, seed=3, device="cuda").epoch(1))
        for workers in (0, 2)
    ]
    assert torch.equal(batches[0].inputs["pose2d"], batches[1].inputs["pose2d"])
    assert torch.equal(batches[0].targets["mesh"], batches[1].targets["mesh"])
