"""Rows of the open sequence benchmark on docs/results.md, and their table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data.measure.tables import head, line, mm
from lib.settings.config import Config
from lib.settings.reading import load_config
from lib.settings.setting import TEMPORAL

SEQUENCE_INPUTS = ("exact", "jitter", "errors")  # parts of the configs' names, too
# by TEST.filter
FILTERS = {"none": "single frames", "one_euro": "single frames, One-Euro", "mean": "single frames, mean of nine"}
_COLUMNS = ("MPJPE", "PA-MPJPE", "MPVPE", "acceleration error", "MRPE", "root jitter", "depth jump", "foot slide")
_USUAL = "one_euro"  # the filter in the configs


@dataclass(frozen=True)
class SequenceRow:
    """One row: its 2D input (a title of ``SEQUENCE_INPUTS``), and ``temporal`` or a filter of single frames."""

    given: str
    model: str
    joint_set: str = "coco"

    @property
    def cfg(self) -> str:
        kind, how = ("posenet", "temporal") if self.model == TEMPORAL else ("pose2mesh", "frames")
        return f"{kind}_{self.joint_set}J_{how}_{self.given}_test_open"

    @property
    def key(self) -> str:
        """Name in ``sequences.json``, and of the folder that its run is in."""
        return self.cfg if self.model in (TEMPORAL, _USUAL) else f"{self.cfg}.{self.model}"

    @property
    def options(self) -> list[str]:
        """Of main/test.py, beside --cfg."""
        return [] if self.model in (TEMPORAL, _USUAL) else ["--set", f"TEST.filter={self.model}"]

    def settings(self) -> Config:
        return load_config(self.cfg, self.options[1:])


def sequence_rows() -> Iterator[SequenceRow]:
    """All rows."""
    for given in SEQUENCE_INPUTS:
        for model in (*FILTERS, TEMPORAL):
            yield SequenceRow(given, model)


def sequence_table(rows: Sequence[SequenceRow], found: dict) -> Iterator[str]:
    """The table of rows whose figures are known; what the others had to beat is the row with One-Euro."""
    yield from head("2D input", "model", *_COLUMNS, "`--cfg`", "options")
    for row in rows:
        if row.key not in found:
            continue
        values = [mm(found[row.key]["figures"], name) for name in _COLUMNS]
        if row.model == TEMPORAL:
            values = [f"**{value}**" for value in values]
        options = f"`{' '.join(row.options)}`" if row.options else ""
        yield line(row.given, FILTERS.get(row.model, row.model), *values, f"`{row.cfg}`", options)
