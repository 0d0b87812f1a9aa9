"""The benchmark's schedule, table and measured processes (no figure is asserted: machines differ)."""

import io
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.benchmark import allocator, cases_data, models, runner
from lib.benchmark.cases import CASES
from lib.benchmark.generated import generated_columns
from lib.benchmark.gpu_rows import GPU_ROWS, rows_for
from lib.benchmark.live import live_case, live_text
from lib.benchmark.machine import describe
from lib.benchmark.process import Worker
from lib.benchmark.report import disagreements, distances, machine_text, table
from lib.benchmark.rows import COLUMNS, ROWS, Row, Target, available
from lib.benchmark.runner import Turns
from lib.benchmark.worker import serve
from lib.models import precision
from lib.models.cpu import meshnet
from lib.models.pose2mesh_net import build_pose2mesh
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


def test_plain_is_not_measured_again():
    log = []
    known = [{"seconds": 8.0, "items": 2, "peak": 2**30, "faults": 5, "check": []}] * 2
    turns = Turns(row(like="first"), "as run", False, lambda steps: None, known)
    turns.take(FakeWorker("ours", 1.0, log), FakeWorker("plain", 8.0, log))
    result = turns.result()
    assert log == ["ours"] * 6
    assert result["ratio"] == pytest.approx((8.0 / 2) / (1.0 / 4))
    assert "5 / 2, plain of 2 samples, plain as in first" in table([row()], {"name": {"as run": result}}, quick=False)
    log.clear()
    turns = Turns(row(like="first", repeats=3), "as run", False, lambda steps: None, known)
    turns.take_apart(lambda side: FakeWorker(side, 1.0, log))
    assert log == ["ours"] * 4 + ["end"]
    assert take(row(like="first"))[1].count("plain") > 1  # the other row was not chosen


def test_rows_of_one_column_share_the_figures_of_plain(monkeypatch):
    log = []
    monkeypatch.setattr(FakeWorker, "send", lambda *_: None, raising=False)
    monkeypatch.setattr(FakeWorker, "receive", lambda _: {}, raising=False)
    monkeypatch.setattr(runner, "Worker", lambda side, *_: FakeWorker(side, 1.0, log))
    rows = [row(), replace(row(), name="second", like="name", only_as_run=True)]
    results = runner.measure(rows, 1, False, lambda steps: None)
    assert log[: log.index("end")].count("plain") == 5
    assert [results[name]["as run"]["plain"]["like"] for name in ("name", "second")] == ["", "name"]
    assert (list(results["name"]), list(results["second"])) == (list(COLUMNS), ["as run"])


def test_progress_reaches_the_end():
    for measured in ROWS:
        for quick in (False, True):
            done = []
            turns = Turns(measured, "as run", quick, done.append)
            turns.take(FakeWorker("ours", 1.0, [], [0.0, 0.0]), FakeWorker("plain", 100.0, []))
            assert sum(done) == Turns.steps(measured, quick)


def test_real_time_is_measured_and_compared_with_its_goals():
    found = live_case("ours", "cpu")(mesh="network", frames=3)[2]["live"]
    assert set(found) == {"fps", "mesh_median", "mesh_p95", "drawing_median"}
    assert all(value > 0 for value in found.values())
    row = {"mesh": "network", "fps": 15.0, "mesh_median": 0.0249, "mesh_p95": 0.03}
    text = live_text([{**row, "drawing_median": 0.01}, {**row, "drawing_median": 0.01, "mesh_median": 0.025}])
    assert "| network | 24.9 ms | 30.0 ms | 10.0 ms | 15.0 | met |" in text
    assert text.count("missed") == 1


def test_results_are_compared():
    assert take(row(), checks=([1.0, 2.0], [1.0, 2.001]))[0]["agree"]
    assert take(row(), checks=([1.0, 2.0], [1.0, 2.01]))[0]["agree"] is False
    assert take(row(), checks=([1.0], []))[0]["agree"] is None
    residual = row(may_be_smaller=True, tolerance=1e-5)
    assert take(residual, checks=([0.5], [1.0]))[0]["agree"]
    assert take(residual, checks=([1.1], [1.0]))[0]["agree"] is False


def test_rounded_meshes_are_compared_with_float32():
    for mean, verdict in ((0.25, "met"), (0.35, "missed")):
        result, log = take(row(within=0.3, plain_seconds=1.0), checks=([mean, 2.0], [7.0, 7.0]))
        assert log.count("ours") == 7  # one more, not timed
        assert len(result["ours"]["seconds"]) == 5
        assert result["agree"] is None
        (line,) = distances([row()], {"name": {"as run": result}}, quick=False)
        assert line == f"title 4: {mean:.3f} mm (mean), 2.00 mm (largest) from float32; within 0.3 mm (mean): {verdict}"


def test_rows_without_gain_are_left_out(monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"f16c": True})
    kept, refused = available(ROWS, "cpu")
    names = [measured.name for measured in kept]
    assert "inference1_half" in names
    assert len(names) == len(ROWS) - len(refused) == len(ROWS) - 3
    assert not [name for name in names if name.endswith("bf16")]
    assert refused[0].startswith("inference1_bf16 is left out: precision bf16: this processor has no AVX512-BF16")


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
    assert "inference, batch 64, bf16" in text
    assert "2 threads" in machine_text(describe(2))


def test_targets_are_those_of_the_rows():
    targets = {measured.name: measured.target.ratio for measured in ROWS}
    assert targets["inference64"] == {"as run": 20, "memory kept": 4.5}
    assert targets["training64_bf16"] == {"as run": 14}
    assert all(measured.case in CASES for measured in ROWS)
    assert {measured.like for measured in ROWS if measured.precision != "float32"} < set(targets)


def test_environments(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    plain, kept = (allocator.environment(column, 2) for column in COLUMNS)
    assert not [key for key in plain if key.startswith("MALLOC_")]
    assert kept.keys() - plain.keys() == set(allocator.KEPT)
    assert plain["OMP_NUM_THREADS"] == "2"


def test_a_worker_answers_in_its_own_channel():
    with Worker("plain", "memory kept", 1) as worker:
        answer = worker.run("rates", {"square": 64, "numbers": 1000})
        assert answer["seconds"] > 0
        assert min(answer["rates"]["reading"], answer["rates"]["updating"], *answer["rates"]["products"].values()) > 0
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
    assert parse_arguments([]).rows == [*(measured.name for measured in ROWS), "onnx"]


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


@pytest.fixture
def small_network(monkeypatch):
    """A narrow network in the place of the full-size one."""
    channels = [[5, 4], *[[4, 4]] * 8, [4, 3]]
    network = models.fill(
        build_pose2mesh, models.config(MODEL={"posenet_width": 8, "mesh_channels": channels}), models.graph()
    )
    monkeypatch.setattr(models, "our_pose2mesh", lambda: network)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"f16c": True, "avx512_bf16": True})
    return network


def test_inference_in_reduced_precision(small_network, monkeypatch):
    monkeypatch.setattr(precision, "_capabilities", lambda: {"avx512_bf16": True, "f16c": True})
    monkeypatch.setattr(meshnet, "NARROW_CHANNELS", 1)
    repeat = CASES["inference"]("ours", "cpu")
    batch, exact = repeat(2)
    assert (batch, repeat(2, precision="bf16")[1] == exact) == (2, False)
    mean, largest = repeat(2, precision="bf16", part="distance")[1]
    assert 0 < mean < largest
    assert repeat(2)[1] == exact
    assert repeat(2, precision="float32", part="distance")[1] == [0, 0]


def test_training_in_reduced_precision(small_network):
    repeat = CASES["training"]("ours", "cpu")
    types = []
    small_network.pose_lifter.register_forward_hook(lambda _module, _inputs, output: types.append(output.dtype))
    assert repeat(2) == repeat(2, precision="bf16") == (2, ())
    assert types == [torch.float32, torch.bfloat16]


def test_programs_of_the_demo_row_exist():
    assert all(program.is_file() for program in cases_data.DEMOS.values())


def test_generated_records_repeat_few_people():
    columns = generated_columns(600, models.mesh_model())
    assert {len(values) for values in columns.values()} == {600}
    assert np.array_equal(columns["pose"][0], columns["pose"][512])
    assert columns["joint_cam"][..., 2].min() > 1000
