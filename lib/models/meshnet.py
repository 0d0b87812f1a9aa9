"""MeshNet: grows a mesh from 2D and 3D joints, coarse to fine, with Chebyshev graph convolutions.

Source: Pose2Mesh (ECCV 2020), section 5.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.batch_norm import conv_norm_relu
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.mesh_levels import MeshLevel, SparseOperator, level_rows
from lib.models.backbones.resize import resize_channels
from lib.models.cpu import meshnet as cpu
from lib.models.cpu.dense import Linear
from lib.models.cpu.prepared import Prepared
from lib.models.mesh_plan import PAPER_CHANNELS, MeshNetPlan
from lib.models.module_list import ModuleList


class MeshNet(Prepared):
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

    coarse_order: Tensor
    output_order: Tensor

    def __init__(
        self, graph: MeshGraph, plan: MeshNetPlan, joint_channels: int = 5, out_channels: int = 3, padded: bool = False
    ):
        super().__init__()
        plan.check(len(graph.laplacians) - 1, joint_channels, out_channels)
        self.plan, self.joint_num, self.joint_channels, self.padded = plan, graph.joint_num, joint_channels, padded
        rows = level_rows(graph)
        self.coarse_size = len(rows[0].representative)
        # Definition order fixes the order of state-dict keys and of torch's random initialisation.
        self.fc = Linear(graph.joint_num * plan.channels[0][-1], self.coarse_size * plan.channels[1][0])
        pairs = [pair for block in plan.channels for pair in itertools.pairwise(block)]
        self.cl = ModuleList(ChebyGraphConv(*pair) for pair in pairs)
        self.bn = ModuleList(nn.BatchNorm1d(width) for _, width in pairs[:-1])

        self.joint_laplacian = SparseOperator(graph.laplacians[-1])
        self.levels = ModuleList(MeshLevel(r, L) for r, L in zip(rows, graph.laplacians[-2::-1]))
        self.register_buffer("coarse_order", torch.from_numpy(rows[0].position), persistent=False)
        output = rows[-1].representative if padded else rows[-1].representative[graph.reverse]
        self.register_buffer("output_order", torch.from_numpy(output), persistent=False)
        self.mixers = cpu.Mixers(graph, plan, rows, output, padded, self.cl[0].order)

    @property
    def vertex_num(self) -> int:
        """Vertices per mesh that ``forward`` returns."""
        return len(self.output_order)

    @torch.no_grad()
    def prepare(self, narrow: torch.dtype | None = None) -> None:
        """Make ready for predictions with the weights as they are: what depends on these alone is computed once.

        Args:
            narrow: type that large products round their factors to; None: none do.
        """
        on_cpu = self.fc.weight.device.type == "cpu"
        self.prepared = cpu.prepared(self, narrow) if on_cpu else narrow

    def forward(self, joints: Tensor) -> Tensor:
        """Predict meshes.

        Args:
            joints: (B, J, 5): standardised 2D joints (x, y) and root-relative 3D joints (X, Y, Z), metres.

        Returns:
            (B, V, 3) vertices in the mesh's own order, metres, root-relative; with ``padded`` all padded rows.

        Raises:
            ValueError: another number of joints or channels.
        """
        wanted = self.joint_num, self.joint_channels
        if joints.shape[1:] != wanted:
            raise ValueError(f"MeshNet takes (B, {wanted[0]}, {wanted[1]}) joints, got {tuple(joints.shape)}")
        fast_path = cpu.path(self, joints)  # the same meshes in an order that suits a CPU; `fast_paths` switches it off
        if fast_path is not None:
            return fast_path(self, joints)
        narrow = self.prepared if isinstance(self.prepared, torch.dtype) else None
        if narrow is None:
            return self._vertex_major(joints)
        with torch.autocast(joints.device.type, dtype=narrow):
            return self._vertex_major(joints)

    def _vertex_major(self, joints: Tensor) -> Tensor:
        batch, fakes = len(joints), self.training or self.padded
        layers = zip(self.cl, self.bn)  # without the last convolution, which has no normalisation
        joint_block, *mesh_blocks, _ = self.plan.channels
        x, laplacian = joints.transpose(0, 1), self.joint_laplacian()  # from here on vertex-major, (V, B, F)
        for _ in joint_block[1:]:
            x = conv_norm_relu(x, laplacian, *next(layers))
        x = self.fc(x.transpose(0, 1).reshape(batch, -1)).view(batch, self.coarse_size, -1)
        x = x[:, self.coarse_order if fakes else self.coarse_order[: self.levels[0].real]].transpose(0, 1)

        for level, block in zip(self.levels, mesh_blocks):
            x, laplacian = level.upsample(x, fakes), level.operator(fakes)
            block_input = x
            for _ in block[1:]:
                x = conv_norm_relu(x, laplacian, *next(layers), level.extra, level.padded_size)
            x = x + resize_channels(block_input, block[-1])

        for conv, norm in layers:
            x = conv_norm_relu(x, laplacian, conv, norm, level.extra, level.padded_size)
        if fakes and not self.padded:  # no statistics are taken after the last layer
            x, laplacian = x[: level.real], level.operator(fakes=False)
        return self.cl[-1](x, laplacian)[self.output_order].transpose(0, 1)


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
