"""Training of narrow graph convolutions on a CPU: several samples side by side in each row of a table.

Rows of 16 to 64 numbers leave an embedding bag, and the start of every operation, more overhead than arithmetic. Here a
group of b samples is one table of rows b*F: one sparse product serves all of them, with rows as long as those of a wide
network. A chain of layers is one autograd function, so that what is in the cache is used up: forwards the end of a
layer (normalisation, ReLU, residual) comes with the products of the next one, backwards the products with the ReLU and
the sums of the layer before. Nothing else is kept than each layer's input and convolution.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.models.backbones.batch_norm import update_running_statistics
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer, RowSums
from lib.models.torch_operators import batch_statistics, norm_gradients, relu_gradient

# Numbers in the largest table of a group, 4 MB: a second-level cache holds what neighbouring rows read of it.
GROUP_SIZE = 2**20

Groups = list[Tensor]  # one tensor for each group of samples


@dataclass(frozen=True)
class Residual:
    """What is added behind a layer: the level's input, channels resized, rows copied to their children.

    Attributes:
        resize: (F, F') of the channels; None: they stay.
        parent: (V,) rows that are copied, siblings: the transpose; None at the coarsest level.
    """

    resize: Tensor | None
    parent: Tensor | None
    siblings: RowSums | None

    def __call__(self, x: Tensor) -> Tensor:
        """(N, b, F) to (V, b, F')."""
        x = x if self.resize is None else x @ self.resize
        return x if self.parent is None else x.index_select(0, self.parent)

    def gradient(self, grad: Tensor) -> Tensor:
        """(V, b, F') to (N, b, F)."""
        if self.siblings is not None:
            grad = self.siblings(grad.flatten(1)).unflatten(1, grad.shape[1:])
        return grad if self.resize is None else grad @ self.resize.t()


@dataclass(frozen=True)
class Layer:
    """A convolution, and the normalisation, ReLU and residual behind it.

    Attributes:
        conv, norm: its parameters; the last layer of a network has no norm.
        mixer: its sparse half, made with ``side_by_side``.
        extra: further copies that each of the last output rows stands for in batch statistics.
        total: output rows of a sample with all copies.
        rows: how many of its input's rows it reads, the first ones; None: all.
        opens: its input is what the next residual starts from.
        residual: None: there is none.
    """

    conv: ChebyGraphConv
    norm: nn.BatchNorm1d | None
    mixer: ChebyshevMixer
    extra: Tensor
    total: int
    rows: int | None = None
    opens: bool = False
    residual: Residual | None = None

    def weights(self) -> Tensor:
        """(K, F, F')."""
        weight = self.conv.weight.detach()
        return weight.view(len(weight), -1, self.mixer.order).permute(2, 1, 0).contiguous()


def group_size(rows: int, columns: int) -> int:
    """Samples whose tables of ``rows`` x ``columns`` numbers lie side by side; 0 where not one fits."""
    return GROUP_SIZE // (rows * columns)


def _convolve(x: Tensor, weights: Tensor, mixer: ChebyshevMixer, memory: Tensor) -> Tensor:
    """Convolution without bias of a group, (N, b, F) to (V, b, F'); ``memory`` for its table, still in the cache."""
    order, width, out = weights.shape
    rows, samples, _ = x.shape
    table = memory[: order * rows * samples * out].view(order, -1, out)
    torch.bmm(x.view(-1, width).expand(order, -1, -1), weights, out=table)
    return mixer.beside(table.view(order * rows, -1)).view(-1, samples, out)


def _convolve_back(grad: Tensor, x: Tensor, weights: Tensor, layer: Layer, grad_weights: Tensor) -> Tensor:
    """Gradient (N, b, F) of a group's input x; that of the weights is added to ``grad_weights``."""
    order, width, out = weights.shape
    tables = layer.mixer.beside_adjoint(grad.flatten(1)).view(order, -1, out)
    read = x[: layer.rows].view(-1, width)
    grad_weights.baddbmm_(read.t().expand(order, -1, -1), tables)
    grad_x = torch.empty_like(x)
    grad_read = grad_x[: layer.rows].view(-1, width)
    for number, (table, factor) in enumerate(zip(tables, weights)):
        torch.addmm(grad_read, table, factor.t(), beta=float(number > 0), out=grad_read)
    if layer.rows is not None:
        grad_x[layer.rows :] = 0
    return grad_x


class _Normalisation:
    """Batch normalisation and ReLU of a layer, relu(scale * z + shift).

    Args:
        groups: convolutions z, each (V, b, F).
        layer: of the convolutions.
    """

    def __init__(self, groups: Groups, layer: Layer, norm: nn.BatchNorm1d):
        self.layer, self.batch = layer, sum(z.shape[1] for z in groups)
        # the variance of all rows is the mean of the groups' variances and the variance of their means
        means, variances = map(torch.stack, zip(*map(self._group_statistics, groups)))
        shares = means.new_tensor([z.shape[1] / self.batch for z in groups])
        self.mean = shares @ means
        self.variance = shares @ (variances + (means - self.mean).square())
        self.inverse_std = torch.rsqrt(self.variance + norm.eps)
        self.scale = norm.weight.detach() * self.inverse_std
        self.shift = norm.bias.detach() - self.mean * self.scale

    def _group_statistics(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance (F,) over rows and samples, with all copies of a row."""
        rows, samples, width = z.shape
        extra = self.layer.extra
        mean, variance = batch_statistics(z.view(-1, width))
        if not len(extra):
            return mean, variance
        total = samples * self.layer.total
        apart = (z[rows - len(extra) :] - mean).flatten(1)
        shift = (extra @ apart).view(samples, width).sum(0) / total
        squares = (extra @ apart.square_()).view(samples, width).sum(0)
        return mean + shift, (variance * (rows * samples) + squares) / total - shift.square()

    def __call__(self, z: Tensor) -> Tensor:
        return torch.addcmul(self.shift, z, self.scale).relu_()

    def masked(self, grad: Tensor, z: Tensor) -> Tensor:
        """Gradient in front of the ReLU."""
        return relu_gradient(grad, torch.addcmul(self.shift, z, self.scale))

    def sums(self, masked: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """A group's part of the gradients of the norm's weight and bias."""
        rows = masked.flatten(0, 1), z.flatten(0, 1)
        return norm_gradients(*rows, self.scale, self.mean, self.inverse_std.pow(-2), 0.0)

    def backward(self, masked: Groups, groups: Groups, grad_gamma: Tensor, grad_beta: Tensor) -> Iterator[Tensor]:
        """Gradients of the convolutions from those in front of the ReLU, and of the norm's weight and bias."""
        # d loss / d z = scale * (grad - multiplicity / count * (sum of grad + z_hat * sum of grad * z_hat))
        count = self.batch * self.layer.total
        slope = -self.scale * self.inverse_std * grad_gamma / count
        offset = -self.scale * grad_beta / count - slope * self.mean
        extra = self.layer.extra
        copies = (1 + extra).view(-1, 1, 1)
        for grad, z in zip(masked, groups):
            through = torch.addcmul(offset, z, slope)
            through[len(z) - len(extra) :] *= copies
            yield through.addcmul_(grad, self.scale)


class _Chain(torch.autograd.Function):
    """Layers one after the other: (B, N, F) to (B, V, F'), and mean and variance of each normalised convolution."""

    @staticmethod
    def forward(ctx, x: Tensor, layers: Sequence[Layer], size: int, *_parameters: Tensor):
        norms: list[_Normalisation | None] = []
        inputs: list[Groups] = []
        convolved: list[Groups] = []
        weights = [layer.weights() for layer in layers]
        arriving: Iterator[Tensor] = (part.transpose(0, 1).contiguous() for part in x.split(size))
        opened: Groups = []
        tables = (layer.mixer.beside.inputs * len(layer.conv.weight) for layer in layers)
        memory = x.new_empty(min(size, len(x)) * max(tables))
        for layer, factors in zip(layers, weights):
            xs, zs = [], []
            for part in arriving:
                xs.append(part)
                zs.append(_convolve(part[: layer.rows], factors, layer.mixer, memory))
            opened = xs if layer.opens else opened
            norm = None if layer.norm is None else _Normalisation(zs, layer, layer.norm)
            arriving = _outputs(zs, layer, norm, opened)
            inputs.append(xs)
            convolved.append([] if norm is None else zs)
            norms.append(norm)
        y = x.new_empty(len(x), layers[-1].mixer.beside.rows, len(layers[-1].conv.weight))
        for part, group in zip(y.split(size), arriving):
            part.copy_(group.transpose(0, 1))
        ctx.save_for_backward(*(tensor for groups in inputs + convolved for tensor in groups))
        ctx.sizes = [len(groups) for groups in inputs + convolved]
        ctx.layers, ctx.weights, ctx.norms, ctx.size = layers, weights, norms, size
        statistics = [tensor for norm in norms if norm is not None for tensor in (norm.mean, norm.variance)]
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor, *_statistics):
        saved = iter(ctx.saved_tensors)
        groups = [[next(saved) for _ in range(size)] for size in ctx.sizes]
        inputs, convolved = groups[: len(ctx.layers)], groups[len(ctx.layers) :]
        of_weights = [torch.zeros_like(weights) for weights in ctx.weights]
        of_others: list[tuple[Tensor, ...]] = []
        arriving: Iterator[Tensor] = (part.transpose(0, 1).contiguous() for part in grad.split(ctx.size))
        residuals: Groups = []
        for number, layer in reversed(list(enumerate(ctx.layers))):
            norm, zs, bias = ctx.norms[number], convolved[number], torch.zeros_like(layer.conv.bias)
            if norm is None:
                bias = grad.sum((0, 1))
                of_others.append((bias,))
            else:
                masked, sums, passed = [], [], []
                for part, z in zip(arriving, zs):
                    if layer.residual is not None:
                        passed.append(layer.residual.gradient(part))
                    masked.append(norm.masked(part, z))
                    sums.append(norm.sums(masked[-1], z))
                residuals = passed or residuals
                grad_gamma, grad_beta = (torch.stack(parts).sum(0) for parts in zip(*sums))
                of_others.append((bias, grad_gamma, grad_beta))
                arriving = norm.backward(masked, zs, grad_gamma, grad_beta)
            back = layer, ctx.weights[number], of_weights[number]
            arriving = _inputs(arriving, inputs[number], *back, residuals)
        grad_x = torch.cat([part.transpose(0, 1) for part in arriving])
        parameters: list[Tensor] = []
        for weights, others in zip(of_weights, reversed(of_others)):
            parameters += [weights.permute(2, 1, 0).flatten(1), *others]
        return grad_x, None, None, *parameters


def _outputs(zs: Groups, layer: Layer, norm: _Normalisation | None, opened: Groups) -> Iterator[Tensor]:
    """What follows a layer's convolutions."""
    for number, z in enumerate(zs):
        y = z.add_(layer.conv.bias) if norm is None else norm(z)
        yield y if layer.residual is None else y.add_(layer.residual(opened[number]))


def _inputs(
    grads: Iterator[Tensor], xs: Groups, layer: Layer, weights: Tensor, grad_weights: Tensor, residuals: Groups
) -> Iterator[Tensor]:
    """Gradients of a layer's inputs from those of its convolutions."""
    for number, (grad, x) in enumerate(zip(grads, xs)):
        grad_x = _convolve_back(grad, x, weights, layer, grad_weights)
        yield grad_x.add_(residuals[number]) if layer.opens else grad_x


def train_chain(x: Tensor, layers: Sequence[Layer], size: int) -> Tensor:
    """Layers in training, (B, N, F) to (B, V, F'), with the updates of their running statistics.

    Args:
        x: rows before the first mixer's upsampling.
        layers: all normalised but for the last, which may be.
        size: samples per group.
    """
    norms = [(layer, layer.norm) for layer in layers if layer.norm is not None]
    parameters: list[Tensor] = []
    for layer in layers:
        parameters += [layer.conv.weight, layer.conv.bias]
        parameters += [] if layer.norm is None else [layer.norm.weight, layer.norm.bias]
    y, *statistics = _Chain.apply(x, layers, size, *parameters)
    for (layer, norm), mean, variance in zip(norms, statistics[::2], statistics[1::2]):
        update_running_statistics(norm, mean + layer.conv.bias.detach(), variance, len(x) * layer.total)
    return y
