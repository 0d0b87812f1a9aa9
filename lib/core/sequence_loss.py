"""Loss of the temporal lifter."""

import torch
from torch import Tensor, nn

from lib.models.temporal import LiftedFrames
from lib.units import MM_PER_M

# Weights beside the joints' distance, 1. A step is what a joint moves from frame to frame: relative to the root, and in
# the camera frame; the way's place counts beside the line of sight, along it as a share of the distance, as people's
# stature, and with it their distance, cannot be seen.
STEP, WAY_STEP, PLACE, DEPTH = 1.5, 0.5, 0.5, 200.0


class SequenceLoss(nn.Module):
    """Distances of joints and of their steps, and of the root's way, mm; means over frames and joints."""

    def forward(self, found: LiftedFrames, joints: Tensor, root: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its weighted terms.

        Args:
            found: of the lifter. joints, root: the truth in the same form, (B, T, J, 3) mm and (B, T, 3) metres.
        """
        way, true_way = (joint + MM_PER_M * place[:, :, None] for joint, place in (found, (joints, root)))
        # compared as the line of sight shows it, at the true distance
        beside = (found.root / found.root[..., 2:].detach() - root / root[..., 2:]) * root[..., 2:]
        terms = {
            "joint loss": _distance(found.joints - joints),
            "step loss": STEP * _distance((found.joints - joints).diff(dim=1)),
            "way step loss": WAY_STEP * _distance((way - true_way).diff(dim=1)),
            "place loss": PLACE * MM_PER_M * _distance(beside[..., :2]),
            "depth loss": DEPTH * (found.root[..., 2] / root[..., 2]).log().abs().mean(),
        }
        return torch.stack(list(terms.values())).sum(), {name: term.detach() for name, term in terms.items()}


def _distance(difference: Tensor) -> Tensor:
    return torch.linalg.vector_norm(difference, dim=-1).mean()
