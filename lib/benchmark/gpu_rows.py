"""What is measured on a GPU: the rows of every machine, without their targets, and some that only a GPU has."""

from dataclasses import replace

from lib.benchmark.rows import ROWS, Row, Target

_NONE = Target({})  # the others' are of a CPU


def _inference(name: str, title: str, batch: int, **options) -> Row:
    """A row of inference with options of ours; plain computes as ever."""
    quick = min(batch, 4)
    return Row(
        name, f"inference, batch {{batch}}, {title}", "inference", "samples", _NONE,
        ours={"batch": batch, **options}, quick_ours={"batch": quick, **options},
        plain={"batch": batch}, quick_plain={"batch": quick},
        warmups=3, repeats=15, plain_warmup={"batch": batch}, plain_seconds=8,
    )  # fmt: skip


# three warm-ups: a graph is recorded in the second call of a size
GPU_ROWS = (
    _inference("inference1_graph", "CUDA graph", 1, graph=True),
    _inference("inference8", "no graph", 8),
    _inference("inference8_graph", "CUDA graph", 8, graph=True),
)


def rows_for(device: str) -> list[Row]:
    """The rows of a device, those of one case side by side, as they share their processes."""
    if device == "cpu":
        return list(ROWS)
    cases = [row.case for row in ROWS]
    rows = [replace(row, target=_NONE) for row in (*ROWS, *GPU_ROWS)]
    return sorted(rows, key=lambda row: cases.index(row.case))
