"""The switch of the fast paths: they give what the networks give without them, so nothing else decides on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_ENABLED = ContextVar("fast_paths", default=True)


@contextmanager
def fast_paths(enabled: bool) -> Iterator[None]:
    """Within the ``with`` block, networks and optimizer may take the paths of this folder, as outside, or may not."""
    token = _ENABLED.set(enabled)
    try:
        yield
    finally:
        _ENABLED.reset(token)


def takes_fast_path(x: Tensor, rounded: bool = False) -> bool:
    """Whether computations on ``x`` may: it lies on a CPU and, unless they can do that, is not rounded by autocast."""
    return _ENABLED.get() and x.device.type == "cpu" and (rounded or not torch.is_autocast_enabled("cpu"))


def autocast_type() -> torch.dtype | None:
    """The type that autocast rounds factors of products to on a CPU; None: it is off."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
