"""What each epoch gave: ``log.csv`` of a run, one row per epoch, and curves for TensorBoard."""

import contextlib
import csv
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lib.core.stages import NO_SURFACE_ERROR
from lib.files import atomic_write
from lib.runtime.optional import optional

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_MOST_BYTES = 1 << 26  # of log.csv; a row has some hundred


def log_epoch(
    path: Path, epoch: int, lr: float, loss: float, terms: dict[str, float], errors: dict[str, float]
) -> dict[str, float]:
    """Add a row, in the place of an older one of the same epoch and of all later ones, which a resumed run repeats.

    The file is written anew as a whole, so that an interruption leaves the previous one.

    Args:
        path: the file, made when missing.
        epoch: from 1.
        lr: learning rate of the epoch.
        loss: mean of its batch losses.
        terms: means of the weighted terms that the loss is the sum of; a single one, the loss itself, has no column.
        errors: test errors by name, mm; an empty cell where there is no mesh.

    Returns:
        the row's numbers by column.
    """
    row: dict[str, float] = {"epoch": epoch, "lr": lr, "loss": loss, **(terms if len(terms) > 1 else {})}
    tested = {f"{name} error (mm)": error for name, error in errors.items()}
    rows = [old for old in _rows(path) if int(old["epoch"]) < epoch]
    # terms may come and go when settings are edited before a run is resumed
    columns = dict.fromkeys(chain(row, tested, *rows))
    row |= {column: error for column, error in tested.items() if error != NO_SURFACE_ERROR}
    _write(path, columns, (*rows, row))
    return row


def restore_rows(path: Path, epoch: int, losses: list[float], errors: dict[str, list[float]]) -> None:
    """Make rows that a lost or damaged file lacks, of what checkpoints keep: losses and test errors.

    Args:
        path: see ``log_epoch``.
        epoch: the last one in the histories.
        losses, errors: a value for each epoch up to it.
    """
    rows = {int(row["epoch"]): row for row in _rows(path)}
    epochs = range(epoch - len(losses) + 1, epoch + 1)
    lost = [number for number in epochs if number not in rows]
    if not lost:
        return
    print(f"{path} lacks the epochs {', '.join(map(str, lost))}: made anew, without learning rate and terms")
    for number in lost:
        index = number - epochs[0]
        tested = {f"{name} error (mm)": values[index] for name, values in errors.items()}
        row = {"epoch": number, "lr": "", "loss": losses[index], **tested}
        rows[number] = {name: "" if value == NO_SURFACE_ERROR else str(value) for name, value in row.items()}
    _write(path, dict.fromkeys(chain(*rows.values())), [rows[number] for number in sorted(rows)])


def _write(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> None:
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows with an epoch; of a damaged file those that can be read, none of one that no training writes."""
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return []
    rows = []
    with open(path, encoding="utf-8", errors="replace", newline="") as file, contextlib.suppress(csv.Error):
        for row in csv.DictReader(file, restval=""):
            row.pop(None, None)  # cells beyond the header
            if row.get("epoch", "").isdecimal():
                rows.append(row)
    return rows


class TensorBoardLog:
    """The numbers of ``log.csv`` for TensorBoard, in single precision: ``tensorboard --logdir experiment``.

    Args:
        run: run folder, which gets one file of events for each training and resuming.
        first: epoch that training begins with; TensorBoard hides what an interrupted one wrote from there on.

    Raises:
        ValueError: the package is missing; says how to install it.
    """

    def __init__(self, run: Path, first: int):
        self._writer = summary_writer()(str(run), purge_step=first)

    def add(self, row: dict[str, float]) -> None:
        """Add a row of ``log_epoch``."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def summary_writer() -> "type[SummaryWriter]":
    """torch's writer of TensorBoard's files.

    Raises:
        ValueError: the package is missing; says how to install it.
    """
    return optional("torch.utils.tensorboard", "tensorboard", use="TRAIN.tensorboard").SummaryWriter
