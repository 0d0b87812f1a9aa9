"""Devices and processes: one process per GPU, started by ``--gpu 0,1,2,3`` itself or by ``torchrun``.

Without a process group all helpers work as for one process of rank 0, so that callers need no special case.
"""

import contextlib
import functools
import gc
import os
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lib.runtime.failures import LOST, ProcessFailed, explained

FIRST_ERROR = "first_error.txt"
TIMEOUT = timedelta(minutes=30)  # the first process may build caches that the others wait for
SHORT = timedelta(seconds=5)  # for what need not be known


def usable_gpus(wanted: list[int]) -> tuple[list[int], str]:
    """Those of the wanted GPUs that this machine has, and a line to print when that differs from the wish.

    The command-line defaults name GPUs that a small machine lacks, so missing ones are only an error when none is left.

    Raises:
        ValueError: the machine has GPUs, but none of the wanted ones.
    """
    if not wanted:
        return [], ""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        return [], "No CUDA GPU is available: running on the CPU."
    present = [gpu for gpu in wanted if gpu < count]
    if not present:
        raise ValueError(
            f"--gpu {','.join(map(str, wanted))}: this machine has GPU {', '.join(map(str, range(count)))}"
        )
    if present == wanted:
        return present, ""
    return present, f"This machine has {count} GPU(s): using {','.join(map(str, present))}."


def devices_of(gpus: list[int]) -> list[str]:
    """Device names (``cuda:0``, ... or one ``cpu``) for the GPUs wanted; prints a line when some are missing.

    Raises:
        ValueError: the machine has GPUs, but none of the wanted ones.
    """
    usable, notice = usable_gpus(gpus)
    if notice:
        print(notice)
    return [f"cuda:{gpu}" for gpu in usable] or ["cpu"]


def first_device(gpus: list[int]) -> str:
    """Device of a program that runs in one process (demo); see ``devices_of``."""
    device = devices_of(gpus)[0]
    _select(device)
    return device


def under_torchrun() -> bool:
    """Whether ``torchrun`` (or a compatible launcher) started this process."""
    return all(key in os.environ for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"))


def launch(fn: Callable, gpus: list[int], *args, cpu_processes: int = 1) -> None:
    """Call ``fn(device, *args)`` in every process of the job and wait for the end.

    Under ``torchrun`` this process joins the group that the launcher describes and takes GPU number LOCAL_RANK (an
    empty ``gpus`` still means CPU). Otherwise one process per usable entry of ``gpus`` is started on this machine; with
    one or no GPU the call happens in this process, without a process group.

    Args:
        fn: module-level function (new processes import it again); gets the device as ``cuda:0``, ... or ``cpu``.
        gpus: from ``parse_gpus``.
        args: further arguments, picklable.
        cpu_processes: processes to start where no GPU is used.

    Raises:
        ProcessFailed: a started process failed; holds the traceback of the one that failed first. The others are ended.
        ValueError: ``torchrun`` started more processes than there are GPUs, or the port of its job is in use.
    """
    if under_torchrun():
        device = _torchrun_device(gpus)
        _run_in_group(fn, args, device, _job_store(TIMEOUT), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        return
    devices = devices_of(gpus)
    if devices == ["cpu"]:
        devices *= cpu_processes
    if len(devices) == 1:
        _select(devices[0])
        fn(devices[0], *args)
        return
    with tempfile.TemporaryDirectory(prefix="pose2mesh_") as folder:
        context = mp.spawn(_started, args=(fn, args, devices, folder), nprocs=len(devices), join=False)
        try:
            while not context.join():
                pass
        except mp.ProcessExitedException as error:  # killed: what the others say about it is no cause
            raise ProcessFailed(f"a process failed\n{error}", f"{LOST} ({error})") from error
        except mp.ProcessRaisedException as error:
            first = Path(folder) / FIRST_ERROR
            line, _, text = first.read_text().partition("\n") if first.is_file() else ("", "", str(error))
            raise ProcessFailed(f"a process failed\n{text}", line) from error
        finally:
            for process in context.processes:  # of a command that is stopped
                process.terminate()


def _started(index: int, fn: Callable, args: tuple, devices: list[str], folder: str) -> None:
    if devices[index] == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // len(devices)))
    # a file instead of a port: nothing else on the machine can take it in between
    store = dist.FileStore(str(Path(folder) / "rendezvous"), len(devices))
    _run_in_group(fn, args, devices[index], store, index, len(devices), Path(folder))


def _torchrun_device(gpus: list[int]) -> str:
    if not gpus or not torch.cuda.is_available():
        return "cpu"
    local, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= count:
        raise ValueError(f"--nproc_per_node is more than the {count} GPU(s) of this machine; --gpu '' takes the CPU")
    return f"cuda:{local}"


@functools.cache
def _job_store(timeout: timedelta) -> dist.Store:
    """What the processes of a ``torchrun`` job meet at."""
    try:
        return next(dist.rendezvous("env://", timeout=timeout))[0]
    except dist.DistNetworkError as error:
        taken = "is in use by another program" if "EADDRINUSE" in str(error) else "does not answer"
        raise ValueError(
            f"MASTER_PORT {os.environ['MASTER_PORT']} of {os.environ['MASTER_ADDR']} {taken}: name a free one that all "
            "can reach, or let torchrun find one (docs/several_processes.md)"
        ) from error


@functools.cache
def first_to_fail() -> bool:
    """Whether this process is the one to say why the job ends: the first of its processes that asked.

    The others fail in its wake. One of a job whose store is gone cannot know, and speaks.
    """
    if not under_torchrun():
        return True
    with contextlib.suppress(Exception):
        return _job_store(SHORT).add("failures", 1) == 1
    return True


def _run_in_group(
    fn: Callable,
    args: tuple,
    device: str,
    store: dist.Store,
    process_rank: int,
    processes: int,
    errors: Path | None = None,
) -> None:
    _select(device)
    backend = "gloo" if device == "cpu" else "nccl"
    dist.init_process_group(backend, store=store, rank=process_rank, world_size=processes, timeout=TIMEOUT)
    try:
        fn(device, *args)
    except BaseException as error:
        # when one process fails, the others fail with "connection closed" at once: keep the first, it has the cause
        if errors is None:
            first_to_fail()
        else:
            with contextlib.suppress(FileExistsError), open(errors / FIRST_ERROR, "x") as stream:
                stream.write(f"{explained(error)}\nprocess {process_rank}:\n{traceback.format_exc()}")
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        # A data-parallel wrapper that outlives the group ends the group's threads while it holds Python's lock, for
        # which these may wait: a deadlock. So wrappers go first, those in reference cycles too.
        gc.collect()
        dist.destroy_process_group()


def _select(device: str) -> None:
    if device != "cpu":
        torch.cuda.set_device(device)


def active() -> bool:
    """Whether this process belongs to a group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if active() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if active() else 1


def local_world_size() -> int:
    """Number of processes of the job on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if under_torchrun() else world_size()


def is_main() -> bool:
    """Whether this process is the one that prints and writes files."""
    return rank() == 0


def rank_seed(seed: int) -> int:
    """A different seed for each process; rank 0 keeps the given one."""
    return seed + rank()


def barrier() -> None:
    """Wait until every process is here."""
    if active():
        if dist.get_backend() == "nccl":
            dist.barrier(device_ids=[torch.cuda.current_device()])
        else:
            dist.barrier()


def all_reduce_mean(tensor: Tensor) -> Tensor:
    """Mean of a floating tensor over all processes (a new tensor without gradient)."""
    result = tensor.detach().clone()
    if active():
        dist.all_reduce(result)
        result /= world_size()
    return result


def broadcast_object(value, source: int = 0):
    """A picklable object of process ``source``, in every process."""
    if not active():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=source)
    return box[0]


def gather(value) -> list | None:
    """A picklable object of every process, by rank, in the first process; None in the others. All must call it."""
    if not active():
        return [value]
    box = [None] * world_size() if is_main() else None
    dist.gather_object(value, box)
    return box


def take_from_first(model: nn.Module) -> None:
    """Give the first process's weights and buffers to all; BatchNorm's running averages are others in each."""
    if active():
        for value in model.state_dict().values():
            dist.broadcast(value, 0)


def wrap(model: nn.Module, device: str | torch.device) -> nn.Module:
    """The model on its device; in a group, with gradients averaged over the processes after each backward pass.

    BatchNorm statistics are those of each process's share, and rank 0's running averages are kept, as in the original's
    DataParallel training.
    """
    device = torch.device(device)
    model = model.to(device)
    if world_size() == 1:
        return model
    # PoseNet's unused BatchNorm (kept for the state dict's keys) is left out by the model itself, so that no process
    # waits for its gradient
    ids = [device] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=ids)
