"""Description of the machine, and the arithmetic of the networks in numbers."""

import itertools
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from lib.benchmark.allocator import synchronise
from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.mesh_levels import level_rows
from lib.models.meshnet import MeshNetPlan

CHEBYSHEV_ORDER = 3


def describe(threads: int, device: str = "cpu") -> dict:
    """What figures depend on; ``gpu`` is the name of the card, None on the CPU; ``tf32``: float32 is rounded."""
    return {
        "cpu": _cpu_name(),
        "gpu": None if device == "cpu" else torch.cuda.get_device_name(device),
        "tf32": torch.get_float32_matmul_precision() != "highest",
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(_memory() / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    vector = "AVX-512" if "avx512f" in facts.get("flags", "") else "AVX2" if "avx2" in facts.get("flags", "") else ""
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family')}, model {facts.get('model')}) {vector}".strip()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def sgemm_rate(size: int, repeats: int = 5, device: str = "cpu") -> float:
    """Floating point operations per second of a square float32 matrix product, the best of some repeats."""
    a, b, c = (torch.rand(size, size, device=device) for _ in range(3))
    torch.mm(a, b, out=c)
    best = float("inf")
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def meshnet_operations(graph: MeshGraph, plan: MeshNetPlan) -> float:
    """Floating point operations of the dense products for one sample: real vertices only, multiply and add apart."""
    real = [level.real for level in level_rows(graph)]
    rows = [graph.joint_num, *real, real[-1]]
    total = 0
    for count, block in zip(rows, plan.channels):
        total += sum(2 * count * CHEBYSHEV_ORDER * a * b for a, b in itertools.pairwise(block))
    fully_connected = 2 * graph.joint_num * plan.channels[0][-1] * real[0] * plan.channels[1][0]
    return float(total + fully_connected)
