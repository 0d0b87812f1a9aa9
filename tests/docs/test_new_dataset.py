"""The new data set of data/README.md works everywhere as written, and is as short as promised; what data sets share."""

import ast
import importlib
import json
import re
import shutil
import sys
from types import ModuleType

import pytest
import torch

import data
from data.verify import main as verify
from lib.core import base
from lib.core.runs import create_run
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import DATASETS, dataset_class
from lib.datasets.storage.annotations import Detections
from lib.doctor import files as doctor
from lib.mesh.mesh_model import REGRESSOR_FILES
from tests.helpers import ROOT

pytestmark = pytest.mark.usefixtures("without_plots")

LINES = 40


@pytest.fixture
def new_set(tmp_path, tiny_root, monkeypatch):
    """The folder and the line that the guide asks for, and a root with files: 3DPW's, one person without a fit."""
    guide = (ROOT / "data" / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    assert len(code.splitlines()) <= LINES
    folder = tmp_path / "code" / "MyData"
    folder.mkdir(parents=True)
    (folder / "dataset.py").write_text(code)
    monkeypatch.setattr(data, "__path__", [*data.__path__, str(folder.parent)])
    ((name, module),) = re.findall(r'`"(\w+)": "([\w.]+)",`', guide)
    monkeypatch.setitem(DATASETS, name, module)
    importlib.invalidate_caches()
    root = tmp_path / "root"
    source, target = tiny_root / "data" / "PW3D" / "data", root / "data" / "MyData"
    target.mkdir(parents=True)
    content = json.loads((source / "3DPW_latest_test.json").read_text())
    del content["annotations"][0]["smpl_param"]
    for split in ("train", "test"):
        (target / f"{split}.json").write_text(json.dumps(content))
    shutil.copyfile(source / "darkpose_3dpw_testset_output.json", target / "detections.json")
    (root / "smplpytorch").symlink_to(tiny_root / "smplpytorch")
    for file in REGRESSOR_FILES.values():
        (root / file).parent.mkdir(parents=True)
        shutil.copyfile(tiny_root / file, root / file)
    yield root
    for loaded in ("data.MyData", "data.MyData.dataset"):
        sys.modules.pop(loaded, None)
    vars(data).pop("MyData", None)


@pytest.mark.parametrize("name", ["posenet", "pose2mesh_net"])
def test_a_new_data_set_trains_tests_and_gives_weights_to_the_demo(new_set, small_config, run_demo, name, capsys):
    settings = {"use_gt_input": False, "cache": str(new_set / "cache"), "test_list": ["MyData"]}
    cfg = small_config(name, "coco", DATASET=settings, MODEL={"body": "auto"})
    train = dataset_class("MyData")("train", cfg, root=new_set)
    tester = base.Tester(cfg, base.Options(root=new_set))
    assert f"MyData test: {len(train)} samples; left out: 1 without an SMPL fit" in capsys.readouterr().out
    pose2d = {}
    for what, dataset in {"detected": tester.dataset, "projected": train}.items():
        pose2d[what] = dataset.batch([0], stream(0)).inputs["pose2d"]
        assert pose2d[what].shape == (1, 19, 2)
    assert not torch.equal(*pose2d.values())
    cfg = cfg.changed(DATASET={"train_list": ["MyData"]}, TRAIN={"end_epoch": 1})
    trainer = base.Trainer(cfg, base.Options(root=new_set, experiment=new_set))
    run = create_run(new_set, cfg)
    trainer.fit(run)
    assert {"MPJPE", "PA-MPJPE"} <= set(trainer.tester.result)
    assert "Protocol of each figure" in capsys.readouterr().out
    assert dataset_class("MyData")("train", cfg, root=new_set).records.folder is not None  # from the cache
    if name == "pose2mesh_net":
        assert run_demo("--weights", run / "checkpoint", "--root", new_set, "--save", "npz") == 0


def test_a_new_data_set_is_verified(new_set, tmp_path, capsys):
    arguments = ["MyData", "--root", str(new_set), "--output", str(tmp_path / "out")]
    assert verify(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(" OK, 0 WARN, 0 FAIL")
    assert sum("px from the projected joints" in line for line in lines) == 1
    assert "OK   MyData test: fits 2D: none to compare with in this format" in lines
    assert (tmp_path / "out" / "MyData_test.png").is_file()
    (new_set / "data" / "MyData" / "train.json").unlink()
    assert verify(arguments) == 1
    assert "train.json not found; get it from https://example.org/mydata" in capsys.readouterr().out


def test_the_doctor_finds_a_new_data_set(new_set, tmp_path):
    for root, level in ((new_set, "OK"), (tmp_path / "empty", "WARN")):
        (finding,) = [finding for finding in doctor.datasets(root) if finding.subject == "MyData"]
        assert finding.level == level


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_is_the_class_of_its_name(name):
    assert dataset_class(name).name == dataset_class(name).__name__ == name
    assert isinstance(importlib.import_module(f"data.{name}").dataset, ModuleType)


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_data_sets_are_imported_by_their_table_alone():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "lib").rglob("*.py")
        if any(module.split(".")[0] == "data" for module in _imported(path))
    }
    assert not found


def test_detections_may_be_flat_and_the_file_may_start_with_a_mark(tmp_path):
    """COCO results list keypoints without nesting; some editors put a byte-order mark first."""
    path = tmp_path / "detections.json"
    entries = [{"image_id": 7, "keypoints": [1.0, 2.0, 0.5, 3.0, 5.0, 0.6]}, {"image_id": 8, "keypoints": [1, 2, 3, 5]}]
    path.write_text(json.dumps(entries), encoding="utf-8-sig")
    poses = Detections.from_list(path, 2, "image_id").of([8, 7])
    assert poses.tolist() == [[[1, 2], [3, 5]], [[1, 2], [3, 5]]]
