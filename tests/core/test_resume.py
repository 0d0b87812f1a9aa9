"""Weights bring their graph: what is built for them has its row order. And a run resumes without anything else."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import torch

from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.graphs import configured_graph, with_rows_of
from lib.core import base, commands, stages
from lib.core.base import Options, Trainer
from lib.core.runs import create_run, seed_everything
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO, HUMAN36
from lib.models.pose2mesh_net import build_pose2mesh
from lib.onnx.onnx_export import load_trained
from lib.predictor import Pose2MeshPredictor
from tests.support.runs import run_command, same_weights

pytestmark = pytest.mark.usefixtures("without_plots")

SHORT = {"samples_per_epoch": 32, "test_samples": 16}


def shuffled(graph):
    """The graph with its rows in another order, as another program's coarsening of the mesh might give it."""
    draw, laplacians, order = np.random.default_rng(0), [], None
    for laplacian in reversed(graph.laplacians[:-1]):
        if order is None:
            order = draw.permutation(laplacian.shape[0])
        else:  # rows 2 i and 2 i + 1 become row i of the next level
            order = (2 * order[:, None] + draw.permuted(np.tile([0, 1], (len(order), 1)), axis=1)).ravel()
        laplacians.insert(0, laplacian[order][:, order])
    laplacians.append(graph.laplacians[-1])
    return dataclasses.replace(graph, laplacians=tuple(laplacians), reverse=np.argsort(order)[graph.reverse])


@pytest.fixture
def cfg(small_config):
    train = {"end_epoch": 2, "edge_loss_start": 0, "optimizer": "rmsprop", "lr": 0.003}
    return small_config("pose2mesh_net", "mano", TRAIN=train, SYNTHETIC=SHORT)


@pytest.fixture
def foreign(cfg, tmp_path, monkeypatch):
    """A run of a machine whose coarsening has another row order."""
    with monkeypatch.context() as there:
        there.setattr(stages, "configured_graph", lambda *given: shuffled(configured_graph(*given)))
        seed_everything(1)
        trainer = Trainer(cfg, Options(seed=1, experiment=tmp_path))
        folder = create_run(tmp_path / "foreign", cfg)
        trainer.fit(folder)
    return folder


POSES = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 21, 2)).astype(np.float32))


@torch.no_grad()
def decoded(network):
    return network.eval()(POSES)[0]


def apart(mesh, other):
    """Millimetres between vertices."""
    return 1000 * (mesh - other).norm(dim=2).mean().item()


def saved_mesh(checkpoint):
    network = build_pose2mesh(checkpoint.settings, checkpoint.graph)
    checkpoint.load_into(network)
    return decoded(network)


def test_resumed_training_goes_on_with_the_rows_of_its_weights(cfg, foreign, tmp_path):
    first = load_checkpoint(foreign / "checkpoint" / "checkpoint1.pth.tar")
    resumed = Trainer(cfg, Options(seed=1, experiment=tmp_path), first)
    assert torch.equal(decoded(resumed.model), saved_mesh(first))
    # equal topology and sizes, but this machine's own rows scatter the mesh
    own = configured_graph(cfg, resumed.dataset.mesh_model)
    assert (own.topology_hash, own.sizes) == (first.graph.topology_hash, first.graph.sizes)
    wrong = build_pose2mesh(cfg, own)
    first.load_into(wrong)
    assert apart(decoded(wrong), saved_mesh(first)) > 10
    resumed.begin()
    folder = create_run(tmp_path, cfg)
    resumed.fit(folder)
    same_weights(foreign, folder)
    last = load_checkpoint(folder)
    assert np.array_equal(last.graph.reverse, first.graph.reverse)
    assert torch.equal(saved_mesh(last), decoded(resumed.model))


def test_tester_predictor_and_export_have_the_rows_of_the_weights(cfg, foreign):
    checkpoint = load_checkpoint(foreign)
    expected = saved_mesh(checkpoint)
    tested = base.Tester(cfg, Options()).stage.trained_model(checkpoint)
    for network in (tested, Pose2MeshPredictor("mano", foreign, "cpu").network, load_trained(foreign).network):
        assert torch.equal(decoded(network), expected)


def test_a_warm_start_has_the_rows_of_its_weights(cfg, foreign, tmp_path):
    started = Trainer(cfg.changed(TRAIN={"init_path": str(foreign)}), Options(experiment=tmp_path))
    assert torch.equal(decoded(started.model), saved_mesh(load_checkpoint(foreign)))


def test_rows_are_taken_where_the_mesh_is_divided_alike(body):
    other = shuffled(MeshGraph.build(body.faces, HUMAN36, 6))
    own = MeshGraph.build(body.faces, COCO, 6)
    mixed = with_rows_of(own, other)
    assert np.array_equal(mixed.reverse, other.reverse)
    assert not np.array_equal(own.reverse, other.reverse)
    assert (mixed.laplacians[-1] != own.laplacians[-1]).nnz == 0
    assert all((a != b).nnz == 0 for a, b in zip(mixed.laplacians[:-1], other.laplacians))
    for graph in (MeshGraph.build(body.faces, COCO, 7), MeshGraph.build(body.faces, COCO, 6, "textbook")):
        assert with_rows_of(graph, other) is graph
    assert with_rows_of(own, None) is own


def test_a_mesh_run_resumes_without_its_posenet(small_config, tmp_path):
    place, short = tmp_path / "experiment", {"end_epoch": 1}
    scale = {"input_scale": "common"}
    cfg = small_config("posenet", "mano", DATASET=scale, TRAIN=short, SYNTHETIC=SHORT)
    posenet = run_command(commands.train, cfg, place)
    start = {"posenet_pretrained": True, "posenet_path": str(posenet)}
    cfg = small_config("pose2mesh_net", "mano", MODEL=start, TRAIN=short, SYNTHETIC=SHORT)
    first = run_command(commands.train, cfg, place, name="hand")
    assert first.name.endswith("_hand")
    shutil.rmtree(posenet)
    with pytest.raises(FileNotFoundError, match="MODEL.posenet_path"):
        run_command(commands.train, cfg, place)
    longer = cfg.changed(TRAIN={"end_epoch": 2})
    assert run_command(commands.train, longer, place, resume_training=True) == first
    assert len(list(place.iterdir())) == 1
    saved = load_checkpoint(first)
    assert (saved.epoch, len(saved.train_log), saved.settings.DATASET.input_scale) == (2, 2, "common")
    with open(first / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
