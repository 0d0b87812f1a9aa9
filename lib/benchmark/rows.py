"""What is measured: the rows of the table, their sizes, repeats and targets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from lib.models.precision import rounding
from lib.settings.setting import BF16, FLOAT32, HALF

COLUMNS = ("as run", "memory kept")
WITHIN = 0.3  # mm, mean distance of a mesh of rounded factors to that of float32


@dataclass(frozen=True)
class Target:
    """What a row should reach: the ratio plain / ours of times, or ours / plain of peak memory, by column."""

    ratio: dict[str, float]
    what: str = "time"

    def met(self, column: str, ratio: float) -> bool | None:
        if column not in self.ratio:
            return None
        wanted = self.ratio[column]
        return ratio <= wanted if self.what == "memory" else ratio >= wanted

    def text(self, column: str) -> str:
        if column not in self.ratio:
            return ""
        return f"{'<=' if self.what == 'memory' else '>='} {self.ratio[column]:g}x"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: for ``--rows``.
        title: printed; may name arguments of ours in braces.
        case: name in ``lib.benchmark.cases.CASES``; rows of one case share their processes.
        unit: what throughput counts.
        target: see there.
        ours, plain: arguments of one repeat for either side, e.g. ``{"batch": 64}``; a side may do less work in a
            repeat, times are then compared per item.
        quick_ours, quick_plain: the same for ``--quick``.
        plain_kept: arguments of plain with kept memory, where the full ones need more than the machine has.
        warmups: untimed repeats of ours, and of plain with kept memory, whose first large blocks cost page faults.
        plain_warmup: arguments of plain's untimed repeat before it is timed with the default allocator.
        repeats: timed repeats of ours; of plain too, as long as they fit into ``plain_seconds``.
        plain_seconds: time for plain's repeats in a column with a target, half of it in others; the first repeat always
            happens.
        alone: the two sides never exist at the same time, for lack of memory.
        cold: every repeat is a process of its own: nothing warms up.
        tolerance: largest difference of results, relative to the largest value.
        may_be_smaller: the result is a residual: ours must not be larger.
        only_as_run: there is no column with kept memory.
        like: row with the same work of plain, whose figures stand for this row's plain where both are measured.
        within: largest mean distance in mm of our mesh to that of float32, in the place of ``tolerance``; None: none.
    """

    name: str
    title: str
    case: str
    unit: str
    target: Target
    ours: dict = field(default_factory=dict)
    plain: dict = field(default_factory=dict)
    quick_ours: dict = field(default_factory=dict)
    quick_plain: dict = field(default_factory=dict)
    plain_kept: dict | None = None
    warmups: int = 1
    plain_warmup: dict | None = None
    repeats: int = 5
    plain_seconds: float = 30.0
    alone: bool = False
    cold: bool = False
    tolerance: float = 1e-3
    may_be_smaller: bool = False
    only_as_run: bool = False
    like: str = ""
    within: float | None = None

    @property
    def precision(self) -> str:
        """What products of ours round their factors to, one of ``lib.settings.setting.PRECISIONS``."""
        return self.ours.get("precision", FLOAT32)

    def text(self, quick: bool) -> str:
        """The title with its sizes."""
        return self.title.format(**self.arguments("ours", quick))

    def columns(self, quick: bool) -> tuple[str, ...]:
        """Both; in a hurry only what users meet."""
        return COLUMNS[:1] if quick or self.only_as_run else COLUMNS

    def arguments(self, side: str, quick: bool, column: str = "as run") -> dict:
        if self.plain_kept is not None and not quick and (side, column) == ("plain", "memory kept"):
            return self.plain_kept
        full, small = {"ours": (self.ours, self.quick_ours), "plain": (self.plain, self.quick_plain)}[side]
        return small if quick else full


# name of a row: least ratio as run and, where there is one, with kept memory. Goals, not all of which are reached: the
# table of limits says what is in their way.
TARGETS: dict[str, tuple[float, ...]] = {
    "inference1": (5, 2.5), "inference1_bf16": (8,), "inference1_half": (5,),
    "inference64": (20, 4.5), "inference64_bf16": (30,),
    "training16": (8,), "training64": (12, 3), "training64_bf16": (14,),
    "open_training": (6,), "posenet64": (3, 1.3), "data": (100,), "graph": (3,), "evaluation": (30,),
    "camera": (200,), "demo": (4,),
}  # fmt: skip


def _target(name: str) -> Target:
    return Target(dict(zip(COLUMNS, TARGETS[name])))


def _row(name: str, title: str, case: str, unit: str, **options) -> Row:
    return Row(name, title, case, unit, _target(name), **options)


def _rounded(row: Row, precision: str, within: float | None = None) -> Row:
    """A row in a reduced precision of ours."""
    name = f"{row.name}_{precision}"
    return replace(
        row,
        name=name,
        title=f"{row.title}, {precision}",
        target=_target(name),
        ours={**row.ours, "precision": precision},
        quick_ours={**row.quick_ours, "precision": precision},
        plain_kept=None,
        only_as_run=True,
        like=row.name,
        within=within,
    )


def _batch(full: int, quick: int, **options) -> dict:
    big, small = {"batch": full}, {"batch": quick}
    return {"ours": big, "plain": big, "quick_ours": small, "quick_plain": small, **options}


_INFERENCE1 = _row("inference1", "inference, batch {batch}", "inference", "samples",
    **_batch(1, 1, warmups=3, repeats=15, plain_warmup={"batch": 1}, plain_seconds=8))  # fmt: skip
_INFERENCE64 = _row("inference64", "inference, batch {batch}", "inference", "samples",
    **_batch(64, 4, plain_warmup={"batch": 1}, plain_seconds=30))  # fmt: skip
_TRAINING64 = _row("training64", "training step, batch {batch}", "training", "samples",
    **_batch(64, 3, plain_warmup={"batch": 2}, repeats=3, plain_seconds=16, alone=True,
             plain_kept={"batch": 16}))  # fmt: skip

ROWS = (
    _INFERENCE1,
    _rounded(_INFERENCE1, BF16, WITHIN),
    _rounded(_INFERENCE1, HALF, WITHIN),
    _INFERENCE64,
    _rounded(_INFERENCE64, BF16, WITHIN),
    _row("training16", "training step, batch {batch}", "training", "samples",
        **_batch(16, 2, repeats=3, plain_seconds=15, alone=True, only_as_run=True, plain_warmup={"batch": 2})),
    _TRAINING64,
    _rounded(_TRAINING64, BF16),
    _row("open_training", "open MeshNet, training step, batch {batch}", "open_training", "samples",
        ours={"batch": 512}, plain={"batch": 64}, quick_ours={"batch": 32}, quick_plain={"batch": 8},
        plain_warmup={"batch": 8}, repeats=3, plain_seconds=15, alone=True, only_as_run=True),
    _row("posenet64", "PoseNet training step, batch {batch}", "posenet", "samples",
        **_batch(64, 64, warmups=2, repeats=7, plain_warmup={"batch": 64}, plain_seconds=15)),
    _row("data", "data path, COCO errors, one process", "data", "items",
        ours={"items": 2048}, plain={"items": 64}, quick_ours={"items": 512}, quick_plain={"items": 16},
        plain_warmup={"items": 16}),
    _row("graph", "building the graph", "graph", "graphs"),
    _row("evaluation", "evaluation of {samples:,} meshes", "evaluation", "samples",
        ours={"samples": 10000}, plain={"samples": 500}, quick_ours={"samples": 1024}, quick_plain={"samples": 128},
        plain_warmup={"samples": 64}),
    _row("camera", "camera fit", "camera", "fits", warmups=3, tolerance=1e-5, may_be_smaller=True),
    _row("demo", "demo, cold process to files", "demo", "runs", plain_seconds=16, cold=True, only_as_run=True),
)  # fmt: skip

# the same measurement as "training64", looked at from another side
MEMORY_ROW = ("training64", "… peak memory", Target({"as run": 0.5}, what="memory"))

# measured beside the rates of the machine, of ours alone
MESHNET_ROW = Row("meshnet64", "MeshNet alone, batch {batch}", "inference", "samples", Target({}),
    ours={"batch": 64, "part": "meshnet"}, quick_ours={"batch": 4, "part": "meshnet"}, repeats=3)  # fmt: skip


def available(rows: Sequence[Row], device: str) -> tuple[list[Row], list[str]]:
    """The rows whose precision this processor gains by, and a line for each that is left out."""
    kept, refused = [], []
    for row in rows:
        try:
            rounding(row.precision, torch.device(device))
        except ValueError as error:
            refused.append(f"{row.name} is left out: {error}")
        else:
            kept.append(row)
    return kept, refused
