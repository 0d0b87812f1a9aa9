"""Result files of an evaluation: ``metrics.json`` and ``metrics.csv``."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from lib.evaluation.evaluator import Evaluator
from lib.files import atomic_write


def _number(value: float) -> float | None:
    """A value for JSON, which has no NaN."""
    return float(value) if math.isfinite(value) else None


def complete_report(folder: Path, weights: dict[str, str | int]) -> bool:
    """Whether a folder has both result files, of these weights (by their SHA-256)."""
    try:
        written = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["weights"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False
    return (folder / "metrics.csv").is_file() and written == weights["sha256"]


def write_json(
    path: Path, dataset, evaluator: Evaluator, results: dict, weights: dict[str, str | int] | None = None
) -> None:
    """Every figure with its unit, protocol and, where there are groups, their values.

    ``millimetres`` repeats those in millimetres as plain numbers; ``weights`` is left out where there are none.
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
        "samples": len(dataset),
        "setting": evaluator.setting,
        "millimetres": {name: metric["value"] for name, metric in metrics.items() if metric["unit"] == "mm"},
        "metrics": metrics,
    }
    if weights is not None:
        content["weights"] = weights
    with atomic_write(path) as file:
        json.dump(content, file, indent=1)


def write_csv(path: Path, dataset, evaluator: Evaluator, results: dict) -> None:
    """One row per group and one for the whole data set; empty cells where there is no value."""
    groups, figures = evaluator.groups, [figure for figure in evaluator.figures if figure.name in results]
    header = [f"{figure.name} ({figure.unit})" if figure.unit else figure.name for figure in figures]
    rows = [["all", dataset.name, len(dataset), *(results[figure.name][0] for figure in figures)]]
    if groups is not None:
        parts = zip(groups.names, groups.counts, *(results[figure.name][1] for figure in figures))
        rows = [[groups.kind, *part] for part in parts] + rows
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["part", "name", "samples", *header])
        for kind, name, count, *values in rows:
            writer.writerow([kind, name, count, *(f"{value:.6g}" if math.isfinite(value) else "" for value in values)])
