"""The measured work of ``--scaling``: loading with several processes, training with several processes."""

import itertools
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
MAPS = "smaps_rollup"


def proportional_memory() -> int:
    """Bytes of resident memory of this process and its children, shared pages counted once (Linux; 0 elsewhere)."""
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
    return sum(_pss(process) for process in family)


def _pss(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/{MAPS}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def loading_case(side: str, device: str):
    """Items per second and memory of the loader, annotations memory-mapped from a cache as in a training."""

    def repeat(rows: int, workers: int, batches: int):
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as folder:
            cfg = models.config("coco", DATASET={"cache": "cache"})
            dataset = GeneratedHuman36M(rows, cfg, models.mesh_model(), root=folder)
            loader = BatchLoader(dataset, BATCH, shuffle=True, workers=workers)
            epoch = loader.epoch(1)
            for _ in itertools.islice(epoch, max(2, 2 * workers)):  # the processes start
                pass
            start, done = time.perf_counter(), 0
            for _ in itertools.islice(epoch, batches):
                done += 1
                if time.perf_counter() - start > LONGEST:
                    break
            seconds, memory = time.perf_counter() - start, proportional_memory()
            del epoch
        return BATCH * done, [BATCH * done / seconds, memory]

    return repeat


def processes_case(side: str, device: str):
    """Training steps per second with one or more processes that share a batch."""

    def repeat(processes: int, batch: int, steps: int):
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as folder:
            result = Path(folder) / "seconds"
            distributed.launch(_train, [], batch, steps, str(result), cpu_processes=processes)
            seconds = float(result.read_text())
        return batch * steps, [batch * steps / seconds]

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
