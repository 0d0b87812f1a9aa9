"""Results side by side: from run folders, files of figures and saved predictions."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.comparison.command import CompareOptions, compare
from lib.comparison.paired import paired
from lib.comparison.results import Result, Value
from lib.comparison.samples import SampleSource, chosen_samples
from lib.core import base
from lib.core.base import Options
from lib.render.heat_map import vertex_errors
from lib.settings.reading import load_config
from lib.units import MM_PER_M
from tests.helpers import write_config

COUNT = 7
LARGER = {"near": 1.02, "far": 1.05}  # how much larger than the true ones predicted meshes are


@pytest.fixture(scope="module")
def runs(small_config, tmp_path_factory) -> dict[str, Path]:
    """Run folders of tests of two predictions of the same poses."""
    folder = tmp_path_factory.mktemp("runs")
    cfg = small_config("pose2mesh_net", "coco", SYNTHETIC={"test_samples": COUNT})
    tester = base.Tester(cfg, Options(experiment=folder))
    truth = MM_PER_M * tester.loader.batch(0).targets["mesh"].numpy()
    for name, scale in LARGER.items():
        saved = folder / name / "result" / "predictions"
        saved.mkdir(parents=True)
        np.save(saved / "mesh.npy", scale * truth)
        write_config(folder / name / "config.yml", cfg)
        tester.test_predictions(saved)
        tester.report(folder / name / "result", predictor=name)
    return {name: folder / name for name in LARGER}


def compared(output: Path, *paths: Path, **options) -> list[dict]:
    """Rows of ``compare.json``."""
    compare(CompareOptions(tuple(paths), output=output, **{"pictures": 0, "renderer": "software", **options}))
    return json.loads((output / "compare.json").read_text())["rows"]


def changed(run: Path, folder: Path, **entries) -> Path:
    """A copy of a run's ``metrics.json`` with other entries."""
    content = json.loads((run / "result" / "metrics.json").read_text())
    folder.mkdir(exist_ok=True)
    path = folder / "metrics.json"
    path.write_text(json.dumps(content | entries))
    return path


def test_errors_of_samples_and_joints_average_to_the_figures(runs):
    content = json.loads((runs["near"] / "result" / "metrics.json").read_text())
    joints = content["joints"]
    assert joints["figure"] == "MPJPE"
    assert len(joints["values"]) == 14
    assert np.mean(list(joints["values"].values())) == pytest.approx(content["metrics"]["MPJPE"]["value"], rel=1e-5)
    with np.load(runs["near"] / "result" / "errors.npz") as kept:
        for name, metric in content["metrics"].items():
            assert kept[name].shape == (COUNT,)
            assert kept[name].mean() == pytest.approx(metric["value"], rel=1e-5)
        assert kept["joint errors"].mean(axis=0) == pytest.approx(list(joints["values"].values()), rel=1e-5)
        assert kept["joint names"].tolist() == list(joints["values"])
    settings = content["settings"]
    assert settings["input"] == {"DATASET.use_gt_input": True, "SYNTHETIC.noise": "errors"}
    assert settings["method"]["TEST.mesh"] == "network"
    assert settings["samples"]["SYNTHETIC.test_samples"] == COUNT
    assert content["predictor"] == "near"


def test_a_run_differs_from_itself_in_nothing(runs, tmp_path):
    rows = compared(tmp_path, runs["near"], runs["near"])
    assert {row["part"] for row in rows} == {"all", "joint"}
    for row in rows:
        assert row["differences"] == [0, 0]
        assert row["problems"] == ["", ""]
    pairs = [row["paired"][1] for row in rows if row["part"] == "all"]
    assert all(pair["mean"] == pair["low"] == pair["high"] == pair["better"] == pair["worse"] == 0 for pair in pairs)


def test_differences_and_paired_statistics(runs, tmp_path, capsys):
    rows = {row["figure"]: row for row in compared(tmp_path, runs["near"], runs["far"], names=("near", "far"))}
    row = rows["MPVPE"]
    assert row["differences"][1] == pytest.approx(row["values"][1] - row["values"][0])
    assert row["percent"][1] == pytest.approx(150, rel=1e-3)  # errors of 5 % are two and a half times those of 2 %
    pair = row["paired"][1]
    assert pair["low"] < pair["mean"] < pair["high"]
    assert pair["mean"] == pytest.approx(row["differences"][1], rel=1e-5)
    assert (pair["better"], pair["worse"], pair["samples"]) == (0, 1, COUNT)
    assert rows["PA-MPVPE"]["values"] == pytest.approx([0, 0], abs=1e-3)  # alignment takes the scale away
    printed = capsys.readouterr().out
    assert "| figure | near | far | far − near | % | 95 % | better |" in printed
    assert "| MPVPE, mm |" in printed
    lines = (tmp_path / "compare.csv").read_text().splitlines()
    assert lines[0].startswith("part,name,figure,unit,near,far,far minus near,far percent of near")
    assert len({line.count(",") for line in lines}) == 1


def test_sheets_of_worst_and_median_samples(runs, tmp_path):
    compared(tmp_path, *runs.values(), pictures=1, size=64, ply=True, chosen=(3,))
    names = {path.name for path in tmp_path.iterdir() if path.suffix == ".png"}
    assert names == {
        "worst_of_A.png", "worst_of_B.png", "largest_difference_of_A_and_B.png", "median_of_A.png",
        "chosen_samples.png",
    }  # fmt: skip
    # 2D joints, truth and two results from two sides, one result to the other
    assert cv2.imread(str(tmp_path / "worst_of_A.png")).shape[1] == 64 * (1 + 2 + 2 + 2 + 1)
    assert (tmp_path / "chosen_samples_meshes" / "sample_3_B.ply").is_file()
    alone = tmp_path / "alone"
    compared(alone, runs["near"], pictures=2, size=64)
    assert {path.name for path in alone.glob("*.png")} == {"worst_of_A.png", "median_of_A.png"}


def test_errors_that_are_drawn_are_those_of_the_figure(runs):
    cfg = load_config(runs["far"] / "config.yml")
    result = Result("far", runs["far"], predictions=runs["far"] / "result" / "predictions")
    sample = SampleSource([result], cfg, Options())[5]
    with np.load(runs["far"] / "result" / "errors.npz") as kept:
        assert vertex_errors(sample.found[0], sample.truth).mean() == pytest.approx(kept["MPVPE"][5], rel=1e-4)


def test_predictions_and_figures_in_other_files(runs, tmp_path):
    mesh = np.load(runs["far"] / "result" / "predictions" / "mesh.npy")
    np.savez(tmp_path / "far.npz", mesh=mesh)
    cfg, table = str(runs["far"] / "config.yml"), runs["far"] / "result" / "metrics.csv"
    rows = compared(tmp_path / "out", runs["far"], tmp_path / "far.npz", table, cfg=cfg)
    for row in rows:
        if row["part"] == "all":
            assert row["values"][1:] == pytest.approx([row["values"][0]] * 2, rel=1e-4, abs=1e-4)
    assert rows[0]["paired"][1]["samples"] == COUNT
    assert rows[0]["paired"][2] is None
    notes = json.loads((tmp_path / "out" / "compare.json").read_text())["notes"]
    assert any("metrics.csv" in note for note in notes)


def test_what_cannot_be_compared_is_refused_or_marked(runs, tmp_path):
    run = runs["near"]
    for match, path in {
        "only results of one data set": changed(run, tmp_path / "a", dataset="PW3D"),
        f"has {COUNT} samples of Synthetic, .* 5": changed(run, tmp_path / "b", samples=5),
        "have no figure in common": changed(run, tmp_path / "c", metrics={}),
        "not the metrics.json of a test": changed(run, tmp_path / "d", metrics=[1]),
    }.items():
        with pytest.raises(ValueError, match=match):
            compared(tmp_path, run, path)
    with pytest.raises(FileNotFoundError, match="expected a run folder, metrics.json"):
        compared(tmp_path, run, tmp_path / "nowhere")
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(ValueError, match="is another kind of file; expected a run folder"):
        compared(tmp_path, run, tmp_path / "text.txt")
    shutil.copy(run / "result" / "predictions" / "mesh.npy", tmp_path / "mesh.npy")
    np.savez(tmp_path / "mesh.npz", mesh=np.load(tmp_path / "mesh.npy"))
    with pytest.raises(ValueError, match="saved predictions need --cfg"):
        compared(tmp_path, run, tmp_path / "mesh.npz")
    with pytest.raises(ValueError, match="--samples 7: Synthetic has samples 0 to 6"):
        compared(tmp_path, run, chosen=(7,))
    with pytest.raises(ValueError, match="--figure MPVP: .* has MPJPE"):
        compared(tmp_path, run, figure="MPVP")
    with pytest.raises(ValueError, match="2 results need as many different names"):
        compared(tmp_path, run, run, names=("a",))


@pytest.mark.parametrize(
    ("kind", "key", "value", "comparable"),
    [
        ("samples", "SYNTHETIC.any_view_share", 1.0, False),
        ("input", "DATASET.use_gt_input", False, True),
        ("method", "TEST.mesh", "refined", True),
    ],
)
def test_settings_that_differ_are_named(runs, tmp_path, kind, key, value, comparable):
    settings = json.loads((runs["near"] / "result" / "metrics.json").read_text())["settings"]
    settings[kind][key] = value
    rows = compared(tmp_path, runs["near"], changed(runs["near"], tmp_path / "other", settings=settings))
    (note,) = json.loads((tmp_path / "compare.json").read_text())["notes"]
    assert key in note
    assert note.startswith("NOT COMPARABLE") != comparable
    assert all((row["differences"][1] is not None) == comparable for row in rows)


def test_other_protocols_have_no_difference(runs, tmp_path):
    metrics = json.loads((runs["near"] / "result" / "metrics.json").read_text())["metrics"]
    metrics["MPJPE"]["protocol"] = "17 joints"
    rows = compared(tmp_path, runs["near"], changed(runs["near"], tmp_path / "other", metrics=metrics))
    other = {row["figure"] for row in rows if row["problems"][1]}
    assert other == {"MPJPE"}  # of all, and of single joints
    assert all(row["differences"][1] is None for row in rows if row["figure"] == "MPJPE")


def test_paired_statistics_of_made_up_errors():
    rng = np.random.default_rng(1)
    first = rng.uniform(50, 60, 400)
    same = paired(first, first - 2)
    assert (same.mean, same.low, same.high) == pytest.approx((-2, -2, -2))
    assert (same.better, same.worse) == (1, 0)
    noise = rng.normal(1.0, 5.0, 400)
    found = paired(first, first + noise)
    half = 1.96 * noise.std() / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((noise.mean() - half, noise.mean() + half), abs=0.15 * half)
    assert found.better == pytest.approx((noise < 0).mean())
    assert paired(first, first + noise, larger_is_better=True).better == pytest.approx((noise > 0).mean())
    # twenty videos whose frames are all alike say no more than twenty samples
    videos = np.repeat(np.arange(20), 20)
    alike = paired(first, first + noise[videos], clusters=videos)
    half = 1.96 * noise[:20].std() / np.sqrt(20)
    assert alike.high - alike.low == pytest.approx(2 * half, rel=0.2)
    assert (alike.units, alike.samples) == (20, 400)
    gaps = np.where(np.arange(400) < 100, np.nan, first)
    assert paired(first, gaps).samples == 300
    assert paired(first, np.full(400, np.nan)) is None


def test_chosen_samples_are_worst_most_different_and_median_and_apart():
    errors = np.full(1000, 50.0)
    errors[[100, 101, 400, 700]] = 90, 95, 80, 70
    errors[:50] = 40
    other = errors.copy()
    other[300] += 30
    results = [Result(name, Path(), figures={"MPVPE": Value(0, "mm")}, errors={"MPVPE": own}) for name, own in
               (("A", errors), ("B", other))]  # fmt: skip
    chosen = chosen_samples(results, "MPVPE", 3)
    assert chosen["worst of A"] == [101, 400, 700]  # 100 looks like 101
    assert chosen["worst of B"] == [101, 300, 400]
    assert chosen["largest difference of A and B"][0] == 300
    assert all(errors[number] == 50 for number in chosen["median of A"])
