"""The order of tied keys: golden orders of old NumPy versions, and independence of the CPU."""

import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lib.graph.legacy_sort import legacy_argsort
from tests.helpers import ROOT, golden

MESHES = ("smpl2020", "sphere6890_s1", "mano", "sphere300", "ico4", "torus64x40")


def test_argsort_vectors():
    arrays = golden("graph_grids")
    np.testing.assert_array_equal(legacy_argsort([i * i % 5 for i in range(24)]), arrays["argsort24"])
    np.testing.assert_array_equal(legacy_argsort([7 * i % 4 for i in range(40)]), arrays["argsort40"])


@pytest.mark.parametrize("mesh", MESHES)
def test_argsort_matches_old_numpy_on_degrees(mesh):
    order = golden("legacy_order")
    for level in range(len(order[f"{mesh}.sizes"])):
        np.testing.assert_array_equal(legacy_argsort(order[f"{mesh}.ss{level}"]), order[f"{mesh}.rid{level}"])


def test_argsort_matches_old_numpy_where_quicksort_degenerates():
    """Inputs made by McIlroy's adversary exhaust the partitioning depth, so that heapsort takes over."""
    arrays = golden("legacy_heapsort")
    assert len(arrays) == 24
    for name in (key[: -len(".keys")] for key in arrays if key.endswith(".keys")):
        np.testing.assert_array_equal(legacy_argsort(arrays[f"{name}.keys"]), arrays[f"{name}.order"], err_msg=name)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 18, 300])
@pytest.mark.parametrize("distinct", [1, 3, 1000])
def test_argsort_sorts(count, distinct):
    keys = np.random.default_rng(count).integers(0, distinct, count) / 8
    indices = legacy_argsort(keys)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(keys[indices], np.sort(keys))
    np.testing.assert_array_equal(np.sort(indices), np.arange(count))


def test_argsort_rejects_nan_and_matrices():
    with pytest.raises(ValueError, match="NaN"):
        legacy_argsort([1.0, float("nan")])
    with pytest.raises(ValueError, match="one dimension"):
        legacy_argsort(np.zeros((2, 2)))


def vector_extensions():
    """Names of the CPU features that NumPy selects kernels by at run time."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        try:
            return list(importlib.import_module(name).__cpu_dispatch__)
        except (ImportError, AttributeError):
            continue
    return []


def test_hierarchy_does_not_depend_on_the_cpu(tmp_path):
    """NumPy without its vector kernels, whose argsort orders ties differently, gives the same rows and operators."""
    faces = golden("legacy_order")["mano.faces"]
    np.save(tmp_path / "faces.npy", faces)
    program = (
        "import hashlib, json, sys; import numpy as np\n"
        "from lib.graph.building import build_coarse_graphs\n"
        "_, L, perm, _ = build_coarse_graphs(np.load(sys.argv[1]), 2, [(0, 1)], [], 6)\n"
        "values = np.concatenate([x.data for x in L]).astype(np.float32)\n"
        "print(json.dumps([perm[0], hashlib.sha256(values.tobytes()).hexdigest()]))\n"
    )
    names = vector_extensions()
    if not names:
        pytest.skip("this NumPy has no kernels selected at run time")
    results = []
    for disabled in ("", " ".join(names)):
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "faces.npy")]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        results.append(json.loads(run.stdout))
    assert results[0] == results[1]
    assert results[0][0] == golden("legacy_order")["mano.perm"].tolist()
