"""Sequences of any length through a temporal lifter: windows that overlap, blended."""

import torch
from torch import Tensor

from lib.models.temporal import LiftedFrames, TemporalLifter

_OVERLAPS = 3  # windows that see a frame
_BATCH = 8  # windows of one call of the lifter


def lift_clip(lifter: TemporalLifter, pose2d: Tensor, seen: Tensor, focal: Tensor, princpt: Tensor) -> LiftedFrames:
    """Lift one person's sequence. Memory beside in- and output does not depend on its length.

    Args:
        lifter: in evaluation mode.
        pose2d: (T, J, 2) pixels, 30 frames per second, complete.
        seen: (T, J) 1 where a joint was seen, 0 where it was filled in.
        focal, princpt: (2,) or (T, 2) pixels.

    Returns:
        (T, J, 3) mm and (T, 3) metres; a frame's is the mean of the windows that see it, those that see more on both
        sides of it counting more.
    """
    length, reach = len(pose2d), min(lifter.frames, len(pose2d))
    starts = window_starts(length, reach)
    focal, princpt = focal.expand(length, 2), princpt.expand(length, 2)
    joints = pose2d.new_zeros(length, pose2d.shape[1], 3, dtype=torch.float32)
    root, total = joints.new_zeros(length, 3), joints.new_zeros(length)
    place = torch.arange(reach, device=pose2d.device)
    weight = torch.minimum(place + 1, reach - place).to(joints)
    for first in range(0, len(starts), _BATCH):
        rows = torch.tensor(starts[first : first + _BATCH], device=pose2d.device)[:, None] + place
        lifted = lifter(pose2d[rows], seen[rows], focal[rows], princpt[rows])
        flat, weights = rows.flatten(), weight.repeat(len(rows))
        joints.index_add_(0, flat, lifted.joints.flatten(0, 1) * weights[:, None, None])
        root.index_add_(0, flat, lifted.root.flatten(0, 1) * weights[:, None])
        total.index_add_(0, flat, weights)
    return LiftedFrames(joints / total[:, None, None], root / total[:, None])


def window_starts(length: int, reach: int) -> list[int]:
    """Where windows of ``reach`` frames begin; the last one ends with the sequence."""
    step = max(1, reach // _OVERLAPS)
    return [*range(0, length - reach, step), length - reach]
