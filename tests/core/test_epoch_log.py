"""The log of a run: columns of ``log.csv``, and the same numbers for TensorBoard."""

import argparse
import csv
import sys
from collections import defaultdict

import numpy as np
import pytest

from lib.checkpoints.files import load_checkpoint
from lib.core import commands
from lib.core.base import Options, Trainer
from lib.core.epoch_log import TensorBoardLog, log_epoch
from lib.core.runs import create_run, seed_everything
from tests.helpers import write_config

ERRORS = {"surface": 9999.9, "joint": 80.5}


def log(run):
    with open(run / "log.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_single_term_is_the_loss_and_has_no_column(tmp_path):
    path = tmp_path / "log.csv"
    written = log_epoch(path, 1, 0.5, 3.0, {"total loss": 3.0}, ERRORS)
    assert written == {"epoch": 1, "lr": 0.5, "loss": 3.0, "joint error (mm)": 80.5}
    assert list(log(tmp_path)[0]) == ["epoch", "lr", "loss", "surface error (mm)", "joint error (mm)"]
    written = log_epoch(path, 2, 0.5, 3.0, {"joint loss": 1.0, "bone loss": 2.0}, ERRORS | {"surface": 90.25})
    first, second = log(tmp_path)
    assert (first["bone loss"], first["surface error (mm)"]) == ("", "")
    assert {name: float(cell) for name, cell in second.items()} == written
    assert written["bone loss"] == 2.0


class FakeWriter:
    """Keeps what ``torch.utils.tensorboard.SummaryWriter`` would write."""

    made: list["FakeWriter"]

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.curves, self.flushed = folder, purge_step, defaultdict(dict), -1
        FakeWriter.made.append(self)

    def add_scalar(self, name, value, step):
        self.curves[name][step] = value

    def flush(self):
        self.flushed = max(max(curve) for curve in self.curves.values())

    def close(self):
        self.closed = True


@pytest.fixture
def fake_tensorboard(monkeypatch):
    """A stand-in for torch's module, which cannot be imported without the package tensorboard."""
    module = type(sys)("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter
    FakeWriter.made = []
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return FakeWriter.made


def fit(cfg, experiment, run=None):
    seed_everything(1)
    resumed = None if run is None else load_checkpoint(run / "checkpoint" / "final.pth.tar")
    trainer = Trainer(cfg, Options(seed=1, experiment=experiment), resumed)
    run = run or create_run(experiment, cfg)
    trainer.begin()
    trainer.fit(run)
    return run


def curves_of(rows):
    """Name -> epoch -> number, of all cells of a log that are filled."""
    curves = defaultdict(dict)
    for row in rows:
        for name in row.keys() - {"epoch"}:
            if row[name]:
                curves[name][int(row["epoch"])] = float(row[name])
    return dict(curves)


def test_curves_are_the_numbers_of_the_log_and_go_on(tmp_path, small_config, fake_tensorboard, without_plots):
    cfg = small_config("posenet", "coco", "coco", TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 64})
    run = fit(cfg, tmp_path)
    assert fake_tensorboard == []  # off by default
    cfg = cfg.changed(TRAIN={"end_epoch": 3, "tensorboard": True})
    assert fit(cfg, tmp_path, run) == run
    (writer,) = fake_tensorboard
    assert (writer.folder, writer.purge_step, writer.flushed, writer.closed) == (str(run), 2, 3, True)
    rows = log(run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert dict(writer.curves) == curves_of(rows[1:])
    assert set(writer.curves) == {"lr", "loss", "joint error (mm)"}


def command(cfg, tmp_path):
    path = write_config(tmp_path / "cfg.yml", cfg)
    return argparse.Namespace(
        cfg=path, gpu="", seed=1, debug=False, resume_training=False, set=["TRAIN.tensorboard=True"],
        experiment=str(tmp_path / "experiment"), root=str(tmp_path), name="",
    )  # fmt: skip


def test_without_the_package_nothing_starts(tmp_path, small_config, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # what makes an import fail
    with pytest.raises(
        ValueError, match=r"TRAIN\.tensorboard needs a package .*: sh requirements\.sh --with-tensorboard$"
    ):
        commands.train(command(small_config("posenet", "coco", "coco"), tmp_path))
    assert not (tmp_path / "experiment").exists()
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="--with-tensorboard"):
        TensorBoardLog(tmp_path, 1)


def test_tensorboard_shows_the_log(tmp_path):
    """What an interrupted training drew from the epoch on that a resumed one repeats is not shown."""
    pytest.importorskip("tensorboard", reason="needs sh requirements.sh --with-tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first, epochs in ((1, (1, 2, 3)), (3, (3, 4))):
        curves = TensorBoardLog(tmp_path, first)
        for epoch in epochs:
            terms = {"2d->3d joint loss": 1 / 3, "bone loss": epoch + first}
            curves.add(log_epoch(tmp_path / "log.csv", epoch, 0.001 / epoch, epoch + 0.25, terms, ERRORS))
        curves.close()
    shown = EventAccumulator(str(tmp_path)).Reload()
    found = {name: {event.step: event.value for event in shown.Scalars(name)} for name in shown.Tags()["scalars"]}
    expected = curves_of(log(tmp_path))
    assert set(found) == set(expected)
    for name, curve in expected.items():
        assert found[name] == {epoch: float(np.float32(value)) for epoch, value in curve.items()}
