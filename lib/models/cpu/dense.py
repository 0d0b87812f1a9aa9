"""Linear layers with oneDNN's products."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.cpu.prepared import Prepared
from lib.models.cpu.switch import takes_fast_path
from lib.models.torch_operators import product

FEW_ROWS = 2  # a pose and its mirror image
BLOCK_ROWS = 512  # of 4,096 weights: 8 MB in float32


class _LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor):
        ctx.save_for_backward(x, weight)
        return product(x, weight.t()).add_(bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        need_x, need_weight, _ = ctx.needs_input_grad
        grad_x = product(grad, weight) if need_x else None
        grad_weight = product(grad.t().contiguous(), x) if need_weight else None
        return grad_x, grad_weight, grad.sum(0)


class Linear(Prepared, nn.Linear):
    """torch's linear layer, (M, K) to (M, N); in float32 on a CPU its products are oneDNN's.

    Prepared, it keeps its weights in a narrower type for calls without gradient.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not takes_fast_path(x) or x.dtype != torch.float32:
            return super().forward(x)
        if torch.is_grad_enabled():
            return _LinearFunction.apply(x, self.weight, self.bias)
        if self.prepared is None:
            return product(x, self.weight.t()).add_(self.bias)
        return _narrow_product(x, self.prepared).add_(self.bias)

    def prepare(self, narrow: torch.dtype | None) -> None:
        """Keep the weights in this type, for calls without gradient and with the weights as they are; None: do not."""
        self.prepared = None if narrow is None else self.weight.detach().to(narrow)


def _narrow_product(x: Tensor, weight: Tensor) -> Tensor:
    """x @ weight.t() for (M, K) in float32 and (N, K) in a type of half the size, (M, N) in float32.

    A few rows take as long as the weights need to come out of memory. Products of more rows in half precision are slow
    without support of the processor, so there blocks of the weights are widened in the cache.
    """
    if len(x) <= FEW_ROWS:
        narrow = x.to(weight.dtype)
        return torch.stack([F.linear(row[None], weight)[0] for row in narrow]).to(x.dtype)
    result = x.new_empty(len(x), len(weight))
    for start in range(0, len(weight), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        result[:, part] = product(x, weight[part].to(x.dtype).t())
    return result
