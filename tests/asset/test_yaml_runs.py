"""Every settings file of the original release, run through the programs on the tiny generated data.

Joint sets, data set lists and all other settings are the file's; only sizes shrink: narrow networks, small batches, one
epoch.
"""

import contextlib
import io
import json
import shutil
import sys

import numpy as np
import pytest

import main.test
import main.train
from data.tiny import write_tiny
from lib.checkpoints.files import load_checkpoint
from lib.core import base
from lib.settings.reading import load_config
from tests.helpers import ROOT, write_config
from tests.support.released_settings import FILES

# convolutions per block as published, few channels: 8 levels of a body, 5 of a hand, joints and output
BODY_PLAN = [[5, 8, 8], *([[8, 8]] * 8), [8, 3]]
HAND_PLAN = [[5, 8, 8], *([[8, 8]] * 5), [8, 3]]
# figures that a test must give: by test set and network
FIGURES = {
    ("Human36M", "pose2mesh"): {"H36M MPJPE", "H36M PA-MPJPE", "SMPL MPJPE", "MPVPE"},
    ("Human36M", "posenet"): {"MPJPE", "PA-MPJPE"},
    ("PW3D", "pose2mesh"): {"H36M MPJPE", "H36M PA-MPJPE", "SMPL MPJPE", "MPVPE", "PA-MPVPE"},
    ("PW3D", "posenet"): {"COCO MPJPE", "COCO PA-MPJPE"},
    ("SURREAL", "pose2mesh"): {"SMPL MPJPE", "MPVPE"},
    ("SURREAL", "posenet"): {"MPJPE", "PA-MPJPE"},
    ("FreiHAND", "pose2mesh"): {"PA-MPJPE", "PA-MPVPE"},
    ("FreiHAND", "posenet"): {"PA-MPJPE"},
}


class Workplace:
    """Tiny data and an experiment folder; training happens once per settings file."""

    def __init__(self, folder, monkeypatch):
        self.root, self.experiment, self.folder = folder / "tiny", folder / "experiment", folder
        self.monkeypatch = monkeypatch
        self.output = {}  # what the programs printed, by settings file
        write_tiny(self.root, samples=4)

    def run(self, name):
        """The settings file's program; its run folder."""
        cfg = load_config(ROOT / "asset" / "yaml" / f"{name}.yml")
        cfg = cfg.changed(DATASET={"workers": 0}, MODEL={"posenet_width": 16})
        cfg = cfg.changed(MODEL={"mesh_channels": HAND_PLAN if cfg.DATASET.input_joint_set == "mano" else BODY_PLAN})
        cfg = cfg.changed(TRAIN={"batch_size": 6, "end_epoch": 1})
        config = write_config(self.folder / f"{name}.yml", cfg)
        program = main.test if "_test_" in name else main.train
        before = set(self.experiment.glob("exp_*"))
        given = ["--cfg", config, "--root", self.root, "--experiment", self.experiment, "--gpu", "", "--debug"]
        self.monkeypatch.setattr(sys, "argv", [program.__name__, *map(str, given)])
        with contextlib.redirect_stdout(io.StringIO()) as output:
            program.main()
        self.output[name] = output.getvalue()
        (run,) = set(self.experiment.glob("exp_*")) - before
        return run

    def trained(self, name):
        """The folder with a file's weights, put where the other files expect them, as the README says."""
        target = self.experiment / name
        if not target.is_dir():
            if name.startswith("pose2mesh_"):
                self.trained(name.replace("pose2mesh_", "posenet_"))
            run = self.run(name)
            shutil.copytree(run / "checkpoint", target)
        return target


# the open hand, which stands in for MANO, coarsens to other level sizes
pytestmark = pytest.mark.filterwarnings("ignore:the faces of the MANO file")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(base, "save_plot", lambda *_: None)  # would take longer than the trainings
        yield Workplace(tmp_path_factory.mktemp("work"), monkeypatch)


@pytest.mark.parametrize("name", [name for name in FILES if "_train_" in name])
def test_training_files(name, workplace):
    checkpoint = load_checkpoint(workplace.trained(name))
    assert checkpoint.epoch == 1
    assert np.isfinite(checkpoint.train_log).all()
    assert np.isfinite(checkpoint.test_log["joint"]).all()
    assert all(value.isfinite().all() for value in checkpoint.state.values())
    shipped = load_config(ROOT / "asset" / "yaml" / f"{name}.yml")
    for key, value in vars(shipped.DATASET).items():
        assert key == "workers" or getattr(checkpoint.settings.DATASET, key) == value
    for set_name in shipped.DATASET.train_list:
        assert f"# of TRAIN {set_name} data: " in workplace.output[name]
    assert ("Loading pretrained posenet..." in workplace.output[name]) == shipped.MODEL.posenet_pretrained


@pytest.mark.parametrize("name", [name for name in FILES if "_test_" in name])
def test_testing_files(name, workplace):
    cfg = load_config(ROOT / "asset" / "yaml" / f"{name}.yml")
    (test_set,) = cfg.DATASET.test_list
    weights = cfg.TEST.weight_path.split("/")[2]
    workplace.trained(weights)
    run = workplace.run(name)
    assert f"Fetch model weight from {workplace.experiment / weights / 'final.pth.tar'}" in workplace.output[name]
    metrics = json.loads((run / "result" / "metrics.json").read_text())
    assert metrics["dataset"] == test_set
    assert set(metrics["millimetres"]) == FIGURES[test_set, name.split("_")[0]]
    assert all(0 < value < 2000 for value in metrics["millimetres"].values())
    assert (run / "pred.json").is_file() == (test_set == "FreiHAND")
    assert bool(list((run / "vis").glob("*.obj"))) == cfg.TEST.vis
