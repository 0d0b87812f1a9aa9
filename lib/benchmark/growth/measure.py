"""Measures kinds of growth, each in processes of its own."""

import itertools
from collections.abc import Iterable

from tqdm import tqdm

from lib.benchmark.growth.kinds import KINDS
from lib.benchmark.process import Worker

Entries = list[dict]  # size, series, and figures by their keys


def measure_growth(names: Iterable[str], threads: int, quick: bool) -> dict[str, Entries]:
    """Entries of each kind; what cannot be measured is said and left out.

    Args:
        names: keys of ``KINDS``.
        threads: of arithmetic, in every process.
        quick: small sizes.
    """
    plans = {name: KINDS[name].calls(quick) for name in names}
    report: dict[str, Entries] = {name: [] for name in plans}
    with tqdm(total=sum(map(len, plans.values())), unit="call", leave=False, dynamic_ncols=True) as progress:
        for name, calls in plans.items():
            progress.set_description(name)
            for _, group in itertools.groupby(calls, key=lambda call: call.process):
                with Worker("ours", "as run", threads) as worker:
                    for call in group:
                        try:
                            answer = worker.run(call.case, call.arguments)
                        except RuntimeError as error:  # for example for lack of memory: the other sizes still count
                            tqdm.write(f"Warning: {name} of {call.size:,} not measured: {error}")
                            break
                        for series, figures in answer["figures"].items():
                            report[name].append({"size": call.size, "series": series, **figures})
                        progress.update()
    return report
