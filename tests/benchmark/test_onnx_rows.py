"""The benchmark's table of ONNX files (no figure is asserted: machines differ)."""

import itertools
import sys

import pytest

from lib.benchmark import onnx_rows
from lib.onnx.onnx_export import load_trained
from main.benchmark import parse_arguments, run_table
from tests.helpers import require_onnx


def test_both_run_in_turns():
    log, ticks = [], itertools.count()
    runs = {name: lambda name=name: log.append(name) for name in ("torch", "half")}
    times = onnx_rows.in_turns(runs, 0.0, lambda: float(next(ticks)))
    assert log == ["torch", "half"] * (1 + onnx_rows.LEAST_ROUNDS)
    assert times == {"torch": [1.0] * onnx_rows.LEAST_ROUNDS, "half": [1.0] * onnx_rows.LEAST_ROUNDS}


def test_files_are_measured_and_printed(weights, monkeypatch, capsys):
    require_onnx()
    monkeypatch.setattr(onnx_rows, "_open_network", lambda: load_trained(weights["coco"]))
    monkeypatch.setattr(onnx_rows, "BATCHES", (1, 2))
    monkeypatch.setattr(onnx_rows, "SECONDS", 0.0)
    report = run_table(parse_arguments(["--rows", "onnx", "--quick", "--threads", "1"]))
    whole, half = report["onnx"]
    assert half["megabytes"] < 0.7 * whole["megabytes"]
    assert whole["largest_mm"] < 0.1
    assert min(whole["ratio"].values()) > 0
    printed = capsys.readouterr().out
    assert "| open | half |" in printed
    assert "batch 2" in printed


def test_targets_are_shown_in_a_full_run():
    figures = {batch: 2.0 for batch in onnx_rows.BATCHES}
    file = {"network": "open", "precision": "float32", "megabytes": 30.0, "mean_mm": 0.0, "largest_mm": 0.0}
    file |= {"torch_ms": figures, "onnx_ms": figures, "ratio": {1: 0.9, 7: 1.0, 64: 1.4}}
    assert "0.90x <= 1x met" in onnx_rows.onnx_text([file], quick=False)
    assert "1.40x <= 1.3x missed" in onnx_rows.onnx_text([file], quick=False)
    assert "met" not in onnx_rows.onnx_text([file], quick=True)


def test_without_the_packages_the_table_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run_table(parse_arguments(["--rows", "onnx"]))["onnx"] == []
    assert "sh requirements.sh --with-onnx" in capsys.readouterr().out


def test_the_table_is_of_the_cpu(capsys, monkeypatch):
    monkeypatch.setattr("main.benchmark.resolve_device", lambda name: name)
    with pytest.raises(SystemExit):
        parse_arguments(["--rows", "onnx", "--device", "cuda"])
    assert "of the CPU" in capsys.readouterr().err
