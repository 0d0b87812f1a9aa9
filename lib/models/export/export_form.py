"""Trained networks rewritten in operators that every inference engine has, for export.

The training code computes graph convolutions with sparse tensors and embedding bags, which exchange formats cannot
express. Here a product with a Laplacian is a gather of a fixed number of neighbours and a weighted sum (on coarse
levels a dense matrix product), normalisation is multiplied into the weights, and only real vertices are computed.
"""

import copy
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.resize import resize_channels
from lib.models.export.perceptrons import PlainBase, PlainPoseNet, scale_and_shift
from lib.models.meshnet import MeshNet
from lib.models.module_list import ModuleList
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.posenet import PoseNet
from lib.units import MM_PER_M

# Rows up to which a dense product is faster than a gather of neighbours (measured with onnxruntime on a CPU).
DENSE_ROWS = 256


class NeighbourSum(nn.Module):
    """A constant sparse matrix S times the rows of each sample, (B, N, F) to (B, R, F).

    Args:
        matrix: (R, N).
        dense_rows: up to how many rows a dense product is used.
    """

    matrix: Tensor
    columns: Tensor
    values: Tensor

    def __init__(self, matrix: sparse.spmatrix, dense_rows: int = DENSE_ROWS):
        super().__init__()
        matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        self.rows, self.degree = matrix.shape[0], int(np.diff(matrix.indptr).max())
        self.dense = self.rows <= dense_rows
        if self.dense:
            self.register_buffer("matrix", torch.from_numpy(matrix.toarray()))
            return
        place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
        row = np.repeat(np.arange(self.rows), np.diff(matrix.indptr))
        columns = np.zeros((self.rows, self.degree), dtype=np.int64)  # missing neighbours: row 0 with weight 0
        values = np.zeros((self.rows, 1, self.degree), dtype=np.float32)
        columns[row, place], values[row, 0, place] = matrix.indices, matrix.data
        self.register_buffer("columns", torch.from_numpy(columns.ravel()))
        self.register_buffer("values", torch.from_numpy(values))

    def forward(self, x: Tensor) -> Tensor:
        if self.dense:
            return self.matrix @ x
        neighbours = x.index_select(1, self.columns).unflatten(1, (self.rows, self.degree))
        return (self.values @ neighbours).squeeze(2)


class PlainConv(nn.Module):
    """Chebyshev graph convolution with its normalisation and ReLU, (B, N, F) to (B, N, F').

    Args:
        conv: the trained one.
        norm: BatchNorm behind it, whose running statistics are multiplied in; None for the last layer, without ReLU.
        neighbours: product with the Laplacian.
    """

    weights: Tensor
    bias: Tensor

    def __init__(self, conv: ChebyGraphConv, norm: nn.BatchNorm1d | None, neighbours: NeighbourSum):
        super().__init__()
        weights, bias = conv.power_weights().detach(), conv.bias.detach()
        if norm is not None:
            scale, shift = scale_and_shift(norm)
            weights, bias = weights * scale, bias * scale + shift
        self.relu = norm is not None
        self.linear_first = conv.out_channels <= conv.in_channels
        self.register_buffer("weights", weights.contiguous().clone())
        self.register_buffer("bias", bias.clone())
        self.neighbours = neighbours

    def forward(self, x: Tensor) -> Tensor:
        order = len(self.weights)
        if self.linear_first:
            y = x @ self.weights[order - 1]
            for k in range(order - 2, -1, -1):
                y = x @ self.weights[k] + self.neighbours(y)
        else:
            y, power = x @ self.weights[0], x
            for k in range(1, order):
                power = self.neighbours(power)
                y = y + power @ self.weights[k]
        y = y + self.bias
        return F.relu(y) if self.relu else y


class PlainLevel(nn.Module):
    """The convolutions of a mesh level in plain operators, behind the upsampling and around them the skip connection.

    Args:
        convs: of the level.
        parent: (V,) row of the coarser level that each vertex copies; None at the coarsest level.
        block: channels from the first convolution's input to the last one's output.
    """

    parent: Tensor | None
    resize: Tensor | None

    def __init__(self, convs: ModuleList[PlainConv], parent: np.ndarray | None, block: Sequence[int]):
        super().__init__()
        self.convs = convs
        self.register_buffer("parent", None if parent is None else torch.from_numpy(parent))
        # linear, so its matrix is what it makes of the unit vectors
        resize = None if block[0] == block[-1] else resize_channels(torch.eye(block[0]), block[-1])
        self.register_buffer("resize", resize)

    def forward(self, x: Tensor) -> Tensor:
        if self.parent is not None:
            x = x.index_select(1, self.parent)
        skip = x if self.resize is None else x @ self.resize
        for conv in self.convs:
            x = conv(x)
        return x + skip


class PlainMeshNet(nn.Module):
    """MeshNet in plain operators.

    Args:
        model: trained network.
        graph: the graph that it was trained with.
        dense_rows: see `NeighbourSum`.

    Raises:
        ValueError: the graph does not fit the network.
    """

    def __init__(self, model: MeshNet, graph: MeshGraph, dense_rows: int = DENSE_ROWS):
        super().__init__()
        if graph.joint_num != model.joint_num or graph.sizes[-2] != model.coarse_size:
            raise ValueError(f"a graph with level sizes {graph.sizes} does not fit the network")
        joint_block, *mesh_blocks, output_block = model.plan.channels
        layers = itertools.zip_longest(model.cl, model.bn)

        def convs(count: int, matrix: sparse.spmatrix) -> ModuleList[PlainConv]:
            product = NeighbourSum(matrix, dense_rows)
            return ModuleList(PlainConv(*next(layers), product) for _ in range(count))

        self.joint_convs = convs(len(joint_block) - 1, graph.laplacians[-1])
        rows = _real_rows(graph)
        width = mesh_blocks[0][0]
        kept = (rows[0][:, None] * width + np.arange(width)).ravel()
        self.fc = nn.Linear(model.fc.in_features, len(kept))
        self.fc.load_state_dict({name: value[kept] for name, value in model.fc.state_dict().items()})
        levels = []
        for number, (block, laplacian) in enumerate(zip(mesh_blocks, graph.laplacians[-2::-1], strict=True)):
            parent = None if number == 0 else _places(rows[number - 1], rows[number] // 2)
            own = laplacian[rows[number]][:, rows[number]]
            levels.append(PlainLevel(convs(len(block) - 1, own), parent, block))
        self.levels = ModuleList(levels)
        self.output_convs = convs(len(output_block) - 1, graph.laplacians[0][rows[-1]][:, rows[-1]])

    def forward(self, joints: Tensor) -> Tensor:
        """(B, J, 5) joints to (B, V, 3) vertices in the mesh's order, metres; see `MeshNet.forward`."""
        x = joints
        for conv in self.joint_convs:
            x = conv(x)
        x = self.fc(x.flatten(1)).unflatten(1, (-1, self.levels[0].convs[0].weights.shape[1]))
        for level in self.levels:
            x = level(x)
        for conv in self.output_convs:
            x = conv(x)
        return x


def _real_rows(graph: MeshGraph) -> list[np.ndarray]:
    """Padded rows of the real vertices per level, coarsest first; at the finest level in the mesh's order."""
    rows = [np.asarray(graph.reverse)]
    for _ in graph.sizes[1:-1]:
        rows.insert(0, np.unique(rows[0] // 2))
    return rows


def _places(sorted_rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.searchsorted(sorted_rows, wanted)


class ExportForm(nn.Module):
    """A trained network from detected keypoints to its results, in plain operators.

    Args:
        network: trained Pose2Mesh, PoseNet, or another lifter, which is taken as it is (``lib.models.lifters``).
        joint_set: of its input.
        graph: of the mesh network; None for a lifter alone.
        dense_rows: see `NeighbourSum`.
        input_scale: see ``lib.geometry.crops.standardise``.

    ``forward`` takes keypoints (B, keypoint_num, 2) in pixels, or in any unit: derived joints (pelvis and neck of coco)
    and the normalisation of the input are part of it. It gives ``pose3d`` (B, J, 3), millimetres, and behind it for
    Pose2Mesh ``mesh`` (B, V, 3), metres, both root-relative.
    """

    def __init__(
        self,
        network: nn.Module,
        joint_set: JointSet,
        graph: MeshGraph | None = None,
        dense_rows: int = DENSE_ROWS,
        input_scale: str = "axis",
    ):
        super().__init__()
        self.joint_set = joint_set
        self.scaled_over = (1,) if input_scale == "axis" else (1, 2)
        lifter = network.pose_lifter if isinstance(network, Pose2Mesh) else network
        self.lifter = PlainPoseNet(lifter) if isinstance(lifter, PoseNet) else copy.deepcopy(lifter)
        self.mesh: PlainMeshNet | None = None
        self.base: PlainBase | None = None
        if isinstance(network, Pose2Mesh):
            assert graph is not None  # weights of a mesh network hold it
            self.mesh = PlainMeshNet(network.pose2mesh, graph, dense_rows)
            self.base = None if network.mesh_base is None else PlainBase(network.mesh_base)
        self.requires_grad_(False).eval()

    def forward(self, keypoints: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        pose2d = self.joint_set.add_derived(keypoints)
        pose2d = pose2d - pose2d.mean(dim=1, keepdim=True)
        pose2d = pose2d / pose2d.square().mean(dim=self.scaled_over, keepdim=True).sqrt()
        pose3d = self.lifter(pose2d.flatten(1)).unflatten(1, (-1, 3))
        if self.mesh is None:
            return pose3d
        joints = torch.cat([pose2d, pose3d / MM_PER_M], dim=2)
        mesh = self.mesh(joints)
        return pose3d, mesh if self.base is None else mesh + self.base(joints)
