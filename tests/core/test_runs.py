"""Run folders, learning curves, OBJ files and atomic writing."""

import csv
import json
import os
import random
from datetime import datetime

import numpy as np
import pytest
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import save_checkpoint
from lib.checkpoints.finding import checkpoint_at
from lib.checkpoints.resuming import find_resumable
from lib.core.epoch_log import log_epoch
from lib.core.plots import save_plot
from lib.core.runs import create_run, git_revision, run_of, seed_everything
from lib.export.obj import save_obj
from lib.files import atomic_write
from lib.models.parameters import count_parameters
from lib.settings.config import Config
from lib.settings.reading import load_config

NOW = datetime(2024, 4, 8, 20, 13, 5)


def write_checkpoint(path, time=None):
    save_checkpoint(path, Checkpoint({}))
    if time is not None:
        os.utime(path, (time, time))
    return path


# ------------------------------------------------------------------------------------------------------ run folders


def test_run_folder_layout_and_name(tmp_path):
    run = create_run(tmp_path / "missing" / "experiment", Config(), NOW)
    assert run.name == "exp_04-08_20-13-05"
    assert {p.name for p in run.iterdir()} == {"checkpoint", "graph", "vis", "result", "config.yml", "versions.json"}


def test_existing_runs_are_never_touched(tmp_path):
    first = create_run(tmp_path, Config(), NOW)
    (first / "checkpoint" / "final.pth.tar").write_text("precious")
    names = [create_run(tmp_path, Config(), NOW).name for _ in range(2)]
    assert names == ["exp_04-08_20-13-05_2", "exp_04-08_20-13-05_3"]
    assert (first / "checkpoint" / "final.pth.tar").read_text() == "precious"


def test_stored_settings_load_as_they_were(tmp_path):
    cfg = Config()
    cfg = cfg.changed(TRAIN={"lr": 3e-4})
    cfg = cfg.changed(MODEL={"mesh_channels": [[32, 32], [16]]})
    run = create_run(tmp_path, cfg)
    assert load_config(run / "config.yml") == cfg
    versions = json.loads((run / "versions.json").read_text())
    assert versions["torch"] == torch.__version__
    assert versions["numpy"] == np.__version__


def test_names_of_runs(tmp_path):
    names = [create_run(tmp_path, Config(), NOW, name).name for name in ("coco_long", "coco_long", "2nd-try")]
    stem = "exp_04-08_20-13-05"
    assert names == [f"{stem}_coco_long", f"{stem}_coco_long_2", f"{stem}_2nd-try"]
    write_checkpoint(tmp_path / names[0] / "checkpoint" / "checkpoint1.pth.tar")
    assert run_of(find_resumable(tmp_path, Config())) == tmp_path / names[0]
    for name in ("a/b", "..", "a b", "ä", "x" * 101):
        with pytest.raises(ValueError, match="letters, digits, - and _"):
            create_run(tmp_path, Config(), NOW, name)
    assert len(list(tmp_path.iterdir())) == 3


def test_git_revision_outside_a_repository(tmp_path):
    assert git_revision(tmp_path) is None


def test_latest_checkpoint_counts_as_numbers(tmp_path):
    assert checkpoint_at(tmp_path, "last") is None
    for epoch in (9, 10, 2):
        write_checkpoint(tmp_path / "checkpoint" / f"checkpoint{epoch}.pth.tar", time=1000)
    write_checkpoint(tmp_path / "checkpoint" / "best.pth.tar", time=3000)
    assert checkpoint_at(tmp_path, "last").name == "checkpoint10.pth.tar"
    final = write_checkpoint(tmp_path / "checkpoint" / "final.pth.tar", time=2000)
    assert checkpoint_at(tmp_path, "last") == final
    beyond = write_checkpoint(tmp_path / "checkpoint" / "checkpoint12.pth.tar", time=4000)
    assert checkpoint_at(tmp_path, "last") == beyond


def test_resuming_finds_the_newest_run_of_the_same_experiment(tmp_path):
    lift, mesh = Config(), Config()
    lift = lift.changed(MODEL={"name": "posenet"})
    assert find_resumable(tmp_path, mesh) is None
    runs = [create_run(tmp_path, cfg, NOW) for cfg in (mesh, mesh, lift)]
    create_run(tmp_path, mesh, NOW)
    files = [write_checkpoint(run / "checkpoint" / "checkpoint1.pth.tar", 1000 + i) for i, run in enumerate(runs)]
    mesh = mesh.changed(TRAIN={"end_epoch": 99, "lr_step": [50]}, DATASET={"workers": 0})
    assert find_resumable(tmp_path, mesh) == files[1]
    assert find_resumable(tmp_path, lift) == files[2]
    assert run_of(files[1]) == runs[1]
    mesh = mesh.changed(MODEL={"posenet_width": 128})
    assert find_resumable(tmp_path, mesh) is None


def test_resume_path_is_a_file_or_a_folder(tmp_path):
    cfg = Config()
    run = create_run(tmp_path, cfg, NOW)
    cfg = cfg.changed(TRAIN={"resume_path": str(run)})
    with pytest.raises(FileNotFoundError, match="No checkpoint exists!"):
        find_resumable(tmp_path, cfg)
    file = write_checkpoint(run / "checkpoint" / "checkpoint3.pth.tar")
    assert find_resumable(tmp_path, cfg) == file
    cfg = cfg.changed(TRAIN={"resume_path": str(file)})
    assert find_resumable(tmp_path, cfg) == file
    published = write_checkpoint(tmp_path / "posenet_human36" / "final.pth.tar")
    assert run_of(published) is None


def test_relative_resume_path_is_found_in_the_experiment_folder(tmp_path):
    cfg = Config()
    run = create_run(tmp_path, cfg, NOW)
    file = write_checkpoint(run / "checkpoint" / "checkpoint3.pth.tar")
    cfg = cfg.changed(TRAIN={"resume_path": f"./experiment/{run.name}"})
    assert find_resumable(tmp_path, cfg) == file
    cfg = cfg.changed(TRAIN={"resume_path": f"./experiment/{run.name}/checkpoint/checkpoint3.pth.tar"})
    assert find_resumable(tmp_path, cfg) == file


def test_settings_that_starting_weights_decide_are_those_of_the_run(tmp_path):
    started = Config().changed(MODEL={"posenet_pretrained": True})
    run = create_run(tmp_path, started.changed(DATASET={"input_scale": "common"}), NOW)
    file = write_checkpoint(run / "checkpoint" / "checkpoint3.pth.tar")
    assert find_resumable(tmp_path, started) == file
    assert find_resumable(tmp_path, started.changed(TRAIN={"batch_size": 8})) is None
    assert find_resumable(tmp_path, Config()) is None


def test_settings_that_change_training_make_another_experiment(tmp_path):
    cfg = Config()
    run = create_run(tmp_path, cfg, NOW)
    write_checkpoint(run / "checkpoint" / "checkpoint3.pth.tar")
    for section, key, value in (
        ("DATASET", "human36_protocol", 1),
        ("DATASET", "muco_fit_check", "annotated"),
        ("DATASET", "derive_noisy", True),
        ("DATASET", "zero_hands", True),
        ("TRAIN", "mask_mesh_losses", True),
    ):
        assert find_resumable(tmp_path, cfg.changed(**{section: {key: value}})) is None, key
    cfg = cfg.changed(TEST={"smooth": True}, DATASET={"test_split": "validation", "cache": ""})
    assert find_resumable(tmp_path, cfg) is not None


def test_seeding_covers_all_three_generators():
    def draw():
        return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()  # noqa: NPY002

    seed_everything(7)
    first = draw()
    seed_everything(7)
    assert draw() == first
    seed_everything(8)
    assert draw() != first


# ------------------------------------------------------------------------------------------------------------ plots


@pytest.mark.parametrize(
    "values", [[], [3.0], [2.0, float("nan"), float("inf"), 1.0], [float("nan")], list(np.linspace(9, 1, 200))]
)
def test_plots_of_any_history(tmp_path, values):
    path = save_plot(values, tmp_path, "Surface Error")
    assert path == tmp_path / "surface_error.pdf"
    assert path.read_bytes().startswith(b"%PDF")
    assert save_plot(values, tmp_path / "new" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(tmp_path)) == ["new", "surface_error.pdf"]


def test_log_has_one_row_per_epoch_whatever_happened(tmp_path):
    path, errors = tmp_path / "log.csv", {"surface": 9999.9, "joint": 80.5}
    for epoch in (1, 2, 3, 2):  # stopped in the third, resumed from the first
        log_epoch(path, epoch, 0.001 / epoch, epoch + 0.25, {"joint loss": 1 / 3, "edge loss": 0.0}, errors)
    log_epoch(path, 3, 0.1, 2.5, {"joint loss": 0.5, "part, loss": 2.0}, {"surface": 70.0, "joint": 60.0})
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["surface error (mm)"] for row in rows] == ["", "", "70.0"]
    assert [row["part, loss"] for row in rows] == ["", "", "2.0"]
    assert float(rows[1]["joint loss"]) == 1 / 3
    assert (rows[1]["lr"], rows[1]["loss"], rows[1]["joint error (mm)"]) == ("0.0005", "2.25", "80.5")
    assert os.listdir(tmp_path) == ["log.csv"]


def test_plot_of_an_unknown_kind(tmp_path):
    with pytest.raises(ValueError, match=r"\.pdf or \.png"):
        save_plot([1.0], tmp_path / "curve.bmp")


# ------------------------------------------------------------------------------------------------------------ files


def test_obj_text_equals_the_original(tmp_path):
    vertices = np.array(
        [[-1.1735, -0.9252, 1.0312], [-0.0033, 1.0387, 0.3116], [-0.5272, -0.357, 0.4413], [-0.8808, -0.4258, -0.7426]]
    )
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    expected = (
        "v -1.1735 -0.9252 1.0312\nv -0.0033 1.0387 0.3116\nv -0.5272 -0.357 0.4413\nv -0.8808 -0.4258 -0.7426\n"
        "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
    )
    for v, f in (
        (vertices, faces),
        (vertices.astype(np.float32), faces.astype(np.int32)),
        (torch.from_numpy(vertices).float().requires_grad_(), torch.from_numpy(faces)),
    ):
        save_obj(v, f, tmp_path / "out" / "mesh.obj")
        assert (tmp_path / "out" / "mesh.obj").read_bytes() == expected.encode()


def test_obj_numbers_read_back_exactly(tmp_path):
    vertices = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) * 1e-6
    save_obj(vertices, np.array([[0, 1, 2]]), tmp_path / "a.obj")
    lines = (tmp_path / "a.obj").read_text().splitlines()[:50]
    assert np.array_equal(np.array([line.split()[1:] for line in lines], dtype=np.float32), vertices)


@pytest.mark.parametrize(
    "vertices, faces, message",
    [
        (np.zeros((3, 2)), np.array([[0, 1, 2]]), r"vertices must be \(V, 3\)"),
        (np.zeros((3, 3)), np.array([[0.0, 1, 2]]), r"faces must be integers"),
        (np.zeros((3, 3)), np.array([[1, 2, 3]]), r"faces use indices 1\.\.3 of 3 vertices"),
    ],
)
def test_impossible_meshes_are_refused(tmp_path, vertices, faces, message):
    with pytest.raises(ValueError, match=message):
        save_obj(vertices, faces, tmp_path / "a.obj")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("mode, old, new", [("w", "old", "new \u00e9\n"), ("wb", b"old", b"new\r\n")])
def test_atomic_write(tmp_path, mode, old, new):
    path = tmp_path / "deep" / "file"

    def content():
        return path.read_bytes() if mode == "wb" else path.read_bytes().decode("utf-8")

    with atomic_write(path, mode) as stream:
        stream.write(old)
        assert not path.exists()
    with pytest.raises(RuntimeError), atomic_write(path, mode) as stream:  # noqa: PT012 - the write must come first
        stream.write(new)
        raise RuntimeError
    assert content() == old
    with atomic_write(path, mode) as stream:
        stream.write(new)
    assert content() == new
    assert os.listdir(path.parent) == ["file"]
    with pytest.raises(ValueError, match="mode"), atomic_write(path, "a"):
        pass


def test_file_mode_follows_the_umask(tmp_path):
    with atomic_write(tmp_path / "ours") as stream:
        stream.write("x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_parameter_count_is_of_trainable_values():
    model = torch.nn.Linear(3, 2)
    assert count_parameters(model) == 8
    model.bias.requires_grad_(False)
    assert count_parameters(model) == 6
