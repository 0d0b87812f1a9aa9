"""What follows a graph convolution, on vertex-major activations in which some rows stand for several equal ones."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.torch_operators import batch_statistics, norm_gradients, relu_gradient


class _WeightedBatchNormReLU(torch.autograd.Function):
    """relu(batch_norm(x)) where the last rows of x count 1 + extra times, so that there are ``total`` in all.

    Returns the activations, and mean and biased variance of the batch (not differentiable).
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, extra: Tensor, total: int, eps: float):
        vertices, batch, features = x.shape
        first = vertices - len(extra)
        rows = x.view(-1, features)
        # Statistics of the rows as they are, then the repeated ones merged in. Both steps are free of cancellation.
        plain_mean, plain_var = batch_statistics(rows)
        repeated = x[first:]
        count = batch * total
        copies = extra.view(-1, 1, 1)
        mean = plain_mean + ((repeated - plain_mean) * copies).sum((0, 1)) / count
        var = (plain_var + (plain_mean - mean).square()) * (vertices * batch / count)
        var += ((repeated - mean).square() * copies).sum((0, 1)) / count
        y = F.batch_norm(rows, mean, var, weight, bias, False, 0.0, eps).relu_().view_as(x)
        ctx.save_for_backward(x, y, weight, mean, var, extra)
        ctx.first, ctx.eps, ctx.count = first, eps, count
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor, _grad_mean, _grad_var):
        x, y, weight, mean, var, extra = ctx.saved_tensors
        features = x.shape[-1]
        rows = x.view(-1, features)
        grad = relu_gradient(grad.contiguous(), y).view(-1, features)
        inverse_std = torch.rsqrt(var + ctx.eps)
        # The sums over rows already contain all copies: a representative's gradient is the sum over what it stands for.
        grad_weight, grad_bias = norm_gradients(grad, rows, weight, mean, var, ctx.eps)
        # d loss / d x = scale * (grad - multiplicity / count * (sum of grad + x_hat * sum of grad * x_hat))
        scale = weight * inverse_std
        slope = -scale * inverse_std * grad_weight / ctx.count
        offset = -scale * grad_bias / ctx.count - slope * mean
        grad_x = torch.addcmul(offset, rows, slope).view_as(x)
        grad_x[ctx.first :] *= (1.0 + extra).view(-1, 1, 1)
        grad_x.view(-1, features).addcmul_(grad, scale)
        return grad_x, grad_weight, grad_bias, None, None, None


def running_statistics(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Running mean and variance (F,), which every normalisation of the networks keeps."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


@torch.no_grad()
def update_running_statistics(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, count: int) -> None:
    """What a training pass of torch's does: mean and biased variance (F,) of ``count`` rows enter the running ones."""
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    running_mean, running_variance = running_statistics(norm)
    norm.num_batches_tracked += 1
    running_mean.lerp_(mean, norm.momentum)
    running_variance.lerp_(variance * (count / (count - 1)), norm.momentum)


def batch_norm_relu(x: Tensor, norm: nn.BatchNorm1d, extra: Tensor | None = None, total: int = 0) -> Tensor:
    """relu(norm(x)) in training, over vertices and batch together.

    Args:
        x: (V, B, F) activations.
        norm: holds affine parameters and running statistics.
        extra: further copies that each of the last ``len(extra)`` rows stands for in batch statistics; None: no copies.
        total: rows with all copies, V + sum of extra.

    Returns:
        (V, B, F), equal to ``relu(norm(padded))`` at the representatives, where ``padded`` has every copy.
    """
    if extra is None or len(extra) == 0:
        return F.relu(norm(x.reshape(-1, x.shape[-1])), inplace=True).view_as(x)
    y, mean, var = _WeightedBatchNormReLU.apply(x.contiguous(), norm.weight, norm.bias, extra, total, norm.eps)
    update_running_statistics(norm, mean, var, x.shape[1] * total)
    return y


def conv_norm_relu(x: Tensor, laplacian: Tensor, conv: ChebyGraphConv, norm: nn.BatchNorm1d, *copies) -> Tensor:
    """A layer of MeshNet, (V, B, F) to (V, B, F'); ``copies`` are the last two arguments of `batch_norm_relu`."""
    if norm.training:
        return batch_norm_relu(conv(x, laplacian), norm, *copies)
    # fixed statistics: one factor and one offset per channel, which cost nothing within the convolution
    mean, variance = running_statistics(norm)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return conv(x, laplacian, scale, norm.bias + (conv.bias - mean) * scale).relu_()
