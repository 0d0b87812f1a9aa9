"""MeshNet's layers on a CPU: activations (B, V, F), worked through sample by sample while they are in the cache.

A batch of activations of the finest level is hundreds of megabytes, those of one sample are a few. Every layer
therefore does all its steps on one sample (several on coarse levels) before it turns to the next: dense product, sparse
sums, statistics or normalisation. What a step leaves behind is read from the cache by the next one, and large
temporaries, whose page faults cost more than the arithmetic, do not arise.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lib.models.backbones.batch_norm import update_running_statistics
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer, RowSums
from lib.models.torch_operators import batch_statistics, norm_gradients, product, relu_gradient

# Numbers in the table of a dense product: about those of one sample at the finest level, which fit the cache.
TABLE_SIZE = 2**21


def samples_per_step(rows: int, columns: int) -> int:
    """Samples whose tables of ``rows`` x ``columns`` numbers are worked on together."""
    return max(1, TABLE_SIZE // (rows * columns))


def dense_weights(weight: Tensor, order: int, narrow: torch.dtype | None = None) -> Tensor:
    """A layer's weights (F', F*K), features slowest, as the factor [W_0 ... W_(K-1)] of one product, (F, K*F').

    In a ``narrow`` type they have products round the other factor to it too.
    """
    weights = weight.t().contiguous().view(-1, order * len(weight))
    return weights if narrow is None else weights.to(narrow)


def steps(batch: int, rows: int, columns: int) -> Iterator[slice]:
    """Slices of the batch that are worked on together."""
    size = samples_per_step(rows, columns)
    return (slice(begin, min(begin + size, batch)) for begin in range(0, batch, size))


def convolve(x: Tensor, weights: Tensor, mixer: ChebyshevMixer, leading: bool = False) -> Tensor:
    """Chebyshev convolution without bias of as many samples as fit one step.

    Args:
        x: (b, N, F) input rows, before the mixer's upsampling.
        weights: (F, K*F') from `dense_weights`.
        mixer: of N inputs; ``leading``: stop at its leading rows.

    Returns:
        (b, V, F'), fresh memory.
    """
    samples, rows, width = x.shape
    order = mixer.order
    table = product(x.reshape(-1, width), weights)
    return _each(mixer.mix, table.view(samples, rows * order, -1), leading)


def _each(sums: RowSums, tables: Tensor, leading: bool = False) -> Tensor:
    if len(tables) == 1:
        return sums(tables[0], leading)[None]
    return torch.stack([sums(table, leading) for table in tables])


class GraphConv(torch.autograd.Function):
    """Chebyshev convolution with bias: (B, N, F) to (B, V, F')."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, mixer: ChebyshevMixer):
        ctx.save_for_backward(x, weight)
        ctx.mixer = mixer
        y = x.new_empty(len(x), mixer.mix.rows, len(weight))
        weights = dense_weights(weight, mixer.order)
        for step in steps(len(x), x.shape[1], weights.shape[1]):
            torch.add(convolve(x[step], weights, mixer), bias, out=y[step])
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        grad_x, grad_weight = _backward(ctx.needs_input_grad, x, weight, ctx.mixer, lambda step: grad[step])
        return grad_x, grad_weight, grad.sum((0, 1)), None


class GraphConvNormReLU(torch.autograd.Function):
    """relu(batch_norm(convolution)) in training, where the last rows of the output count 1 + extra times.

    The layer's bias takes no part, as batch statistics remove it; its gradient is exactly zero. Returns the activations
    (B, V, F'), and mean and biased variance of the convolution (not differentiable). Keeps input and convolution for
    the backward pass and computes the normalisation anew there. Dense products round their factors to ``narrow``.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor,
        beta: Tensor,
        mixer: ChebyshevMixer,
        extra: Tensor,
        total: int,
        eps: float,
        narrow: torch.dtype | None,
    ):
        z = x.new_empty(len(x), mixer.mix.rows, len(weight))
        sample_means, sample_variances = [], []
        weights = dense_weights(weight, mixer.order, narrow)
        for step in steps(len(x), x.shape[1], weights.shape[1]):
            part = z[step].copy_(convolve(x[step], weights, mixer))
            mean, variance = _statistics(part, extra, total)
            sample_means.append(mean)
            sample_variances.append(variance)
        # the variance of all rows is the mean of the samples' variances and the variance of their means
        means = torch.cat(sample_means)
        mean = means.mean(0)
        variance = torch.cat(sample_variances).mean(0) + (means - mean).square().mean(0)
        inverse_std = torch.rsqrt(variance + eps)
        scale = gamma * inverse_std
        shift = beta - mean * scale
        y = torch.empty_like(z)
        for step in steps(*z.shape):
            torch.addcmul(shift, z[step], scale, out=y[step]).relu_()
        ctx.save_for_backward(x, weight, bias, z, scale, shift, mean, inverse_std, extra)
        ctx.mixer, ctx.total, ctx.narrow = mixer, total, narrow
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor, _grad_mean, _grad_variance):
        x, weight, bias, z, scale, shift, mean, inverse_std, extra = ctx.saved_tensors
        # The sums over rows already contain all copies: a row's gradient is the sum over what it stands for.
        grad_beta, grad_gamma = torch.zeros_like(scale), torch.zeros_like(scale)
        for step in steps(*z.shape):
            masked = _masked(grad[step], z[step], scale, shift)
            rows = z[step].flatten(0, 1)
            of_gamma, of_beta = norm_gradients(masked.flatten(0, 1), rows, scale, mean, inverse_std.pow(-2), 0.0)
            grad_gamma += of_gamma
            grad_beta += of_beta
        # d loss / d z = scale * (grad - multiplicity / count * (sum of grad + z_hat * sum of grad * z_hat))
        count = len(z) * ctx.total
        slope = -scale * inverse_std * grad_gamma / count
        offset = -scale * grad_beta / count - slope * mean
        first, copies = z.shape[1] - len(extra), (1 + extra).view(-1, 1)

        def through_norm(step: slice) -> Tensor:
            through = torch.addcmul(offset, z[step], slope)
            through[:, first:] *= copies
            return through.addcmul_(_masked(grad[step], z[step], scale, shift), scale)

        grad_x, grad_weight = _backward(ctx.needs_input_grad, x, weight, ctx.mixer, through_norm, ctx.narrow)
        return grad_x, grad_weight, torch.zeros_like(bias), grad_gamma, grad_beta, *[None] * 5


def _statistics(x: Tensor, extra: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance over the rows of each sample with their copies: (b, V, F) to twice (b, F).

    First those of the rows as they are, then the repeated ones are merged in: both steps are free of cancellation.
    """
    rows = x.shape[1]
    mean, variance = (torch.stack(values) for values in zip(*map(batch_statistics, x)))
    if len(extra):
        repeated, copies = x[:, rows - len(extra) :], extra.view(-1, 1)
        merged = mean + ((repeated - mean[:, None]) * copies).sum(1) / total
        variance = (variance + (mean - merged).square()) * (rows / total)
        variance += ((repeated - merged[:, None]).square() * copies).sum(1) / total
        mean = merged
    return mean, variance


def _masked(grad: Tensor, z: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Gradient in front of the ReLU of scale * z + shift."""
    return relu_gradient(grad, torch.addcmul(shift, z, scale))


def _backward(
    needed, x: Tensor, weight: Tensor, mixer: ChebyshevMixer, grad_of, narrow: torch.dtype | None = None
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of a convolution with respect to its input and its weights.

    Args:
        needed: which of the two are wanted.
        grad_of: slice of the batch -> (b, V, F') gradient of the convolution.
        narrow: type that products round their factors to; None: they do not.
    """
    order, (batch, count, width) = mixer.order, x.shape
    weights = dense_weights(weight, order, narrow)
    columns = weights.shape[1]
    need_x, need_weight, *_ = needed
    grad_x = torch.empty_like(x) if need_x else None
    grad_weights = weight.new_zeros(weights.shape)
    for step in steps(batch, count, columns):
        tables = _each(mixer.adjoint, grad_of(step)).view(-1, columns)
        rows = x[step].reshape(-1, width)
        if narrow is not None:
            rows, tables = rows.to(narrow), tables.to(narrow)
        if grad_x is not None:
            grad_x[step].view(-1, width).copy_(product(tables, weights.t()))
        if need_weight and narrow is None:
            grad_weights.addmm_(rows.t(), tables)
        elif need_weight:
            grad_weights += rows.t() @ tables
    if not need_weight:
        return grad_x, None
    return grad_x, grad_weights.view(-1, len(weight)).t().contiguous()


class AddUpsampled(torch.autograd.Function):
    """y + x[:, parent], computed in y: (B, V, F) and (B, N, F)."""

    @staticmethod
    def forward(ctx, y: Tensor, x: Tensor, parent: Tensor, siblings: RowSums):
        ctx.siblings = siblings
        ctx.mark_dirty(y)
        for sample, coarse in zip(y, x):
            sample.add_(coarse.index_select(0, parent))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        return grad, torch.stack([ctx.siblings(sample) for sample in grad]), None, None


def conv_norm_relu(
    x: Tensor,
    conv: ChebyGraphConv,
    norm: nn.BatchNorm1d,
    mixer: ChebyshevMixer,
    extra: Tensor | None = None,
    total: int = 0,
    narrow: torch.dtype | None = None,
) -> Tensor:
    """A layer in training, (B, N, F) to (B, V, F'), with the update of its running statistics.

    Args:
        extra: further copies that each of the last ``len(extra)`` output rows stands for in batch statistics.
        total: output rows of a sample with all copies; 0: there are no copies.
        narrow: type that dense products round their factors to; None: they do not.
    """
    extra = norm.weight.new_empty(0) if extra is None else extra
    total = total or mixer.mix.rows
    y, mean, variance = GraphConvNormReLU.apply(
        x, conv.weight, conv.bias, norm.weight, norm.bias, mixer, extra, total, norm.eps, narrow
    )
    update_running_statistics(norm, mean + conv.bias.detach(), variance, len(x) * total)
    return y
