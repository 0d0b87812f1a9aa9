"""Numbers of the code beside tensors of a batch, copied to a device once: for each copy the host waits for a GPU."""

import functools
from collections.abc import Sequence

import torch


def constant(values: Sequence, like: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """``like.new_tensor(values)``, only to be read; ``dtype`` None: that of ``like``."""
    return _made(tuple(values), dtype or like.dtype, like.device)


@functools.lru_cache
def _made(values: tuple, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # others may need gradients beside it later
        return torch.tensor(values, dtype=dtype, device=device)
