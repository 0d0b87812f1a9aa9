"""Random rotations for tests."""

import torch
from torch import Tensor


def random_rotation(generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """(3, 3), no reflection."""
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=dtype))
    q = q * torch.sign(torch.diagonal(r))
    return q * torch.linalg.det(q)
