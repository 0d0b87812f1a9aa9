"""MeshNet's layers for evaluation on a CPU: normalisation multiplied into the weights, factors of products rounded.

Rounding weights moves a layer's output by about the same vector on every row, as the activations behind a ReLU are
positive: most of the error of a narrow network. The means of both networks' layers for one input give it, and the bias
takes it off (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence

import torch
from torch import Tensor, nn

from lib.models.backbones.batch_norm import running_statistics
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer
from lib.models.cpu.sample_major import convolve, dense_weights


class FoldedLayer:
    """A graph convolution with fixed statistics.

    Args:
        weights: (F, K*F') from `dense_weights`, in the type that factors are rounded to.
        bias: (F',).
    """

    def __init__(self, weights: Tensor, bias: Tensor):
        self.weights, self.bias = weights, bias

    def __call__(self, x: Tensor, mixer: ChebyshevMixer, leading: bool = False) -> Tensor:
        """(b, N, F) to (b, V, F'), fresh memory; see ``convolve``."""
        return convolve(x, self.weights, mixer, leading).add_(self.bias)


class _Observed(FoldedLayer):
    """Remembers the mean over rows (F',) of its last output."""

    def __call__(self, x: Tensor, mixer: ChebyshevMixer, leading: bool = False) -> Tensor:
        y = super().__call__(x, mixer, leading)
        self.mean = y.mean((0, 1))
        return y


class _Corrected(FoldedLayer):
    """Moves its bias, and with it this output, so that the output's mean is that of another layer."""

    def __init__(self, wanted: _Observed, narrow: torch.dtype):
        super().__init__(wanted.weights.to(narrow), wanted.bias)
        self.wanted = wanted

    def __call__(self, x: Tensor, mixer: ChebyshevMixer, leading: bool = False) -> Tensor:
        y = super().__call__(x, mixer, leading)
        shift = self.wanted.mean - y.mean((0, 1))
        self.bias = self.bias + shift
        return y.add_(shift)


def fold(conv: ChebyGraphConv, norm: nn.BatchNorm1d | None) -> FoldedLayer:
    """A layer with fixed statistics, the normalisation multiplied in."""
    if norm is None:
        return FoldedLayer(dense_weights(conv.weight, conv.order), conv.bias)
    mean, variance = running_statistics(norm)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weights = dense_weights(conv.weight * scale[:, None], conv.order)
    return FoldedLayer(weights, norm.bias + (conv.bias - mean) * scale)


def folded(convs: Iterable[ChebyGraphConv], norms: Iterable[nn.BatchNorm1d]) -> list[FoldedLayer]:
    """All layers of a network, whose last ones have no normalisation."""
    return [fold(conv, norm) for conv, norm in itertools.zip_longest(convs, norms)]


def narrowed(
    layers: Sequence[FoldedLayer],
    chosen: Collection[int],
    narrow: torch.dtype,
    run: Callable[[list[FoldedLayer]], object],
) -> list[FoldedLayer]:
    """Layers with the weights of the chosen ones in a narrow type, and their biases corrected.

    Args:
        run: computes the network with the layers that it is given, each of them once, for any one input.
    """
    observed = [_Observed(layer.weights, layer.bias) for layer in layers]
    run(list(observed))
    corrected = [_Corrected(layer, narrow) if k in chosen else layer for k, layer in enumerate(observed)]
    run(list(corrected))
    return [FoldedLayer(layer.weights, layer.bias) for layer in corrected]
