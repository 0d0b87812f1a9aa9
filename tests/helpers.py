"""Shared test helpers: golden arrays, optional reference data, settings files, tolerances."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).resolve().parent / "golden"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SHARED = Path(os.environ.get("POSE2MESH_SHARED", ROOT.parent / "shared"))


def golden(name: str) -> dict[str, np.ndarray]:
    """All arrays of ``tests/golden/<name>.npz``."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def shared_path(relative: str) -> Path:
    """A large optional reference file; the calling test is skipped, with the reason, when it is not there."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"optional reference file {relative} is not present (set POSE2MESH_SHARED to its folder)")
    return path


def require_onnx() -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(
            package, reason=f"optional package {package} is not installed: sh requirements.sh --with-onnx"
        )


def write_config(path: Path, cfg) -> Path:
    """``cfg`` as a settings file for the scripts' ``--cfg``."""
    path.write_text(yaml.safe_dump(cfg.to_dict()))
    return path


def assert_close(actual, expected, tolerance: float = 1e-5, what: str = "") -> None:
    """Largest absolute difference at most ``tolerance`` times the largest expected magnitude."""
    actual = np.asarray(actual, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
    error = float(np.abs(actual - expected).max(initial=0.0)) / scale
    assert error <= tolerance, f"{what}: relative error {error:.2e} > {tolerance:.0e}"
