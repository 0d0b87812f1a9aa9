"""PoseNet, MeshNet and Pose2Mesh on the padded graph, batch first (slow reference of ``lib.models``)."""

import math

import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

CHEBYSHEV_ORDER = 3


class PlainStage(nn.Module):
    """Twice (BatchNorm, ReLU, dropout, linear), added to the input."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.w1 = nn.Linear(width, width)
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.w2 = nn.Linear(width, width)
        self.batch_norm2 = nn.BatchNorm1d(width)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.w1(self.dropout(self.relu(self.batch_norm1(x))))
        y = self.w2(self.dropout(self.relu(self.batch_norm2(y))))
        return x + y


class PlainPoseNet(nn.Module):
    """(B, 2J) standardised 2D joints to (B, 3J) millimetres; ``batch_norm1`` is never used."""

    def __init__(self, joint_num: int, width: int = 4096, stages: int = 2, dropout: float = 0.5):
        super().__init__()
        self.w1 = nn.Linear(2 * joint_num, width)
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.linear_stages = nn.ModuleList(PlainStage(width, dropout) for _ in range(stages))
        self.w2 = nn.Linear(width, 3 * joint_num)

    def forward(self, x: Tensor) -> Tensor:
        y = self.w1(x)
        for stage in self.linear_stages:
            y = stage(y)
        return self.w2(y)


def sparse_tensor(matrix: sparse.spmatrix) -> Tensor:
    """Uncoalesced float32 COO tensor."""
    matrix = sparse.coo_matrix(matrix)
    indices = torch.tensor([matrix.row.tolist(), matrix.col.tolist()], dtype=torch.int64)
    return torch.sparse_coo_tensor(indices, torch.from_numpy(matrix.data).float(), matrix.shape, check_invariants=False)


def chebyshev_convolution(x: Tensor, linear: nn.Linear, norm: nn.Module | None, laplacian: Tensor) -> Tensor:
    """Graph convolution and BatchNorm over all padded rows.

    Args:
        x: (B, V, F_in).
        linear: F_in * 3 columns, column f * 3 + k.
        norm: BatchNorm1d, or None after the last convolution.
        laplacian: (V, V) sparse.

    Returns:
        (B, V, F_out).
    """
    batch, vertices, width = x.shape
    first = x.permute(1, 2, 0).contiguous().view(vertices, width * batch)
    second = torch.sparse.mm(laplacian, first)
    third = 2 * torch.sparse.mm(laplacian, second) - first
    bases = torch.cat([first.unsqueeze(0), second.unsqueeze(0), third.unsqueeze(0)], dim=0)
    bases = bases.view(CHEBYSHEV_ORDER, vertices, width, batch).permute(3, 1, 2, 0).contiguous()
    rows = linear(bases.view(batch * vertices, width * CHEBYSHEV_ORDER))
    if norm is not None:
        rows = norm(rows)
    return rows.view(batch, vertices, -1)


class PlainMeshNet(nn.Module):
    """(B, J, 5) joints to (B, padded vertices, 3) metres in the graph's order.

    Args:
        laplacians: matrices of the levels in use, finest first, joint graph last.
        channels: channels through the convolutions of each block.
    """

    def __init__(self, laplacians, channels):
        super().__init__()
        self.channels = channels
        self.laplacians = [sparse_tensor(L) for L in laplacians]
        joint_num, coarse_size = laplacians[-1].shape[0], laplacians[-2].shape[0]
        self.fc = nn.Linear(joint_num * channels[0][-1], coarse_size * channels[1][0])
        pairs = [(block[i], block[i + 1]) for block in channels for i in range(len(block) - 1)]
        self.cl = nn.ModuleList(nn.Linear(CHEBYSHEV_ORDER * width, out) for width, out in pairs)
        self.bn = nn.ModuleList(nn.BatchNorm1d(out) for _, out in pairs[:-1])
        for linear in self.cl:
            bound = math.sqrt(2.0 / (linear.in_features + linear.out_features))
            nn.init.uniform_(linear.weight, -bound, bound)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        last_block, layer = len(self.channels) - 1, 0
        for i, block in enumerate(self.channels):
            # block i works on entry -(i + 1); the last block again on the entry of the block before it
            laplacian = self.laplacians[-(min(i, last_block - 1) + 1)].to(device=x.device, dtype=x.dtype)
            block_input = x
            for _ in block[1:]:
                is_last = layer == len(self.cl) - 1
                x = chebyshev_convolution(x, self.cl[layer], None if is_last else self.bn[layer], laplacian)
                if not is_last:
                    x = F.relu(x)
                layer += 1
            if i == 0:
                x = self.fc(x.reshape(len(x), -1)).view(len(x), -1, self.channels[1][0])
            elif i < last_block:
                if block[0] != block[-1]:
                    block_input = F.interpolate(block_input, size=block[-1], mode="linear", align_corners=False)
                x = x + block_input
                if i < last_block - 1:
                    x = F.interpolate(x.permute(0, 2, 1), scale_factor=2, mode="nearest").permute(0, 2, 1)
        return x


class PlainPose2Mesh(nn.Module):
    """(B, J, 2) to padded mesh (B, padded vertices, 3) metres and pose (B, J, 3) millimetres."""

    def __init__(self, pose_lifter: PlainPoseNet, pose2mesh: PlainMeshNet):
        super().__init__()
        self.pose_lifter = pose_lifter
        self.pose2mesh = pose2mesh

    def forward(self, pose2d: Tensor) -> tuple[Tensor, Tensor]:
        pose3d = self.pose_lifter(pose2d.reshape(len(pose2d), -1)).reshape(len(pose2d), -1, 3)
        return self.pose2mesh(torch.cat([pose2d, pose3d.detach() / 1000], dim=2)), pose3d
