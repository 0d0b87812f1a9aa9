"""The jobs of open pages: from what a browser sent to what its page shows."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.app.form import Form
from lib.app.jobs import Jobs
from lib.app.store import Store
from lib.app.uploads import SAMPLES, take_in
from lib.app.work import Done, Line, Progress, Refused, Task
from lib.demo.options import DemoOptions
from lib.messages import one_line


@dataclass(frozen=True)
class State:
    """A job as the page shows it.

    Attributes:
        lines: what the demo said.
        progress: how far it is.
        seconds: since the click.
        refused: why there is no result; "": it is not refused.
        done: the result, and its ``key``.
    """

    lines: tuple[str, ...] = ()
    progress: Progress | None = None
    seconds: float = 0.0
    refused: str = ""
    done: Done | None = None
    key: str = ""

    def after(self, report: Line | Progress | Refused | Done, places: Sequence[str], seconds: float) -> "State":
        """The state after a report, in whose texts the ``places`` are left out of paths."""
        state = replace(self, seconds=seconds)
        if isinstance(report, Progress):
            return replace(state, progress=report)
        if isinstance(report, Done):
            return replace(state, done=report)
        text = report.text if isinstance(report, Line) else report.reason
        for place in places:
            text = text.replace(place, "")
        if isinstance(report, Refused):
            return replace(state, refused=text)
        return replace(state, lines=(*self.lines, text)) if text else state


@dataclass
class Sessions:
    """What the page's buttons share.

    Attributes:
        store, jobs: see there.
        base: options of the app.
        results: of each session: key, what was done.
    """

    store: Store
    jobs: Jobs
    base: DemoOptions
    results: dict[str, tuple[str, Done]]

    def close(self, session: str) -> None:
        """A page was closed: nobody waits for its job, nobody wants its files."""
        self.jobs.cancel(session)
        self.results.pop(session, None)
        self.store.close(session)

    def lift(self, session: str, files: Any, sample: str, values: dict[str, Any]) -> Iterator[State]:
        """States of a job, from the first to the result or a refusal.

        Args:
            session: who asks.
            files: what gradio says of uploads, entries with ``path`` and ``orig_name``.
            sample: key of ``SAMPLES`` in place of files.
            values: of the form.
        """
        start = time.monotonic()
        state = State()
        self.results.pop(session, None)
        try:
            form = Form.of(values)
            with self.store.job(session) as (key, results, folder):
                inputs = SAMPLES[sample] if sample else take_in(self.uploads(session, files), folder)
                places = [f"{place}/" for place in (folder / "poses", folder / "images", folder, results, ROOT)]
                task = Task(form, inputs, replace(self.base, output=results), self.jobs.limits.frames)
                yield state
                for report in self.jobs.run(session, task):
                    state = state.after(report, places, time.monotonic() - start)
                    if isinstance(report, Done):
                        state = replace(state, key=key)
                        self.store.offer(key, [name for name, _ in report.files])
                        self.results[session] = key, report
                    yield state
        except (ValueError, OSError) as error:
            yield replace(state, refused=one_line(error))

    def uploads(self, session: str, files: Any) -> list[tuple[str, Path]]:
        """Names and places of what gradio says of uploads; from now on they belong to the session."""
        named = ((str(file.get("orig_name") or "file"), file["path"]) for file in files or ())
        return [(name, self.store.uploaded(session, path)) for name, path in named]
