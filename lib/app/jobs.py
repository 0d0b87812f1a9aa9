"""Jobs of the sessions, one at a time, in a process that a cancelled or stuck one does not outlive."""

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from lib.app.store import folder_size
from lib.app.work import Done, Line, Progress, Refused, Report, Task, serve
from lib.demo.options import DemoOptions

_PULSE = 0.25  # seconds between two looks
WAITING = "waiting"  # what ``Progress`` says of those who wait; ``done`` is the number of jobs before
_CANCELLED = "Cancelled"
_WEIGHED = 2.0  # seconds between two looks at the results' size


@dataclass(frozen=True)
class Limits:
    """What one job may take.

    Attributes:
        frames: of a film.
        seconds: of work.
        result_bytes: of results.
    """

    frames: int = 900
    seconds: float = 1800.0
    result_bytes: float = 2e9


class Jobs:
    """Runs tasks, in the order in which they come, in a process of its own, which stays for the next one.

    Args:
        base: options of the app.
        limits: of every job.
        work: what the process does.
    """

    def __init__(self, base: DemoOptions, limits: Limits, work: Callable[[Connection, DemoOptions], None] = serve):
        self.limits = limits
        self._base, self._work = base, work
        self._queue: list[_Ticket] = []
        self._lock = threading.Lock()
        self._context = multiprocessing.get_context("spawn")  # a fork of a server with threads may hang
        self._start()

    def run(self, session: str, task: Task) -> Iterator[Report]:
        """Reports of a task, one each pulse at least; the last one is ``Done`` or ``Refused``."""
        ticket = _Ticket(session)
        with self._lock:
            self._queue.append(ticket)
        try:
            while before := self._queue.index(ticket):
                yield Progress(WAITING, before, None)
                if ticket.cancelled:
                    yield Refused(_CANCELLED)
                    return
                time.sleep(_PULSE)
            yield from self._watched(ticket, task)
        finally:
            with self._lock:
                self._queue.remove(ticket)

    def cancel(self, session: str) -> None:
        """End the session's jobs, if it has any."""
        with self._lock:
            for ticket in self._queue:
                ticket.cancelled |= ticket.session == session

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=self._work, args=(other, self._base), daemon=True)
        self._process.start()
        other.close()

    def _watched(self, ticket: "_Ticket", task: Task) -> Iterator[Report]:
        start = weighed = time.monotonic()
        ready = False  # the process has answered and waits for the next task
        try:
            self._pipe.send(task)
            while not ready:
                now = time.monotonic()
                reason = _CANCELLED if ticket.cancelled else ""
                if now - start > self.limits.seconds:
                    reason = f"stopped after {self.limits.seconds / 60:.0f} minutes, the longest for a job here"
                if now - weighed > _WEIGHED:
                    weighed = now
                    reason = reason or self._too_large(Path(task.base.output))
                if reason:
                    yield Refused(reason)
                    return
                if not self._pipe.poll(_PULSE):
                    yield Line("")
                    continue
                report = self._pipe.recv()
                ready = isinstance(report, (Done, Refused))
                yield report
        except (EOFError, OSError):
            yield Refused("the process that lifts has ended, perhaps for lack of memory; try a smaller input")
        finally:
            if not ready:  # stopped, dead, or nobody listens any more: what it does is of no use
                self.close()
                self._start()

    def _too_large(self, results: Path) -> str:
        most = self.limits.result_bytes
        if folder_size(results) <= most:
            return ""
        return (
            f"the results are larger than {most / 1e6:.0f} MB; take fewer people, frames or files, or start the app "
            "with a larger --max_results"
        )


@dataclass(eq=False)
class _Ticket:
    """A job in the queue."""

    session: str
    cancelled: bool = False


@contextlib.contextmanager
def jobs_of(base: DemoOptions, limits: Limits) -> Iterator[Jobs]:
    """Jobs whose process ends with the block."""
    jobs = Jobs(base, limits)
    try:
        yield jobs
    finally:
        jobs.close()
