"""Joints and people that are not seen for some frames."""

import torch
from torch import Tensor

from lib.geometry.gaps import fill_gaps

MOST_GAPS = 3  # per sequence
LONGEST_HIDDEN = 20  # frames
WHOLE, LOWER = 0.4, 0.2  # shares of gaps that hide everything, and the lower half; others hide a few joints
FEW = 5  # joints at most


def hide(keypoints: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide joints of some sequences, and fill them in from the frames around.

    The lower half are those joints that are below the middle of a pose in a frame: a desk or the picture's edge hides
    what is low, whatever joints these are.

    Args:
        keypoints: (B, T, n, 2) pixels, y down. share: of sequences with gaps.

    Returns:
        (B, T, n, 2), and (B, T, n) bool, which were seen. Every joint is seen in some frame.
    """
    count, frames, joints = keypoints.shape[:3]
    shape = (count, MOST_GAPS)
    begin = torch.randint(frames, shape, generator=generator)
    length = torch.randint(1, LONGEST_HIDDEN + 1, shape, generator=generator)
    there = torch.arange(MOST_GAPS) <= torch.randint(MOST_GAPS, (count, 1), generator=generator)
    there &= torch.rand(count, 1, generator=generator) < share
    time = torch.arange(frames)
    when = there[..., None] & (time >= begin[..., None]) & (time < (begin + length)[..., None])  # (B, gaps, T)
    kind = torch.rand(shape, generator=generator)[..., None, None]
    few = torch.randint(1, FEW + 1, (*shape, 1), generator=generator)
    rank = torch.rand(*shape, joints, generator=generator).argsort(dim=-1)
    low = (keypoints[..., 1] > keypoints[..., 1].mean(dim=2, keepdim=True)).cpu()[:, None]  # (B, 1, T, n)
    hidden = torch.where(kind < WHOLE, True, torch.where(kind < WHOLE + LOWER, low, (rank < few)[:, :, None]))
    seen = ~(hidden & when[..., None]).any(dim=1)
    seen |= ~seen.any(dim=1, keepdim=True)
    seen = seen.to(keypoints.device)
    return fill_gaps(keypoints, seen), seen
