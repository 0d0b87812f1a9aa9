"""Joints from meshes."""

import numpy as np
import torch
from torch import Tensor


class JointRegressor:
    """A joint regressor as the few vertices that it reads; ``regressor @ mesh`` like the full matrix, only faster.

    The numbers of those vertices are gathered axis by axis, so that one product over contiguous rows gives all joints.

    Args:
        matrix: (J, V), mostly zero.

    Attributes:
        shape: of the matrix.
        row_sums: (J,) sums of the matrix's rows.
    """

    def __init__(self, matrix: Tensor):
        self.shape = tuple(matrix.shape)
        self.row_sums = matrix.sum(1)
        self._vertices = (matrix != 0).any(dim=0).nonzero().squeeze(1)
        self._weights = matrix[:, self._vertices].t().contiguous()

    def to(self, like: Tensor) -> "JointRegressor":
        """Move to the device and dtype of a tensor, in place."""
        self._vertices, self._weights = self._vertices.to(like.device), self._weights.to(like)
        self.row_sums = self.row_sums.to(like)
        return self

    def reader(self) -> tuple[np.ndarray, np.ndarray]:
        """For planes of x, y, z: indices (3 R,) into flattened planes (3, V), axis by axis, and weights (R, J)."""
        axes = np.arange(3)[:, None]
        return (self.shape[1] * axes + self._vertices.numpy()).reshape(-1), self._weights.numpy()

    def check(self, mesh: Tensor) -> None:
        """Raise ValueError when a mesh (B, V, 3) is not of the regressor's vertices."""
        if mesh.shape[1] != self.shape[1]:
            raise ValueError(f"a regressor of {self.shape[1]} vertices got meshes of {mesh.shape[1]}")

    def __matmul__(self, mesh: Tensor) -> Tensor:
        """(B, V, 3) -> (B, J, 3), the axes side by side in memory or not."""
        self.check(mesh)
        planes = mesh.transpose(1, 2)
        axes = torch.arange(3, device=mesh.device)[:, None]
        if planes.is_contiguous():
            read = planes.flatten(1).index_select(1, (self.shape[1] * axes + self._vertices).flatten())
        else:
            read = mesh.flatten(1).index_select(1, (3 * self._vertices + axes).flatten())
        read = read.unflatten(1, (3, len(self._vertices)))
        return (read @ self._weights).transpose(1, 2).contiguous()
