"""Loss of the temporal lifter."""

import torch
from torch import Tensor, nn

from lib.models.temporal import LiftedFrames
from lib.units import MM_PER_M

# Weights beside the joints' distance, 1. A step is what a joint moves from frame to frame: relative to the root, and in
# the camera frame; the way's place counts beside the line of sight, along it as a share of the distance, as people's
# stature, and with it their distance, cannot be seen.
STEP, WAY_STEP, PLACE, DEPTH = 1.5, 0.5, 0.5, 200.0
_SMALLEST = 1e-6  # share of valid frames


class SequenceLoss(nn.Module):
    """Distances of joints and of their steps, and of the root's way, mm; means over frames and joints."""

    def forward(
        self, found: LiftedFrames, joints: Tensor, root: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its weighted terms.

        Args:
            found: of the lifter. joints, root: the truth in the same form, (B, T, J, 3) mm and (B, T, 3) metres.
            valid: (B, T) 1 where a frame supervises, else 0, so that means are over the others; None: all do. A step
                counts where both of its frames do.
        """
        frames = root.new_ones(root.shape[:2]) if valid is None else valid
        steps = frames[:, 1:] * frames[:, :-1]
        way, true_way = (joint + MM_PER_M * place[:, :, None] for joint, place in (found, (joints, root)))
        # compared as the line of sight shows it, at the true distance
        beside = (found.root / found.root[..., 2:].detach() - root / root[..., 2:]) * root[..., 2:]
        terms = {
            "joint loss": _distance(found.joints - joints, frames),
            "step loss": STEP * _distance((found.joints - joints).diff(dim=1), steps),
            "way step loss": WAY_STEP * _distance((way - true_way).diff(dim=1), steps),
            "place loss": PLACE * MM_PER_M * _distance(beside[..., :2], frames),
            "depth loss": DEPTH * _mean((found.root[..., 2] / root[..., 2]).log().abs(), frames),
        }
        return torch.stack(list(terms.values())).sum(), {name: term.detach() for name, term in terms.items()}


def _distance(difference: Tensor, valid: Tensor) -> Tensor:
    return _mean(torch.linalg.vector_norm(difference, dim=-1), valid)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid frames of values (B, T, ...); where all are, each weighs exactly 1. 0 where none is."""
    weight = valid / valid.mean().clamp_min(_SMALLEST)
    return (values * weight.view(*weight.shape, *[1] * (values.dim() - 2))).mean()
