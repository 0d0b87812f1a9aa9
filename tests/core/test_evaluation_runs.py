"""Whole tests on tiny sets in the official formats: result files, saved predictions, sample meshes and pictures."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

from lib.core import base
from lib.core.base import Options, Trainer
from lib.core.runs import create_run
from lib.evaluation import samples
from lib.settings.reading import merge
from tests.helpers import write_config
from tests.support.networks import BODY_PLAN, HAND_PLAN
from tests.support.runs import run_here

pytestmark = pytest.mark.usefixtures("without_plots")

SETS = {
    # data set: input joints, compared joints, its groups
    "Human36M": ("human36", "human36", "action"),
    "PW3D": ("coco", "human36", "video"),
    "SURREAL": ("smpl", "smpl", None),
    "FreiHAND": ("mano", "mano", None),
}
STAGES = ("posenet", "pose2mesh_net")


def config(name, stage, train=(), **test):
    input_set, target_set, _ = SETS[name]
    hand = input_set == "mano"
    plan = HAND_PLAN if hand else BODY_PLAN
    return merge(
        {
            "DATASET": {
                "train_list": list(train) or [name],
                "test_list": [name],
                "input_joint_set": input_set,
                "target_joint_set": target_set,
                "use_gt_input": False,
                "workers": 0,
                "cache": "",
            },
            "MODEL": {"name": stage, "posenet_width": 16, "mesh_channels": plan, "graph_levels": len(plan) - 1},
            "TRAIN": {"batch_size": 4, "end_epoch": 2},
            "TEST": {"batch_size": 3, **test},
        }
    )


@pytest.fixture
def evaluate(tiny_root, tmp_path):
    """``evaluate(name, stage, **test settings)``: tester and run folder after a test of a random network."""

    def run(name, stage, **test):
        cfg = config(name, stage, **test)
        tester = base.Tester(cfg, Options(experiment=tmp_path, root=tiny_root))
        torch.manual_seed(0)
        model = tester.stage.build_model()
        folder = create_run(tmp_path, cfg)
        tester.test(0, model, folder)
        tester.report(folder / "result")
        return tester, folder

    return run


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", SETS)
def test_every_data_set_and_model(evaluate, name, stage, capsys):
    tester, run = evaluate(name, stage, save_predictions=True, smooth=True)
    printed = capsys.readouterr().out
    metrics = json.loads((run / "result" / "metrics.json").read_text())
    assert metrics["dataset"] == name
    assert metrics["samples"] == len(tester.dataset)
    assert set(metrics["metrics"]) == set(tester.result)
    kind = SETS[name][2]
    for key, metric in metrics["metrics"].items():
        assert metric["value"] == pytest.approx(tester.result[key])
        assert metric["protocol"]
        assert f"  {key}: {metric['protocol']}" in printed
        assert kind is None or metric[kind]
    with open(run / "result" / "metrics.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert rows[-1][:3] == ["all", name, str(len(tester.dataset))]
    assert len(header) == 3 + len(tester.result)
    assert {row[0] for row in rows[:-1]} == ({kind} if kind else set())
    assert sum(int(row[2]) for row in rows[:-1]) == (len(tester.dataset) if kind else 0)
    # the same figures from the saved predictions, without a model
    result = tester.result
    again = base.Tester(tester.cfg, tester.options)
    again.test_predictions(run / "result" / "predictions")
    assert again.result.keys() == result.keys()
    for key, value in result.items():
        assert again.result[key] == pytest.approx(value, rel=1e-5, nan_ok=True)
    assert (run / "pred.json").exists() == (name == "FreiHAND")


def test_saved_predictions_say_what_they_are(evaluate, tiny_root):
    tester, run = evaluate("PW3D", "pose2mesh_net", save_predictions=True)
    folder = run / "result" / "predictions"
    count, records = len(tester.dataset), tester.dataset.records
    names = {path.name for path in folder.iterdir()}
    expected = {"joints", "mesh", "image", "image_id", "annotation_id", "person_id"}
    assert names == {"info.json", *(f"{name}.npy" for name in expected)}
    assert np.load(folder / "mesh.npy").shape == (count, tester.dataset.mesh_model.vertex_num, 3)
    assert np.load(folder / "joints.npy").shape == (count, 19, 3)
    assert np.load(folder / "mesh.npy").dtype == np.float32
    assert np.array_equal(np.load(folder / "annotation_id.npy"), records["annotation_id"])
    info = json.loads((folder / "info.json").read_text())
    assert info == {
        "dataset": "PW3D", "model": "pose2mesh_net", "joint_set": "coco", "samples": count, "unit": "mm",
    }  # fmt: skip
    assert not list((run / "result").glob(".*"))


def test_predictions_of_other_samples_are_refused(evaluate, tmp_path):
    tester, run = evaluate("PW3D", "posenet", save_predictions=True)
    saved = {path.stem: np.load(path) for path in (run / "result" / "predictions").glob("*.npy")}

    def check(match, error=ValueError, drop=(), **changes):
        arrays = {key: value for key, value in {**saved, **changes}.items() if key not in drop}
        path = tmp_path / "changed.npz"
        np.savez(path, **arrays)
        with pytest.raises(error, match=match):
            tester.test_predictions(path)

    count = len(tester.dataset)
    check(rf"joints is float32 \({count - 1}, 19, 3\), expected", joints=saved["joints"][1:])
    check("expected floating point numbers", joints=saved["joints"][:, :17])
    check("no array 'joints', which posenet is evaluated by", drop=("joints",))
    check("annotation_id of sample 0 is", annotation_id=saved["annotation_id"][::-1])
    check("of other samples: image of sample 2", image=np.where(np.arange(count) == 2, b"x", saved["image"]))
    check("joint_set 'human36', the settings give 'coco'", joint_set=np.array("human36"))
    check("unit 'm', the settings give 'mm'", unit=np.array("m"))
    check(
        "joints of sample 1 is not finite",
        joints=np.where(np.arange(count)[:, None, None] == 1, np.nan, saved["joints"]),
    )
    check("has shape", image_id=saved["image_id"][:2])
    # only what is evaluated must be there
    np.savez(tmp_path / "good.npz", joints=saved["joints"])
    tester.test_predictions(tmp_path / "good.npz")
    with pytest.raises(FileNotFoundError, match="TEST.save_predictions"):
        tester.test_predictions(tmp_path / "nowhere")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.npz is no NumPy file; expected a folder or an \.npz file"):
        tester.test_predictions(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", saved["joints"])
    with pytest.raises(ValueError, match=r"one\.npy is a single array; expected a folder or an \.npz file"):
        tester.test_predictions(tmp_path / "one.npy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "joints.npy").write_text("no array")
    with pytest.raises(ValueError, match=r"joints\.npy is no NumPy file"):
        tester.test_predictions(tmp_path / "folder")


def test_an_error_leaves_no_half_written_predictions(tiny_root, tmp_path):
    cfg = config("FreiHAND", "posenet", save_predictions=True)
    tester = base.Tester(cfg, Options(experiment=tmp_path, root=tiny_root))
    run = create_run(tmp_path, cfg)
    model = tester.stage.build_model()
    calls = []

    def failing(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("device lost")
        return torch.zeros(len(args[0]), 63)

    model.forward = failing
    with pytest.raises(RuntimeError, match="device lost"):
        tester.test(0, model, run)
    assert list((run / "result").iterdir()) == []
    assert not list(run.glob("pred*"))
    assert not list(run.glob(".*"))


def test_predictions_that_are_not_numbers_are_an_error(tiny_root, tmp_path):
    tester = base.Tester(config("PW3D", "posenet"), Options(experiment=tmp_path, root=tiny_root))
    model = tester.stage.build_model()
    model.forward = lambda pose2d: torch.full((len(pose2d), 57), float("nan"))
    with pytest.raises(ValueError, match="samples 0 to 2 of PW3D is not finite: the weights are damaged"):
        tester.test(0, model)


def vertices_of(path):
    lines = path.read_text().splitlines()
    return np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=np.float64)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name, most", [("Human36M", samples.PICTURES), ("PW3D", 3), ("SURREAL", 4), ("FreiHAND", 5)])
def test_sample_meshes_and_pictures(evaluate, monkeypatch, name, most):
    monkeypatch.setattr(samples, "PICTURES", most)  # drawing takes longer than all the rest
    tester, run = evaluate(name, "pose2mesh_net", vis=True, save_predictions=True)
    records, count = tester.dataset.records, len(tester.dataset)
    meshes = np.load(run / "result" / "predictions" / "mesh.npy")
    stems = [bytes(image).decode().removesuffix(".jpg").split("/") for image in records["image"]]
    if name == "Human36M":
        expected = {"_".join(stems[0][-2:]): 0}
    elif name == "PW3D":
        expected = {f"3dpw_{records['video'][i].decode()}_{stems[i][-1]}": i for i in range(0, count, 10)}
    elif name == "SURREAL":
        expected = {f"{stem[-1]}_pred": i for i, stem in enumerate(stems)}
    else:
        expected = {"0": 0}
    written = {path.stem for path in (run / "vis").glob("*.obj")}
    truths = {stem for stem in written if stem.endswith("_gt")}
    assert written - truths == set(expected)
    assert len(truths) == (count if name == "SURREAL" else 0)
    for stem, index in expected.items():
        mesh = meshes[index].astype(np.float64)
        if name != "FreiHAND":
            mesh -= tester.dataset.mesh_model.joint_regressor("smpl")[:1] @ mesh
        scale = 1e-3 if name in ("Human36M", "PW3D") else 1
        np.testing.assert_allclose(vertices_of(run / "vis" / f"{stem}.obj"), scale * mesh, atol=1e-3 * scale)
    pictures = [path.name for path in (run / "vis").glob("*.jpg")]
    for kind in ("2d_joint", "3d_pred", "3d_gt"):
        drawn = 0 if name == "FreiHAND" and kind == "3d_gt" else min(most, count)
        assert sum(kind in picture for picture in pictures) == drawn


def test_training_evaluates_in_full_after_its_last_epoch_alone(tiny_root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(samples, "PICTURES", 1)
    cfg = config("PW3D", "posenet", train=["COCO"], save_predictions=True, vis=True)
    cfg = cfg.changed(DATASET={"use_gt_input": True})
    trainer = Trainer(cfg, Options(experiment=tmp_path, root=tiny_root))
    run = create_run(tmp_path, cfg)
    full = []
    original = trainer.tester.stage.evaluator
    trainer.tester.stage.evaluator = lambda dataset, only: full.append(only) or original(dataset, only)
    trainer.fit(run)
    assert full == [False, True]
    assert capsys.readouterr().out.count("COCO PA-MPJPE (mm) >> tot:") == 1
    assert (run / "result" / "predictions" / "joints.npy").exists()
    assert list((run / "vis").iterdir())


def test_freihand_training_says_that_it_has_no_targets(tiny_root, tmp_path, capsys):
    cfg = config("FreiHAND", "posenet")
    trainer = Trainer(cfg, Options(experiment=tmp_path, root=tiny_root))
    trainer.fit(create_run(tmp_path, cfg))
    printed = capsys.readouterr().out
    assert "errors of 0, and best.pth.tar is the newest epoch" in printed
    assert trainer.test_log["joint"] == [0, 0]
    assert "PA-MPJPE (mm) >> tot:" in printed


def test_freihand_without_truth_says_where_it_is(tiny_root, tmp_path, capsys):
    root = tmp_path / "root"
    shutil.copytree(tiny_root, root, ignore=shutil.ignore_patterns("evaluation_*.json", "Human36M", "PW3D", "AMASS"))
    tester = base.Tester(config("FreiHAND", "posenet"), Options(experiment=tmp_path, root=root))
    run = create_run(tmp_path, tester.cfg)
    tester.test(0, tester.stage.build_model(), run)
    tester.report(run / "result")
    assert tester.result == {}
    assert "no figures without evaluation_xyz.json" in capsys.readouterr().out
    joints, again = json.loads((run / "pred.json").read_text())
    assert np.shape(joints) == np.shape(again) == (len(tester.dataset), 21, 3)


def test_validation_split_of_3dpw(tiny_root, tmp_path):
    cfg = config("PW3D", "posenet").changed(DATASET={"test_split": "validation"})
    tester = base.Tester(cfg, Options(experiment=tmp_path, root=tiny_root))
    assert tester.dataset.mode == "validation"
    assert tester.evaluator.setting == "validation split"
    other = config("SURREAL", "posenet").changed(DATASET={"test_split": "validation"})
    with pytest.raises(ValueError, match="SURREAL has no split 'validation'"):
        base.Tester(other, Options(experiment=tmp_path, root=tiny_root))


def test_command_evaluates_predictions(evaluate, tiny_root, tmp_path):
    tester, run = evaluate("Human36M", "posenet", save_predictions=True)
    cfg = write_config(tmp_path / "test.yml", tester.cfg)
    common = ("--cfg", cfg, "--root", tiny_root, "--experiment", tmp_path / "again")
    done = run_here("test", *common, "--predictions", run / "result" / "predictions")
    assert done.returncode == 0, done.stderr
    assert f"MPJPE (mm)    >> tot: {tester.result['MPJPE']:.2f}" in done.stdout
    done = run_here("test", *common, "--predictions", tmp_path / "absent")
    assert done.returncode == 2
    assert "absent not found" in done.stderr
    assert len(list((tmp_path / "again").iterdir())) == 1


def test_weights_without_a_config_are_tested_with_their_own_settings(tiny_root, tmp_path):
    cfg = config("Human36M", "posenet")
    trainer = Trainer(cfg, Options(experiment=tmp_path, root=tiny_root))
    run = create_run(tmp_path, cfg)
    trainer.fit(run)
    command = ["test", "--weights", run, "--root", tiny_root, "--experiment", tmp_path]
    with_config = run_here(*command, "--cfg", run / "config.yml")
    alone = run_here(*command, "--set", "TEST.batch_size=5")
    figures = [[line for line in done.stdout.splitlines() if ">> tot" in line] for done in (alone, with_config)]
    assert figures[0] == figures[1] != []
    assert "Human36M" in alone.stdout
