"""Counted operations and bytes against numbers by hand, and the least times that follow."""

from contextlib import nullcontext
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from lib.benchmark import limits, models, runner
from lib.benchmark.limits import Phase, Types
from lib.benchmark.machine import Rates
from lib.benchmark.report import limits_text
from lib.benchmark.rows import MESHNET_ROW, ROWS
from lib.graph.mesh_graph import MeshGraph
from lib.models.mesh_plan import MeshNetPlan
from lib.models.meshnet import MeshNet
from lib.models.posenet import PoseNet

RATES = Rates({"float32": 100.0, "bfloat16": 400.0}, reading=50.0, updating=20.0)
ROW = {row.name: row for row in (*ROWS, MESHNET_ROW)}


@pytest.fixture(scope="module")
def small():
    """Three joints in a row, two coarse vertices; three fine ones, rows 0 to 2, form a path, row 3 is a fake."""
    fine = np.array([[0.5, 1, 0, 0], [1, 0.5, 1, 0], [0, 1, 0.5, 0], [0, 0, 0, 0.5]])
    coarse, joints = np.ones((2, 2)), np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    operators = tuple(sparse.csr_matrix(matrix, dtype=np.float32) for matrix in (fine, coarse, joints))
    graph = MeshGraph(operators, np.arange(3), vertex_num=3, joint_num=3, levels=3, scaling="legacy", topology_hash="")
    return graph, MeshNetPlan(((5, 4), (4, 6), (6, 2), (2, 2, 3)))


# rows of the dense products, entries of the sparse sums, channels; layer by layer:
# the fine level's first convolution multiplies the 2 coarse rows, and its first sum reads these: 3 pairs
# (1, copy 0), (2, copy 0) merge, so that the path's 7 entries, (0,0) (0,1) (1,0) (1,1) (1,2) (2,1) (2,2), become 5
EVALUATION = [(3, 7 + 7, 5, 4), (2, 4 + 4, 4, 6), (2, 5 + 7, 6, 2), (3, 7 + 7, 2, 2), (3, 7 + 7, 2, 3)]
TRAINING = [(3, 14, 5, 4), (2, 8, 4, 6), (2, 6 + 8, 6, 2), (4, 8 + 8, 2, 2), (3, 14, 2, 3)]  # and the fake's one entry


@pytest.mark.parametrize(("training", "expected"), [(False, EVALUATION), (True, TRAINING)])
def test_convolutions_by_hand(small, training, expected):
    found = limits.convolutions(*small, training)
    assert [layer.dense for layer in found] == [2 * rows * 3 * a * b for rows, _, a, b in expected]
    assert [layer.sums for layer in found] == [2 * entries * min(a, b) for _, entries, a, b in expected]
    linear, convolved = limits.meshnet_weights(*small, training)
    assert linear == (3 * 4) * (2 * 4)
    network = MeshNet(*small)
    assert linear == network.fc.weight.numel()
    assert convolved == sum(conv.weight.numel() for conv in network.cl)


def test_phases_of_meshnet_by_hand(small):
    linear, dense, sums = limits.meshnet_phases(*small, 10, Types(), training=False)
    assert (linear.operations, linear.read, linear.written) == ({"float32": 2 * 10 * 96}, 4 * 96, 0)
    assert dense.operations == {"float32": 10 * 6 * (3 * 20 + 2 * 24 + 2 * 12 + 3 * 4 + 3 * 6)}
    assert sums.operations == {"float32": 10 * 2 * (14 * 4 + 8 * 4 + 12 * 2 + 14 * 2 + 14 * 2)}

    forward, of_inputs, of_weights, dense, sums = limits.meshnet_phases(*small, 10, Types("bfloat16"), training=True)
    assert forward == linear
    assert (of_inputs.read, of_weights.written) == (4 * 96, 4 * 96)
    # all layers are too small to be rounded; the joints, which the first one reads, get no gradient
    assert dense.operations == {"float32": 10 * 6 * (2 * 3 * 20 + 3 * (2 * 24 + 2 * 12 + 4 * 4 + 3 * 6))}
    assert sums.operations == {"float32": 10 * 2 * (14 * 4 + 2 * (8 * 4 + 14 * 2 + 16 * 2 + 14 * 2))}


def test_weights_of_posenet():
    first, weights = limits.posenet_weights(17, 8, stages=2)
    matrices = [tensor.numel() for tensor in PoseNet(17, width=8).parameters() if tensor.dim() == 2]
    assert (first, weights) == (matrices[0], sum(matrices)) == (272, 936)


def test_linear_layers_and_optimiser_by_hand():
    (only,) = limits.linear_phases("PoseNet", 3, 936, "float32", size=2)
    assert (only.operations, only.read) == ({"float32": 6 * 936}, 2 * 936)
    _, of_inputs, of_weights = limits.linear_phases("PoseNet", 3, 936, "bfloat16", training=True, first=272)
    assert (of_inputs.operations, of_inputs.read) == ({"bfloat16": 6 * 664}, 4 * 664)
    assert (of_weights.operations, of_weights.read, of_weights.written) == ({"bfloat16": 6 * 936}, 0, 4 * 936)
    optimiser = limits.optimiser_phase(100)
    assert (optimiser.read, optimiser.written, optimiser.operations) == (1200, 800, {})


def test_posing_by_hand():
    posing = limits.posing_phase(items=2, vertices=5, blend_entries=7, skin_entries=6)
    assert posing.operations == {"float32": 2 * 2 * (7 + 12 * 6 + 9 * 5)}
    assert posing.written == 2 * 5 * 12


def test_the_slowest_of_a_phase_counts():
    assert Phase("", {"float32": 200.0, "bfloat16": 400.0}, read=50.0).seconds(RATES) == 3.0
    assert Phase("", {"float32": 200.0}, read=150.0).seconds(RATES) == 3.0
    assert Phase("", read=50.0, written=50.0).seconds(RATES) == 5.0
    assert Phase("", read=100.0, written=50.0).seconds(RATES) == 50 / 50 + 100 / 20  # only read, updated
    assert Phase("", {"float32": 100.0}, fixed=7.0).seconds(RATES) == 7.0
    figures = runner._limit([Phase("", {"float32": 100.0}), Phase("", read=50.0)], RATES, 4.0)
    assert (figures["least_seconds"], figures["share"]) == (2.0, 0.5)
    assert RATES.best(Rates({"float32": 90.0, "bfloat16": 500.0}, 60.0, 10.0)) == Rates(
        {"float32": 100.0, "bfloat16": 500.0}, 60.0, 20.0
    )


def test_published_networks():
    graph, plan = models.graph(), models.our_plan()
    per_sample = [
        sum(layer.dense for layer in limits.convolutions(graph, plan, training)) for training in (False, True)
    ]
    assert per_sample == pytest.approx([3.6e9, 4.1e9], rel=0.01)
    assert sum(phase.read for phase in limits.row_phases(ROW["inference1"], False, "cpu")) == pytest.approx(
        294e6, rel=0.01
    )


def test_rounded_factors(monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"f16c": True, "avx512_bf16": True})

    def operations(name):
        return {phase.name: phase.operations for phase in limits.row_phases(ROW[name], False, "cpu")}

    full, rounded = operations("inference64"), operations("inference64_bf16")
    assert sum(rounded["dense products"].values()) == full["dense products"]["float32"]
    assert 0.8 < rounded["dense products"]["bfloat16"] / full["dense products"]["float32"] < 0.85
    assert rounded["PoseNet"] == full["PoseNet"]
    assert operations("training64_bf16")["PoseNet"] == {"bfloat16": full["PoseNet"]["float32"]}
    half = [
        sum(phase.read for phase in limits.row_phases(ROW[name], False, "cpu"))
        for name in ("inference1_half", "inference1")
    ]
    assert half[0] == half[1] / 2
    assert Types.of("half", "cuda", training=False) == Types("float16", "float16", "float16")


def test_limits_of_measured_rows(monkeypatch):
    answers = [{"rates": asdict(rates)} for rates in (RATES, Rates({"float32": 90.0, "bfloat16": 90.0}, 60.0, 10.0))]

    worker = SimpleNamespace(run=lambda case, _arguments: {"rates": answers}[case].pop(0))
    monkeypatch.setattr(runner, "Worker", lambda *_: nullcontext(worker))
    monkeypatch.setattr(runner, "_import_seconds", lambda threads, repeats: 7.0)
    rows = [ROW[name] for name in ("evaluation", "camera", "demo")]
    # the process of the first row died as run
    results = {"evaluation": {"memory kept": {}}, "camera": {}, "demo": {"as run": {"ours": {"seconds_median": 1e9}}}}
    found = runner.measure_limits(rows, results, 2, True)
    assert found["rates"] == {"products": RATES.products, "reading": 60.0, "updating": 20.0}
    evaluation, camera, demo = (found["rows"][row.name] for row in rows)
    assert (evaluation["least_seconds"], evaluation["share"]) == (2 * 12 * 1024 * 6890 / 60, None)
    assert camera == {"phases": [], "least_seconds": None, "seconds": None, "share": None}
    assert demo["phases"][-1]["least_seconds"] == 7.0
    assert demo["share"] == demo["least_seconds"] / 1e9


def test_every_row_has_a_line(monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"f16c": True, "avx512_bf16": True})
    rows = {}
    for row in (*ROWS, MESHNET_ROW):
        phases = limits.row_phases(row, True, "cpu")
        assert bool(phases) == limits.has_limit(row) == (row.name not in ("graph", "camera"))
        rows[row.name] = runner._limit(phases, Rates(dict.fromkeys(("float32", "bfloat16"), 1e11), 1e10, 1e10), 0.5)
    text = limits_text(
        list(ROWS), {"rates": {"products": {"float32": 1e11}, "reading": 1e10, "updating": 9e9}, "rows": rows}, True
    )
    first, _, *lines = text.splitlines()
    assert first.endswith("100 GFLOP/s float32; memory reads 10.0 GB/s, reads and writes 9.0 GB/s")
    assert len(lines) == len(ROWS) + 1
    camera = next(line for line in lines if line.startswith("camera"))
    assert " ".join(camera.split()) == "camera fit - - - 500.0 ms -"
    assert "GFLOP bfloat16 + " in text
