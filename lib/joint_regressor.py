"""Joints from meshes."""

import torch
from torch import Tensor


class JointRegressor:
    """A joint regressor as the few vertices that it reads; ``regressor @ mesh`` like the full matrix, only faster.

    The numbers of those vertices are gathered axis by axis, so that one product over contiguous rows gives all joints.

    Args:
        matrix: (J, V), mostly zero.

    Attributes:
        shape: of the matrix.
    """

    def __init__(self, matrix: Tensor):
        self.shape = tuple(matrix.shape)
        self._vertices = (matrix != 0).any(dim=0).nonzero().squeeze(1)
        self._weights = matrix[:, self._vertices].t().contiguous()

    def to(self, like: Tensor) -> "JointRegressor":
        """Move to the device and dtype of a tensor, in place."""
        self._vertices, self._weights = self._vertices.to(like.device), self._weights.to(like)
        return self

    def __matmul__(self, mesh: Tensor) -> Tensor:
        """(B, V, 3) -> (B, J, 3), the axes side by side in memory or not."""
        return self.about(mesh)

    def about(self, mesh: Tensor, origin: Tensor | None = None) -> Tensor:
        """Joints (B, J, 3) of meshes (B, V, 3) that are moved so that ``origin`` (B, 3) becomes their origin.

        Not the same as moving the joints, where rows of the matrix do not sum to 1.
        """
        if mesh.shape[1] != self.shape[1]:
            raise ValueError(f"a regressor of {self.shape[1]} vertices got meshes of {mesh.shape[1]}")
        planes = mesh.transpose(1, 2)
        axes = torch.arange(3, device=mesh.device)[:, None]
        if planes.is_contiguous():
            read = planes.flatten(1).index_select(1, (self.shape[1] * axes + self._vertices).flatten())
        else:
            read = mesh.flatten(1).index_select(1, (3 * self._vertices + axes).flatten())
        read = read.unflatten(1, (3, len(self._vertices)))
        if origin is not None:
            read = read - origin[..., None]
        return (read @ self._weights).transpose(1, 2).contiguous()
