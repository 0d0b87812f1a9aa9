"""Limbs of other poses: variety beyond the poses that there are."""

from collections.abc import Sequence

import torch

UPPER_BODY = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)  # spine, head and arms in SMPL's order
PARTS = ((13, 16, 18, 20, 22), (14, 17, 19, 21, 23), (1, 4, 7, 10), (2, 5, 8, 11), (12, 15))  # arms, legs, head


def mix_parts(
    joints: torch.Tensor, parts: Sequence[Sequence[int]], share: float, generator: torch.Generator
) -> torch.Tensor:
    """Poses, or sequences of them, whose parts come, each with a probability of its own, from another one.

    Args:
        joints: (B, ..., K, 3) axis-angle. parts: numbers of joints. share: the probability.
    """
    mixed = joints.clone()
    for part in parts:
        other = joints[torch.randperm(len(joints), generator=generator)]
        use = torch.rand(len(joints), generator=generator) < share
        use = use.view(-1, *[1] * (joints.dim() - 1))
        mixed[..., part, :] = torch.where(use, other[..., part, :], joints[..., part, :])
    return mixed
