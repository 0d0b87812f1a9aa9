"""MeshNet: grows a mesh from 2D and 3D joints, coarse to fine, with Chebyshev graph convolutions.

Source: Pose2Mesh (ECCV 2020), section 5. Activations are vertex-major, (V, B, F), from the first layer to the last.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from lib.mesh_graph import MeshGraph
from lib.models.backbones.batch_norm import batch_norm_relu
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.mesh_levels import MeshLevel, SparseOperator, level_rows

_PAPER_CHANNELS = {
    "body": (
        (5, 32, 64, 64),  # joint graph
        (64, 128, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 128, 128),
        (128, 128, 128),
        (128, 128, 128),
        (128, 64, 3),
    ),
    "hand": (
        (5, 32, 64, 64),  # joint graph
        (64, 128, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 128, 128),
        (128, 64, 3),
    ),
}


@dataclass(frozen=True)
class MeshNetPlan:
    """Channels through the successive convolutions of each block.

    Block 0 works on the joint graph, blocks 1 ... n - 2 on the mesh levels from coarse to fine, block n - 1 again on
    the finest level.

    Raises:
        ValueError: fewer than 3 blocks, a block without a convolution, a channel count below 1, or a block that does
            not start with the channels the previous one ends with.
    """

    channels: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(tuple(block) for block in self.channels))
        if len(self.channels) < 3:
            raise ValueError(f"a MeshNet plan needs at least 3 blocks (joints, mesh, output), got {len(self.channels)}")
        for i, block in enumerate(self.channels):
            if len(block) < 2 or min(block) < 1:
                raise ValueError(f"MeshNet block {i} needs two or more positive channel counts, got {list(block)}")
            if i and block[0] != self.channels[i - 1][-1]:
                raise ValueError(
                    f"MeshNet block {i} starts with {block[0]} channels, but block {i - 1} ends with "
                    f"{self.channels[i - 1][-1]}"
                )

    @classmethod
    def paper(cls, kind: str) -> "MeshNetPlan":
        """The published plan for a ``body`` (8 mesh levels in use) or a ``hand`` (5)."""
        if kind not in _PAPER_CHANNELS:
            raise ValueError(f"there are MeshNet plans for {' and '.join(_PAPER_CHANNELS)}, not for {kind!r}")
        return cls(_PAPER_CHANNELS[kind])

    @classmethod
    def from_config(cls, mesh_channels: Sequence[Sequence[int]], kind: str) -> "MeshNetPlan":
        """``MODEL.mesh_channels`` of a configuration, or the published plan of ``kind`` when it is empty."""
        return cls(tuple(map(tuple, mesh_channels))) if mesh_channels else cls.paper(kind)

    def check_levels(self, mesh_levels: int) -> None:
        """Raises ValueError unless there is one block per mesh level in use, plus the joint and the output block."""
        if len(self.channels) != mesh_levels + 2:
            raise ValueError(
                f"the MeshNet plan has {len(self.channels)} blocks, but a graph with {mesh_levels} mesh levels in use "
                f"needs {mesh_levels + 2}: one for the joints, one per mesh level, one for the output "
                "(MODEL.mesh_channels and MODEL.graph_levels must fit together)"
            )


def resize_channels(x: Tensor, channels: int) -> Tensor:
    """Linear interpolation along the last axis (half-pixel centres), (..., F) to (..., channels)."""
    width = x.shape[-1]
    if width == channels:
        return x
    if width == 2 * channels:
        return x.unflatten(-1, (channels, 2)).mean(-1)
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

        self.levels = nn.ModuleList(MeshLevel(r, L) for r, L in zip(rows, graph.laplacians[-2::-1]))
        self.joint_laplacian = SparseOperator(graph.laplacians[-1])
        self.register_buffer("coarse_order", torch.from_numpy(rows[0].position), persistent=False)
        output = rows[-1].representative if padded else rows[-1].representative[graph.reverse]
        self.register_buffer("output_order", torch.from_numpy(np.ascontiguousarray(output)), persistent=False)

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
        graph_L: all Laplacians from `lib.graph_utils.build_coarse_graphs`; the list stays as it is.

    Returns:
        The published network whose number of levels fits. Its output has all rows of the padded finest level, in the
        graph's order: select ``out[:, graph_perm_reverse[:vertex_num]]``.

    Raises:
        ValueError: neither published plan has this number of levels.
    """
    plans = {len(channels) - 1: MeshNetPlan(channels) for channels in _PAPER_CHANNELS.values()}
    if len(graph_L) - 1 not in plans:
        known = " or ".join(map(str, plans))
        raise ValueError(f"published MeshNets have {known} coarsening levels, got {len(graph_L) - 1}")
    # Only real vertices have neighbours.
    real = np.flatnonzero(np.diff(sparse.csr_matrix(graph_L[0]).indptr) > 1)
    graph = MeshGraph.from_lists(graph_L, real, vertex_num=len(real))
    return MeshNet(graph, plans[len(graph_L) - 1], num_joint_input_chan, num_mesh_output_chan, padded=True)
