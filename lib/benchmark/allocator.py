"""Environments and memory counters of the measured processes."""

import os
import resource
import sys
from pathlib import Path

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


def reset_peak() -> None:
    """Start a new peak of this process's resident memory, where the system allows it (Linux)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_memory() -> int:
    """Largest resident memory in bytes of this process since ``reset_peak``."""
    if _STATUS.is_file():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def page_faults() -> int:
    """Pages that this process and its children have mapped so far."""
    return sum(resource.getrusage(who).ru_minflt for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
