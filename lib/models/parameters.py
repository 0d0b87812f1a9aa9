"""Sizes of networks."""

import torch


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trainable values of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
