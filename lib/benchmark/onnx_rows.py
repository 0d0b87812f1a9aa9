"""ONNX files in onnxruntime against the networks in PyTorch: times, sizes, errors.

Both run in this process, in turns and with equally many threads, PyTorch as the predictor runs it. Of one thread the
processor time is taken, which other programs hardly disturb; threads that wait for each other need a quiet machine.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lib.benchmark import models
from lib.models.prepare import prepare
from lib.onnx.onnx_export import (
    PRECISIONS,
    Trained,
    export_onnx,
    load_trained,
    open_session,
    run_torch,
    sample_keypoints,
)
from lib.predictor import find_weights
from lib.runtime.optional import optional
from lib.settings.setting import FLOAT32
from lib.units import MM_PER_M

NAME = "onnx"  # for --rows
BATCHES = (1, 7, 64)
TARGETS = {1: 1.0, 64: 1.3}  # most of PyTorch's time, of the open weights
SECONDS, LEAST_ROUNDS = 6.0, 3


@dataclass(frozen=True)
class OnnxFile:
    """Figures of one file.

    Attributes:
        network: ``open`` (the shipped coco weights) or ``published size`` (random weights).
        precision: of the stored weights.
        megabytes: size of the file.
        mean_mm, largest_mm: distances of vertices from PyTorch's.
        torch_ms, onnx_ms: medians per pose by batch size; ratio: median of onnxruntime / PyTorch of a round.
    """

    network: str
    precision: str
    megabytes: float
    mean_mm: float
    largest_mm: float
    torch_ms: dict[int, float] = field(default_factory=dict)
    onnx_ms: dict[int, float] = field(default_factory=dict)
    ratio: dict[int, float] = field(default_factory=dict)


def missing_packages() -> str:
    """Why ONNX files cannot be measured here; empty: they can."""
    try:
        for package in ("onnx", "onnxruntime"):
            optional(package, "onnx", use="the ONNX table")
    except ValueError as error:
        return str(error)
    return ""


def measure_onnx(threads: int, quick: bool) -> list[dict]:
    """Figures of all files, see `OnnxFile`; with ``quick`` of the open network alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    networks: dict[str, Callable[[], Trained]] = {"open": _open_network}
    if not quick:
        networks["published size"] = _published_size
    try:
        with tempfile.TemporaryDirectory() as folder:
            return [
                asdict(found)
                for name, build in networks.items()
                for found in _measure(name, build(), Path(folder), threads, quick)
            ]
    finally:
        torch.set_num_threads(before)


def _open_network() -> Trained:
    return load_trained(find_weights(models.get_joint_set("coco")))


def _published_size() -> Trained:
    network = models.our_pose2mesh().eval()
    prepare(network)
    return Trained(network, models.joint_set(), models.mesh_model(), models.graph(), Path(models.BODY))


def _measure(name: str, trained: Trained, folder: Path, threads: int, quick: bool) -> list[OnnxFile]:
    paths = {precision: folder / f"{name}-{precision}.onnx" for precision in PRECISIONS}
    sessions, files = {}, {}
    keypoints = sample_keypoints(trained.joint_set, BATCHES[1])
    expected = run_torch(trained, keypoints)[1]
    for precision, path in paths.items():
        export_onnx(trained, path, precision)
        session = sessions[precision] = open_session(path, threads)
        distances = MM_PER_M * np.linalg.norm(session.run(["mesh"], {"keypoints": keypoints})[0] - expected, axis=2)
        size = path.stat().st_size / 1e6
        files[precision] = OnnxFile(name, precision, size, float(distances.mean()), float(distances.max()))
    for batch in BATCHES:
        keypoints = sample_keypoints(trained.joint_set, batch)
        runs: dict[str, Callable[[], object]] = {"torch": partial(run_torch, trained, keypoints)}
        for precision, session in sessions.items():
            runs[precision] = partial(session.run, None, {"keypoints": keypoints})
        clock = time.process_time if threads == 1 else time.perf_counter
        times = in_turns(runs, SECONDS / 6 if quick else SECONDS, clock)
        for precision, found in files.items():
            found.torch_ms[batch] = 1000 * statistics.median(times["torch"]) / batch
            found.onnx_ms[batch] = 1000 * statistics.median(times[precision]) / batch
            found.ratio[batch] = statistics.median(a / b for a, b in zip(times[precision], times["torch"]))
    return list(files.values())


def in_turns(
    runs: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Time of every run in rounds, at least ``LEAST_ROUNDS`` and as many as fit the time; a first one warms up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    start = time.perf_counter()
    while len(next(iter(times.values()))) < LEAST_ROUNDS or time.perf_counter() - start < seconds:
        for name, run in runs.items():
            begin = clock()
            run()
            times[name].append(clock() - begin)
    return times


def onnx_text(files: list[dict], quick: bool) -> str:
    """The table, in Markdown; the targets only in a full run."""
    batches = [f"batch {batch}" for batch in BATCHES]
    lines = ["ONNX files in onnxruntime / PyTorch, ms per pose (ratio)"]
    lines.append(f"| network | weights | MB | {' | '.join(batches)} | vertices from PyTorch's, mm: mean, largest |")
    lines.append("| --- " * (len(batches) + 4) + "|")
    for found in files:
        times = [
            f"{found['onnx_ms'][batch]:.2f} / {found['torch_ms'][batch]:.2f} "
            f"({found['ratio'][batch]:.2f}x{'' if quick else _verdict(found, batch)})"
            for batch in BATCHES
        ]
        error = f"{found['mean_mm']:.4f}, {found['largest_mm']:.3f}"
        cells = (found["network"], found["precision"], f"{found['megabytes']:.1f}", *times, error)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _verdict(found: dict, batch: int) -> str:
    if found["network"] != "open" or found["precision"] != FLOAT32 or batch not in TARGETS:
        return ""
    return f" <= {TARGETS[batch]:g}x {'met' if found['ratio'][batch] <= TARGETS[batch] else 'missed'}"
