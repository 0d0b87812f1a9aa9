"""docs/results.md is what its command makes, and other pages say the same."""

import json
import re
import shutil

import pytest

from data.measure import results
from data.measure.results import FIGURES, PAGE, BenchmarkRow, benchmark_rows, collect, fitting_run, made_tables
from data.measure.results_sequences import SEQUENCE_INPUTS, SequenceRow, sequence_rows
from lib import ROOT
from lib.checkpoints.files import identity
from lib.files import replace_sections
from lib.settings.agreement import settings_of_test

FIGURE = r"(\d+\.\d)"
TRIPLE = re.compile(rf"^\**{FIGURE}\** / \**{FIGURE}\** / \**{FIGURE}\**$")
NAMES = ("MPJPE", "PA-MPJPE", "MPVPE")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_page_is_what_the_command_makes(tmp_path):
    page = shutil.copy(PAGE, tmp_path / "results.md")
    replace_sections(page, "results", made_tables())
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    assert "| coco | exact | Pose2Mesh |" in page.read_text(encoding="utf-8")


def test_other_pages_have_the_same_figures():
    known = json.loads((FIGURES / "open.json").read_text(encoding="utf-8"))
    found = 0

    def check(row, values):
        own = known[row.key]["figures"]
        assert [f"{own[name]:.1f}" for name in NAMES] == list(values), row.key
        return 1

    for line in (ROOT / "docs" / "surfaces.md").read_text(encoding="utf-8").splitlines():
        joint_set, given, *triples = [*cells(line), ""]
        for model, triple in zip(("network", "fitted", "refined"), triples):
            match = TRIPLE.match(triple)
            if match and model != "fitted":
                found += check(BenchmarkRow(joint_set, given, model), match.groups())
    assert found > 15
    inputs = {"exact": "exact", "with a detector's jitter": "jitter"}
    found = 0
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        given, *triples = cells(line)
        if given in inputs:
            for joint_set, triple in zip(("coco", "human36", "smpl", "mano"), triples, strict=True):
                found += check(BenchmarkRow(joint_set, inputs[given], "refined"), TRIPLE.match(triple).groups())
    assert found == 8


def test_readme_and_card_have_the_figures_of_clips():
    known = json.loads((FIGURES / "sequences.json").read_text(encoding="utf-8"))
    names = ("MPJPE", "MPVPE", "acceleration error")
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [cells(line)[1:] for line in lines if line.startswith(("| exact clips", "| clips with"))]
    assert len(rows) == 3
    for given, pair in zip(SEQUENCE_INPUTS, rows):
        for model, text in zip(("one_euro", "temporal"), pair, strict=True):
            own = known[SequenceRow(given, model).key]["figures"]
            assert text.strip("*") == " / ".join(f"{own[name]:.1f}" for name in names)
    weights = known[SequenceRow("exact", "temporal").key]["weights"]
    assert weights == identity(ROOT / "experiment" / "posenet_cocoJ_temporal_open" / "final.pth.tar", 0, ROOT)["sha256"]


def test_rows_are_the_benchmarks_configs():
    rows = list(benchmark_rows())
    assert len({row.key for row in rows}) == len(rows) == 13 + 12 + 13
    clips = list(sequence_rows())
    assert len({row.key for row in clips}) == len(clips) == 3 * 5
    for kind in ("pose2mesh_*_test_open.yml", "posenet_*_temporal_*_test_open.yml"):
        configs = {path.name for path in (ROOT / "asset" / "yaml").glob(kind)}
        assert configs <= {f"{row.cfg}.yml" for row in (*rows, *clips)}
    assert all((ROOT / "asset" / "yaml" / f"{row.cfg}.yml").is_file() for row in (*rows, *clips))


def test_runs_are_taken_where_settings_and_weights_fit(tmp_path, monkeypatch):
    row = BenchmarkRow("coco", "exact, any view", "refined")
    settings = settings_of_test(row.settings(), "Synthetic")
    content = {
        "dataset": "Synthetic", "samples": 3834, "settings": settings,
        "predictor": "weights", "weights": {"sha256": "abc"},
        "metrics": {"MPVPE": {"value": 52.123456, "unit": "mm", "protocol": "x"}},
    }  # fmt: skip
    path = tmp_path / "anywhere" / "result" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    assert fitting_run(tmp_path, row, "abc") == content
    assert fitting_run(tmp_path, row, "abd") is None
    assert fitting_run(tmp_path, BenchmarkRow("coco", "exact", "refined"), "abc") is None
    assert fitting_run(tmp_path, BenchmarkRow("coco", "exact, any view", "network"), "abc") is None
    monkeypatch.setattr(results, "identity", lambda *_: {"sha256": "abc"})
    kept = {
        "pose2mesh_cocoJ_gt_test_open.mean": {"samples": 1, "figures": {}},
        row.key: {"samples": 1, "earlier": True},
    }
    assert collect(kept, list(benchmark_rows()), tmp_path, run=False) == {
        "pose2mesh_cocoJ_gt_test_open.mean": kept["pose2mesh_cocoJ_gt_test_open.mean"],
        row.key: {"samples": 3834, "weights": "abc", "figures": {"MPVPE": 52.1235}},
    }


def test_reports_of_small_sizes_are_refused():
    with pytest.raises(ValueError, match="--quick"):
        results.speed_figures({"quick": True})
