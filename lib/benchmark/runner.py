"""Measures rows: two processes that take turns, medians of their repeats."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from tqdm import tqdm

from lib.benchmark.process import Worker
from lib.benchmark.rows import COLUMNS, Row

SIDES = ("ours", "plain")
QUICK_REPEATS, QUICK_SECONDS = 2, 1.5
SGEMM_SIZE = 3072


class Turns:
    """Repeats of one row in one column.

    Args:
        row, column: what is measured.
        quick: small sizes, few repeats.
        advance: called with the number of steps that are done, for a progress bar.
    """

    def __init__(self, row: Row, column: str, quick: bool, advance: Callable[[int], object]):
        self.row, self.column, self.quick, self.advance = row, column, quick, advance
        self.repeats = self.repeats_of(row, quick)
        seconds = row.plain_seconds if column in row.target.ratio else row.plain_seconds / 2
        self.plain_seconds = min(seconds, QUICK_SECONDS) if quick else seconds
        self.start = time.perf_counter()
        self.answers: dict[str, list[dict]] = {side: [] for side in SIDES}
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
        seconds = [answer["seconds"] for answer in self.answers["plain"]]
        if not seconds:
            return True
        return len(seconds) < self.repeats and sum(seconds) + max(seconds) <= self.plain_seconds

    def take(self, ours: Worker, plain: Worker) -> None:
        """Both sides in turn."""
        for worker in (ours, plain):
            self.warm_up(worker)
        for _ in range(self.repeats):
            self.repeat(ours)
            if self.plain_has_time():
                self.repeat(plain)
        self.finish()

    def take_apart(self, start: Callable[[str], Worker]) -> None:
        """One side after the other, each in a process of its own."""
        for side in SIDES:
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
        ratio = plain["seconds_per_item"] / ours["seconds_per_item"]
        return {
            **sides,
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


def _agreement(row: Row, ours: list[float], plain: list[float]) -> bool | None:
    """Whether the two sides did the same; None when there is nothing to compare."""
    if not ours or len(ours) != len(plain):
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
        groups = [list(group) for _, group in itertools.groupby(chosen, key=lambda row: quick or row.case)]
        for group in groups:
            try:
                _measure_group(group, column, threads, quick, advance, results, device)
            except RuntimeError as error:  # one side died, for example for lack of memory: the other rows still count
                tqdm.write(f"Warning: {', '.join(row.name for row in group)} ({column}) not measured: {error}")
    return results


def _measure_group(group, column, threads, quick, advance, results, device) -> None:
    def start(side: str) -> Worker:
        return Worker(side, column, threads, device)

    with ExitStack() as stack:
        together = quick or not group[0].alone
        workers = [stack.enter_context(start(side)) for side in SIDES] if together else []
        for row in group:
            turns = Turns(row, column, quick, advance)
            if together:
                for worker in workers:  # both prepare at the same time, which is not measured
                    worker.send(row.case, False, {})
                for worker in workers:
                    worker.receive()
                turns.take(*workers)
            else:
                turns.take_apart(start)
            results[row.name][column] = turns.result()


def measure_arithmetic(threads: int, quick: bool, device: str = "cpu") -> dict:
    """MeshNet's batch in relation to the machine's rate of dense products (both with kept memory)."""
    from lib.benchmark import models
    from lib.benchmark.machine import meshnet_operations

    batch, repeats = (4, 2) if quick else (64, 5)
    with Worker("ours", "memory kept", threads, device) as worker:
        before = worker.run("sgemm", {"size": SGEMM_SIZE})["check"][0]
        arguments = {"batch": batch, "part": "meshnet"}
        seconds = statistics.median([worker.run("inference", arguments)["seconds"] for _ in range(repeats + 1)][1:])
        rate = max(before, worker.run("sgemm", {"size": SGEMM_SIZE})["check"][0])
    operations = meshnet_operations(models.graph(), models.our_plan())
    return {
        "sgemm_flops": rate,
        "meshnet_batch": batch,
        "meshnet_seconds": seconds,
        "meshnet_operations_per_sample": operations,
        "meshnet_share": operations * batch / seconds / rate,
    }
