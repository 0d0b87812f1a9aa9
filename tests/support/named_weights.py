"""Weights that depend on nothing but each tensor's name, as those behind the golden numbers."""

from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn


def named_weights(state: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Weights drawn from each tensor's own name, so that they do not depend on construction order."""
    values_of = {}
    for name, tensor in state.items():
        random = np.random.RandomState((crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            values = np.zeros(shape)
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            values = random.uniform(0.5, 1.5, shape)
        elif name.endswith("weight"):
            bound = np.sqrt(2.0 / sum(shape))
            values = random.uniform(-bound, bound, shape)
        else:
            values = random.uniform(-0.1, 0.1, shape)
        values_of[name] = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(tensor.dtype)
    return values_of


def filled(model: nn.Module, seed: int):
    """The network with these weights."""
    model.load_state_dict(named_weights(model.state_dict(), seed))
    return model
