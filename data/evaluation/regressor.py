"""Joint regressors for many meshes."""

from torch import Tensor


class JointRegressor:
    """A joint regressor as the few vertices that it reads; ``regressor @ mesh`` like the full matrix, only faster.

    Args:
        matrix: (J, V), mostly zero.
    """

    def __init__(self, matrix: Tensor):
        self.shape = tuple(matrix.shape)
        self._vertices = (matrix != 0).any(dim=0).nonzero().squeeze(1)
        self._weights = matrix[:, self._vertices]

    def to(self, like: Tensor) -> "JointRegressor":
        """Move to the device and dtype of a tensor, in place."""
        self._vertices, self._weights = self._vertices.to(like.device), self._weights.to(like)
        return self

    def __matmul__(self, mesh: Tensor) -> Tensor:
        """(B, V, 3) -> (B, J, 3)."""
        if mesh.shape[1] != self.shape[1]:
            raise ValueError(f"a regressor of {self.shape[1]} vertices got meshes of {mesh.shape[1]}")
        used = mesh.transpose(1, 2)[:, :, self._vertices]
        return (used @ self._weights.T).transpose(1, 2)
