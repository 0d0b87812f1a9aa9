"""Joints that were not seen for some frames of a sequence, filled in from the frames around."""

import torch
from torch import Tensor


def fill_gaps(pose2d: Tensor, seen: Tensor) -> Tensor:
    """Fill in joints along a straight line between the frames that saw them.

    Args:
        pose2d: (B, T, J, 2), any finite value where a joint was not seen.
        seen: (B, T, J) bool.

    Returns:
        (B, T, J, 2); before the first and after the last frame that saw a joint it rests; a joint that no frame saw
        stays as it is.
    """
    frames = pose2d.shape[1]
    time = torch.arange(frames, device=pose2d.device)[None, :, None].expand(seen.shape)
    before = torch.where(seen, time, -1).cummax(dim=1).values
    after = torch.where(seen, time, frames).flip(1).cummin(dim=1).values.flip(1)
    never = ~seen.any(dim=1, keepdim=True).expand_as(seen)
    start = torch.where(before < 0, after, before).clamp(max=frames - 1)
    end = torch.where(after >= frames, before, after).clamp(min=0)
    start, end = torch.where(never, time, start), torch.where(never, time, end)
    share = ((time - start) / (end - start).clamp_min(1)).clamp(0, 1).to(pose2d)[..., None]
    places = [pose2d.gather(1, place[..., None].expand_as(pose2d)) for place in (start, end)]
    return torch.lerp(places[0], places[1], share)
