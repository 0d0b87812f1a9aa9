"""SMPL layer with loops over joints (slow reference of ``lib.body``)."""

import numpy as np
import torch
from torch import Tensor, nn


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """(B, 4) w, x, y, z, any length, to (B, 9)."""
    quaternion = quaternion / quaternion.norm(p=2, dim=1, keepdim=True)
    w, x, y, z = quaternion[:, 0], quaternion[:, 1], quaternion[:, 2], quaternion[:, 3]
    w2, x2, y2, z2 = w.pow(2), x.pow(2), y.pow(2), z.pow(2)
    wx, wy, wz, xy, xz, yz = w * x, w * y, w * z, x * y, x * z, y * z
    rows = [
        w2 + x2 - y2 - z2, 2 * xy - 2 * wz, 2 * wy + 2 * xz,
        2 * wz + 2 * xy, w2 - x2 + y2 - z2, 2 * yz - 2 * wx,
        2 * xz - 2 * wy, 2 * wx + 2 * yz, w2 - x2 - y2 + z2,
    ]  # fmt: skip
    return torch.stack(rows, dim=1)


def rotation_of(axis_angle: Tensor) -> Tensor:
    """(B, 3) to (B, 9)."""
    angle = torch.norm(axis_angle + 1e-8, p=2, dim=1, keepdim=True)
    axis = axis_angle / angle
    return quaternion_to_matrix(torch.cat([torch.cos(angle / 2), torch.sin(angle / 2) * axis], dim=1))


class PlainBodyLayer(nn.Module):
    """Axis-angle pose and shape to vertices and joints, metres.

    Args:
        arrays: ``v_template``, ``shapedirs``, ``posedirs``, ``J_regressor``, ``weights``, ``kintree_table``.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    J_regressor: Tensor
    weights: Tensor

    def __init__(self, arrays: dict[str, np.ndarray]):
        super().__init__()
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"):
            self.register_buffer(name, torch.tensor(np.asarray(arrays[name]), dtype=torch.float32))
        self.parents = [int(parent) for parent in np.asarray(arrays["kintree_table"])[0]]
        self.joint_num = len(self.parents)

    def forward(self, pose: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3K) and (B, 10) to (B, V, 3) and (B, K, 3); no translation."""
        batch = len(pose)
        rotations = [rotation_of(pose[:, 3 * k : 3 * k + 3]).view(batch, 3, 3) for k in range(self.joint_num)]
        identity = torch.eye(3).expand(batch, 3, 3)
        feature = torch.cat([(rotation - identity).reshape(batch, 9) for rotation in rotations[1:]], dim=1)

        shaped = self.v_template[None] + torch.matmul(self.shapedirs, betas.transpose(1, 0)).permute(2, 0, 1)
        joints = torch.matmul(self.J_regressor, shaped)
        posed = shaped + torch.matmul(self.posedirs, feature.transpose(0, 1)).permute(2, 0, 1)

        last_row = torch.tensor([0.0, 0.0, 0.0, 1.0]).view(1, 1, 4).expand(batch, 1, 4)
        chain: list[Tensor] = []
        for k, rotation in enumerate(rotations):
            offset = joints[:, k] if k == 0 else joints[:, k] - joints[:, self.parents[k]]
            local = torch.cat([torch.cat([rotation, offset.reshape(batch, 3, 1)], dim=2), last_row], dim=1)
            chain.append(local if k == 0 else torch.matmul(chain[self.parents[k]], local))

        skinning = []
        for k, transform in enumerate(chain):
            rest = torch.cat([joints[:, k], joints.new_zeros(batch, 1)], dim=1).view(batch, 4, 1)
            moved = torch.matmul(transform, rest)
            skinning.append(transform - torch.cat([moved.new_zeros(batch, 4, 3), moved], dim=2))
        transforms = torch.matmul(torch.stack(skinning, dim=3), self.weights.transpose(0, 1))
        ones = torch.ones(batch, 1, posed.shape[1])
        homogeneous = torch.cat([posed.transpose(2, 1), ones], dim=1)
        vertices = (transforms * homogeneous.unsqueeze(1)).sum(2).transpose(2, 1)[:, :, :3]
        return vertices, torch.stack(chain, dim=1)[:, :, :3, 3]
