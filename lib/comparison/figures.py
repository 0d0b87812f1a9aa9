"""Rows of figures side by side, and what keeps them from being compared."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.comparison.paired import Paired, paired
from lib.comparison.results import Result, Value

_IN_TIME = ("video", "clip")  # kinds of groups whose samples are frames that follow each other, and alike


@dataclass(frozen=True)
class Row:
    """A figure of all results; the first one is what others are compared with.

    Attributes:
        part: ``all``, ``joint`` or what groups are (``action``, ``video``).
        name: of the joint or group; empty for the whole data set.
        figure, unit: see ``lib.evaluation.evaluator.Figure``.
        values: of each result, NaN where it has none.
        problems: of each result, why it cannot be compared with the first; empty where it can.
        pairs: of each result, statistics over the same samples; None where errors of samples were not kept.
    """

    part: str
    name: str
    figure: str
    unit: str
    values: tuple[float, ...]
    problems: tuple[str, ...]
    pairs: tuple[Paired | None, ...] = ()

    def difference(self, number: int) -> float:
        """Result ``number`` minus the first; NaN where they cannot be compared."""
        return math.nan if self.problems[number] else self.values[number] - self.values[0]

    def percent(self, number: int) -> float:
        """The difference as a share of the first, in percent; NaN where there is none."""
        return 100 * self.difference(number) / self.values[0] if self.values[0] else math.nan


def check_same_test(results: Sequence[Result]) -> None:
    """
    Raises:
        ValueError: results of different data sets or numbers of samples.
    """
    first = results[0]
    for other in results[1:]:
        if other.dataset != first.dataset:
            raise ValueError(
                f"{first.path} is of {first.dataset}, {other.path} of {other.dataset}: only results of one data set "
                "can be put side by side"
            )
        if other.samples != first.samples:
            raise ValueError(
                f"{first.path} has {first.samples} samples of {first.dataset}, {other.path} {other.samples}: they are "
                "of different splits or settings (or one of a test with --debug)"
            )
        if not set(first.figures) & set(other.figures):
            raise ValueError(
                f"{first.path} and {other.path} have no figure in common: {', '.join(first.figures) or 'none'}; "
                f"{', '.join(other.figures) or 'none'}"
            )


def other_samples(first: Result, other: Result) -> str:
    """Why two results are of other samples, in words; empty where they are of the same, as far as is known."""
    if first.setting != other.setting:
        return f"{first.setting or 'no split'} and {other.setting or 'no split'}"
    for key in sorted(set(first.identity) & set(other.identity)):
        if not np.array_equal(first.identity[key], other.identity[key]):
            return f"other samples, by their column {key}"
    return ", ".join(differences(first, other, "samples"))


def differences(first: Result, other: Result, what: str) -> list[str]:
    """Settings of a kind (see ``settings_of_test``) that differ, as ``KEY: ours, the other's``."""
    if first.settings is None or other.settings is None:
        return []
    ours, theirs = (result.settings.get(what, {}) for result in (first, other) if result.settings is not None)
    return [f"{key}: {ours[key]}, {theirs[key]}" for key in ours if key in theirs and ours[key] != theirs[key]]


def notes(results: Sequence[Result]) -> list[str]:
    """What a reader must know of the figures before comparing them, one line each."""
    first, lines = results[0], []
    for other in results[1:]:
        pair = f"{first.name} and {other.name}"
        samples = other_samples(first, other)
        if samples:
            lines.append(f"NOT COMPARABLE: {pair} are of different samples ({samples}); no differences are given")
        inputs = differences(first, other, "input")
        if inputs:
            lines.append(f"{pair} had different 2D input ({'; '.join(inputs)})")
        method = differences(first, other, "method")
        if method:
            lines.append(f"{pair}: {'; '.join(method)}")
        unknown = [result.name for result in (first, other) if result.settings is None]
        if unknown:
            lines.append(f"{pair}: the settings of {' and '.join(unknown)} are not known, nor whether they agree")
        protocols = [name for name in other.figures if _named_otherwise(first, other, name)]
        if protocols:
            lines.append(f"NOT COMPARABLE: {pair} measure {', '.join(protocols)} by different protocols")
        unsaid = [result.name for result in (first, other) if not all(v.protocol for v in result.figures.values())]
        if unsaid:
            lines.append(f"{pair}: {' and '.join(unsaid)} (metrics.csv) says nothing of protocols")
    return lines


def _other(first: Result, other: Result, figure: str) -> bool:
    """Whether both say how a figure is measured, and differ."""
    ours, theirs = first.figures[figure].protocol, other.figures[figure].protocol
    return bool(ours and theirs) and ours != theirs


def rows(results: Sequence[Result]) -> list[Row]:
    """All figures that any result has: of the whole data set, of joints, of groups."""
    found = []
    samples = [""] + [other_samples(results[0], other) and "other samples" for other in results[1:]]
    names = list(dict.fromkeys(name for result in results for name in result.figures))
    for name in names:
        found.append(_total(results, name, samples))
    kinds = {result.joints[0] for result in results if result.joints[1]}
    for joint in dict.fromkeys(joint for result in results for joint in result.joints[1]):
        values = tuple(result.joints[1].get(joint, math.nan) for result in results)
        figure = next(iter(kinds)) if len(kinds) == 1 else ""
        same = [len(kinds) == 1 and not _named_otherwise(results[0], result, figure) for result in results]
        problems = tuple(problem or ("" if alike else "other protocol") for problem, alike in zip(samples, same))
        found.append(Row("joint", joint, figure, "mm", values, problems))
    for name in names:
        groups = dict.fromkeys(group for result in results for group in _value(result, name).groups)
        total = next(row for row in found if row.part == "all" and row.figure == name)
        kind = next((result.group_kind for result in results if result.group_kind), "")
        for group in groups:
            values = tuple(_value(result, name).groups.get(group, math.nan) for result in results)
            found.append(Row(kind, group, name, total.unit, values, total.problems))
    return found


def _named_otherwise(first: Result, other: Result, figure: str) -> bool:
    return figure in first.figures and figure in other.figures and _other(first, other, figure)


def _value(result: Result, name: str) -> Value:
    return result.figures.get(name, Value(math.nan, ""))


def _total(results: Sequence[Result], name: str, samples: list[str]) -> Row:
    known = next(result.figures[name] for result in results if name in result.figures)
    problems, pairs = [], []
    for problem, result in zip(samples, results):
        both = name in results[0].figures and name in result.figures
        if both and not problem and _other(results[0], result, name):
            problem = "other protocol"
        problems.append(problem)
        pairs.append(_pair(results[0], result, name) if both and not problem and result is not results[0] else None)
    values = tuple(_value(result, name).value for result in results)
    return Row("all", "", name, known.unit, values, tuple(problems), tuple(pairs))


def _pair(first: Result, other: Result, name: str) -> Paired | None:
    if name not in first.errors or name not in other.errors:
        return None
    larger, clusters = first.figures[name].larger_is_better, first.clusters
    return paired(first.errors[name], other.errors[name], larger, clusters if first.group_kind in _IN_TIME else None)


def csv_text(results: Sequence[Result], table: Sequence[Row]) -> str:
    """All rows, one line each: values, then of each other result difference, percent and paired statistics."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    others = results[1:]
    further = ("minus", "percent of", "low 95% of", "high 95% of", "share better than", "comparable with")
    titles = [f"{other.name} {what} {results[0].name}" for other in others for what in further]
    writer.writerow(["part", "name", "figure", "unit", *(result.name for result in results), *titles])
    for row in table:
        cells = [_digits(value) for value in row.values]
        for number in range(1, len(results)):
            pair = row.pairs[number] if row.pairs else None
            statistics = ("", "", "") if pair is None else map(_digits, (pair.low, pair.high, pair.better))
            cells += [_digits(row.difference(number)), _digits(row.percent(number)), *statistics]
            cells.append(row.problems[number] or "yes")
        writer.writerow([row.part, row.name, row.figure, row.unit, *cells])
    return stream.getvalue()


def _digits(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
