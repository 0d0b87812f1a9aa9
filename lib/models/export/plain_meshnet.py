"""MeshNet in plain operators, activations (V*B, F), samples fastest: a row of the graph is one piece of memory."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.resize import resize_channels
from lib.models.export.neighbour_sums import BLOCK_ROWS, DENSE_ROWS, NeighbourSum, RowCopies, compact_order
from lib.models.export.perceptrons import scale_and_shift
from lib.models.meshnet import MeshNet
from lib.models.module_list import ModuleList


class PlainConv(nn.Module):
    """Chebyshev graph convolution with its normalisation and ReLU, (N*B, F) to (V*B, F').

    Args:
        conv: the trained one.
        norm: BatchNorm behind it, whose running statistics are multiplied in; None for the last layer, without ReLU.
        product: with the Laplacian L.
        copies: the upsampling P in front of it; None: there is none.
        entering: product with L P; the same as ``product`` without an upsampling.
    """

    weights: Tensor
    bias: Tensor

    def __init__(
        self,
        conv: ChebyGraphConv,
        norm: nn.BatchNorm1d | None,
        product: NeighbourSum,
        copies: RowCopies | None = None,
        entering: NeighbourSum | None = None,
    ):
        super().__init__()
        weights, bias = conv.power_weights().detach(), conv.bias.detach()
        if norm is not None:
            scale, shift = scale_and_shift(norm)
            weights, bias = weights * scale, bias * scale + shift
        self.relu = norm is not None
        self.linear_first = conv.out_channels <= conv.in_channels
        self.register_buffer("weights", weights.contiguous().clone())
        self.register_buffer("bias", bias.clone())
        self.product, self.copies = product, copies
        self.entering = product if entering is None else entering

    def forward(self, x: Tensor) -> Tensor:
        y = self._horner(x) if self.linear_first else self._powers(x)
        return F.relu(y) if self.relu else y

    def _horner(self, x: Tensor) -> Tensor:
        """((x A_2) L + x A_1) L + x A_0: of two rows with one parent, products with weights are done once."""
        own = nn.Identity() if self.copies is None else self.copies
        first, *others = self.weights
        y = own(torch.addmm(self.bias, x, first))
        if not others:
            return y
        inner = self.entering(x @ others[-1])
        for weight in others[-2::-1]:
            inner = self.product(own(x @ weight) + inner)
        return y + inner

    def _powers(self, x: Tensor) -> Tensor:
        powers = [x if self.copies is None else self.copies(x)]
        for _ in self.weights[1:]:
            powers.append(self.product(powers[-1]))
        return torch.addmm(self.bias, torch.cat(powers, 1), self.weights.flatten(0, 1))


class PlainLevel(nn.Module):
    """The convolutions of a mesh level, and around them and the upsampling the skip connection.

    Args:
        convs: of the level.
        copies: its upsampling; None at the coarsest level.
        block: channels from the first convolution's input to the last one's output.
    """

    resize: Tensor | None

    def __init__(self, convs: ModuleList[PlainConv], copies: RowCopies | None, block: Sequence[int]):
        super().__init__()
        self.convs, self.copies = convs, copies
        # linear, so its matrix is what it makes of the unit vectors
        resize = None if block[0] == block[-1] else resize_channels(torch.eye(block[0]), block[-1])
        self.register_buffer("resize", resize)

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.resize is None else x @ self.resize
        for conv in self.convs:
            x = conv(x)
        return x + (skip if self.copies is None else self.copies(skip))


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

        def convs(block: Sequence[int], *products) -> ModuleList[PlainConv]:
            """Convolutions of a block, of which the first one is behind the upsampling."""
            first, *others = (next(layers) for _ in block[1:])
            return ModuleList([PlainConv(*first, *products), *(PlainConv(*layer, products[0]) for layer in others)])

        joint_num, laplacians = graph.joint_num, graph.laplacians[-2::-1]
        self.joint_convs = convs(joint_block, NeighbourSum(graph.laplacians[-1], joint_num))
        rows = [_ordered(laplacian, own, dense_rows) for laplacian, own in zip(laplacians, _real_rows(graph))]
        self.width = mesh_blocks[0][0]
        kept = (rows[0][:, None] * self.width + np.arange(self.width)).ravel()
        self.fc = nn.Linear(model.fc.in_features, len(kept))
        self.fc.load_state_dict({name: value[kept] for name, value in model.fc.state_dict().items()})
        levels = []
        for number, (block, laplacian) in enumerate(zip(mesh_blocks, laplacians, strict=True)):
            matrix = _among(laplacian, rows[number])
            product, copies, entering = NeighbourSum(matrix, dense_rows), None, None
            if number:
                parent = _places(rows[number - 1], rows[number] // 2)
                shape = len(parent), len(rows[number - 1])
                upsampling = sparse.csr_matrix((np.ones(len(parent)), (np.arange(len(parent)), parent)), shape)
                copies, entering = RowCopies(parent, shape[1]), NeighbourSum(matrix @ upsampling, dense_rows)
            levels.append(PlainLevel(convs(block, product, copies, entering), copies, block))
        self.levels = ModuleList(levels)
        self.output_convs = convs(output_block, product)
        self.output = RowCopies(_places(rows[-1], graph.reverse), len(rows[-1]))

    def forward(self, joints: Tensor) -> Tensor:
        """(B, J, 5) joints to (B, V, 3) vertices in the mesh's order, metres; see `MeshNet.forward`."""
        x = joints.transpose(0, 1).reshape(-1, joints.shape[2])
        for conv in self.joint_convs:
            x = conv(x)
        x = x.view(joints.shape[1], -1, x.shape[1]).transpose(0, 1).flatten(1)
        x = self.fc(x).unflatten(1, (-1, self.width)).transpose(0, 1).reshape(-1, self.width)
        for level in self.levels:
            x = level(x)
        for conv in self.output_convs:
            x = conv(x)
        return self.output(x).view(len(self.output.rows), -1, 3).transpose(0, 1)


def _real_rows(graph: MeshGraph) -> list[np.ndarray]:
    """Padded rows of the real vertices per level, coarsest first, rising."""
    rows = [np.unique(graph.reverse)]
    for _ in graph.sizes[1:-1]:
        rows.insert(0, np.unique(rows[0] // 2))
    return rows


def _ordered(laplacian: sparse.csr_matrix, rows: np.ndarray, dense_rows: int) -> np.ndarray:
    """Rows in an order that suits `NeighbourSum`, filled up to whole blocks by copies of the last one."""
    rows = rows[compact_order(laplacian[rows][:, rows], dense_rows)]
    fill = -len(rows) % BLOCK_ROWS if len(rows) > dense_rows else 0
    return np.pad(rows, (0, fill), mode="edge")


def _among(laplacian: sparse.csr_matrix, rows: np.ndarray) -> sparse.csr_matrix:
    """The operator among rows, of which none is read a second time."""
    _, first = np.unique(rows, return_index=True)
    matrix = sparse.lil_matrix((len(rows), len(rows)), dtype=laplacian.dtype)
    matrix[:, first] = laplacian[rows][:, rows[first]]
    return matrix.tocsr()


def _places(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where rows are, the first time."""
    order = np.argsort(rows, kind="stable")
    return order[np.searchsorted(rows, wanted, sorter=order)]
