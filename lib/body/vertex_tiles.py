"""Posed vertices of a batch on a CPU, tile by tile and without the zeros of the model.

Neighbouring vertices hang on few joints: of 24 a tile of 256 vertices of the open body reads 6, and of 218 columns of
blend shapes 65. Leaving out columns of zeros changes no bit of a product that is summed column by column, unless a
factor is not finite.
"""

import torch

_VERTICES, _SAMPLES = 256, 64  # of a tile at most; 3 x 4 numbers of each, 0.8 MB, stay in a core's cache
# MKL sums the two halves of 193 to 383 columns apart: done so here too, results are those of the whole product
_WHOLE_SUM = 192
_LEAST_BATCH = 12  # products of fewer samples are summed in another order, and cost little


def _even(count: int, most: int) -> int:
    """Size of equal parts, none of them small: tiny products are summed in another order."""
    return -(-count // -(-count // most))


class _Columns:
    """The columns of a matrix (N, C) that are not zero throughout, kept as (columns, N)."""

    def __init__(self, matrix: torch.Tensor, start: int = 0):
        self.ids = (matrix != 0).any(dim=0).nonzero().squeeze(1)
        self.values = matrix.t()[self.ids]
        self.ids = self.ids + start

    def of(self, factors: torch.Tensor) -> torch.Tensor:
        """(B', columns) of factors (C, B')."""
        return factors.index_select(0, self.ids).t()


class VertexTiles:
    """What ``pose`` reads of a model with V vertices, K joints and C blend shapes, template included.

    Args:
        blend: (V, 3, C). weights: (V, K). See ``lib.body.lbs.BodyParams``.
    """

    def __init__(self, blend: torch.Tensor, weights: torch.Tensor):
        self._vertex_num, shapes = len(weights), blend.shape[2]
        half = shapes if shapes <= _WHOLE_SUM else -(-shapes // 2)
        self._tiles = []
        step = _even(self._vertex_num, _VERTICES)
        for start in range(0, self._vertex_num, step):
            part = slice(start, start + step)
            planes = blend[part].transpose(0, 1).flatten(0, 1)
            first, *others = (_Columns(planes[:, low : low + half], low) for low in range(0, shapes, half))
            others = [columns for columns in others if len(columns.ids)]
            self._tiles.append((part, first, others, _Columns(weights[part])))

    @staticmethod
    def take(coefficients: torch.Tensor, bones: torch.Tensor) -> bool:
        """Whether ``pose`` is for these: on a CPU, without gradients, finite, not few."""
        if coefficients.requires_grad or bones.requires_grad or bones.device.type != "cpu":
            return False
        return coefficients.shape[1] >= _LEAST_BATCH and bool(torch.isfinite(coefficients.sum() + bones.sum()))

    def pose(self, coefficients: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
        """Posed vertices (B, 3, V), without translation.

        Args:
            coefficients: (C, B) factors of the blend shapes.
            bones: (K, 4, 3, B) transforms of the joints: columns of the matrices, their rows.
        """
        batch = coefficients.shape[1]
        vertices = coefficients.new_empty(batch, 3, self._vertex_num)
        step = _even(batch, _SAMPLES)
        for low in range(0, batch, step):
            samples = slice(low, low + step)
            factors, turns = coefficients[:, samples], bones[..., samples].permute(0, 3, 1, 2).flatten(1)
            for part, first, others, joints in self._tiles:
                rest = first.of(factors) @ first.values
                for columns in others:
                    rest.addmm_(columns.of(factors), columns.values)
                rest = rest.unflatten(1, (3, 1, -1))
                blended = (joints.of(turns) @ joints.values).view(len(rest), 4, 3, -1)
                posed = blended[:, 3].addcmul_(blended[:, 0], rest[:, 0]).addcmul_(blended[:, 1], rest[:, 1])
                torch.addcmul(posed, blended[:, 2], rest[:, 2], out=vertices[samples, :, part])
        return vertices
