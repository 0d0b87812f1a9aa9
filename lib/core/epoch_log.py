"""``log.csv`` of a run: what each epoch gave, one row per epoch."""

import csv
from pathlib import Path

from lib.core.stages import NO_SURFACE_ERROR
from lib.files import atomic_write


def log_epoch(
    path: Path, epoch: int, lr: float, loss: float, terms: dict[str, float], errors: dict[str, float]
) -> None:
    """Add a row, in the place of an older one of the same epoch and of all later ones, which a resumed run repeats.

    The file is written anew as a whole, so that an interruption leaves the previous one.

    Args:
        path: the file, made when missing.
        epoch: from 1.
        lr: learning rate of the epoch.
        loss: mean of its batch losses.
        terms: means of the weighted terms that the loss is the sum of.
        errors: test errors by name, mm; an empty cell where there is no mesh.
    """
    row: dict[str, object] = {"epoch": epoch, "lr": lr, "loss": loss, **terms}
    row |= {f"{name} error (mm)": "" if error == NO_SURFACE_ERROR else error for name, error in errors.items()}
    rows = [old for old in _rows(path) if int(old["epoch"]) < epoch] + [row]
    with atomic_write(path) as file:
        # terms may come and go when settings are edited before a run is resumed
        columns = dict.fromkeys(column for some in (row, *rows) for column in some)
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if (row.get("epoch") or "").isdecimal()]
