"""The kinds of growth: what grows, which quantities are looked at, and the calls that measure them."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lib.datasets.loader import available_cores
from lib.models.precision import rounding
from lib.settings.setting import BF16, FLOAT32, NETWORK, REFINED

_MS, _MIB, _GIB = 1e3, 2.0**-20, 2.0**-30


@dataclass(frozen=True)
class Quantity:
    """A measured number.

    Attributes:
        key: its name among a case's figures, where it is in seconds, bytes or items.
        title: with its unit.
        factor: from there to the unit.
        slope: of proportional growth between logarithmic axes: 1 grows as the size does, 0 stays.
        drawn: it has a panel in the picture, not only a column in the table.
    """

    key: str
    title: str
    factor: float = 1.0
    slope: float = 1.0
    drawn: bool = True


@dataclass(frozen=True)
class Call:
    """One measurement of a case of ``lib.benchmark.worker``, whose answer has ``figures``: series -> key -> number.

    Attributes:
        size: what grows.
        case, arguments: what is called.
        process: calls of one value that follow each other share a process, in which memory must not fall.
    """

    size: int
    case: str
    arguments: dict
    process: str


@dataclass(frozen=True)
class Kind:
    """A kind of growth.

    Attributes:
        title: of picture and table.
        axis: what grows, with its unit.
        quantities: what is looked at.
        calls: in a hurry (True) or not -> what is measured, small sizes first.
    """

    title: str
    axis: str
    quantities: tuple[Quantity, ...]
    calls: Callable[[bool], list[Call]]


def _peak(key: str = "peak_bytes", title: str = "peak memory, MiB", **others) -> Quantity:
    return Quantity(key, title, _MIB, **others)


def _budget(quick: bool) -> float:
    """Seconds after which a measurement is not repeated again."""
    return 0.5 if quick else 4.0


def _batch(quick: bool) -> list[Call]:
    sizes = (1, 4, 16) if quick else (1, 4, 16, 64, 256, 512)
    try:
        rounding(BF16, torch.device("cpu"))
        precisions = [FLOAT32, BF16]
    except ValueError:  # this processor has none
        precisions = [FLOAT32]
    return [
        Call(size, "growing batch", {"batch": size, "precision": precision, "budget": _budget(quick)}, precision)
        for precision, size in itertools.product(precisions, sizes)
    ]


def _vertices(quick: bool) -> list[Call]:
    meshes = [(642, "sphere", 3), (1723, "open_1723", 0), (2562, "sphere", 4)]
    meshes += [] if quick else [(6890, "open_6890", 0), (10242, "sphere", 5), (27554, "open_6890", 1)]
    batch = 4 if quick else 16
    return [
        Call(
            size,
            "growing mesh",
            {"mesh": mesh, "subdivisions": times, "batch": batch, "budget": _budget(quick)},
            str(size),
        )
        for size, mesh, times in meshes
    ]


def _people(quick: bool) -> list[Call]:
    sizes = (1, 4, 16) if quick else (1, 4, 16, 64, 256)
    return [
        Call(size, "growing crowd", {"people": size, "mesh": mesh, "budget": _budget(quick)}, mesh)
        for mesh, size in itertools.product((NETWORK, REFINED), sizes)
    ]


def _frames(quick: bool) -> list[Call]:
    sizes = (10, 30) if quick else (30, 100, 300, 1000)
    return [
        Call(size, "growing film", {"frames": size, "mesh": mesh}, f"{mesh} {size}")
        for mesh, size in itertools.product((NETWORK, REFINED), sizes)
    ]


def _rows(quick: bool) -> list[Call]:
    sizes, batches = ((10**4, 10**5), 10) if quick else ((10**4, 10**5, 10**6, 10**7), 100)
    return [Call(rows, "loading", {"rows": rows, "workers": [0, 2], "batches": batches}, str(rows)) for rows in sizes]


def _processes(quick: bool) -> list[Call]:
    batch, steps = (4, 1) if quick else (32, 3)
    counts = (1, 2, 4) if available_cores() >= 4 else (1, 2)
    return [
        Call(count, "processes", {"processes": count, "batch": batch, "steps": steps}, str(count)) for count in counts
    ]


KINDS: dict[str, Kind] = {
    "batch": Kind(
        "Published-size network: samples per call", "samples per call",
        (Quantity("seconds", "ms per sample", _MS, slope=0), _peak()), _batch,
    ),
    "vertices": Kind(
        "Published channels, levels of the graph as the mesh needs them: vertices of the mesh", "vertices",
        (Quantity("seconds", "inference, ms per sample", _MS), Quantity("graph_seconds", "building the graph, ms", _MS),
         _peak(), _peak("graph_bytes", "after the graph, MiB", drawn=False)), _vertices,
    ),
    "people": Kind(
        "Predictor (coco, open body of 1,723 vertices): people in an image", "people in an image",
        (Quantity("seconds", "ms per person", _MS, slope=0), _peak()), _people,
    ),
    "frames": Kind(
        "Demo (coco, 256 x 256 pixels, film and arrays): frames of a film of one person", "frames",
        (Quantity("seconds", "ms per frame", _MS, slope=0), _peak()), _frames,
    ),
    "rows": Kind(
        "Data set (COCO joints with errors, batches of 64): records", "records",
        (Quantity("open_seconds", "opening, s"), Quantity("items_per_second", "items per second", slope=0),
         Quantity("own_bytes", "own memory, GiB", _GIB),
         Quantity("memory_bytes", "with mapped pages, GiB", _GIB, drawn=False),
         Quantity("file_bytes", "cache on disk, GiB", _GIB, drawn=False)), _rows,
    ),
    "processes": Kind(
        "Training of Pose2Mesh, batch and cores shared out: processes", "processes",
        (Quantity("items_per_second", "samples per second"),), _processes,
    ),
}  # fmt: skip
