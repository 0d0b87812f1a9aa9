"""Growth as pictures: a panel for each quantity, logarithmic axes, proportional growth dotted."""

from pathlib import Path

import numpy as np

from lib.benchmark.growth.kinds import KINDS, Quantity
from lib.benchmark.growth.measure import Entries
from lib.files import atomic_write

_WIDTH, _HEIGHT, _DPI = 7.0, 2.9, 115  # inches, dots per inch: 805 pixels
_SMALLEST_SPAN = 5.0  # of a vertical axis, largest by smallest, so that noise looks like noise
_TICK_GAP = 0.15  # of an axis between its labels
_COLOURS, _MARKERS = ("#1f5fa8", "#c8501e", "#2f8f4e"), "os^"


def save_growth(name: str, entries: Entries, folder: Path) -> Path:
    """Draw a kind's entries, at least one.

    Returns:
        the file written, ``growth_<name>.png`` in the folder.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kind, path = KINDS[name], folder / f"growth_{name}.png"
    quantities = [q for q in kind.quantities if q.drawn and any(q.key in entry for entry in entries)]
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(kind.title, fontsize=9.5)
    for axes, quantity in zip(np.atleast_1d(figure.subplots(1, len(quantities))), quantities):
        _draw(axes, quantity, [entry for entry in entries if quantity.key in entry])
        axes.set_xlabel(kind.axis, fontsize=9)
    with atomic_write(path, "wb") as stream:
        figure.savefig(stream, format="png", metadata={"Software": None})
    return path


def _draw(axes, quantity: Quantity, entries: Entries) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    series = list(dict.fromkeys(entry["series"] for entry in entries))
    for one, colour, marker in zip(series, _COLOURS, _MARKERS):
        points = sorted(
            (entry["size"], quantity.factor * entry[quantity.key]) for entry in entries if entry["series"] == one
        )
        axes.plot(*zip(*points), color=colour, marker=marker, markersize=4, linewidth=1.4, label=one or None)
    sizes = sorted({entry["size"] for entry in entries})
    values = [quantity.factor * entry[quantity.key] for entry in entries]
    low, high = min(values), max(values)
    widen = max(1.25, (_SMALLEST_SPAN * low / high) ** 0.5)
    # through the largest size of the first series, where fixed costs weigh least
    last = quantity.factor * [entry for entry in entries if entry["series"] == series[0]][-1][quantity.key]
    line = [last * (size / sizes[-1]) ** quantity.slope for size in (sizes[0], sizes[-1])]
    axes.plot(
        (sizes[0], sizes[-1]),
        line,
        ":",
        color="0.35",
        linewidth=1.3,
        label="in proportion" if quantity.slope else "constant",
    )
    axes.set_ylim(low / widen, high * widen)
    span = np.log10(high * widen**2 / low)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 2.5 else (1,), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.xaxis.set_major_locator(FixedLocator(_apart(sizes)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _size_text(round(value))))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_title(quantity.title, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="0.88", linewidth=0.6)
    axes.legend(fontsize=7.5, framealpha=0.8)


def _apart(sizes: list[int]) -> list[int]:
    """Sizes whose labels do not touch."""
    kept = sizes[:1]
    for size in sizes[1:]:
        if np.log(size / kept[-1]) >= _TICK_GAP * np.log(sizes[-1] / sizes[0]):
            kept.append(size)
    return kept


def _size_text(size: int) -> str:
    power = round(np.log10(size))
    return f"$10^{{{power}}}$" if size >= 10**4 and size == 10**power else f"{size:,}"
