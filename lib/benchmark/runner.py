"""Measures rows: two processes that take turns, medians of their repeats."""

import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from tqdm import tqdm

from lib.benchmark.allocator import environment
from lib.benchmark.limits import Phase, row_phases
from lib.benchmark.machine import Rates
from lib.benchmark.process import Worker
from lib.benchmark.rows import COLUMNS, MESHNET_ROW, Row

SIDES = ("ours", "plain")
QUICK_REPEATS, QUICK_SECONDS = 2, 1.5
RATES = {"square": 3072, "numbers": 2**27}  # 512 MiB in an array
QUICK_RATES = {"square": 1024, "numbers": 2**25}
IMPORTS = 3


class Turns:
    """Repeats of one row in one column.

    Args:
        row, column: what is measured.
        quick: small sizes, few repeats.
        advance: called with the number of steps that are done, for a progress bar.
        plain: answers of plain to the same work, which is then not done again.
    """

    def __init__(
        self, row: Row, column: str, quick: bool, advance: Callable[[int], object], plain: list[dict] | None = None
    ):
        self.row, self.column, self.quick, self.advance = row, column, quick, advance
        self.repeats = self.repeats_of(row, quick)
        seconds = row.plain_seconds if column in row.target.ratio else row.plain_seconds / 2
        self.plain_seconds = min(seconds, QUICK_SECONDS) if quick else seconds
        self.start = time.perf_counter()
        self.sides = SIDES if plain is None else SIDES[:1]
        self.answers: dict[str, list[dict]] = {"ours": [], "plain": list(plain or [])}
        self.distance: list[float] = []
        self._steps = 0

    @staticmethod
    def repeats_of(row: Row, quick: bool) -> int:
        """Timed repeats of ours, and at most of plain."""
        return min(row.repeats, 1 if row.cold else QUICK_REPEATS) if quick else row.repeats

    @classmethod
    def steps(cls, row: Row, quick: bool) -> int:
        """Steps of a progress bar."""
        return 2 + 2 * cls.repeats_of(row, quick)

    def _step(self) -> None:
        if self._steps < self.steps(self.row, self.quick):
            self._steps += 1
            self.advance(1)

    def finish(self) -> None:
        """Steps that were left out count as done."""
        self.advance(self.steps(self.row, self.quick) - self._steps)

    def warm_up(self, worker: Worker) -> None:
        """Repeats that do not count."""
        if self.row.cold:
            arguments, count = {}, 0
        elif worker.side == "ours":
            arguments, count = self.row.arguments("ours", self.quick), self.row.warmups
        elif self.column == "memory kept":
            arguments, count = self.row.arguments("plain", self.quick, self.column), 1
        else:
            # blocks are mapped anew each time, so a small repeat warms up as well as a large one
            arguments, count = self.row.plain_warmup or {}, int(self.row.plain_warmup is not None)
        for _ in range(count):
            worker.run(self.row.case, arguments)
        self._step()

    def repeat(self, worker: Worker) -> None:
        """One timed repeat."""
        self.answers[worker.side].append(
            worker.run(self.row.case, self.row.arguments(worker.side, self.quick, self.column))
        )
        self._step()

    def plain_has_time(self) -> bool:
        """Another repeat of plain is wanted and fits into its time."""
        if "plain" not in self.sides:
            return False
        seconds = [answer["seconds"] for answer in self.answers["plain"]]
        if not seconds:
            return True
        return len(seconds) < self.repeats and sum(seconds) + max(seconds) <= self.plain_seconds

    def take(self, ours: Worker, plain: Worker) -> None:
        """Both sides in turn."""
        for worker in (ours, plain):
            if worker.side in self.sides:
                self.warm_up(worker)
        for _ in range(self.repeats):
            self.repeat(ours)
            if self.plain_has_time():
                self.repeat(plain)
        if self.row.within is not None:
            arguments = {**self.row.arguments("ours", self.quick), "part": "distance"}
            self.distance = ours.run(self.row.case, arguments)["check"]
        self.finish()

    def take_apart(self, start: Callable[[str], Worker]) -> None:
        """One side after the other, each in a process of its own."""
        for side in self.sides:
            with start(side) as worker:
                self.warm_up(worker)
                for _ in range(self.repeats):
                    if side == "ours" or self.plain_has_time():
                        self.repeat(worker)
        self.finish()

    def result(self) -> dict:
        """Figures of the row in this column."""
        sides = {side: _summary(answers) for side, answers in self.answers.items()}
        ours, plain = sides["ours"], sides["plain"]
        plain["like"] = "" if "plain" in self.sides else self.row.like
        ratio = plain["seconds_per_item"] / ours["seconds_per_item"]
        measured = {} if self.row.within is None else {"distance": _distance(self.row.within, *self.distance)}
        return {
            **sides,
            **measured,
            "ratio": ratio,
            "memory_ratio": ours["peak_bytes"] / plain["peak_bytes"],
            "target": self.row.target.ratio.get(self.column),
            "met": self.row.target.met(self.column, ratio),
            "agree": _agreement(self.row, ours["check"], plain["check"]),
            "elapsed_seconds": round(time.perf_counter() - self.start, 1),
        }


def _summary(answers: list[dict]) -> dict:
    per_item = [answer["seconds"] / answer["items"] for answer in answers]
    return {
        "seconds": [round(answer["seconds"], 6) for answer in answers],
        "items_per_repeat": answers[0]["items"],
        "seconds_per_item": statistics.median(per_item),
        "seconds_median": statistics.median(answer["seconds"] for answer in answers),
        "peak_bytes": max(answer["peak"] for answer in answers),
        "page_faults": statistics.median(answer["faults"] for answer in answers),
        "check": answers[0]["check"],
    }


def _distance(within: float, mean: float, largest: float) -> dict:
    """Of our mesh to that of float32, mm over all vertices of the batch."""
    return {"mean_mm": mean, "largest_mm": largest, "within_mm": within, "met": mean <= within}


def _agreement(row: Row, ours: list[float], plain: list[float]) -> bool | None:
    """Whether the two sides did the same; None when there is nothing to compare."""
    if row.within is not None or not ours or len(ours) != len(plain):
        return None
    scale = max(map(abs, plain))
    if row.may_be_smaller:
        return ours[0] <= plain[0] + row.tolerance * scale
    return max(abs(a - b) for a, b in zip(ours, plain)) <= row.tolerance * scale


def measure(
    rows: Sequence[Row], threads: int, quick: bool, advance: Callable[[int], object], device: str = "cpu"
) -> dict[str, dict]:
    """Row name -> column -> figures.

    Args:
        rows: what to measure.
        threads: of arithmetic, in every process.
        quick: small sizes, few repeats, one pair of processes for all rows.
        advance: see ``Turns``.
        device: where the networks are.
    """
    results: dict[str, dict] = {row.name: {} for row in rows}
    for column in COLUMNS:
        chosen = [row for row in rows if column in row.columns(quick)]
        plain: dict[str, list[dict]] = {}
        groups = [list(group) for _, group in itertools.groupby(chosen, key=lambda row: quick or row.case)]
        for group in groups:
            try:
                _measure_group(group, column, threads, quick, advance, results, device, plain)
            except RuntimeError as error:  # one side died, for example for lack of memory: the other rows still count
                missing = ", ".join(row.name for row in group if column not in results[row.name])
                tqdm.write(f"Warning: {missing} ({column}) not measured: {error}")
    return results


def _measure_group(group, column, threads, quick, advance, results, device, plain) -> None:
    def start(side: str) -> Worker:
        return Worker(side, column, threads, device)

    with ExitStack() as stack:
        together = quick or not group[0].alone
        workers = [stack.enter_context(start(side)) for side in SIDES] if together else []
        for row in group:
            turns = Turns(row, column, quick, advance, plain.get(row.like))
            if together:
                for worker in workers:  # both prepare at the same time, which is not measured
                    worker.send(row.case, False, {})
                for worker in workers:
                    worker.receive()
                turns.take(*workers)
            else:
                turns.take_apart(start)
            plain[row.name] = turns.answers["plain"]
            results[row.name][column] = turns.result()


def measure_limits(
    rows: Sequence[Row], results: dict[str, dict], threads: int, quick: bool, device: str = "cpu"
) -> dict:
    """The machine's rates, and each row's least time beside what it took as run; see ``lib.benchmark.limits``."""
    phases = {row.name: row_phases(row, quick, device) for row in rows}
    taken = {name: found["as run"]["ours"]["seconds_median"] for name, found in results.items() if "as run" in found}
    with Worker("ours", "as run", threads, device) as worker:

        def measured_rates() -> Rates:
            return Rates(**worker.run("rates", QUICK_RATES if quick else RATES)["rates"])

        rates = measured_rates()
        if "inference64" in phases:
            phases[MESHNET_ROW.name] = row_phases(MESHNET_ROW, quick, device)
            taken[MESHNET_ROW.name] = _median_seconds(worker, MESHNET_ROW, quick)
        rates = rates.best(measured_rates())
    for row in rows:
        if row.cold:
            seconds = _import_seconds(threads, 1 if quick else IMPORTS)
            phases[row.name].append(Phase("import torch", fixed=seconds))
    return {
        "rates": asdict(rates),
        "rows": {name: _limit(found, rates, taken.get(name)) for name, found in phases.items()},
    }


def _median_seconds(worker: Worker, row: Row, quick: bool) -> float:
    arguments, repeats = row.arguments("ours", quick), Turns.repeats_of(row, quick)
    return statistics.median(
        [worker.run(row.case, arguments)["seconds"] for _ in range(row.warmups + repeats)][row.warmups :]
    )


def _import_seconds(threads: int, repeats: int) -> float:
    """Of torch alone, in a fresh process: the shortest."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], env=environment("as run", threads), check=True)
        best = min(best, time.perf_counter() - start)
    return best


def _limit(phases: Sequence[Phase], rates: Rates, taken: float | None) -> dict:
    """Figures of a row; without phases there is no limit."""
    least = sum(phase.seconds(rates) for phase in phases) if phases else None
    return {
        "phases": [{**asdict(phase), "least_seconds": phase.seconds(rates)} for phase in phases],
        "least_seconds": least,
        "seconds": taken,
        "share": least / taken if least and taken else None,
    }
