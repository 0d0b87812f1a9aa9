"""What a GPU computes is what the CPU computes, to stated tolerances. Skipped where torch sees none.

python -m pytest -m cuda tests
POSE2MESH_GPU_TESTS_ON=cpu python -m pytest -m cuda tests    # the same code on the CPU, to try the tests themselves
"""

import os
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch

from data.Synthetic.dataset import Synthetic
from lib.checkpoints.files import load_checkpoint
from lib.core import base, commands
from lib.core.optim import build_optimizer
from lib.core.stages import STAGES
from lib.datasets.loader import BatchLoader
from lib.datasets.pose_dataset import stream
from lib.models.graphed import Graphed
from lib.models.prepare import prepare
from lib.predictor import Pose2MeshPredictor
from lib.runtime import distributed
from lib.settings.reading import load_config
from tests.runtime.test_distributed import train_two_steps
from tests.support.demo_inputs import sample
from tests.support.runs import run_command

DEVICE = os.environ.get("POSE2MESH_GPU_TESTS_ON", "cuda")
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a GPU that torch can use"),
]
needs_two = pytest.mark.skipif(DEVICE == "cuda" and torch.cuda.device_count() < 2, reason="needs two GPUs")
needs_counter = pytest.mark.skipif(DEVICE != "cuda", reason="torch counts the memory and the waits of GPUs alone")

MESH = {
    "MODEL": {"name": "pose2mesh_net", "body": "open_1723", "part_loss_weight": 1.0, "edge_loss_weight": 0.02},
    "TRAIN": {"edge_loss_start": 0, "edge_loss": "relative", "detail_weight": 2.0},
    "DATASET": {"train_list": ["Synthetic"], "input_joint_set": "coco", "use_gt_input": True},
}
# a GPU draws other dropout and other errors of the input
SAME_DRAWS = {"MODEL": {"posenet_dropout": 0.0}, "DATASET": {"use_gt_input": True}}
both_stages = pytest.mark.parametrize("name", ["posenet", "pose2mesh_net"])


def apart(found, expected) -> float:
    """Norm of the difference relative to the norm of what is expected."""
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    return ((found - expected).norm() / expected.norm()).item()


def prepared(cfg, device, samples=12):
    """Stage, network and batch, the same on every device."""
    dataset = Synthetic("train", cfg)
    stage = STAGES[cfg.MODEL.name](cfg, dataset.mesh_model)
    torch.manual_seed(0)
    model = stage.build_model().to(device)
    stage.criterion.to(device)
    rows = dataset.rows(range(samples), stream(5))
    return stage, model, dataset.finish(rows, torch.Generator(device).manual_seed(1), device)


def steps(cfg, device, count):
    """Losses of some training steps on one batch."""
    stage, model, batch = prepared(cfg, device)
    optimizer, losses = build_optimizer(cfg.TRAIN, model.train().parameters()), []
    for _ in range(count):
        loss, _ = stage.loss(model, batch, 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@contextmanager
def no_waits():
    """Whatever makes the host wait for a GPU raises."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_counter
@both_stages
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adamw", "sgd"])
def test_a_step_and_a_prediction_do_not_wait(small_config, name, optimizer):
    cfg = small_config(name, "coco", TRAIN={"optimizer": optimizer, "edge_loss_start": 0}, **SAME_DRAWS)
    stage, model, batch = prepared(cfg, DEVICE)
    trained = build_optimizer(cfg.TRAIN, model.train().parameters())
    for number in range(3):
        # libraries may wait while they set themselves up
        with no_waits() if number else nullcontext():
            loss, _ = stage.loss(model.train(), batch, 1)
            trained.zero_grad()
            loss.backward()
            trained.step()
            with torch.no_grad():
                stage.predict(model.eval(), batch)


@needs_counter
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_graphs_give_what_calls_give(small_config, precision):
    _, model, batch = prepared(small_config("pose2mesh_net", "coco", **SAME_DRAWS), DEVICE)
    prepare(model.eval(), precision)
    graphed = Graphed(model)
    for size in (1, 8, 1, 8, 1, 8, 12):
        poses = batch.inputs["pose2d"][:size] + torch.rand(1, device=DEVICE)
        with torch.inference_mode():
            expected = model(poses)
        for found, wanted in zip(graphed(poses), expected, strict=True):
            assert apart(found, wanted) < 1e-6
    with no_waits():
        graphed(poses[:8])


@both_stages
def test_forward_pass(small_config, name):
    cfg, predicted = small_config(name, "coco", **SAME_DRAWS), {}
    for device in ("cpu", DEVICE):
        stage, model, batch = prepared(cfg, device)
        with torch.no_grad():
            predicted[device] = stage.predict(model.eval(), batch)
    for key, values in predicted["cpu"].items():
        assert predicted[DEVICE][key].device.type == DEVICE
        assert apart(predicted[DEVICE][key], values) < 1e-4, key


def test_loss_and_gradients_of_the_mesh_stage_at_full_size():
    cfg, found = load_config().changed(**MESH), {}
    for device in ("cpu", DEVICE):
        stage, model, batch = prepared(cfg, device)
        loss, _ = stage.loss(model.train(), batch, 1)
        loss.backward()
        found[device] = loss.item(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert found[DEVICE][0] == pytest.approx(found["cpu"][0], rel=1e-4)
    assert found[DEVICE][1].keys() == found["cpu"][1].keys()
    # biases before a normalisation have no gradient but rounding
    for name, gradient in found["cpu"][1].items():
        if not name.endswith(".bias"):
            assert apart(found[DEVICE][1][name], gradient) < 0.01, name


@both_stages
def test_training_steps(small_config, name):
    cfg = small_config(name, "coco", **SAME_DRAWS)
    losses = steps(cfg, DEVICE, 5)
    assert losses == pytest.approx(steps(cfg, "cpu", 5), rel=2e-3)
    assert losses[-1] < losses[0]


@both_stages
def test_bf16_forward_pass(small_config, name):
    outputs = []
    for precision in ("float32", "bf16"):
        cfg = small_config(name, "coco", TRAIN={"precision": precision}, **SAME_DRAWS)
        stage, model, batch = prepared(cfg, DEVICE, samples=64)
        with stage._autocast(batch):
            outputs.append(stage.predict(model.train(), batch))
        loss, _ = stage.loss(model, batch, 1)
        loss.backward()
        assert loss.dtype == torch.float32
        assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    for key, values in outputs[0].items():
        assert 0 < apart(outputs[1][key], values) < 0.03, key


def test_batches_repeat_and_do_not_depend_on_workers():
    cfg = load_config().changed(**MESH, SYNTHETIC={"samples_per_epoch": 8})
    batches = [
        next(BatchLoader(Synthetic("train", cfg), 8, workers=workers, seed=3, device=DEVICE).epoch(1))
        for workers in (0, 2)
    ]
    assert batches[0].inputs["pose2d"].device.type == DEVICE
    assert torch.equal(batches[0].inputs["pose2d"], batches[1].inputs["pose2d"])
    assert torch.equal(batches[0].targets["mesh"], batches[1].targets["mesh"])


@both_stages
def test_resumed_training_goes_on(small_config, tmp_path, without_plots, name):
    """With dropout and errors of the input. Sums on a GPU are not repeatable to the bit in the mesh stage."""
    gpu = "" if DEVICE == "cpu" else "0"
    cfgs = [small_config(name, "mano", TRAIN={"end_epoch": end, "optimizer": "rmsprop"}) for end in (1, 2)]
    whole = run_command(commands.train, cfgs[1], tmp_path / "whole", gpu=gpu)
    run_command(commands.train, cfgs[0], tmp_path / "halted", gpu=gpu)
    resumed = run_command(commands.train, cfgs[1], tmp_path / "halted", gpu=gpu, resume_training=True)
    assert len(list((tmp_path / "halted").iterdir())) == 1
    expected, found = load_checkpoint(whole), load_checkpoint(resumed)
    tolerance = {"posenet": 1e-4, "pose2mesh_net": 1e-2}[name]
    assert found.train_log == pytest.approx(expected.train_log, rel=tolerance)
    assert found.test_log["joint"] == pytest.approx(expected.test_log["joint"], rel=tolerance)


@both_stages
def test_figures_of_a_test(small_config, name):
    cfg, results = small_config(name, "mano", **SAME_DRAWS), {}
    for device in ("cpu", DEVICE):
        tester = base.Tester(cfg, base.Options(device=device))
        _, model, _ = prepared(cfg, device)
        tester.test(0, model)
        results[device] = tester.result
    assert results[DEVICE] == pytest.approx(results["cpu"], rel=1e-3)


@pytest.mark.parametrize("joint_set", ["coco", "mano"])
def test_predictor(joint_set):
    """Shipped weights: vertices to 0.1 mm, the camera's residual to 0.1 pixels."""
    poses = sample(joint_set)[None] + np.random.default_rng(0).normal(size=(8, 1, 1))
    expected, found = (
        Pose2MeshPredictor(joint_set, device=device, mesh="network").predict(poses) for device in ("cpu", DEVICE)
    )
    assert found.mesh.device.type == "cpu"
    assert (found.mesh - expected.mesh).abs().max() < 1e-4
    assert (found.residual - expected.residual).abs().max() < 0.1


@needs_counter
@both_stages
def test_memory_does_not_grow_with_steps(small_config, name):
    cfg = small_config(name, "coco", "human36", SYNTHETIC={"samples_per_epoch": 640})
    stage, model, _ = prepared(cfg, DEVICE)
    optimizer = build_optimizer(cfg.TRAIN, model.train().parameters())
    peaks = []
    torch.cuda.reset_peak_memory_stats()
    for number, batch in enumerate(BatchLoader(Synthetic("train", cfg), 16, device=DEVICE).epoch(1), 1):
        loss, _ = stage.loss(model, batch, 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number in (3, 40):
            peaks.append(torch.cuda.max_memory_allocated())
            torch.cuda.reset_peak_memory_stats()
    assert peaks[1] <= 1.01 * peaks[0]


@needs_two
def test_two_processes_train_like_one(tmp_path):
    """By NCCL on two GPUs."""
    for processes in (1, 2):
        gpus = [] if DEVICE == "cpu" else list(range(processes))
        distributed.launch(train_two_steps, gpus, tmp_path / f"{processes}.pt", cpu_processes=processes)
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True, map_location="cpu") for n in (1, 2))
    torch.testing.assert_close(two["weight"], one["weight"], rtol=0, atol=1e-5)
    assert two["loss"].item() == pytest.approx(one["loss"].item(), rel=1e-4)
    assert two["all"] == [(0, True, 100), (1, False, 101)]


@needs_two
def test_the_command_trains_on_two(small_config, tmp_path, without_plots):
    cfg = small_config("pose2mesh_net", "mano", TRAIN={"end_epoch": 1})
    run = run_command(commands.train, cfg, tmp_path / "runs", gpu="" if DEVICE == "cpu" else "0,1")
    assert (run / "result" / "metrics.json").is_file()
    assert np.isfinite(load_checkpoint(run).train_log).all()
