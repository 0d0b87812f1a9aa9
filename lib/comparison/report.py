"""What a comparison writes and prints: Markdown, CSV and JSON of the same rows."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lib.comparison.figures import Row, csv_text
from lib.comparison.results import Result
from lib.files import atomic_write

FILES = ("compare.md", "compare.csv", "compare.json")


def markdown(results: Sequence[Result], table: Sequence[Row], notes: Sequence[str]) -> str:
    """The comparison as a page: what is compared, notes, figures, joints, groups."""
    first = results[0]
    lines = [f"{first.dataset}, {first.samples} samples{f', {first.setting}' if first.setting else ''}.", ""]
    for result in results:
        lines.append(f"* {result.name}: `{result.path}`{f', {result.predictor}' if result.predictor else ''}")
    lines += [f"* {note}" for note in notes]
    lines += _table(results, [row for row in table if row.part == "all"], "figure")
    joints = [row for row in table if row.part == "joint"]
    if joints:
        lines += ["", f"Single joints ({joints[0].figure}):", *_table(results, joints, "name")]
    for figure in dict.fromkeys(row.figure for row in table if row.part not in ("all", "joint")):
        chosen = [row for row in table if row.part not in ("all", "joint") and row.figure == figure]
        lines += ["", f"{figure} of each {chosen[0].part}:", *_table(results, chosen, "name")]
    if any(pair for row in table for pair in row.pairs):
        pair = next(pair for row in table for pair in row.pairs if pair)
        units = f"{pair.units} groups" if pair.units < pair.samples else "samples"
        lines += [
            "",
            f"Differences are to {first.name}. 95 %: percentile bootstrap of the mean difference over the same "
            f"samples, 2,000 draws of {units}; better: share of samples with a smaller error (larger score).",
        ]
    return "\n".join(lines) + "\n"


def _table(results: Sequence[Result], table: Sequence[Row], column: str) -> list[str]:
    with_pairs = any(pair for row in table for pair in row.pairs)
    header = ["figure" if column == "figure" else table[0].part, *(result.name for result in results)]
    for other in results[1:]:
        header += [f"{other.name} − {results[0].name}", "%"] + (["95 %", "better"] if with_pairs else [])
    lines = ["", f"| {' | '.join(header)} |", "| --- " + "| ---: " * (len(header) - 1) + "|"]
    for row in table:
        unit = f", {row.unit}" if row.unit and column == "figure" else ""
        cells = [getattr(row, column) + unit, *(_shown(value, row) for value in row.values)]
        for number in range(1, len(results)):
            cells += _difference(row, number, with_pairs)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _difference(row: Row, number: int, with_pairs: bool) -> list[str]:
    if row.problems[number]:
        return [row.problems[number], "–"] + (["–", "–"] if with_pairs else [])
    difference, percent = row.difference(number), row.percent(number)
    cells = [_shown(difference, row, "+"), f"{percent:+.1f}" if math.isfinite(percent) else "–"]
    if with_pairs:
        pair = row.pairs[number] if row.pairs else None
        low_high = "–" if pair is None else f"{_shown(pair.low, row, '+')} to {_shown(pair.high, row, '+')}"
        cells += [low_high, "–" if pair is None else f"{100 * pair.better:.1f} %"]
    return cells


def _shown(value: float, row: Row, sign: str = "") -> str:
    return f"{value:{sign}.{2 if row.unit else 3}f}" if math.isfinite(value) else "–"


def write(folder: Path, results: Sequence[Result], table: Sequence[Row], notes: Sequence[str]) -> list[Path]:
    """Write ``FILES`` into a folder, which is made if need be."""
    content = {
        "dataset": results[0].dataset,
        "samples": results[0].samples,
        "results": [{"name": r.name, "path": str(r.path), "predictor": r.predictor} for r in results],
        "notes": list(notes),
        "rows": [_json_row(row, len(results)) for row in table],
    }
    texts = markdown(results, table, notes), csv_text(results, table), json.dumps(content, indent=1, allow_nan=False)
    for name, text in zip(FILES, texts):
        with atomic_write(folder / name) as stream:
            stream.write(text)
    return [folder / name for name in FILES]


def _json_row(row: Row, count: int) -> dict:
    return {
        "part": row.part,
        "name": row.name,
        "figure": row.figure,
        "unit": row.unit,
        "values": [_finite(value) for value in row.values],
        "differences": [_finite(row.difference(number)) for number in range(count)],
        "percent": [_finite(row.percent(number)) for number in range(count)],
        "problems": list(row.problems),
        "paired": [None if pair is None else asdict(pair) for pair in row.pairs],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
