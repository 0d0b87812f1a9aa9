"""The extensions of CONTRIBUTING.md work as written there: a lifter, a term of the loss, a metric."""

import csv
import importlib
import json
import re
import sys

import pytest
import torch

from lib.checkpoints.files import load_checkpoint
from lib.core import base
from lib.core.base import Options, Trainer
from lib.core.loss_terms import LOSS_TERMS
from lib.core.runs import create_run, seed_everything
from lib.datasets.registry import DATASETS
from lib.joints.tables import COCO
from lib.models.export.export_form import ExportForm
from lib.models.lifters import LIFTERS, build_lifter
from lib.onnx.onnx_export import TOLERANCE, Trained, compare, export_onnx, load_trained, sample_keypoints
from lib.predictor import Pose2MeshPredictor
from tests.helpers import ROOT, require_onnx
from tests.support.runs import same_weights

pytestmark = pytest.mark.usefixtures("without_plots")

GUIDE = ROOT / "CONTRIBUTING.md"
SMALL = {"posenet_width": 16, "posenet_stages": 1, "posenet_dropout": 0.1}
TINY_MESH = {"graph_levels": 6, "mesh_channels": [[5, 8], *([[8, 8]] * 5), [8, 3]]}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """``written(path)``: the module that the guide has under this path, and its line in a table: name, variable."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    text, names = GUIDE.read_text(encoding="utf-8"), []

    def make(path):
        code = re.search(rf'```python\n("""{re.escape(path)}""".*?)```(.*?)(?=\n#|\Z)', text, flags=re.DOTALL)
        names.append("contributed_" + re.sub(r"\W", "_", path.removesuffix(".py")))
        (folder / f"{names[-1]}.py").write_text(code[1], encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(names[-1]), re.search(r'`"([^"]+)": (\w+),`', code[2])

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def lifter(written, monkeypatch):
    """Class of the guide's lifter, which is in the table under the name it has there."""
    module, line = written("lib/models/joint_transformer.py")
    assert f"`MODEL.lifter: {line[1]}`" in GUIDE.read_text(encoding="utf-8")
    monkeypatch.setitem(LIFTERS, line[1], getattr(module, line[2]))
    return module.JointTransformer


def fit(cfg, experiment, resumed=None):
    seed_everything(1)
    trainer = Trainer(cfg, Options(seed=1, experiment=experiment), resumed)
    run = create_run(experiment, cfg)
    trainer.begin()
    trainer.fit(run)
    return trainer, run


def log(run):
    with open(run / "log.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_guide_is_short_and_names_what_is_there():
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    named = re.findall(
        r"`((?:lib|tests|data|docs|asset)/[\w./]+|\.ci/run|CHANGELOG\.md)`|\]\((?!#)([^)#]+)", "\n".join(lines)
    )
    assert len(named) > 10
    for name in (first or second for first, second in named):
        assert (ROOT / name).exists(), name


def test_a_new_lifter_trains_resumes_tests_and_predicts(tmp_path, small_config, lifter, run_demo, capsys):
    training = {"optimizer": "rmsprop", "end_epoch": 3}
    cfg = small_config("posenet", MODEL={"lifter": "transformer", **SMALL}, TRAIN=training)
    trainer, run = fit(cfg, tmp_path / "posenet")
    assert type(trainer.model) is lifter
    assert trainer.train_log[-1] < trainer.train_log[0]
    _, again = fit(cfg, tmp_path / "resumed", load_checkpoint(run / "checkpoint" / "checkpoint1.pth.tar"))
    same_weights(run, again)

    start = {"lifter": "transformer", "posenet_pretrained": True, "posenet_path": "", "posenet_freeze": True}
    training["end_epoch"] = 1
    cfg = small_config("pose2mesh_net", MODEL={**SMALL, **TINY_MESH, **start}, TRAIN=training)
    trainer, mesh_run = fit(cfg, tmp_path / "posenet")
    assert "Loading pretrained posenet..." in capsys.readouterr().out
    saved = load_checkpoint(mesh_run / "checkpoint")
    for key, value in load_checkpoint(run / "checkpoint").state.items():
        assert torch.equal(value, saved.posenet.state[key])
    tester = base.Tester(cfg, Options())
    tester.test(0, tester.stage.trained_model(saved))
    assert tester.surface_error == pytest.approx(trainer.test_log["surface"][-1], abs=1e-3)

    predictor = Pose2MeshPredictor(None, mesh_run / "checkpoint", "cpu", mesh="network")
    assert type(predictor.network.pose_lifter) is lifter
    keypoints = sample_keypoints(COCO, 3)
    result = predictor(keypoints)
    for stage in ("pose2mesh", "posenet"):
        trained = load_trained(mesh_run / "checkpoint", stage)
        found = trained.export_form()(torch.from_numpy(keypoints))
        expected = (result.pose3d, result.mesh) if stage == "pose2mesh" else (result.pose3d,)
        for values, wanted in zip(found if stage == "pose2mesh" else (found,), expected, strict=True):
            torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-3)
    assert run_demo("--weights", mesh_run / "checkpoint", "--save", "npz") == 0


def test_a_new_lifter_becomes_an_onnx_file(tmp_path, small_config, lifter):
    require_onnx()
    network = (
        build_lifter(small_config("posenet", MODEL={"lifter": "transformer", **SMALL})).eval().requires_grad_(False)
    )
    trained = Trained(network, COCO, None, None, tmp_path)
    path = export_onnx(trained, tmp_path / "net.onnx")
    assert max(compare(trained, path, batches=(1, 5)).difference.values()) < TOLERANCE


def test_the_export_form_leaves_a_lifter_as_it_is(small_config, lifter):
    network = build_lifter(small_config("posenet", MODEL={"lifter": "transformer", **SMALL})).train()
    ExportForm(network, COCO)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_wrong_lifters_are_named(tmp_path, small_config, lifter):
    with pytest.raises(ValueError, match=r"MODEL.lifter: unknown lifter 'mpl'; known: mlp, temporal, transformer"):
        build_lifter(small_config("posenet", MODEL={"lifter": "mpl"}))
    model = {"lifter": "transformer", **SMALL}
    with pytest.raises(ValueError, match="MODEL.posenet_mirror: the lifter 'transformer' has no mirror"):
        build_lifter(small_config("posenet", MODEL={**model, "posenet_mirror": True}))
    cfg = small_config("posenet", MODEL=model, TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 16})
    _, run = fit(cfg, tmp_path)
    with pytest.raises(ValueError, match=r"lifted by another network than the model's \(MODEL.lifter\)"):
        load_checkpoint(run / "checkpoint").load_into(build_lifter(small_config("posenet")))


@pytest.mark.parametrize("name", ["posenet", "pose2mesh_net"])
def test_a_new_loss_term_is_trained_with_and_logged(tmp_path, small_config, written, monkeypatch, run_demo, name):
    module, line = written("lib/core/bone_loss.py")
    monkeypatch.setitem(LOSS_TERMS, line[1], getattr(module, line[2]))
    (weight,) = re.findall(rf"`MODEL.loss_terms: {{{line[1]}: ([\d.]+)}}`", GUIDE.read_text(encoding="utf-8"))
    settings = {"TRAIN": {"end_epoch": 2}, "SYNTHETIC": {"samples_per_epoch": 32, "test_samples": 16}}
    model = {**SMALL, **TINY_MESH}
    cfg = small_config(name, MODEL={**model, "loss_terms": {line[1]: float(weight)}}, **settings)
    trainer, run = fit(cfg, tmp_path)
    rows = log(run)
    assert all(float(row[line[1]]) > 0 for row in rows)
    terms = [column for column in rows[0] if column.endswith("loss") and column != "loss"]
    assert [sum(float(row[term]) for term in terms) for row in rows] == pytest.approx(trainer.train_log)
    plain, _ = fit(small_config(name, MODEL=model, **settings), tmp_path)
    assert plain.train_log[0] != trainer.train_log[0]
    assert load_checkpoint(run / "checkpoint").trained.MODEL.loss_terms == {line[1]: float(weight)}
    if name == "pose2mesh_net":
        assert run_demo("--weights", run / "checkpoint", "--save", "npz") == 0


def test_unknown_loss_terms_and_weights_are_named(tmp_path, small_config):
    with pytest.raises(ValueError, match="MODEL.loss_terms: unknown term 'bones'; known: none"):
        fit(small_config("posenet", MODEL={"loss_terms": {"bones": 1}}), tmp_path)
    for terms, message in (
        (["bones"], "expected names and values"),
        ({"bones": "much"}, r"\[bones\]: expected a number"),
    ):
        with pytest.raises(ValueError, match=f"MODEL.loss_terms.*{message}"):
            small_config("posenet", MODEL={"loss_terms": terms})


def test_a_new_metric_is_reported(tmp_path, small_config, written, monkeypatch, capsys):
    module, _ = written("data/Worst/dataset.py")
    monkeypatch.setitem(DATASETS, "Worst", module.__name__)
    sets = {"train_list": ["Worst"], "test_list": ["Worst"]}
    _, run = fit(small_config("posenet", DATASET=sets, MODEL=SMALL, TRAIN={"end_epoch": 1}), tmp_path)
    assert "worst joint (mm) >> tot: " in capsys.readouterr().out
    metrics = json.loads((run / "result" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["metrics"]["worst joint"]["protocol"] == module.WORST.protocol
    assert metrics["millimetres"]["worst joint"] > metrics["millimetres"]["MPJPE"]
    assert "worst joint (mm)" in (run / "result" / "metrics.csv").read_text(encoding="utf-8")
