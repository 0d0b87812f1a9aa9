"""Keeping freed memory in the process: on a CPU, large temporaries cost more in page faults than in arithmetic."""

import ctypes
import sys

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_TOP_PAD = 256 * 2**20


def keep_freed_memory() -> bool:
    """Tell the allocator to reuse freed blocks instead of returning them to the system.

    The process keeps its peak memory until it ends. Called by the commands at start-up, never at import. Only glibc
    (most Linux systems) has the switch; elsewhere nothing changes.

    Returns:
        Whether the switch was set.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    switches = (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _TOP_PAD)
    return all(mallopt(key, value) for key, value in switches)
