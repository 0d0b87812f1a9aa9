"""MeshNet's forward pass on a CPU: the layers of `MeshNet.forward`, batch first and sample by sample.

`evaluate` multiplies normalisation into the weights; `train` takes the statistics of the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.mesh_levels import LevelRows
from lib.models.backbones.resize import resize_channels
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer, RowSums, upsampling
from lib.models.cpu.folded import FoldedLayer, folded, narrowed
from lib.models.cpu.sample_major import AddUpsampled, GraphConv, conv_norm_relu, samples_per_step
from lib.models.cpu.side_by_side import Layer, Residual, group_size, train_chain
from lib.models.cpu.switch import autocast_type, takes_fast_path
from lib.models.mesh_plan import MeshNetPlan
from lib.models.module_list import ModuleList

if TYPE_CHECKING:
    from lib.models.meshnet import MeshNet

# From so many rows of a level, and channels on both sides, a product saves more by narrow factors than rounding them
# costs; the open weights' networks are narrower.
NARROW_ROWS, NARROW_CHANNELS = 512, 128


class LevelMixers(nn.Module):
    """Operators of one mesh level.

    Attributes:
        enter: convolution of the coarser level's rows behind the upsampling (at the coarsest level: of its own rows).
        stay: convolution of the level's own rows. The leading rows of both are the real vertices.
        siblings: sums over the rows that share a parent, the transpose of upsampling (None when coarsest).
    """

    def __init__(self, rows: LevelRows, laplacian: sparse.csr_matrix, order: int, side_by_side: bool):
        super().__init__()
        representatives = laplacian[rows.position][:, rows.position]
        self.stay = ChebyshevMixer(representatives, order, leading=rows.real, side_by_side=side_by_side)
        self.enter, self.siblings = self.stay, None
        if rows.parent is not None:
            self.enter = ChebyshevMixer(representatives, order, rows.parent, None, rows.real, side_by_side)
            self.siblings = RowSums(upsampling(rows.parent).T)


class Mixers(nn.Module):
    """Operators of a MeshNet, which follow it with ``.to()`` but are not part of its state dict.

    Args:
        rows: of the mesh levels, coarsest first.
        output: (V,) representatives of the finest level that the network returns, in their order.
        graph, plan, padded, order: the network's.

    Attributes:
        samples, joint_samples: in training so many lie side by side in the mesh levels (0: the layers are too wide for
            that) and in the joint graph.
    """

    def __init__(
        self,
        graph: MeshGraph,
        plan: MeshNetPlan,
        rows: Sequence[LevelRows],
        output: np.ndarray,
        padded: bool,
        order: int,
    ):
        super().__init__()
        joint_block, *blocks, _ = plan.channels
        widths = [max(block[1:]) for block in blocks]
        widths[-1] = max(widths[-1], *plan.channels[-1][1:])
        tables = [len(level.position) * width for level, width in zip(rows, widths)]
        self.samples = group_size(max(tables), order)
        self.joint_samples = max(1, group_size(graph.joint_num, order * max(joint_block[1:])))
        beside = self.samples > 0
        self.joints = ChebyshevMixer(graph.laplacians[-1], order, side_by_side=True)
        self.levels = ModuleList(LevelMixers(r, L, order, beside) for r, L in zip(rows, graph.laplacians[-2::-1]))
        kept = rows[-1].position if padded else rows[-1].position[: rows[-1].real]
        self.output = ChebyshevMixer(graph.laplacians[0][kept][:, kept], order, rows=output, side_by_side=beside)


def path(model: "MeshNet", joints: Tensor) -> Callable[["MeshNet", Tensor], Tensor] | None:
    """`train` or `evaluate`, whichever does what ``model(joints)`` asks for; None: neither."""
    if model.training and takes_fast_path(joints, rounded=True):
        return train if all(norm.training for norm in model.bn) else None
    return evaluate if takes_fast_path(joints) and not torch.is_grad_enabled() else None


def evaluate(model: "MeshNet", joints: Tensor) -> Tensor:
    """``model(joints)`` with fixed statistics and without gradients."""
    layers = folded(model.cl, model.bn) if model.prepared is None else model.prepared
    return run(model, joints, layers)


def run(model: "MeshNet", joints: Tensor, layers: Sequence[FoldedLayer]) -> Tensor:
    """Meshes (B, V, 3) of joints (B, J, 5) with the network's layers replaced."""
    joint_layers = len(model.plan.channels[0]) - 1
    x = joints.to(model.fc.weight.dtype)
    for layer in layers[:joint_layers]:
        x = layer(x, model.mixers.joints).relu_()
    order = model.coarse_order if model.padded else model.coarse_order[: model.levels[0].real]
    x = model.fc(x.flatten(1)).view(len(x), model.coarse_size, -1)[:, order]
    return _grow(model, x, 0, layers[joint_layers:])


def gains_by_rounding(rows: int, *channels: int) -> bool:
    """Whether a layer's product is large enough: by the rows of its level, and its input and output channels."""
    return rows >= NARROW_ROWS and min(channels) >= NARROW_CHANNELS


def prepared(model: "MeshNet", narrow: torch.dtype | None = None) -> list[FoldedLayer]:
    """The layers that `run` takes.

    Args:
        narrow: type that products with weights and activations round their factors to, but for small levels and for
            the output block, whose roundings would reach the vertices as they are; None: none do.
    """
    layers = folded(model.cl, model.bn)
    if narrow is None:
        return layers
    rows = [0] * (len(model.plan.channels[0]) - 1)
    for level, block in zip(model.levels, model.plan.channels[1:]):
        rows += [level.real] * (len(block) - 1)
    sizes = zip(rows, model.cl)  # without the output block
    chosen = {k for k, (n, conv) in enumerate(sizes) if gains_by_rounding(n, conv.in_channels, conv.out_channels)}
    if not chosen:
        return layers
    joints = torch.zeros(1, model.joint_num, model.joint_channels)
    return narrowed(layers, chosen, narrow, lambda replaced: run(model, joints, replaced))


def _grow(model: "MeshNet", x: Tensor, number: int, layers: Sequence[FoldedLayer]) -> Tensor:
    """Meshes (B, V, 3) from the rows (B, N, F) that enter a level, and the layers from there on."""
    level, mixers = model.levels[number], model.mixers.levels[number]
    block, real = model.plan.channels[number + 1], not model.padded
    size = samples_per_step(level.real if real else level.padded_size, model.cl[0].order * max(block[1:]))
    if len(x) > size:
        return torch.cat([_grow(model, part, number, layers) for part in x.split(size)])
    y, mixer = x, mixers.enter
    for layer in layers[: len(block) - 1]:
        y, mixer = layer(y, mixer, real).relu_(), mixers.stay
    x = resize_channels(x, block[-1])
    parent = level.parent_real if real else level.parent
    if parent is not None:
        x = x.index_select(1, parent)
    y += x
    layers = layers[len(block) - 1 :]
    if number + 1 < len(model.levels):
        return _grow(model, y, number + 1, layers)
    for layer in layers[:-1]:
        y = layer(y, mixers.stay, real).relu_()
    return layers[-1](y, model.mixers.output)


def train(model: "MeshNet", joints: Tensor) -> Tensor:
    """``model(joints)`` with the statistics of the batch.

    Autocast rounds the factors of the products that `prepared` rounds, of layers that are wide enough to gain by it.
    """
    narrow = autocast_type()
    with torch.autocast("cpu", enabled=False):
        return _train(model, joints, narrow)


def _train(model: "MeshNet", joints: Tensor, narrow: torch.dtype | None) -> Tensor:
    layers = list(zip(model.cl, model.bn))
    x = joints.to(model.fc.weight.dtype)
    mixers, none = model.mixers, model.fc.weight.new_empty(0)
    first = len(model.plan.channels[0]) - 1
    joint_layers = [Layer(*layer, mixers.joints, none, model.joint_num) for layer in layers[:first]]
    x = train_chain(x, joint_layers, mixers.joint_samples)
    x = model.fc(x.flatten(1)).view(len(x), model.coarse_size, -1)[:, model.coarse_order]
    if mixers.samples > (narrow is not None):
        return _train_beside(model, x, layers[first:])
    return _train_apart(model, x, iter(layers[first:]), narrow)


def _train_beside(model: "MeshNet", x: Tensor, layers: list[tuple[ChebyGraphConv, nn.BatchNorm1d]]) -> Tensor:
    """Meshes from the coarsest rows (B, N, F), several samples side by side."""
    chain: list[Layer] = []
    for level, mixers, block in zip(model.levels, model.mixers.levels, model.plan.channels[1:]):
        copies = level.extra, level.padded_size
        for number, layer in enumerate(layers[len(chain) :][: len(block) - 1]):
            chain.append(Layer(*layer, mixers.stay if number else mixers.enter, *copies, opens=number == 0))
        resize = None if block[0] == block[-1] else resize_channels(torch.eye(block[0]).to(x), block[-1])
        chain[-1] = replace(chain[-1], residual=Residual(resize, level.parent, mixers.siblings))
    chain += [Layer(*layer, mixers.stay, *copies) for layer in layers[len(chain) :]]
    rows = None if model.padded else level.real  # no statistics are taken after the last layer
    chain.append(Layer(model.cl[-1], None, model.mixers.output, *copies, rows=rows))
    return train_chain(x, chain, model.mixers.samples)


def _train_apart(
    model: "MeshNet", x: Tensor, layers: Iterator[tuple[ChebyGraphConv, nn.BatchNorm1d]], narrow: torch.dtype | None
) -> Tensor:
    """The same, sample by sample."""
    for level, mixers, block in zip(model.levels, model.mixers.levels, model.plan.channels[1:]):
        copies = level.extra, level.padded_size
        y, mixer = x, mixers.enter
        for _ in block[1:]:
            conv, norm = next(layers)
            rounded = narrow if gains_by_rounding(level.real, conv.in_channels, conv.out_channels) else None
            y, mixer = conv_norm_relu(y, conv, norm, mixer, *copies, rounded), mixers.stay
        x = resize_channels(x, block[-1])
        x = y + x if level.parent is None else AddUpsampled.apply(y, x, level.parent, mixers.siblings)
    for conv, norm in layers:
        x = conv_norm_relu(x, conv, norm, mixers.stay, *copies)
    if not model.padded:  # no statistics are taken after the last layer
        x = x[:, : level.real]
    return GraphConv.apply(x, model.cl[-1].weight, model.cl[-1].bias, model.mixers.output)
