"""Learning curves as files."""

import math
from collections.abc import Sequence
from pathlib import Path

from lib.files import atomic_write


def save_plot(values: Sequence[float], path: str | Path, title: str = "Train Loss", unit: str = "") -> Path:
    """Plot one value per epoch and mark the smallest.

    Values that are not finite leave a gap.

    Args:
        values: one number per epoch, from epoch 1.
        path: file ending in ``.pdf`` or ``.png``, or a folder; then the name is the title in lower case with
            underscores, as PDF (``train_loss.pdf``).
        title: shown with the number of epochs.
        unit: of the values, shown at their axis.

    Returns:
        the file written (atomically; parents are created).

    Raises:
        ValueError: another ending.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    path = Path(path)
    if path.is_dir() or not path.suffix:
        path = path / f"{title.lower().replace(' ', '_')}.pdf"
    if path.suffix not in (".pdf", ".png"):
        raise ValueError(f"{path}: plots are written as .pdf or .png")
    values = [float(value) if math.isfinite(value) else math.nan for value in values]
    label = f"{title} epoch {len(values)}"
    figure = Figure(figsize=(6.4, 4.8))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(range(1, len(values) + 1), values, "b-", marker="." if len(values) == 1 else None, label=label)
    axes.set(title=label, xlabel="epoch", ylabel=unit, xlim=(0, len(values) + 1))
    axes.legend()
    if len(values) <= 60:
        axes.set_xticks(range(len(values) + 2))
        axes.tick_params(axis="x", labelsize=5)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finite = [(value, epoch) for epoch, value in enumerate(values, start=1) if not math.isnan(value)]
    if finite:
        smallest, epoch = min(finite)
        axes.annotate(
            f"{smallest:.2f}",
            xy=(epoch, smallest),
            xytext=(15, 25),
            textcoords="offset points",
            arrowprops={"arrowstyle": "->"},
        )
    metadata = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
    with atomic_write(path, "wb") as stream:
        figure.savefig(stream, format=path.suffix[1:], metadata=metadata)
    return path
