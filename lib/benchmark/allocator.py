"""Environments, memory counters and the clock's fence of the measured processes."""

import os
import resource
import sys
from pathlib import Path

import torch

# glibc keeps freed memory: no trimming, no separate mappings for large blocks, growth in large steps
KEPT = {
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_MMAP_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**28),
}
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, bytes
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def environment(column: str, threads: int) -> dict[str, str]:
    """Variables of a process that is measured in a column."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    env["OMP_NUM_THREADS"] = env["MKL_NUM_THREADS"] = env["OPENBLAS_NUM_THREADS"] = str(threads)
    return env | KEPT if column == "memory kept" else env


def synchronise(device: str) -> None:
    """Wait until a GPU has done what it was given: its work goes on after the calls that start it."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def reset_peak(device: str = "cpu") -> None:
    """Start a new peak of this process's memory: on the GPU, or resident where the system allows (Linux)."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_memory(device: str = "cpu") -> int:
    """Largest memory in bytes of this process since ``reset_peak``: allocated on the GPU, or resident."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.is_file():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def page_faults() -> int:
    """Pages that this process and its children have mapped so far."""
    return sum(resource.getrusage(who).ru_minflt for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
