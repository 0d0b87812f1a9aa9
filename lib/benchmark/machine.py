"""Description of the machine, and its rates: products and bytes per second."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lib.benchmark.allocator import synchronise
from lib.models.precision import rounding
from lib.models.torch_operators import product
from lib.settings.setting import PRECISIONS

# (M, K) and (K, N) of MeshNet's wide levels, with as many samples as are worked on together
MESHNET_SHAPES = ((2586, 256, 768), (3445, 128, 384), (6890, 128, 384))
REPEATS = 4


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


@dataclass(frozen=True)
class Rates:
    """What a machine does per second at best.

    Attributes:
        products: operations of dense products, multiply and add apart, by the name of the factors' type.
        reading: bytes read from memory.
        updating: bytes read and written, as many of either.
    """

    products: dict[str, float]
    reading: float
    updating: float

    def best(self, other: "Rates") -> "Rates":
        """The higher of each rate."""
        products = {name: max(rate, other.products[name]) for name, rate in self.products.items()}
        return Rates(products, max(self.reading, other.reading), max(self.updating, other.updating))


def type_name(dtype: torch.dtype | None) -> str:
    """``bfloat16`` and the like; None, as in ``lib.models.precision.Rounding``, is float32."""
    return str(dtype or torch.float32).removeprefix("torch.")


def measure_rates(square: int, numbers: int, device: str = "cpu") -> Rates:
    """Rates with this process's threads, the best of some repeats and ways.

    Args:
        square: size of the largest product's matrices.
        numbers: of float32 in the arrays that go through memory; far more than caches hold.
        device: whose rates.
    """
    products: dict[str, float] = {}
    for precision in PRECISIONS:
        try:
            dtype = rounding(precision, torch.device(device)).meshnet or torch.float32
        except ValueError:  # not of this processor
            continue
        if type_name(dtype) not in products:
            products[type_name(dtype)] = _product_rate(square, dtype, device)
    source, target = (torch.ones(numbers, device=device) for _ in range(2))
    size = numbers * source.element_size()
    reading = min(_seconds(way, device) for way in (source.sum, source.max, lambda: torch.dot(source, source)))
    # to copy, some processors read the lines that they overwrite
    updating = min(_seconds(way, device) for way in (lambda: target.copy_(source), lambda: target.mul_(1.0)))
    return Rates(products, size / reading, 2 * size / updating)


def _product_rate(square: int, dtype: torch.dtype, device: str) -> float:
    rates = []
    for rows, inner, columns in ((square,) * 3, *MESHNET_SHAPES):
        x = torch.rand(rows, inner, device=device).to(dtype)
        weights = torch.rand(inner, columns, device=device).to(dtype)
        rates.append(2 * rows * inner * columns / _seconds(partial(product, x, weights), device))
    return max(rates)


def _seconds(call: Callable[[], object], device: str) -> float:
    """The shortest of some repeats, after one that does not count."""
    call()
    best = float("inf")
    for _ in range(REPEATS):
        synchronise(device)
        start = time.perf_counter()
        call()
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return best
