"""Weights are used with the input scale and the mirroring that they were trained with, whatever the settings say."""

import json
import shutil

import pytest
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import identity, load_checkpoint, save_checkpoint
from lib.checkpoints.finding import weights_path
from lib.checkpoints.resuming import find_resumable
from lib.core import base, commands
from lib.core.base import Options
from lib.doctor import files
from lib.doctor.finding import OK
from lib.models.posenet import build_posenet
from lib.onnx.onnx_export import load_trained, sample_keypoints
from lib.predictor import Pose2MeshPredictor
from lib.settings.reading import load_config
from tests.helpers import assert_close
from tests.support.networks import disturbed
from tests.support.runs import run_command

pytestmark = pytest.mark.usefixtures("without_plots")

SMALL = {"graph_levels": 6, "mesh_channels": [[5, 8], *([[8, 8]] * 5), [8, 3]]}
COMMON = {"DATASET": {"input_scale": "common"}}
ONE = {"TRAIN": {"end_epoch": 1}, "SYNTHETIC": {"samples_per_epoch": 32, "test_samples": 16}}


@pytest.fixture
def settings(small_config):
    """``settings(name, **sections)``: of a short training on human36 joints."""

    def make(name="posenet", **sections):
        merged = {"MODEL": dict(SMALL), **{section: dict(entries) for section, entries in ONE.items()}}
        for section, entries in sections.items():
            merged.setdefault(section, {}).update(entries)
        return small_config(name, "human36", **merged)

    return make


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("follow") / "experiment"


@pytest.fixture(scope="module")
def trained(place):
    """Runs by name, each made once."""
    return {}


@pytest.fixture
def posenet(settings, place, trained):
    """A PoseNet trained with a common scale and mirrored in use."""
    if "posenet" not in trained:
        cfg = settings(**COMMON, MODEL={"posenet_mirror": True})
        trained["posenet"] = run_command(commands.train, cfg, place)
    return trained["posenet"]


@pytest.fixture
def pose2mesh(settings, place, trained, posenet, capsys):
    """A Pose2Mesh behind it, whose settings do not mention either."""
    if "pose2mesh" not in trained:
        cfg = settings("pose2mesh_net", MODEL={"posenet_pretrained": True, "posenet_path": str(posenet)})
        trained["pose2mesh"] = run_command(commands.train, cfg, place)
        printed = capsys.readouterr().out
        assert f"DATASET.input_scale: common, as {posenet}/checkpoint/final.pth.tar was trained" in printed
        assert f"MODEL.posenet_mirror: True, as {posenet}/checkpoint/final.pth.tar was trained" in printed
    return trained["pose2mesh"]


def test_pose2mesh_follows_its_posenet(pose2mesh):
    for cfg in (load_config(pose2mesh / "config.yml"), load_checkpoint(pose2mesh).trained):
        assert (cfg.DATASET.input_scale, cfg.MODEL.posenet_mirror) == ("common", True)


def test_tester_follows_the_weights(pose2mesh, settings, tmp_path, capsys):
    cfg = settings("pose2mesh_net")
    tested = run_command(commands.test, cfg, tmp_path / "runs", weights=str(pose2mesh))
    assert "DATASET.input_scale: common, as" in capsys.readouterr().out
    own, found = (json.loads((path / "result" / "metrics.json").read_text()) for path in (pose2mesh, tested))
    assert found["millimetres"] == pytest.approx(own["millimetres"], rel=1e-5)
    # both say which weights these are of, and the test what was tested and how
    assert found["weights"] == own["weights"] == identity(pose2mesh / "checkpoint" / "final.pth.tar", 1)
    more = {"joints", "predictor", "settings"}
    assert set(found) == {"dataset", "samples", "setting", "millimetres", "metrics", "weights"} | more
    # without following it would be another number
    tester = base.Tester(cfg, Options(experiment=tmp_path))
    tester.test(0, tester.stage.trained_model(load_checkpoint(pose2mesh)))
    assert abs(tester.result["MPVPE"] - own["millimetres"]["MPVPE"]) > 0.1


def test_predictor_and_export_follow_the_weights(pose2mesh, posenet):
    predictor = Pose2MeshPredictor("human36", pose2mesh, "cpu", mesh="network")
    assert predictor.input_scale == "common"
    assert predictor.network.pose_lifter.mirror is not None
    keypoints = sample_keypoints(predictor.joint_set, 3)
    prediction = predictor.predict(keypoints)
    stretched = predictor.predict(keypoints * [1.5, 1])
    assert (prediction.pose3d - stretched.pose3d).abs().max() > 1e-3 * prediction.pose3d.abs().max()
    found = load_trained(pose2mesh)
    assert found.input_scale == "common"
    disturbed(found.network)
    with torch.inference_mode():
        pose3d, mesh = found.export_form()(torch.from_numpy(keypoints))
        predictor.network.load_state_dict(found.network.state_dict())
        expected = predictor.predict(keypoints)
    assert_close(pose3d, expected.pose3d)
    assert_close(mesh, expected.mesh)
    for path in (pose2mesh, posenet):
        found = load_trained(path, "posenet")
        assert (found.input_scale, found.network.mirror is None) == ("common", False)
        form = found.export_form()
        pair = [form(torch.from_numpy(keypoints * size).float()) for size in ([1, 1], [1.5, 1])]
        assert (pair[0] - pair[1]).abs().max() > 1e-3 * pair[0].abs().max()


# ------------------------------------------------------------------------------------------- settings of a new training


@pytest.fixture
def start(monkeypatch, place, tmp_path):
    """``start(cfg)``: settings of a training that would start, and where it would write."""

    def call(cfg, **changes):
        started = []
        monkeypatch.setattr(base.Trainer, "fit", lambda trainer, folder: started.append((trainer.cfg, folder)))
        monkeypatch.setattr(commands, "create_run", lambda *_, **__: tmp_path)
        run_command(commands.train, cfg, place, **changes)
        return started[0]

    return call


def test_trainer_follows_the_weights_that_it_starts_from(start, posenet, settings, tmp_path):
    cfg, folder = start(settings(TRAIN={"init_path": str(posenet)}))
    assert (cfg.DATASET.input_scale, cfg.MODEL.posenet_mirror) == ("common", True)
    assert folder == tmp_path
    assert start(settings())[0].DATASET.input_scale == "axis"


def test_posenet_decides_when_other_weights_are_named_too(start, posenet, settings, tmp_path):
    random = build_posenet(settings()).state_dict()
    first = str(tmp_path / "first.pth.tar")
    state = {f"pose_lifter.{key}": value for key, value in random.items()}
    save_checkpoint(first, Checkpoint(state, settings=settings("pose2mesh_net")))
    model = {"posenet_pretrained": True, "posenet_path": str(posenet)}
    cfg, _ = start(settings("pose2mesh_net", MODEL=model, TRAIN={"init_path": first}))
    assert (cfg.DATASET.input_scale, cfg.MODEL.posenet_mirror) == ("common", True)
    assert cfg.TRAIN.init_path == first


def test_resumed_training_goes_on_with_its_scale(start, posenet, settings):
    cfg = settings(TRAIN={"resume_path": str(posenet)})
    cfg, folder = start(cfg, resume_training=True)
    assert (cfg.DATASET.input_scale, cfg.MODEL.posenet_mirror) == ("common", True)
    assert folder == posenet


def test_runs_of_another_scale_do_not_fit(posenet, place, settings):
    for name in ("posenet", "pose2mesh_net"):
        with pytest.raises(FileNotFoundError, match="no posenet run with these data"):
            weights_path("", settings(name), "posenet", "k", place)
        assert weights_path("", settings(name, **COMMON), "posenet", "k", place).is_relative_to(posenet)
    same = {"posenet_mirror": True}
    assert find_resumable(place, settings(**COMMON, MODEL=same)).is_relative_to(posenet)
    assert find_resumable(place, settings(MODEL=same)) is None
    assert find_resumable(place, settings(**COMMON)) is None


@pytest.mark.parametrize("key, value", [("base_components", 8), ("base_width", 8), ("base_stages", 2)])
def test_runs_of_another_base_do_not_fit(pose2mesh, place, settings, key, value):
    assert weights_path("", settings("pose2mesh_net", **COMMON), "pose2mesh_net", "k", place).is_relative_to(pose2mesh)
    other = settings("pose2mesh_net", **COMMON, MODEL={key: value})
    with pytest.raises(FileNotFoundError, match="no pose2mesh_net run"):
        weights_path("", other, "pose2mesh_net", "k", place)


# --------------------------------------------------------------------------------------------- weights without settings


def test_weights_without_settings_mean_the_published_input(settings, tmp_path, capsys):
    cfg = settings(**COMMON, MODEL={"posenet_mirror": True})
    network = build_posenet(settings())
    save_checkpoint(tmp_path / "released.pth.tar", Checkpoint.of(network, epoch=30))
    followed = load_checkpoint(tmp_path / "released.pth.tar").adapted(cfg)
    assert (followed.DATASET.input_scale, followed.MODEL.posenet_mirror) == ("axis", False)
    assert cfg.DATASET.input_scale == "common"
    tested = run_command(commands.test, cfg, tmp_path / "runs", weights=str(tmp_path / "released.pth.tar"))
    assert "DATASET.input_scale: axis, as" in capsys.readouterr().out
    tester = base.Tester(settings(), Options(experiment=tmp_path))
    tester.test(0, network)
    found = json.loads((tested / "result" / "metrics.json").read_text())["millimetres"]
    assert found["MPJPE"] == pytest.approx(tester.result["MPJPE"], rel=1e-5)


def test_following_the_same_settings_changes_nothing(settings, capsys):
    cfg = settings(**COMMON)
    assert Checkpoint({}, settings=cfg).adapted(cfg) is cfg
    assert capsys.readouterr().out == ""


def test_baselines_keep_the_scale_of_the_settings(settings, tmp_path):
    tested = run_command(commands.test, settings(**COMMON), tmp_path / "runs", baseline="mean")
    assert load_config(tested / "config.yml").DATASET.input_scale == "common"


def test_the_doctor_knows_these_weights(posenet, pose2mesh, tmp_path):
    for name, source in (("posenet", posenet), ("pose2mesh", pose2mesh)):
        shutil.copytree(source / "checkpoint", tmp_path / "experiment" / name)
    found = {finding.subject: finding for finding in files.weights(tmp_path)}
    assert {finding.level for finding in found.values()} == {OK}
    assert "human36 joints, for open_1723" in found["pose2mesh"].text
