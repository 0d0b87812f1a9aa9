"""Chebyshev graph convolution on vertex-major activations.

Source: Defferrard et al., "Convolutional Neural Networks on Graphs with Fast Localized Spectral Filtering" (NeurIPS
2016), as used by Pose2Mesh (ECCV 2020), section 5.

The layer computes sum_k T_k(L) x W_k with T_0 = x, T_1 = L x, T_k = 2 L T_(k-1) - T_(k-2). Here the polynomials are
rewritten in powers of L (for order 3: W_0 - W_2, W_1, 2 W_2), which turns the recurrence into the small weights
instead of the large activations. Two evaluations of sum_k L^k x A_k are then possible:

* linear first (Horner): h = x A_2; h = x A_1 + L h; y = x A_0 + L h. The sparse products run on F_out columns;
* sparse first (powers): p_k = L p_(k-1); y = sum_k p_k A_k. The sparse products run on F_in columns.

The narrower one is used. Each one's derivative with respect to x is the other one with transposed weights, because L
is symmetric: no transposed operator is ever built.
"""

import math
from collections.abc import Sequence

import torch
from numpy.polynomial.chebyshev import cheb2poly
from torch import Tensor, nn


def _horner(rows: Tensor, weights: Tensor, bias: Tensor | None, laplacian: Tensor) -> Tensor:
    """bias + sum_k L^k x A_k; (V*B, F) and (K, F, F') give (V*B, F'), products with L on F' columns."""
    vertices = laplacian.shape[0]
    terms = ((rows @ weight).to(laplacian.dtype) for weight in weights.flip(0))
    result = next(terms)
    for term in terms:
        term.view(vertices, -1).addmm_(laplacian, result.view(vertices, -1))
        result = term
    return result if bias is None else result.add_(bias)


def _powers(rows: Tensor, order: int, laplacian: Tensor) -> list[Tensor]:
    """x, L x, L^2 x, ... as ``order`` matrices (V*B, F)."""
    powers = [rows]
    for _ in range(order - 1):
        powers.append((laplacian @ powers[-1].view(laplacian.shape[0], -1)).view_as(rows))
    return powers


def _sum_of_products(powers: Sequence[Tensor], weights: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """bias + sum_k p_k A_k."""
    result = (powers[0] @ weights[0]).to(dtype)
    for power, weight in zip(powers[1:], weights[1:]):
        if power.dtype == dtype:
            result.addmm_(power, weight)
        else:
            result.add_(power @ weight)
    return result if bias is None else result.add_(bias)


class _ChebyshevSum(torch.autograd.Function):
    """bias + sum_k L^k x A_k for a symmetric L; x is (V*B, F_in), A is (K, F_in, F_out).

    Dense products take their factors in ``product_dtype`` (bfloat16 under autocast); sums and sparse products stay in
    the type of x.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, weights: Tensor, bias: Tensor, laplacian: Tensor, product_dtype: torch.dtype):
        order, width_in, width_out = weights.shape
        ctx.laplacian, ctx.dtype, ctx.linear_first = laplacian, rows.dtype, width_out <= width_in
        weights = weights.to(product_dtype)
        if ctx.linear_first:
            rows = rows.to(product_dtype)
            ctx.save_for_backward(weights, rows)
            return _horner(rows, weights, bias, laplacian)
        powers = [power.to(product_dtype) for power in _powers(rows, order, laplacian)]
        ctx.save_for_backward(weights, *powers)
        return _sum_of_products(powers, weights, bias, rows.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        weights, *saved = ctx.saved_tensors
        need_rows, need_weights, need_bias, *_ = ctx.needs_input_grad
        grad = grad.contiguous()
        grad_bias = grad.sum(0) if need_bias else None
        transposed = weights.transpose(1, 2)
        grad_rows, products = None, []
        if ctx.linear_first:
            powers = [power.to(weights.dtype) for power in _powers(grad, len(weights), ctx.laplacian)]
            if need_weights:
                products = [power.t() @ saved[0] for power in powers]
            if need_rows:
                grad_rows = _sum_of_products(powers, transposed, None, ctx.dtype)
        else:
            grad = grad.to(weights.dtype)
            if need_weights:
                products = [grad.t() @ power for power in saved]
            if need_rows:
                grad_rows = _horner(grad, transposed, None, ctx.laplacian)
        grad_weights = torch.stack(products).transpose(1, 2).to(ctx.dtype) if need_weights else None
        return grad_rows, grad_weights, grad_bias, None, None


class ChebyGraphConv(nn.Module):
    """Chebyshev graph convolution with the released weights' layout.

    Args:
        in_channels: F_in.
        out_channels: F_out.
        order: number of Chebyshev polynomials K (published: 3).

    ``weight`` is (F_out, F_in * K) with column f * K + k (features vary slowest); ``bias`` is (F_out,).
    """

    to_powers: Tensor

    def __init__(self, in_channels: int, out_channels: int, order: int = 3):
        super().__init__()
        self.in_channels, self.out_channels, self.order = in_channels, out_channels, order
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels * order))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        bound = math.sqrt(2.0 / (in_channels * order + out_channels))
        nn.init.uniform_(self.weight, -bound, bound)
        powers = torch.zeros(order, order)
        for k in range(order):
            powers[k, : k + 1] = torch.from_numpy(cheb2poly([0] * k + [1]))
        self.register_buffer("to_powers", powers, persistent=False)

    def power_weights(self) -> Tensor:
        """The weights A_k of the powers of L, (K, F_in, F_out)."""
        weight = self.weight.view(self.out_channels, self.in_channels, self.order)
        return (weight @ self.to_powers).permute(2, 1, 0)

    def forward(self, x: Tensor, laplacian: Tensor, scale: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Convolve.

        Args:
            x: (V, B, F_in) activations, vertex-major.
            laplacian: (V, V) symmetric sparse CSR matrix.
            scale: (F_out,) factor of the output channels, applied to the weights (a folded normalisation).
            bias: (F_out,) instead of the layer's own bias.

        Returns:
            (V, B, F_out), of the weights' type. Under autocast only the factors of dense products are rounded.
        """
        device = x.device.type
        product_dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        with torch.autocast(device, enabled=False):
            weights = self.power_weights()
            if scale is not None:
                weights = weights * scale
            rows = x.to(self.weight.dtype).reshape(-1, self.in_channels)
            bias = self.bias if bias is None else bias
            rows = _ChebyshevSum.apply(rows, weights.contiguous(), bias, laplacian, product_dtype)
        return rows.view(*x.shape[:2], self.out_channels)
