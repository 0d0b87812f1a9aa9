"""Weights of the original release, dropped into experiment/: training, test and demo take them as they are."""

import json
import pickle
import shutil
import sys

import numpy as np
import pytest
import torch

import main.test
from lib.checkpoints.files import load_checkpoint
from lib.core.base import Options, Trainer
from lib.demo import DemoOptions, run_demo
from lib.graph.mesh_graph import MeshGraph
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import load_mesh_model
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.posenet import PoseNet
from lib.predictor import Pose2MeshPredictor
from lib.settings.config import Config
from lib.settings.reading import load_config
from tests.helpers import ROOT, assert_close, golden, write_config
from tests.support.demo_inputs import sample
from tests.support.files.released_files import TRAINED_ON, state_dict, write_model_files, write_release
from tests.support.named_weights import named_weights

# the stand-in for MANO has the right numbers of vertices and faces, but coarsens to 1152 rows instead of 1088
pytestmark = pytest.mark.filterwarnings("ignore:the faces of the MANO file")

TEST_FILES = {
    "human36": "human36J_test_human36",
    "coco": "cocoJ_test_3dpw",
    "smpl": "smplJ_test_surreal",
    "mano": "manoJ_test_freihand",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder as users have it: licensed models and the release's weights at their places, two file formats."""
    root = tmp_path_factory.mktemp("root")
    write_model_files(root)
    for number, (joint_set, name) in enumerate(TRAINED_ON.items()):
        for network in ("posenet", "pose2mesh"):
            path = root / "experiment" / f"{network}_{name}" / "final.pth.tar"
            write_release(path, network, joint_set, old_format=number % 2 == 0)
    return root


@pytest.fixture(autouse=True)
def _every_weight_must_come_from_a_file(monkeypatch, tmp_path):
    """Layers start as NaN, which also saves the time to draw; no relative path may depend on the working directory."""

    def blank(layer):
        with torch.no_grad():
            for parameter in layer.parameters(recurse=False):
                parameter.fill_(float("nan"))

    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", blank)
    monkeypatch.chdir(tmp_path)


def settings(name: str) -> Config:
    """A settings file of the original release on a few drawn poses."""
    cfg = load_config(ROOT / "asset" / "yaml" / f"{name}.yml")
    cfg = cfg.changed(DATASET={"train_list": ["Synthetic"], "test_list": ["Synthetic"]})
    cfg = cfg.changed(DATASET={"workers": 0}, TRAIN={"batch_size": 2})
    cfg = cfg.changed(SYNTHETIC={"samples_per_epoch": 2, "test_samples": 2})
    return cfg


def run_test(monkeypatch, tmp_path, cfg, root, *arguments):
    """``python main/test.py``; the figures that it wrote."""
    config, runs = write_config(tmp_path / "config.yml", cfg), tmp_path / "runs"
    given = ["--cfg", config, "--root", root, "--experiment", runs, "--gpu", "", *arguments]
    monkeypatch.setattr(sys, "argv", ["test", *map(str, given)])
    main.test.main()
    (metrics,) = runs.glob("exp_*/result/metrics.json")
    return json.loads(metrics.read_text())


def test_the_files_are_as_the_original_wrote_them(root):
    """Restricted loading with torch's own rules refuses them, as users of the release found."""
    path = root / "experiment" / "pose2mesh_smplJ_train_surreal" / "final.pth.tar"
    with pytest.raises(pickle.UnpicklingError, match="numpy"):
        torch.load(path, weights_only=True)
    checkpoint = load_checkpoint(path)
    assert checkpoint.graph is checkpoint.settings is checkpoint.rng is None
    assert (checkpoint.epoch, checkpoint.stage, checkpoint.joint_set.name) == (30, "pose2mesh_net", "smpl")
    assert checkpoint.trained.DATASET.target_joint_set == "smpl"
    assert checkpoint.scheduler["milestones"] == {20: 1}
    assert checkpoint.test_log == {"surface": [120.5, 101.5], "joint": [88.25, 80.0]}
    assert 2 not in checkpoint.optimizer["state"]
    assert sum(value.numel() for value in checkpoint.state.values()) > 7e7
    assert list(checkpoint.posenet.state) == list(state_dict("posenet", "smpl"))


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_main_test_takes_them(joint_set, root, tmp_path, monkeypatch, capsys):
    cfg = settings(f"pose2mesh_{TEST_FILES[joint_set]}")
    figures = run_test(monkeypatch, tmp_path, cfg, root)
    name = f"pose2mesh_{TRAINED_ON[joint_set]}"
    output = capsys.readouterr().out
    assert f"Fetch model weight from {root / 'experiment' / name / 'final.pth.tar'}" in output
    assert ("MANO right hand" if joint_set == "mano" else "SMPL body") in output
    assert np.isfinite(list(figures["millimetres"].values())).all()
    assert (figures["weights"]["path"], figures["weights"]["epoch"]) == (f"experiment/{name}/final.pth.tar", 30)


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_main_test_takes_the_posenet(joint_set, root, tmp_path, monkeypatch):
    cfg = settings(f"posenet_{TEST_FILES[joint_set]}")
    figures = run_test(monkeypatch, tmp_path, cfg, root)
    assert np.isfinite(figures["millimetres"]["MPJPE"])


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_training_starts_from_the_posenet(joint_set, root, tmp_path):
    cfg = settings(f"pose2mesh_{TRAINED_ON[joint_set]}")
    trainer = Trainer(cfg, Options(experiment=tmp_path / "runs", root=root))
    stored = state_dict("posenet", joint_set)
    loaded = trainer.model.pose_lifter.state_dict()
    assert list(loaded) == list(stored)
    assert all(torch.equal(loaded[key], value) for key, value in stored.items())


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_the_demo_prefers_them_to_the_open_weights(joint_set, root):
    predictor = Pose2MeshPredictor(joint_set, device="cpu", root=root)
    assert predictor.weights == root / "experiment" / f"pose2mesh_{TRAINED_ON[joint_set]}" / "final.pth.tar"
    stored = state_dict("pose2mesh", joint_set)
    loaded = predictor.network.state_dict()
    assert list(loaded) == list(stored)
    assert all(torch.equal(loaded[key], value) for key, value in stored.items())
    prediction = predictor.predict(sample(joint_set)[None])
    assert prediction.mesh.shape == (1, 778 if joint_set == "mano" else 6890, 3)
    assert prediction.mesh.isfinite().all()


def test_the_demo_draws_with_them(root, tmp_path, capsys):
    files = run_demo(DemoOptions(joint_set="mano", root=root, output=tmp_path / "out", device="cpu"))
    assert all(path.is_file() for path in files)
    output = capsys.readouterr().out
    assert "pose2mesh_manoJ_train_freihand" in output
    assert "MANO right hand" in output


def test_output_is_the_originals(tmp_path, root):
    """Through a file, with the weights of the golden full-size network."""
    values = golden("nets_full")
    shapes = {
        key: torch.empty(value.shape, dtype=value.dtype) for key, value in state_dict("pose2mesh", "mano").items()
    }
    torch.save({"model_state_dict": named_weights(shapes, 3)}, tmp_path / "final.pth.tar")
    network = Pose2MeshPredictor("mano", tmp_path, "cpu", root=root).network
    with torch.no_grad():
        mesh, pose = network(torch.from_numpy(values["mano_in"]))
    assert_close(pose, values["mano_eval_pose"], 1e-4)
    assert_close(mesh[:, values["mano_vid"]], values["mano_eval_mesh"], 1e-4)


# ------------------------------------------------------------------------------------------------ paths that users have


def test_best_beside_and_folders(root, tmp_path, monkeypatch):
    """The original's README says: copy best.pth.tar; its settings say: final.pth.tar; some of them name the folder."""
    name = "posenet_manoJ_train_freihand"
    folder = tmp_path / "experiment" / name
    folder.mkdir(parents=True)
    shutil.copy(root / "experiment" / name / "final.pth.tar", folder / "best.pth.tar")
    cfg = settings("posenet_manoJ_test_freihand")
    figures = []
    for path in (f"./experiment/{name}/final.pth.tar", f"./experiment/{name}", str(folder)):
        cfg = cfg.changed(TEST={"weight_path": path})
        figures.append(run_test(monkeypatch, tmp_path, cfg, root)["millimetres"])
        shutil.rmtree(tmp_path / "runs")
    assert figures[0] == figures[1] == figures[2]


def test_missing_weights_say_where_to_get_them(root, tmp_path, monkeypatch, capsys):
    (tmp_path / "experiment" / "posenet_cocoJ_train_human36_coco_muco").mkdir(parents=True)
    (tmp_path / "experiment" / "posenet_cocoJ_train_human36_coco_muco" / "final.zip").touch()
    cfg = settings("posenet_cocoJ_test_3dpw")
    with pytest.raises(SystemExit):
        run_test(monkeypatch, tmp_path, cfg, tmp_path)
    error = capsys.readouterr().err
    for words in (
        "TEST.weight_path is ./experiment/posenet_cocoJ_train_human36_coco_muco/final.pth.tar",
        f"{ROOT / 'experiment' / 'posenet_cocoJ_train_human36_coco_muco' / 'final.pth.tar'}",
        "holds no checkpoint, but final.zip",
        "https://github.com/hongsukchoi/Pose2Mesh_RELEASE",
        "asset/yaml/posenet_cocoJ_train_human36_coco_muco.yml",
    ):
        assert words in error


def test_other_faces_train_but_refuse_released_weights(root, tmp_path, monkeypatch, capsys):
    """As many vertices, other triangles: a stand-in, or a model of one's own."""
    cfg = settings("pose2mesh_cocoJ_test_3dpw")
    cfg = cfg.changed(MODEL={"body": str(ROOT / "asset" / "open_body" / "open_body_6890.npz")})
    with pytest.raises(SystemExit):
        run_test(monkeypatch, tmp_path, cfg, root)
    error = capsys.readouterr().err
    assert "its mesh graph starts from 96 rows, as SMPL's official faces give, the model's from 92" in error
    assert "pose2mesh.fc.weight is (6144, 1216) in the file, (5888, 1216) in the model" in error
    joint_set = get_joint_set("coco")
    faces = load_mesh_model("body", "open_6890").faces
    with pytest.warns(UserWarning, match="weights of the original release do not fit"):
        graph = MeshGraph.build(faces, joint_set, mesh_name="smpl")
    differing = {
        key for key, value in build_pose2mesh(cfg, graph).state_dict().items()
        if value.shape != state_dict("pose2mesh", "coco")[key].shape
    }  # fmt: skip
    assert differing == {"pose2mesh.fc.weight", "pose2mesh.fc.bias"}


def test_a_posenet_from_pose2mesh_weights(root, tmp_path):
    """MODEL.posenet_path may name Pose2Mesh weights: their PoseNet is taken, as trained on."""
    cfg = settings("pose2mesh_manoJ_train_freihand")
    cfg = cfg.changed(MODEL={"posenet_path": "experiment/pose2mesh_manoJ_train_freihand"})
    trainer = Trainer(cfg, Options(experiment=tmp_path / "runs", root=root))
    stored = state_dict("pose2mesh", "mano")
    for key, value in trainer.model.pose_lifter.state_dict().items():
        assert torch.equal(value, stored[f"pose_lifter.{key}"])


def test_posenet_loads_alone(root):
    model = PoseNet(24)
    load_checkpoint(root / "experiment" / "posenet_smplJ_train_surreal").load_into(model)
    assert not any(value.isnan().any() for value in model.state_dict().values())
