"""The benchmark of the record cache: its generated trees are read by the data sets, with the rows it was asked for."""

import os

import numpy as np
import pytest

from data.measure import measure_records


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="the benchmark reads Linux's memory figures")
@pytest.mark.parametrize(
    ("name", "write", "asked", "rows"),
    [
        ("AMASS", measure_records.write_amass, 600, 1000),
        ("Human36M", measure_records.write_human36m, 301, 600),
    ],
)
def test_generated_trees_have_the_rows_asked_for_up_to_whole_files(tmp_path, monkeypatch, name, write, asked, rows):
    monkeypatch.setattr(measure_records, "BATCHES", 3)
    write(tmp_path, asked, np.random.default_rng(0))
    first, second = (measure_records.measure_start(name, tmp_path) for _ in range(2))
    assert first["rows"] == second["rows"] == rows
    assert first["cache"] == second["cache"] > rows * 328 / 1e6
    measure_records.forget(tmp_path / "data")
    worker = measure_records.measure_worker(measure_records.pickled(name, tmp_path))
    assert 0 < worker["before"]["own"] <= worker["after"]["all"]
    assert worker["batch"] > 0
