"""MeshNet: grows a mesh from 2D and 3D joints, coarse to fine, with Chebyshev graph convolutions.

Source: Pose2Mesh (ECCV 2020), section 5. Activations are vertex-major, (V, B, F), on a GPU and sample-major, (B, V, F),
on a CPU.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.batch_norm import batch_norm_relu
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.mesh_levels import MeshLevel, SparseOperator, level_rows
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer
from lib.models.cpu.sample_major import (
    AddUpsampled,
    GraphConv,
    conv_norm_relu,
    convolve,
    fold,
    samples_per_step,
)
from lib.models.mesh_plan import PAPER_CHANNELS, MeshNetPlan


def resize_channels(x: Tensor, channels: int) -> Tensor:
    """Linear interpolation along the last axis (half-pixel centres), (..., F) to (..., channels)."""
    width = x.shape[-1]
    if width == channels:
        return x
    if width == 2 * channels:
        return (x[..., ::2] + x[..., 1::2]) * 0.5
    # As a matrix product the gradient is one too, and the same in every run (scattered sums on a GPU are not).
    unit = torch.eye(width, device=x.device, dtype=x.dtype)
    return x @ F.interpolate(unit[None], size=channels, mode="linear", align_corners=False)[0]


class MeshNet(nn.Module):
    """Joints to mesh.

    Args:
        graph: operators of the mesh levels and of the joint graph.
        plan: channels per block; the published body plan fits a graph of 9 levels, the hand plan one of 6.
        joint_channels: input channels per joint (x, y of the 2D pose and X, Y, Z of the 3D pose).
        out_channels: output channels per vertex.
        padded: return every row of the padded finest level in the graph's row order, as the original release did,
            instead of the mesh's own vertices.

    Raises:
        ValueError: the plan does not fit the graph or the numbers of channels.

    The state dict holds weights only: ``fc.*``, ``cl.<n>.*`` and ``bn.<n>.*`` with the original release's layouts.
    Graph operators move with ``.to()`` but are saved as a separate entry of a checkpoint (`MeshGraph.to_state`).

    Fake vertices make level sizes halve evenly. In training they enter BatchNorm statistics, so each distinct one
    is computed once and weighted; in evaluation they are left out. Both are exact.
    """

    def __init__(
        self,
        graph: MeshGraph,
        plan: MeshNetPlan,
        joint_channels: int = 5,
        out_channels: int = 3,
        padded: bool = False,
    ):
        super().__init__()
        channels = plan.channels
        plan.check_levels(len(graph.laplacians) - 1)
        if (channels[0][0], channels[-1][-1]) != (joint_channels, out_channels):
            raise ValueError(
                f"the MeshNet plan maps {channels[0][0]} to {channels[-1][-1]} channels, "
                f"wanted {joint_channels} to {out_channels}"
            )
        self.plan, self.joint_num, self.joint_channels, self.padded = plan, graph.joint_num, joint_channels, padded
        rows = level_rows(graph)
        self.coarse_size = len(rows[0].representative)
        self.fc = nn.Linear(graph.joint_num * channels[0][-1], self.coarse_size * channels[1][0])
        pairs = [pair for block in channels for pair in itertools.pairwise(block)]
        self.cl = nn.ModuleList(ChebyGraphConv(*pair) for pair in pairs)
        self.bn = nn.ModuleList(nn.BatchNorm1d(width) for _, width in pairs[:-1])

        order = self.cl[0].order
        self.levels = nn.ModuleList(MeshLevel(r, L, order) for r, L in zip(rows, graph.laplacians[-2::-1]))
        self.joint_laplacian = SparseOperator(graph.laplacians[-1])
        self.joint_mixer = ChebyshevMixer(graph.laplacians[-1], order)
        self.register_buffer("coarse_order", torch.from_numpy(rows[0].position), persistent=False)
        output = rows[-1].representative if padded else rows[-1].representative[graph.reverse]
        self.register_buffer("output_order", torch.from_numpy(np.ascontiguousarray(output)), persistent=False)
        kept = rows[-1].position if padded else rows[-1].position[: rows[-1].real]
        self.output_mixer = ChebyshevMixer(graph.laplacians[0][kept][:, kept], order, rows=output)

    @property
    def vertex_num(self) -> int:
        """Vertices per mesh that ``forward`` returns."""
        return len(self.output_order)

    def forward(self, joints: Tensor) -> Tensor:
        """Predict meshes.

        Args:
            joints: (B, J, 5): standardised 2D joints (x, y) and root-relative 3D joints (X, Y, Z), metres.

        Returns:
            (B, V, 3) vertices in the mesh's own order, metres, root-relative; with ``padded`` all padded rows.

        Raises:
            ValueError: another number of joints or channels.
        """
        if joints.dim() != 3 or joints.shape[1:] != (self.joint_num, self.joint_channels):
            raise ValueError(
                f"MeshNet takes (B, {self.joint_num}, {self.joint_channels}) joints, got {tuple(joints.shape)}"
            )
        if joints.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            if self.training and all(norm.training for norm in self.bn):
                return self._train_by_sample(joints)
            if not self.training and not torch.is_grad_enabled():
                return self._evaluate_by_sample(joints)
        return self._forward_vertex_major(joints)

    def _evaluate_by_sample(self, joints: Tensor) -> Tensor:
        """``forward`` with fixed statistics and without gradients."""
        layers = [fold(conv, norm) for conv, norm in itertools.zip_longest(self.cl, self.bn)]
        joint_layers = len(self.plan.channels[0]) - 1
        x = joints.to(self.fc.weight.dtype)
        for weights, bias in layers[:joint_layers]:
            x = convolve(x, weights, self.joint_mixer).add_(bias).relu_()
        order = self.coarse_order if self.padded else self.coarse_order[: self.levels[0].real]
        x = self.fc(x.flatten(1)).view(len(x), self.coarse_size, -1)[:, order]
        return self._grow(x, 0, layers[joint_layers:])

    def _grow(self, x: Tensor, number: int, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Meshes (B, V, 3) from the rows (B, N, F) that enter a level, and the layers from there on."""
        level, block, real = self.levels[number], self.plan.channels[number + 1], not self.padded
        size = samples_per_step(level.real if real else level.padded_size, self.cl[0].order * max(block[1:]))
        if len(x) > size:
            return torch.cat([self._grow(part, number, layers) for part in x.split(size)])
        y, mixer = x, level.enter
        for weights, bias in layers[: len(block) - 1]:
            y, mixer = convolve(y, weights, mixer, real).add_(bias).relu_(), level.stay
        x = resize_channels(x, block[-1])
        if number:
            x = x.index_select(1, level.parent_real if real else level.parent)
        y += x
        layers = layers[len(block) - 1 :]
        if number + 1 < len(self.levels):
            return self._grow(y, number + 1, layers)
        for weights, bias in layers[:-1]:
            y = convolve(y, weights, level.stay, real).add_(bias).relu_()
        weights, bias = layers[-1]
        return convolve(y, weights, self.output_mixer).add_(bias)

    def _train_by_sample(self, joints: Tensor) -> Tensor:
        """``forward`` with the statistics of the batch."""
        layers = iter(zip(self.cl, self.bn))
        x = joints.to(self.fc.weight.dtype)
        for _ in self.plan.channels[0][1:]:
            x = conv_norm_relu(x, *next(layers), self.joint_mixer)
        x = self.fc(x.flatten(1)).view(len(x), self.coarse_size, -1)[:, self.coarse_order]
        for level, block in zip(self.levels, self.plan.channels[1:]):
            y, mixer = x, level.enter
            for _ in block[1:]:
                y, mixer = conv_norm_relu(y, *next(layers), mixer, level.extra, level.padded_size), level.stay
            x = resize_channels(x, block[-1])
            x = y + x if level.parent is None else AddUpsampled.apply(y, x, level.parent, level.siblings)
        for conv, norm in layers:
            x = conv_norm_relu(x, conv, norm, level.stay, level.extra, level.padded_size)
        if not self.padded:  # no statistics are taken after the last layer
            x = x[:, : level.real]
        return GraphConv.apply(x, self.cl[-1].weight, self.cl[-1].bias, self.output_mixer)

    def _forward_vertex_major(self, joints: Tensor) -> Tensor:
        batch = len(joints)
        blocks = self.plan.channels
        with_fakes = self.training or self.padded
        layer = 0

        x = joints.transpose(0, 1)
        laplacian = self.joint_laplacian()
        for _ in blocks[0][1:]:
            x = self._convolve(layer, x, laplacian)
            layer += 1
        x = self.fc(x.transpose(0, 1).reshape(batch, -1))
        order = self.coarse_order if with_fakes else self.coarse_order[: self.levels[0].real]
        x = x.view(batch, self.coarse_size, -1)[:, order].transpose(0, 1)

        for i, level in enumerate(self.levels):
            if i:
                x = x.index_select(0, level.parent if with_fakes else level.parent_real)
            laplacian = level.laplacian() if with_fakes else level.laplacian_real()
            block_input = x
            for _ in blocks[i + 1][1:]:
                x = self._convolve(layer, x, laplacian, level)
                layer += 1
            x = x + resize_channels(block_input, blocks[i + 1][-1])

        for _ in blocks[-1][2:]:
            x = self._convolve(layer, x, laplacian, level)
            layer += 1
        if with_fakes and not self.padded:  # no statistics are taken after the last layer
            x, laplacian = x[: level.real], level.laplacian_real()
        return self.cl[layer](x, laplacian)[self.output_order].transpose(0, 1)

    def _convolve(self, layer: int, x: Tensor, laplacian: Tensor, level: MeshLevel | None = None) -> Tensor:
        """Convolution, BatchNorm and ReLU."""
        conv, norm = self.cl[layer], self.bn[layer]
        if norm.training:
            x = conv(x, laplacian)
            return batch_norm_relu(x, norm, *(() if level is None else (level.extra, level.padded_size)))
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias + (conv.bias - norm.running_mean) * scale
        return conv(x, laplacian, scale, bias).relu_()


def get_model(num_joint_input_chan: int, num_mesh_output_chan: int, graph_L: Sequence[sparse.spmatrix]) -> MeshNet:
    """MeshNet under the original release's constructor name and arguments.

    Args:
        num_joint_input_chan: 5.
        num_mesh_output_chan: 3.
        graph_L: all Laplacians from `lib.graph.building.build_coarse_graphs`; the list stays as it is.

    Returns:
        The published network whose number of levels fits. Its output has all rows of the padded finest level, in the
        graph's order: select ``out[:, graph_perm_reverse[:vertex_num]]``.

    Raises:
        ValueError: neither published plan has this number of levels.
    """
    plans = {len(channels) - 1: MeshNetPlan(channels) for channels in PAPER_CHANNELS.values()}
    if len(graph_L) - 1 not in plans:
        known = " or ".join(map(str, plans))
        raise ValueError(f"published MeshNets have {known} coarsening levels, got {len(graph_L) - 1}")
    # Only real vertices have neighbours.
    real = np.flatnonzero(np.diff(sparse.csr_matrix(graph_L[0]).indptr) > 1)
    graph = MeshGraph.from_lists(graph_L, real, vertex_num=len(real))
    return MeshNet(graph, plans[len(graph_L) - 1], num_joint_input_chan, num_mesh_output_chan, padded=True)
