"""What is measured: the rows of the table, their sizes, repeats and targets."""

from dataclasses import dataclass, field

COLUMNS = ("as run", "memory kept")


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

    def text(self, quick: bool) -> str:
        """The title with its sizes."""
        return self.title.format(**self.arguments("ours", quick))

    def columns(self, quick: bool) -> tuple[str, ...]:
        """Both; in a hurry only what users meet."""
        return COLUMNS[:1] if quick else COLUMNS

    def arguments(self, side: str, quick: bool, column: str = "as run") -> dict:
        if self.plain_kept is not None and not quick and (side, column) == ("plain", "memory kept"):
            return self.plain_kept
        full, small = {"ours": (self.ours, self.quick_ours), "plain": (self.plain, self.quick_plain)}[side]
        return small if quick else full


def _speed(as_run: float, kept: float | None = None) -> Target:
    return Target({"as run": as_run} if kept is None else {"as run": as_run, "memory kept": kept})


def _batch(full: int, quick: int, **options) -> dict:
    big, small = {"batch": full}, {"batch": quick}
    return {"ours": big, "plain": big, "quick_ours": small, "quick_plain": small, **options}


ROWS = (
    Row("inference1", "inference, batch {batch}", "inference", "samples", _speed(3.5, 2.5),
        **_batch(1, 1, warmups=3, repeats=15, plain_warmup={"batch": 1}, plain_seconds=8)),
    Row("inference64", "inference, batch {batch}", "inference", "samples", _speed(12, 4.5),
        **_batch(64, 4, plain_warmup={"batch": 1}, plain_seconds=30)),
    Row("training64", "training step, batch {batch}", "training", "samples", _speed(8, 3),
        **_batch(64, 2, plain_warmup={"batch": 2}, repeats=3, plain_seconds=30, alone=True,
                 plain_kept={"batch": 16})),
    Row("open_training", "open MeshNet, training step, batch {batch}", "open_training", "samples", _speed(6, 5.5),
        ours={"batch": 512}, plain={"batch": 64}, quick_ours={"batch": 32}, quick_plain={"batch": 8},
        plain_warmup={"batch": 8}, repeats=3, plain_seconds=15, alone=True),
    Row("posenet64", "PoseNet training step, batch {batch}", "posenet", "samples", _speed(1.3, 1.3),
        **_batch(64, 64, warmups=2, repeats=7, plain_warmup={"batch": 64}, plain_seconds=15)),
    Row("data", "data path, COCO errors, one process", "data", "items", _speed(30),
        ours={"items": 2048}, plain={"items": 64}, quick_ours={"items": 512}, quick_plain={"items": 16},
        plain_warmup={"items": 16}),
    Row("graph", "building the graph", "graph", "graphs", _speed(3)),
    Row("evaluation", "evaluation of {samples:,} meshes", "evaluation", "samples", _speed(30),
        ours={"samples": 10000}, plain={"samples": 500}, quick_ours={"samples": 1024}, quick_plain={"samples": 128},
        plain_warmup={"samples": 64}),
    Row("camera", "camera fit", "camera", "fits", _speed(200), warmups=3, tolerance=1e-5, may_be_smaller=True),
    Row("demo", "demo, cold process to files", "demo", "runs", _speed(3), plain_seconds=16, cold=True),
)  # fmt: skip

# the same measurement as "training64", looked at from another side
MEMORY_ROW = ("training64", "… peak memory", Target({"as run": 0.5}, what="memory"))
