"""The measured work of ``--growth`` on data sets and processes; see ``lib.benchmark.growth.cases``."""

import itertools
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

from lib.benchmark import models
from lib.benchmark.generated import GeneratedHuman36M
from lib.core.loss import Pose2MeshLoss
from lib.core.optim import build_optimizer
from lib.datasets.loader import BatchLoader
from lib.runtime import distributed
from lib.runtime.memory import keep_freed_memory

BATCH = 64
LONGEST = 10.0  # seconds of loading, on slow machines fewer batches
CACHE = "cache"
MAPS = "smaps_rollup"


def proportional_memory(kind: str = "Pss") -> int:
    """Bytes of resident memory of this process and its children, shared pages counted once (Linux; 0 elsewhere).

    Args:
        kind: ``Pss``, or ``Pss_Anon`` for what is in no file and the system cannot drop.
    """
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # the command's name, in brackets, may hold spaces
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    family, size = {os.getpid()}, 0
    while len(family) > size:
        size = len(family)
        family |= {child for child, parent in parents.items() if parent in family}
    return sum(_pss(process, kind) for process in family)


def _pss(process: int, kind: str) -> int:
    try:
        lines = Path(f"/proc/{process}/{MAPS}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:")), 0)


def make_cache(rows: int, folder: str) -> GeneratedHuman36M:
    """The generated data set, its annotations memory-mapped from a cache as in a training."""
    cfg = models.config("coco", DATASET={"cache": CACHE})
    return GeneratedHuman36M(rows, cfg, models.mesh_model(), root=folder)


def loading_case(side: str, device: str):
    """Opening of a data set with its cache, rate and memory of its loader."""

    def repeat(rows: int, workers: list[int], batches: int):
        figures = {}
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as folder:
            # made by a process of its own, as the memory that it takes is not that of a training
            maker = multiprocessing.get_context("spawn").Process(target=make_cache, args=(rows, folder))
            maker.start()
            maker.join()
            if maker.exitcode:
                raise RuntimeError(f"{rows:,} rows: the process that makes the cache ended with code {maker.exitcode}")
            start = time.perf_counter()
            dataset = make_cache(rows, folder)
            size = sum(file.stat().st_size for file in (Path(folder) / CACHE).rglob("*.npy"))
            figures[""] = {"open_seconds": time.perf_counter() - start, "file_bytes": size}
            for count in workers:
                figures[f"{count} workers"] = _loaded(dataset, count, batches)
        return rows, (), {"figures": figures}

    return repeat


def _loaded(dataset: GeneratedHuman36M, workers: int, batches: int) -> dict[str, float]:
    start = time.perf_counter()
    epoch = BatchLoader(dataset, BATCH, shuffle=True, workers=workers).epoch(1)
    for _ in itertools.islice(epoch, max(2, 2 * workers)):  # the processes start
        pass
    first, done = time.perf_counter() - start, 0
    start = time.perf_counter()
    for _ in itertools.islice(epoch, batches):
        done += 1
        if time.perf_counter() - start > LONGEST:
            break
    rate = BATCH * done / (time.perf_counter() - start)
    own, memory = proportional_memory("Pss_Anon"), proportional_memory()
    return {"first_seconds": first, "items_per_second": rate, "own_bytes": own, "memory_bytes": memory}


def processes_case(side: str, device: str):
    """Training steps per second with one or more processes that share a batch."""

    def repeat(processes: int, batch: int, steps: int):
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as folder:
            result = Path(folder) / "seconds"
            distributed.launch(_train, [], batch, steps, str(result), cpu_processes=processes)
            seconds = float(result.read_text())
        return batch * steps, (), {"figures": {"": {"items_per_second": batch * steps / seconds}}}

    return repeat


def _train(device: str, batch: int, steps: int, result: str) -> None:
    keep_freed_memory()
    cfg, model = models.config(), models.our_pose2mesh().train()
    criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, models.mesh_model().faces, models.regressor())
    optimizer = build_optimizer(cfg.TRAIN, model.parameters())
    parallel = distributed.wrap(model, device)
    share = models.training_batch(batch // distributed.world_size())
    for step in range(steps + 1):
        if step == 1:  # the first one warms up
            distributed.barrier()
            start = time.perf_counter()
        total, _ = criterion(parallel(share.inputs["pose2d"]), share.targets, share.meta, epoch=1)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    distributed.barrier()
    if distributed.is_main():
        Path(result).write_text(str(time.perf_counter() - start))
