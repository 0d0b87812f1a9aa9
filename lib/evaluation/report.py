"""Result files of an evaluation: ``metrics.json``, ``metrics.csv`` and, one row per sample, ``errors.npz``."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from lib.evaluation.evaluator import Evaluator
from lib.evaluation.predictions import identity
from lib.files import atomic_write

JOINT_ERRORS, JOINT_NAMES, GROUPS = (
    "joint errors",
    "joint names",
    "groups",
)  # arrays of errors.npz beside those of figures


def _number(value: float) -> float | None:
    """A value for JSON, which has no NaN."""
    return float(value) if math.isfinite(value) else None


def _count(dataset, evaluator: Evaluator) -> int:
    """Samples that have errors: those of a data set of clips are frames."""
    return len(dataset) if evaluator.groups is None else len(evaluator.groups.index)


def complete_report(folder: Path, weights: dict[str, str | int]) -> bool:
    """Whether a folder has both result files, of these weights (by their SHA-256)."""
    try:
        written = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["weights"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False
    return (folder / "metrics.csv").is_file() and written == weights["sha256"]


def write_json(
    path: Path,
    dataset,
    evaluator: Evaluator,
    results: dict,
    weights: dict[str, str | int] | None = None,
    settings: dict | None = None,
    predictor: str = "weights",
) -> None:
    """Every figure with its unit, protocol and, where there are groups, their values.

    ``millimetres`` repeats those in millimetres as plain numbers; ``joints`` has the mean of each scored joint;
    ``weights`` is left out where there are none.

    Args:
        path: file to write.
        dataset, evaluator, results: of the test.
        weights: see ``lib.checkpoints.files.identity``.
        settings: see ``lib.settings.agreement.settings_of_test``.
        predictor: what was tested: ``weights``, a baseline or saved predictions.
    """
    groups = evaluator.groups
    metrics: dict[str, dict[str, Any]] = {}
    for figure in evaluator.figures:
        if figure.name not in results:
            continue
        total, parts = results[figure.name]
        metrics[figure.name] = {"value": _number(total), "unit": figure.unit, "protocol": figure.protocol}
        if groups is not None:
            metrics[figure.name][groups.kind] = {name: _number(v) for name, v in zip(groups.names, parts)}
    content = {
        "dataset": dataset.name,
        "samples": _count(dataset, evaluator),
        "setting": evaluator.setting,
        "millimetres": {name: metric["value"] for name, metric in metrics.items() if metric["unit"] == "mm"},
        "metrics": metrics,
    }
    joints = evaluator.joint_errors
    if joints is not None:
        content["joints"] = {"figure": joints.figure, "unit": "mm", "values": joints.means}
    content |= {"predictor": predictor, "settings": settings or {}}
    if weights is not None:
        content["weights"] = weights
    with atomic_write(path) as file:
        json.dump(content, file, indent=1)


def write_csv(path: Path, dataset, evaluator: Evaluator, results: dict) -> None:
    """One row per group and one for the whole data set; empty cells where there is no value."""
    groups, figures = evaluator.groups, [figure for figure in evaluator.figures if figure.name in results]
    header = [f"{figure.name} ({figure.unit})" if figure.unit else figure.name for figure in figures]
    rows = [["all", dataset.name, _count(dataset, evaluator), *(results[figure.name][0] for figure in figures)]]
    if groups is not None:
        parts = zip(groups.names, groups.counts, *(results[figure.name][1] for figure in figures))
        rows = [[groups.kind, *part] for part in parts] + rows
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["part", "name", "samples", *header])
        for kind, name, count, *values in rows:
            writer.writerow([kind, name, count, *(f"{value:.6g}" if math.isfinite(value) else "" for value in values)])


def write_errors(path: Path, dataset, evaluator: Evaluator) -> None:
    """Every figure of every sample, for paired comparisons.

    The ``.npz`` file has an array (N,) float32 per figure, under its name; ``joint errors`` (N, J) float32 mm with
    ``joint names`` (J,); ``groups`` (N,), the action or video of each sample, where there are any; and the columns
    that say which sample is which (``lib.evaluation.predictions.identity``).
    """
    arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in evaluator.columns().items()}
    joints = evaluator.joint_errors
    if joints is not None:
        arrays |= {JOINT_ERRORS: joints.values, JOINT_NAMES: np.array(joints.names)}
    if evaluator.groups is not None:
        arrays[GROUPS] = np.array(evaluator.groups.names)[evaluator.groups.index]
    with atomic_write(path, "wb") as file:
        np.savez_compressed(file, **(arrays | identity(dataset)))
