"""Linear layers that train with oneDNN's products."""

import torch
from torch import Tensor, nn

from lib.models.cpu.switch import takes_fast_path
from lib.models.torch_operators import product


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


class Linear(nn.Linear):
    """torch's linear layer, (M, K) to (M, N); in float32 training on a CPU its three products are oneDNN's."""

    def forward(self, x: Tensor) -> Tensor:
        if takes_fast_path(x) and torch.is_grad_enabled() and x.dtype == torch.float32:
            return _LinearFunction.apply(x, self.weight, self.bias)
        return super().forward(x)
