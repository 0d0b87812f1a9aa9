"""Evaluation of clips: figures of made motion, shares of several processes, files, comparison of two tests."""

import csv
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.comparison.command import CompareOptions, compare
from lib.evaluation import evaluator as evaluator_module
from lib.evaluation.metrics import joint_protocol
from lib.evaluation.report import write_csv, write_errors, write_json
from lib.evaluation.sequence import SequenceEvaluator
from lib.joints.tables import COCO, HUMAN36
from lib.mesh.mesh_model import load_mesh_model

NAMES, LENGTHS = ("walk", "run", "stand@40"), (12, 5, 9)
CLIP = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
MOTION = {"acceleration error", "MRPE", "root jitter", "root step error", "depth jump"}
FEET = {"foot slide", "true foot slide"}


@pytest.fixture(scope="module")
def model():
    return load_mesh_model("body", "open_1723")


@pytest.fixture(scope="module")
def standing(model):
    """Truth: a body (N, V, 3) mm that stands still, its joints, roots (N, 3) metres of a still camera."""
    rest = torch.from_numpy(1000 * model.arrays()["v_template"]).float() * torch.tensor([1.0, -1, -1])
    root = torch.tensor([0.5, 0.2, 4.0]) + torch.from_numpy(CLIP)[:, None]
    joints = torch.from_numpy(COCO.add_derived(model.joint_regressor("coco"))) @ rest
    joints = (joints - joints[COCO.root]).expand(len(CLIP), -1, -1)
    return {"mesh": rest.expand(len(CLIP), -1, -1), "joints": joints, "root": root}


def mesh_evaluator(model, full=True):
    regressor = torch.from_numpy(model.joint_regressor("human36"))
    return SequenceEvaluator(HUMAN36, regressor, model, NAMES, CLIP, full)


def lift_evaluator(model, full=True):
    return SequenceEvaluator(COCO, None, model, NAMES, CLIP, full)


def shaken(standing):
    """Depths that are off by 3 mm to either side in turn, from frame to frame of the table, roots off by 40 mm."""
    turn = torch.where(torch.arange(len(CLIP)) % 2 == 0, 0.003, -0.003)
    return standing | {"root": standing["root"] + torch.stack([0 * turn + 0.04, 0 * turn, turn], dim=1)}


def add(evaluator, found, true, clips):
    for clip in clips:
        rows = np.flatnonzero(clip == CLIP)
        evaluator.update(*({key: values[rows] for key, values in side.items()} for side in (found, true)), rows)
    return evaluator


@pytest.mark.parametrize("make", [mesh_evaluator, lift_evaluator])
def test_known_motion_gives_known_figures(make, model, standing):
    evaluator = add(make(model), shaken(standing), standing, range(3))
    figures = {name: total for name, (total, _) in evaluator.results().items()}
    frames = {"MPJPE", "PA-MPJPE"} | ({"MPVPE", "PA-MPVPE"} if make is mesh_evaluator else set())
    assert set(figures) == frames | MOTION | FEET == {figure.name for figure in evaluator.figures}
    for name in (*frames, "acceleration error", "true foot slide"):
        assert figures[name] == pytest.approx(0, abs=2e-3), name
    assert figures["MRPE"] == pytest.approx(np.hypot(40, 3), abs=1e-3)
    for name in ("depth jump", "root step error", "foot slide"):
        assert figures[name] == pytest.approx(6, abs=2e-3), name
    assert figures["root jitter"] == pytest.approx(12, abs=2e-3)
    assert evaluator.log_errors() == pytest.approx((0, 0 if make is mesh_evaluator else None), abs=1e-3)
    assert evaluator.joint_errors.names == (HUMAN36.eval_names if make is mesh_evaluator else COCO.eval_names)


def test_poses_are_scored_as_lifted_poses_everywhere(model, standing):
    noise = 20 * torch.randn(standing["joints"].shape, generator=torch.Generator().manual_seed(0))
    found = standing | {"joints": standing["joints"] + noise}
    evaluator = lift_evaluator(model)
    joint, surface = evaluator.update(found, standing, np.arange(len(CLIP)))
    expected = joint_protocol(found["joints"], standing["joints"], COCO.root, COCO.eval_joints)
    columns = evaluator.columns()
    for name, values in expected.items():
        np.testing.assert_allclose(columns[name], values, rtol=1e-5)
    assert (joint.item(), surface) == (pytest.approx(expected["MPJPE"].mean().item()), None)
    rooted = (noise - noise[:, [COCO.root]]).numpy()[CLIP == 1]
    second = np.linalg.norm(rooted[:-2] - 2 * rooted[1:-1] + rooted[2:], axis=2).mean(1)
    np.testing.assert_allclose(columns["acceleration error"][CLIP == 1][1:-1], second, rtol=1e-4)


def test_meshes_are_scored_as_meshes_everywhere(model, standing):
    found = standing | {"mesh": 1.1 * standing["mesh"]}
    evaluator = mesh_evaluator(model)
    joint, surface = evaluator.update(found, standing, np.arange(len(CLIP)))
    results = evaluator.results()
    assert results["MPJPE"][0] == pytest.approx(joint.item(), rel=1e-5)
    assert results["MPVPE"][0] == pytest.approx(surface.item(), rel=1e-5)
    assert 40 < results["MPVPE"][0] < 80
    assert results["PA-MPVPE"][0] == pytest.approx(0, abs=0.01)


def test_log_line_alone_keeps_nothing(model, standing):
    evaluator = add(mesh_evaluator(model, full=False), shaken(standing), standing, range(3))
    assert evaluator.log_errors() == pytest.approx((0, 0), abs=1e-3)
    assert len(evaluator.samples) == 0


@pytest.mark.parametrize("make", [mesh_evaluator, lift_evaluator])
def test_shares_of_processes_and_parts_of_clips_make_the_same_figures(make, model, standing, monkeypatch):
    found = shaken(standing)
    expected = add(make(model), found, standing, range(3))
    shares = [add(make(model), found, standing, [0, 2]), make(model)]
    for rows in (np.array([14, 16, 15]), np.array([13, 12])):  # clip 1 in two parts, mixed up
        shares[1].update(*({key: values[rows] for key, values in side.items()} for side in (found, standing)), rows)
    sent = pickle.dumps([(share.metrics.batch_means(), share.samples) for share in shares])
    monkeypatch.setattr(evaluator_module.distributed, "gather", lambda value: pickle.loads(sent))
    shares[0].gather()
    for name, (total, groups) in expected.results().items():
        assert shares[0].results()[name][0] == pytest.approx(total, abs=1e-9), name
        np.testing.assert_allclose(shares[0].results()[name][1], groups, atol=1e-9)
    np.testing.assert_array_equal(shares[0].joint_errors.values, expected.joint_errors.values)


class Clips(SimpleNamespace):
    name, records = "Clips", None

    def __len__(self):
        return len(LENGTHS)


def test_files_have_clips_and_two_tests_can_be_compared(model, standing, tmp_path, capsys):
    for name, found in (("first", shaken(standing)), ("other", standing)):
        evaluator = add(mesh_evaluator(model), found, standing, range(3))
        results, folder = evaluator.results(), tmp_path / name
        folder.mkdir()
        write_json(folder / "metrics.json", Clips(), evaluator, results)
        write_csv(folder / "metrics.csv", Clips(), evaluator, results)
        write_errors(folder / "errors.npz", Clips(), evaluator)
    content = json.loads((tmp_path / "first" / "metrics.json").read_text())
    assert content["samples"] == len(CLIP)
    assert content["metrics"]["depth jump"]["clip"] == {name: pytest.approx(6, abs=2e-3) for name in NAMES}
    assert content["metrics"]["root jitter"]["unit"] == "mm/frame^2"
    rows = list(csv.DictReader((tmp_path / "first" / "metrics.csv").open()))
    assert [(row["part"], row["name"], row["samples"]) for row in rows] == [
        ("clip", "walk", "12"), ("clip", "run", "5"), ("clip", "stand@40", "9"), ("all", "Clips", "26"),
    ]  # fmt: skip
    assert float(rows[1]["root jitter (mm/frame^2)"]) == pytest.approx(12, abs=2e-3)
    paths = tuple(tmp_path / name for name in ("first", "other"))
    compare(CompareOptions(paths, output=tmp_path / "compared", pictures=0))
    table = {
        (row["part"], row["name"], row["figure"]): row
        for row in json.loads((tmp_path / "compared" / "compare.json").read_text())["rows"]
    }
    depth = table["all", "", "depth jump"]
    assert depth["values"] == pytest.approx([6, 0], abs=2e-3)
    assert ("clip", "run", "foot slide") in table
    assert "2,000 draws of 3 groups" in capsys.readouterr().out  # frames of a clip are alike


def test_lines_say_what_is_measured(model, standing):
    evaluator = add(mesh_evaluator(model), shaken(standing), standing, range(3))
    lines = evaluator.lines(evaluator.results())
    assert "depth jump (mm/frame) >> tot: 6.00" in lines
    assert "root jitter (mm/frame^2) >> tot: 12.00" in lines
    assert any("ends of both soles (vertices " in line for line in evaluator.protocols())
