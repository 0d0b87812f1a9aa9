"""The shape of parts of a surface, whatever their position and orientation.

Joints tell little about how a hand or a foot is turned. The vertices that are right on average are then those of a
shrunken, crumpled one. This loss asks for the true shape in any orientation: each predicted part is first moved onto
the true one as a rigid body, and compared there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lib.geometry.procrustes import rotation_and_stretch


def rigidly_moved(points: Tensor, goal: Tensor) -> Tensor:
    """Points (B, N, 3) turned and shifted, without scale, so that they come nearest to ``goal``.

    For gradients the turn is a constant.
    """
    goal_mean = goal.mean(1, keepdim=True)
    centred = points - points.mean(1, keepdim=True)
    with torch.no_grad():
        covariance = centred.transpose(1, 2) @ (goal - goal_mean)
        # numbers of a diverged prediction: the loss tells, not the decomposition
        turn, _ = rotation_and_stretch(covariance.nan_to_num(0.0, 0.0, 0.0))
    return centred @ turn.transpose(1, 2) + goal_mean


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
        for part, shape in zip(predicted, true):
            errors = errors + (rigidly_moved(part, shape) - shape).abs().sum((1, 2))
        return (errors * valid).mean() / (3 * sum(self.sizes))
