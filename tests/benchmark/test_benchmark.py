"""The benchmark's schedule, table and measured processes (no figure is asserted: machines differ)."""

import io
import itertools
import json

import numpy as np
import pytest

from lib.benchmark import allocator, cases_data, models
from lib.benchmark.cases import CASES
from lib.benchmark.generated import generated_columns
from lib.benchmark.gpu_rows import GPU_ROWS, rows_for
from lib.benchmark.machine import describe, meshnet_operations, sgemm_rate
from lib.benchmark.process import Worker
from lib.benchmark.report import arithmetic_text, disagreements, machine_text, table
from lib.benchmark.rows import COLUMNS, ROWS, Row, Target
from lib.benchmark.runner import Turns
from lib.benchmark.worker import serve
from main.benchmark import parse_arguments


class FakeWorker:
    """Answers with set times and notes who was asked."""

    def __init__(self, side, seconds, log, check=()):
        self.side, self.seconds, self.log, self.check = side, seconds, log, list(check)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.append("end")

    def run(self, case, arguments):
        self.log.append(self.side)
        items = arguments.get("batch", 1)
        return {"seconds": self.seconds, "items": items, "peak": 2**30, "faults": 5, "check": self.check}


def row(**options):
    sizes = {"ours": {"batch": 4}, "plain": {"batch": 2}}
    return Row("name", "title {batch}", "case", "samples", Target({"as run": 3.0}), **{**sizes, **options})


def take(measured, column="as run", ours=1.0, plain=8.0, checks=((), ())):
    log = []
    turns = Turns(measured, column, False, lambda steps: None)
    workers = FakeWorker("ours", ours, log, checks[0]), FakeWorker("plain", plain, log, checks[1])
    turns.take(*workers)
    return turns.result(), log


def test_sides_take_turns_within_the_time_of_plain():
    result, log = take(row(plain_seconds=20.0, plain_warmup={"batch": 1}))
    assert log == ["ours", "plain"] + ["ours", "plain"] * 2 + ["ours"] * 3
    assert result["ratio"] == pytest.approx((8.0 / 2) / (1.0 / 4))
    assert (result["target"], result["met"]) == (3.0, True)
    _, log = take(row(plain_seconds=1.0))
    assert log.count("plain") == 1
    result, log = take(row(plain_seconds=1.0), column="memory kept")
    assert log.count("plain") == 2  # the first large blocks are mapped in a repeat that does not count
    assert result["met"] is None


def test_sides_that_do_not_fit_together():
    log = []
    turns = Turns(row(repeats=3, plain_seconds=1.0), "as run", False, lambda steps: None)
    turns.take_apart(lambda side: FakeWorker(side, 1.0, log))
    assert log == ["ours"] * 4 + ["end", "plain", "end"]


def test_progress_reaches_the_end():
    for measured in ROWS:
        for quick in (False, True):
            done = []
            turns = Turns(measured, "as run", quick, done.append)
            turns.take(FakeWorker("ours", 1.0, []), FakeWorker("plain", 100.0, []))
            assert sum(done) == Turns.steps(measured, quick)


def test_results_are_compared():
    assert take(row(), checks=([1.0, 2.0], [1.0, 2.001]))[0]["agree"]
    assert take(row(), checks=([1.0, 2.0], [1.0, 2.01]))[0]["agree"] is False
    assert take(row(), checks=([1.0], []))[0]["agree"] is None
    residual = row(may_be_smaller=True, tolerance=1e-5)
    assert take(residual, checks=([0.5], [1.0]))[0]["agree"]
    assert take(residual, checks=([1.1], [1.0]))[0]["agree"] is False


def test_table():
    results = {}
    for measured in ROWS:
        results[measured.name] = {column: take(row(), column, checks=([1.0], [2.0]))[0] for column in COLUMNS}
    text = table(list(ROWS), results, quick=False)
    assert len(text.splitlines()) == 2 + 2 * len(ROWS)  # header, both columns, peak memory as run
    assert "inference, batch 64" in text
    assert "5 / 3, plain of 2 samples" in table([row()], {"name": {"as run": take(row())[0]}}, quick=False)
    assert "met" in text
    assert "missed" in text
    assert "met" not in table(list(ROWS), results, quick=True)
    assert len(disagreements(list(ROWS), results)) == 2 * len(ROWS)
    assert "GFLOP" in arithmetic_text(
        {"sgemm_flops": 1e11, "meshnet_batch": 4, "meshnet_seconds": 0.2, "meshnet_operations_per_sample": 4e9,
         "meshnet_share": 0.8}
    )  # fmt: skip
    assert "2 threads" in machine_text(describe(2))


def test_targets_are_those_of_the_rows():
    targets = {measured.name: measured.target.ratio for measured in ROWS}
    assert targets["inference64"] == {"as run": 12, "memory kept": 4.5}
    assert all(measured.case in CASES for measured in ROWS)


def test_environments(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    plain, kept = (allocator.environment(column, 2) for column in COLUMNS)
    assert not [key for key in plain if key.startswith("MALLOC_")]
    assert kept.keys() - plain.keys() == set(allocator.KEPT)
    assert plain["OMP_NUM_THREADS"] == "2"


def test_a_worker_answers_in_its_own_channel():
    with Worker("plain", "memory kept", 1) as worker:
        answer = worker.run("sgemm", {"size": 64})
        assert answer["seconds"] > 0
        assert answer["peak"] > 2**20
        with pytest.raises(RuntimeError, match="ended with code 1"):
            worker.run("no such case", {})


def test_a_gpu_is_named_and_its_absence_told(monkeypatch, capsys):
    assert describe(2)["gpu"] is None
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: f"Card {device}")
    assert machine_text(describe(2, "cuda:1")).startswith("Card cuda:1; no TF32; ")
    monkeypatch.setattr("torch.get_float32_matmul_precision", lambda: "high")
    assert "float32 products rounded to TF32" in machine_text(describe(2, "cuda:1"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for arguments, words in (
        (["--device", "cuda"], "this machine has 0 usable"),
        (["--device", "tpu"], "unknown device"),
        (["--rows", "inference1", "inference1_graph"], "inference1_graph need --device cuda"),
    ):
        with pytest.raises(SystemExit):
            parse_arguments(arguments)
        assert words in capsys.readouterr().err
    assert parse_arguments([]).device == "cpu"
    assert parse_arguments([]).rows == [measured.name for measured in ROWS]


def test_rows_of_a_gpu():
    """Cases stay together, as they share their processes; targets are a CPU's."""
    rows = rows_for("cuda:0")
    assert {measured.name for measured in rows} == {measured.name for measured in (*ROWS, *GPU_ROWS)}
    assert len(list(itertools.groupby(measured.case for measured in rows))) == len({measured.case for measured in ROWS})
    assert not any(measured.target.ratio for measured in rows)
    assert rows_for("cpu") == list(ROWS)


def test_a_gpu_is_waited_for(monkeypatch):
    """Before a time is taken and before it ends; the peak is the GPU's."""
    calls = []
    for name, value in (("synchronize", None), ("reset_peak_memory_stats", None), ("max_memory_allocated", 7)):
        monkeypatch.setattr(f"torch.cuda.{name}", lambda device, name=name, value=value: calls.append(name) or value)
    monkeypatch.setitem(CASES, "one", lambda side, device: lambda: (calls.append(device) or 1, ()))
    stream = io.StringIO()
    serve("ours", ['{"case": "one", "run": true}'], stream, "cuda:0")
    assert calls == ["reset_peak_memory_stats", "synchronize", "cuda:0", "synchronize", "max_memory_allocated"]
    assert json.loads(stream.getvalue())["peak"] == 7


def test_camera_case_on_both_sides():
    answers = {}
    for side in ("ours", "plain"):
        stream = io.StringIO()
        serve(side, ['{"case": "camera", "run": false}', '{"case": "camera", "run": true}'], stream)
        prepared, answers[side] = map(json.loads, stream.getvalue().splitlines())
        assert prepared == {}
    assert answers["ours"]["check"][0] <= answers["plain"]["check"][0] * (1 + 1e-5)


def test_programs_of_the_demo_row_exist():
    assert all(program.is_file() for program in cases_data.DEMOS.values())


def test_operations_of_the_published_network():
    operations = meshnet_operations(models.graph(), models.our_plan())
    assert operations == pytest.approx(4.6e9, rel=0.05)
    assert sgemm_rate(64, repeats=1) > 0


def test_generated_records_repeat_few_people():
    columns = generated_columns(600, models.mesh_model())
    assert {len(values) for values in columns.values()} == {600}
    assert np.array_equal(columns["pose"][0], columns["pose"][512])
    assert columns["joint_cam"][..., 2].min() > 1000
