"""The shape of parts of a surface, whatever their position and orientation.

Joints tell little about how a hand or a foot is turned. The vertices that are right on average are then those of a
shrunken, crumpled one. This loss asks for the true shape in any orientation: each predicted part is first moved onto
the true one as a rigid body, and compared there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lib.geometry.procrustes import rotation_and_stretch


def rigidly_moved(parts: Sequence[Tensor], goals: Sequence[Tensor]) -> list[Tensor]:
    """Parts, each (B, N, 3), turned and shifted, without scale, so that they come nearest to their goals.

    For gradients the turns are constants.
    """
    means = [goal.mean(1, keepdim=True) for goal in goals]
    centred = [part - part.mean(1, keepdim=True) for part in parts]
    with torch.no_grad():
        pairs = zip(centred, goals, means)
        covariance = torch.stack([part.transpose(1, 2) @ (goal - mean) for part, goal, mean in pairs])
        # numbers of a diverged prediction: the loss tells, not the decomposition
        turns, _ = rotation_and_stretch(covariance.nan_to_num(0.0, 0.0, 0.0))  # one call: a GPU waits for each
    return [part @ turn.transpose(1, 2) + mean for part, turn, mean in zip(centred, turns, means)]


class PartLoss(nn.Module):
    """Mean absolute coordinate difference of parts after rigid alignment, in the meshes' unit.

    Args:
        parts: vertex numbers of each part, (n,) int64.
    """

    vertices: Tensor

    def __init__(self, parts: Sequence[Tensor]):
        super().__init__()
        self.sizes = [len(part) for part in parts]
        self.register_buffer("vertices", torch.cat(list(parts)), persistent=False)

    def forward(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """pred, target: (B, V, 3) meshes; valid: (B,) of 0 and 1, rejected samples add nothing."""
        errors = pred.new_zeros(len(pred))
        predicted = pred.index_select(1, self.vertices).split(self.sizes, dim=1)
        true = target.index_select(1, self.vertices).split(self.sizes, dim=1)
        for part, shape in zip(rigidly_moved(predicted, true), true):
            errors = errors + (part - shape).abs().sum((1, 2))
        return (errors * valid).mean() / (3 * sum(self.sizes))
