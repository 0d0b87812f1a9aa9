"""Growth as tables and pictures, and its cases at tiny sizes (no time is asserted: machines differ)."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lib.benchmark import cases_scaling
from lib.benchmark.cases_scaling import loading_case, proportional_memory
from lib.benchmark.growth import measure
from lib.benchmark.growth.cases import GROWTH_CASES, adapted, crowd, faces_of, median_seconds
from lib.benchmark.growth.kinds import KINDS, Call
from lib.benchmark.growth.pictures import save_growth
from lib.benchmark.growth.report import growth_table, growth_text, update_page
from lib.benchmark.worker import CASES
from lib.models.mesh_plan import PAPER_CHANNELS, MeshNetPlan
from main import benchmark

ENTRIES = [
    {"size": 1, "series": "float32", "seconds": 0.0621, "peak_bytes": 2**29},
    {"size": 64, "series": "float32", "seconds": 0.0355, "peak_bytes": 2**30},
    {"size": 1, "series": "bf16", "seconds": 0.04, "peak_bytes": 2**29},
]


def figures_of(name, *arguments):
    items, check, answer = GROWTH_CASES[name]("ours", "cpu")(*arguments)
    assert check == ()
    return items, answer["figures"]


def test_a_kind_is_a_table():
    assert growth_table("batch", ENTRIES).splitlines() == [
        "| samples per call | ms per sample (float32) | ms per sample (bf16) | peak memory, MiB (float32) "
        "| peak memory, MiB (bf16) |",
        "| --- | --- | --- | --- | --- |",
        "| 1 | 62.1 | 40.0 | 512 | 512 |",
        "| 64 | 35.5 | – | 1,024 | – |",
    ]
    assert "Training of Pose2Mesh" in growth_text({"processes": []})


def test_a_page_gets_the_tables_of_what_was_measured(tmp_path):
    page = tmp_path / "page.md"
    marks = "before\n<!-- growth {0} -->\nold\n<!-- /growth {0} -->\nafter\n"
    page.write_text("".join(marks.format(name) for name in ("machine", "batch", "rows")))
    update_page(page, "a machine", {"batch": ENTRIES, "processes": []})
    update_page(page, "a machine", {"batch": ENTRIES})  # again: nothing piles up
    machine, batch, rows = page.read_text().split("before\n")[1:]
    assert machine == marks.format("machine").removeprefix("before\n").replace("old", "a machine")
    assert "old" not in batch
    assert "| 64 | 35.5 |" in batch
    assert "old" in rows
    with pytest.raises(ValueError, match=r"page\.md: expected <!-- growth people -->"):
        update_page(page, "a machine", {"people": [{"size": 1, "series": "network", "seconds": 1.0}]})


def test_the_pages_tables_have_places():
    text = (benchmark.Path(benchmark.__file__).parents[1] / "docs" / "speed.md").read_text()
    for name in (*KINDS, "machine"):
        assert text.count(f"<!-- growth {name} -->") == text.count(f"<!-- /growth {name} -->") == 1


def test_a_picture_has_a_panel_for_each_quantity(tmp_path):
    path = save_growth("batch", ENTRIES, tmp_path)
    picture = cv2.imread(str(path))
    assert path.name == "growth_batch.png"
    assert path.stat().st_size < 60_000
    assert 700 <= picture.shape[1] <= 1000
    # the frame of every panel begins with a black vertical line; one point alone can be drawn too
    assert len(panels(picture)) == 2
    assert len(panels(cv2.imread(str(save_growth("processes", ENTRIES_OF_PROCESSES, tmp_path))))) == 1


ENTRIES_OF_PROCESSES = [{"size": 1, "series": "", "items_per_second": 7.0}]


def panels(picture):
    dark = (picture.max(2) < 60).mean(0) > 0.6
    edges = np.flatnonzero(dark[1:] & ~dark[:-1])
    return edges[::2]


def test_every_call_is_of_a_known_case():
    for kind in KINDS.values():
        for quick in (False, True):
            calls = kind.calls(quick)
            assert calls
            assert {call.case for call in calls} <= CASES.keys() | GROWTH_CASES.keys()
            by_process = [[call.size for call in calls if call.process == name] for name in {c.process for c in calls}]
            assert all(sizes == sorted(sizes) for sizes in by_process)  # a process keeps its largest memory
    assert max(call.size for call in KINDS["rows"].calls(False)) == 10**7


class FakeWorker:
    """Answers with its process's number; fails at the size 3."""

    started = 0

    def __init__(self, *_):
        FakeWorker.started += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, case, arguments):
        if arguments["batch"] == 3:
            raise RuntimeError("no memory")
        return {"figures": {"": {"seconds": FakeWorker.started}}}


def test_what_cannot_be_measured_is_left_out(monkeypatch, capsys):
    calls = [Call(size, "case", {"batch": size}, process) for size, process in ((1, "a"), (2, "a"), (3, "a"), (4, "b"))]
    kind = measure.KINDS["batch"]
    monkeypatch.setitem(measure.KINDS, "batch", type(kind)(kind.title, kind.axis, kind.quantities, lambda quick: calls))
    monkeypatch.setattr(measure, "Worker", FakeWorker)
    found = measure.measure_growth(["batch"], 1, False)["batch"]
    assert [(entry["size"], entry["seconds"]) for entry in found] == [(1, 1), (2, 1), (4, 2)]
    assert "batch of 3 not measured: no memory" in capsys.readouterr().out


def test_the_command_writes_all_of_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "measure_growth", lambda names, threads, quick: {name: ENTRIES for name in names})
    page, output = tmp_path / "page.md", tmp_path / "growth.json"
    page.write_text("".join(f"<!-- growth {n} -->\n<!-- /growth {n} -->\n" for n in ("machine", "batch")))
    options = ["--growth", "batch", "--pictures", tmp_path, "--page", page, "--output", output]
    monkeypatch.setattr("sys.argv", ["benchmark.py", *map(str, options)])
    benchmark.main()
    assert json.loads(output.read_text())["growth"]["batch"] == ENTRIES
    assert (tmp_path / "growth_batch.png").is_file()
    assert "35.5" in page.read_text()
    assert "cores" in page.read_text()
    capsys.readouterr()
    for wrong in (["--page", "page.md"], ["--growth", "weather"], ["--growth", "--device", "cuda"]):
        monkeypatch.setattr("lib.predictor.device.torch.cuda.is_available", lambda: False)
        with pytest.raises(SystemExit):
            benchmark.parse_arguments(wrong)


def test_the_published_plan_follows_the_mesh():
    assert adapted(6890) == (9, [list(block) for block in PAPER_CHANNELS["body"]])
    for vertex_num in (12, 642, 1723, 2562, 10242, 27554):
        levels, channels = adapted(vertex_num)
        assert len(channels) == levels + 1
        MeshNetPlan(tuple(map(tuple, channels))).check(levels - 1, 5, 3)
    assert faces_of("sphere", 3).max() + 1 == 642
    assert len(np.unique(faces_of("open_1723", 1))) == faces_of("open_1723", 1).max() + 1 > 4 * 1700


def test_a_mesh_is_measured():
    items, figures = figures_of("growing mesh", "sphere", 2, 2, 0.0)
    assert items == 2
    assert figures[""].keys() == {"graph_seconds", "graph_bytes", "seconds", "peak_bytes"}
    assert min(figures[""].values()) > 0


def test_crowds_keep_everybody():
    poses, size = crowd(5)
    assert poses.shape == (5, 17, 3)
    assert poses.min() >= -10
    assert poses[..., :2].max() < size[0]
    items, figures = figures_of("growing crowd", 5, "network", 0.0)
    assert items == 5
    assert figures["network"]["seconds"] > 0


def test_the_last_repeat_begins_within_the_budget():
    times = iter(range(100))
    assert median_seconds(lambda: next(times), 0.0) >= 0
    assert next(times) == 1
    median_seconds(lambda: next(times), 60.0)
    assert next(times) == 9  # seven repeats


@pytest.mark.skipif(not proportional_memory(), reason="the system does not tell shared pages")
def test_records_are_opened_and_loaded(monkeypatch):
    class Here:  # instead of a process, whose imports take seconds
        exitcode = 0

        def __init__(self, target, args):
            self.start, self.join = lambda: target(*args), lambda: None

    monkeypatch.setattr(cases_scaling.multiprocessing, "get_context", lambda _: SimpleNamespace(Process=Here))
    _, _, answer = loading_case("ours", "cpu")(500, [0], 1)
    opened, loaded = answer["figures"][""], answer["figures"]["0 workers"]
    assert opened["file_bytes"] == pytest.approx(608 * 500, rel=0.01)
    assert 0 < loaded["own_bytes"] <= loaded["memory_bytes"]
    assert loaded["items_per_second"] > 0
