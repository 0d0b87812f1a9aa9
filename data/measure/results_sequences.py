"""Rows of the open sequence benchmark on docs/results.md, and their table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data.measure.tables import head, line, mm
from lib.settings.config import Config
from lib.settings.reading import load_config
from lib.settings.setting import FITTED, TEMPORAL

SEQUENCE_INPUTS = ("exact", "jitter", "errors")  # parts of the configs' names, too
# by TEST.filter
FILTERS = {"none": "single frames", "one_euro": "single frames, One-Euro", "mean": "single frames, mean of nine"}
_TITLES = {**FILTERS, FITTED: "temporal, one shape"}
_COLUMNS = ("MPJPE", "PA-MPJPE", "MPVPE", "acceleration error", "MRPE", "root jitter", "depth jump", "foot slide")
_USUAL = "one_euro"  # the filter in the configs


@dataclass(frozen=True)
class SequenceRow:
    """One row: its 2D input (a title of ``SEQUENCE_INPUTS``), and ``temporal``, that with ``fitted`` surfaces, or a
    filter of single frames."""

    given: str
    model: str
    joint_set: str = "coco"
    is_baseline = False  # a mean over frames is none

    @property
    def temporal(self) -> bool:
        return self.model in (TEMPORAL, FITTED)

    @property
    def cfg(self) -> str:
        kind, how = ("posenet", "temporal") if self.temporal else ("pose2mesh", "frames")
        return f"{kind}_{self.joint_set}J_{how}_{self.given}_test_open"

    @property
    def key(self) -> str:
        """Name in ``sequences.json``, and of the folder that its run is in."""
        return self.cfg if self.model in (TEMPORAL, _USUAL) else f"{self.cfg}.{self.model}"

    @property
    def options(self) -> list[str]:
        """Of main/test.py, beside --cfg."""
        if self.model in (TEMPORAL, _USUAL):
            return []
        return ["--set", "TEST.mesh=fitted" if self.model == FITTED else f"TEST.filter={self.model}"]

    def settings(self) -> Config:
        return load_config(self.cfg, self.options[1:])


def sequence_rows() -> Iterator[SequenceRow]:
    """All rows."""
    for given in SEQUENCE_INPUTS:
        for model in (*FILTERS, TEMPORAL, FITTED):
            yield SequenceRow(given, model)


def sequence_table(rows: Sequence[SequenceRow], found: dict) -> Iterator[str]:
    """The table of rows whose figures are known; what the others had to beat is the row with One-Euro."""
    yield from head("2D input", "model", *_COLUMNS, "`--cfg`", "options")
    for row in rows:
        if row.key not in found:
            continue
        values = [mm(found[row.key]["figures"], name) for name in _COLUMNS]
        if row.temporal:
            values = [f"**{value}**" for value in values]
        options = f"`{' '.join(row.options)}`" if row.options else ""
        yield line(row.given, _TITLES.get(row.model, row.model), *values, f"`{row.cfg}`", options)
