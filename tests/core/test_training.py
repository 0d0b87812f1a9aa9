"""Trainer, tester and the two commands: learning, resuming to the bit, baselines, released weights."""

import argparse
import csv
import json
import math
import signal
import time

import numpy as np
import pytest
import torch

from lib.checkpoints.files import identity, load_checkpoint
from lib.checkpoints.finding import weights_path
from lib.core import base
from lib.core.base import Options, Trainer
from lib.core.baselines import fit_baseline
from lib.core.loss import LOSS_NAMES
from lib.joints.tables import COCO
from lib.models.posenet import build_posenet
from lib.settings.reading import load_config
from tests.helpers import write_config
from tests.support.runs import NO_PLOTS, run_here, same_weights, start_script, train


def test_posenet_learns_and_leaves_everything_behind(tmp_path, small_config, capsys):
    settings = {"end_epoch": 4, "lr": 0.01}
    cfg = small_config("posenet", "coco", "coco", TRAIN=settings, SYNTHETIC={"samples_per_epoch": 512})
    trainer, run = train(cfg, tmp_path, plots=True)
    assert trainer.train_log[-1] < 0.6 * trainer.train_log[0]
    names = {path.name for path in (run / "checkpoint").iterdir()}
    assert {"checkpoint1.pth.tar", "checkpoint3.pth.tar", "best.pth.tar", "final.pth.tar"} <= names
    # a PoseNet has no surface whose error could be drawn
    assert {path.name for path in (run / "graph").iterdir()} == {"train_loss.pdf", "joint_error.pdf"}
    metrics = json.loads((run / "result" / "metrics.json").read_text())
    assert metrics["samples"] == 32
    assert set(metrics["millimetres"]) == {"MPJPE", "PA-MPJPE"}
    final = load_checkpoint(run / "checkpoint")
    assert metrics["weights"] == identity(run / "checkpoint" / "final.pth.tar", 4)
    assert final.epoch == 4
    assert len(final.train_log) == 4
    assert final.test_log["surface"] == [9999.9] * 4
    assert final.joint_set == COCO
    best = load_checkpoint(run / "checkpoint" / "best.pth.tar")
    assert best.epoch == 1 + int(np.argmin(final.test_log["joint"]))
    with open(run / "log.csv", newline="") as file:
        log = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in log] == final.train_log
    assert list(log[0]) == ["epoch", "lr", "loss", "surface error (mm)", "joint error (mm)"]
    assert [float(row["joint error (mm)"]) for row in log] == final.test_log["joint"]
    assert [(row["lr"], row["surface error (mm)"]) for row in log] == [("0.01", "")] * 4
    text = capsys.readouterr().out
    for line in (
        "==> Preparing TRAIN Dataloader...",
        "# of TRAIN Synthetic data: 512",
        "==> Preparing posenet MODEL...",
        "===> Start training...",
        "Current epoch 1, lr: 0.01",
        "Epoch4 MPJPE: ",
    ):
        assert line in text


@pytest.mark.parametrize("joint_set", ["coco", "mano"])
def test_pose2mesh_learns_from_a_trained_posenet(tmp_path, small_config, joint_set, capsys):
    target = "human36" if joint_set == "coco" else joint_set
    posenet = small_config("posenet", joint_set, target)
    train(posenet, tmp_path)
    cfg = small_config(
        "pose2mesh_net", joint_set, target,
        MODEL={"posenet_pretrained": True, "posenet_path": "", "posenet_freeze": True},
        TRAIN={"end_epoch": 3, "edge_loss_start": 0},
        SYNTHETIC={"samples_per_epoch": 160},
    )  # fmt: skip
    trainer, run = train(cfg, tmp_path)
    assert "Loading pretrained posenet..." in capsys.readouterr().out
    saved = load_checkpoint(run / "checkpoint")
    start = load_checkpoint(weights_path("", cfg, "posenet", "x", tmp_path)).state
    for key, value in saved.posenet.state.items():
        torch.testing.assert_close(value, start[key], rtol=0, atol=0)
    surface = trainer.test_log["surface"]
    assert trainer.train_log[-1] < trainer.train_log[0]
    with open(run / "log.csv", newline="") as file:
        log = list(csv.DictReader(file))
    assert [sum(float(row[name]) for name in LOSS_NAMES) for row in log] == pytest.approx(trainer.train_log)
    assert [float(row["surface error (mm)"]) for row in log] == surface
    tester = base.Tester(cfg, Options(experiment=tmp_path))
    tester.test(0, tester.stage.trained_model(saved))
    assert tester.surface_error == pytest.approx(surface[-1], abs=1e-3)
    assert {"MPJPE", "PA-MPJPE", "MPVPE", "PA-MPVPE", "MeshNet MPJPE"} <= set(tester.result)
    assert tester.result["PA-MPVPE"] < tester.result["MPVPE"]
    assert "root-aligned" in "\n".join(tester.evaluator.protocols())


@pytest.mark.parametrize("name", ["posenet", "pose2mesh_net"])
def test_killed_and_resumed_training_ends_with_the_same_bits(tmp_path, small_config, without_plots, name):
    """kill -9 in the second epoch or later, with dropout, noise, shuffling and a schedule."""
    settings = {"end_epoch": 4, "scheduler": "step", "lr_step": [2], "optimizer": "rmsprop"}
    cfg = small_config(
        name, "mano", "mano", DATASET={"use_gt_input": False}, TRAIN=settings, SYNTHETIC={"samples_per_epoch": 256}
    )
    config = write_config(tmp_path / "config.yml", cfg)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = run_here("train", "--cfg", config, "--experiment", whole)
    assert done.returncode == 0, done.stderr

    with start_script("train", "--cfg", config, "--experiment", broken, code=NO_PLOTS) as process:
        deadline = time.monotonic() + 600
        while not list(broken.glob("*/checkpoint/checkpoint1.pth.tar")):
            assert process.poll() is None, "training ended before its first checkpoint"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not list(broken.glob("*/checkpoint/final.pth.tar"))
    resumed = run_here("train", "--cfg", config, "--experiment", broken, "--resume_training")
    assert resumed.returncode == 0, resumed.stderr
    assert "===> resume from epoch" in resumed.stdout
    (first,), (second,) = whole.iterdir(), broken.iterdir()
    same_weights(first, second)
    # one row per epoch, as if there had been no interruption
    assert (first / "log.csv").read_text() == (second / "log.csv").read_text()


def test_resume_without_a_checkpoint_starts_at_the_first_epoch(tmp_path, small_config, without_plots):
    config = write_config(tmp_path / "config.yml", small_config("posenet", "mano", "mano", TRAIN={"end_epoch": 1}))
    done = run_here("train", "--cfg", config, "--experiment", tmp_path / "runs", "--resume_training")
    assert done.returncode == 0, done.stderr
    assert "no checkpoint of this config to resume" in done.stdout


def test_finished_training_says_so(tmp_path, small_config, capsys):
    cfg = small_config("posenet", "mano", "mano", TRAIN={"end_epoch": 1})
    _, run = train(cfg, tmp_path)
    Trainer(cfg, Options(experiment=tmp_path), load_checkpoint(run)).fit(run)
    assert "already trained to epoch 1" in capsys.readouterr().out


def test_resuming_with_a_longer_cosine_moves_to_its_curve(tmp_path, small_config):
    settings = {"end_epoch": 2, "scheduler": "cosine"}
    _, run = train(small_config("posenet", "mano", "mano", TRAIN=settings), tmp_path)
    cfg = small_config("posenet", "mano", "mano", TRAIN=settings | {"end_epoch": 8})
    longer = Trainer(cfg, Options(), load_checkpoint(run))
    expected = 1e-5 + (1e-3 - 1e-5) * (1 + np.cos(np.pi * 2 / 8)) / 2
    assert longer.optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_resuming_on_another_graph_is_refused(tmp_path, small_config):
    _, run = train(small_config("pose2mesh_net", "mano", TRAIN={"end_epoch": 1}), tmp_path)
    other = small_config("pose2mesh_net", "mano", MODEL={"laplacian_scaling": "textbook"})
    with pytest.raises(ValueError, match=f"{run}.*legacy scaling.*textbook scaling .*laplacian_scaling"):
        Trainer(other, Options(), load_checkpoint(run))


@pytest.mark.parametrize("joint_set", ["human36", "coco", "smpl"])
@pytest.mark.parametrize("target", ["human36", "coco", "smpl"])
def test_every_pair_of_body_joint_sets_trains(small_config, joint_set, target):
    trainer = Trainer(small_config("pose2mesh_net", joint_set, target), Options())
    batch = next(trainer.loader.epoch(1))
    loss, terms = trainer.stage.loss(trainer.model, batch, 1)
    assert torch.isfinite(loss)
    evaluator = trainer.stage.evaluator(trainer.tester.dataset)
    evaluator.update(1000 * batch.targets["mesh"], 1000 * batch.targets["mesh"])
    assert evaluator.metrics.mean_of_batch_means("MPJPE") < 1e-3
    assert set(terms) == set(LOSS_NAMES)


def test_weights_path_takes_the_newest_fitting_run(tmp_path, small_config):
    cfg = small_config("posenet", "mano", "mano", TRAIN={"end_epoch": 1})
    _, first = train(cfg, tmp_path)
    _, second = train(cfg, tmp_path)
    mesh = small_config("pose2mesh_net", "mano")
    assert weights_path("", mesh, "posenet", "k", tmp_path).is_relative_to(second)
    assert weights_path(str(first), mesh, "posenet", "k", tmp_path) == first / "checkpoint" / "final.pth.tar"
    with pytest.raises(FileNotFoundError, match=f"k is elsewhere(.|\n)*A fitting run is there: {second}"):
        weights_path("elsewhere", mesh, "posenet", "k", tmp_path)
    wider = small_config("pose2mesh_net", "mano", MODEL={"posenet_width": 64})
    with pytest.raises(FileNotFoundError, match="MODEL.posenet_path is empty.*no posenet run"):
        weights_path("", wider, "posenet", "MODEL.posenet_path", tmp_path)
    assert first != second


def test_warm_start_finds_the_posenet_of_either_stage(tmp_path, small_config):
    cfg = small_config("pose2mesh_net", "coco", "human36", TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 32})
    trainer, run = train(cfg, tmp_path)
    lifter = build_posenet(cfg)
    load_checkpoint(run / "checkpoint").warm_start(lifter)
    for key, value in trainer.model.pose_lifter.state_dict().items():
        torch.testing.assert_close(lifter.state_dict()[key], value)
    alone = small_config("posenet", "coco", "coco", TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 32})
    lifted, run = train(alone, tmp_path)
    load_checkpoint(run / "checkpoint").warm_start(trainer.model)
    for key, value in lifted.model.state_dict().items():
        torch.testing.assert_close(trainer.model.pose_lifter.state_dict()[key], value)


def test_warm_start_copies_what_fits(tmp_path, small_config):
    cfg = small_config("posenet", "coco", "coco", TRAIN={"end_epoch": 1})
    _, run = train(cfg, tmp_path)
    cfg = small_config("posenet", "human36", TRAIN={"init_path": str(run)})
    trainer = Trainer(cfg, Options(experiment=tmp_path))
    saved = load_checkpoint(run)
    own = trainer.model.state_dict()
    assert torch.equal(own["linear_stages.0.w1.weight"], saved.state["linear_stages.0.w1.weight"])
    assert own["w1.weight"].shape != saved.state["w1.weight"].shape
    with pytest.raises(ValueError, match="no tensor"):
        saved.warm_start(torch.nn.Linear(3, 3))


@pytest.mark.parametrize("stage", ["posenet", "pose2mesh_net"])
def test_baselines_rank_as_they_must(small_config, stage):
    target = "coco" if stage == "posenet" else "human36"
    cfg = small_config(stage, "coco", target, SYNTHETIC={"samples_per_epoch": 600, "test_samples": 100})
    options = Options()
    errors = {}
    for name in ("mean", "linear", "nearest"):
        tester = base.Tester(cfg, options)
        tester.test(0, fit_baseline(name, cfg, options))
        errors[name] = tester.result["MPJPE"]
    assert errors["linear"] < 0.8 * errors["mean"]
    assert errors["nearest"] < 0.9 * errors["mean"]


def test_bf16_training_is_close_to_float32(tmp_path, small_config):
    errors = []
    for precision in ("float32", "bf16"):
        cfg = small_config("posenet", "mano", "mano", TRAIN={"precision": precision}, MODEL={"posenet_dropout": 0.0})
        errors.append(train(cfg, tmp_path)[0].train_log[-1])
    assert errors[0] == pytest.approx(errors[1], rel=0.03)
    assert errors[0] != errors[1]


def test_diverged_training_is_stopped(tmp_path, small_config, monkeypatch):
    monkeypatch.setattr("lib.core.loss.coord_loss", lambda pred, *_: pred.sum() * math.inf)
    cfg = small_config("posenet", "mano", "mano")
    with pytest.raises(ValueError, match="diverged"):
        train(cfg, tmp_path)


def test_released_weights_are_small_and_serve_the_demo(tmp_path, small_config):
    from lib.predictor import Pose2MeshPredictor
    from main.release import release

    _, run = train(small_config("pose2mesh_net", "mano", TRAIN={"end_epoch": 1}), tmp_path / "runs", plots=True)
    output = tmp_path / "weights"
    release(argparse.Namespace(run=str(run), output=str(output)))
    names = {path.name for path in output.iterdir()}
    assert names == {"final.pth.tar", "config.yml", "train_loss.pdf", "surface_error.pdf", "joint_error.pdf"}
    full, half = load_checkpoint(run), load_checkpoint(output)
    assert (output / "final.pth.tar").stat().st_size < 0.5 * (run / "checkpoint" / "final.pth.tar").stat().st_size
    poses = 100 + 50 * np.random.default_rng(0).normal(size=(2, 21, 2))
    meshes = [Pose2MeshPredictor("mano", weights=path, device="cpu").predict(poses).mesh for path in (run, output)]
    scale = meshes[0].abs().max()
    assert (meshes[0] - meshes[1]).abs().max() < 5e-3 * scale
    assert half.optimizer is half.rng is None
    assert full.settings.MODEL.mesh_channels == half.settings.MODEL.mesh_channels
    assert half.settings.MODEL.posenet_path == ""
    assert load_config(output / "config.yml") == half.settings
    with pytest.raises(ValueError, match="weights only"):
        Trainer(small_config("pose2mesh_net", "mano"), Options(), half)


def test_scripts_explain_themselves():
    for script, word in (("train", "--resume_training"), ("test", "--baseline")):
        done = run_here(script, "--help")
        assert done.returncode == 0
        assert word in done.stdout
