"""The five losses and one optimiser step (slow reference of ``lib.core.loss`` and ``lib.core.base``)."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def coordinate_loss(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of (B, N, 3), invalid entries zeroed but counted."""
    return (pred * valid - target * valid).abs().mean()


def normal_loss(pred: Tensor, target: Tensor, faces: Tensor) -> Tensor:
    """Mean |cosine| between predicted edges and true face normals."""
    f0, f1, f2 = faces[:, 0], faces[:, 1], faces[:, 2]
    edge1 = F.normalize(pred[:, f1, :] - pred[:, f0, :], p=2, dim=2)
    edge2 = F.normalize(pred[:, f2, :] - pred[:, f0, :], p=2, dim=2)
    edge3 = F.normalize(pred[:, f2, :] - pred[:, f1, :], p=2, dim=2)
    true1 = F.normalize(target[:, f1, :] - target[:, f0, :], p=2, dim=2)
    true2 = F.normalize(target[:, f2, :] - target[:, f0, :], p=2, dim=2)
    normal = F.normalize(torch.cross(true1, true2, dim=2), p=2, dim=2)
    cosines = [(edge * normal).sum(2, keepdim=True).abs() for edge in (edge1, edge2, edge3)]
    return torch.cat(cosines, dim=1).mean()


def edge_loss(pred: Tensor, target: Tensor, faces: Tensor) -> Tensor:
    """Mean absolute difference of edge lengths."""
    f0, f1, f2 = faces[:, 0], faces[:, 1], faces[:, 2]
    differences = []
    for a, b in ((f0, f1), (f0, f2), (f1, f2)):
        length = ((pred[:, a, :] - pred[:, b, :]) ** 2).sum(2, keepdim=True).sqrt()
        true_length = ((target[:, a, :] - target[:, b, :]) ** 2).sum(2, keepdim=True).sqrt()
        differences.append((length - true_length).abs())
    return torch.cat(differences, dim=1).mean()


class PlainTrainer:
    """Forward, losses, backward and RMSprop, parameter by parameter.

    Args:
        model: PlainPose2Mesh.
        faces: (F, 3).
        regressor: (Jt, V) target joints of the mesh.
        reverse: (V,) row of each vertex in the padded output.
        weights: of the normal, edge and joint losses.
        lr: learning rate.
    """

    def __init__(self, model, faces, regressor, reverse, weights=(0.1, 20.0, 0.001), lr: float = 1e-3):
        self.model = model
        self.faces = torch.from_numpy(np.asarray(faces, dtype=np.int64))
        self.regressor = torch.as_tensor(regressor, dtype=torch.float32)
        self.reverse = torch.from_numpy(np.asarray(reverse, dtype=np.int64))
        self.weights = weights
        self.optimizer = torch.optim.RMSprop(model.parameters(), lr=lr, foreach=False)

    def losses(self, batch, with_edges: bool = True) -> list[Tensor]:
        """Weighted vertex, normal, edge, mesh joint and lifted joint loss of ``(inputs, targets, meta)``."""
        inputs, targets, meta = batch
        normal_weight, edge_weight, joint_weight = self.weights
        padded, pose3d = self.model(inputs["pose2d"])
        mesh = padded[:, self.reverse, :]
        joints = torch.matmul(self.regressor[None].to(mesh), mesh * 1000)
        edge = edge_weight * edge_loss(mesh, targets["mesh"], self.faces) if with_edges else mesh.new_zeros(())
        return [
            coordinate_loss(mesh, targets["mesh"], meta["mesh_valid"]),
            normal_weight * normal_loss(mesh, targets["mesh"], self.faces),
            edge,
            joint_weight * coordinate_loss(joints, targets["reg_pose3d"], meta["reg_pose3d_valid"]),
            joint_weight * coordinate_loss(pose3d, targets["lift_pose3d"], meta["lift_pose3d_valid"]),
        ]

    def step(self, batch, with_edges: bool = True) -> float:
        """One training step; the total loss before it."""
        first, *others = self.losses(batch, with_edges)
        total = sum(others, start=first)
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        return total.item()


def posenet_step(model, optimizer, pose2d: Tensor, target: Tensor, valid: Tensor) -> float:
    """One training step of PoseNet alone; the loss before it."""
    loss = coordinate_loss(model(pose2d.reshape(len(pose2d), -1)).reshape(target.shape), target, valid)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
