"""PoseNet and the base of meshes in plain operators: their normalisations are factors and offsets."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.backbones.batch_norm import running_statistics
from lib.models.mesh_base import MeshBase
from lib.models.module_list import ModuleList
from lib.models.posenet import PoseNet, ResidualStage


def scale_and_shift(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """A normalisation with fixed statistics as x * scale + shift, both (F,)."""
    mean, variance = running_statistics(norm)
    scale = (norm.weight * torch.rsqrt(variance + norm.eps)).detach()
    return scale, (norm.bias - mean * scale).detach()


def _linear(layer: nn.Linear, scale: Tensor | float = 1.0, shift: Tensor | float = 0.0) -> nn.Linear:
    """layer(x) * scale + shift as a layer of its own."""
    plain = nn.Linear(layer.in_features, layer.out_features)
    with torch.no_grad():
        plain.weight.copy_((layer.weight.t() * scale).t())
        plain.bias.copy_(layer.bias * scale + shift)
    return plain


class PlainStage(nn.Module):
    """A trained residual stage in plain operators; its second normalisation is multiplied into the weights."""

    scale: Tensor
    shift: Tensor

    def __init__(self, trained: ResidualStage):
        super().__init__()
        scale, shift = scale_and_shift(trained.batch_norm1)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.inner = _linear(trained.w1, *scale_and_shift(trained.batch_norm2))
        self.outer = _linear(trained.w2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(F.relu(self.inner(F.relu(x * self.scale + self.shift))))


class PlainPerceptron(nn.Module):
    """A trained residual perceptron in plain operators, (B, n) to (B, m)."""

    def __init__(self, model: PoseNet | MeshBase):
        super().__init__()
        self.first = _linear(model.w1)
        self.last = _linear(model.w2) if isinstance(model.w2, nn.Linear) else nn.Identity()
        self.stages = ModuleList(map(PlainStage, model.linear_stages))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for stage in self.stages:
            x = stage(x)
        return self.last(x)


class PlainPoseNet(nn.Module):
    """A trained PoseNet in plain operators, (B, 2J) to (B, 3J); see `PoseNet.forward`."""

    def __init__(self, model: PoseNet):
        super().__init__()
        self.lift, self.mirror = PlainPerceptron(model), model.mirror

    def forward(self, pose2d: Tensor) -> Tensor:
        return self.lift(pose2d) if self.mirror is None else self.mirror.averaged(self.lift, pose2d)


class PlainBase(nn.Module):
    """A trained `MeshBase` in plain operators, (B, J, 5) to (B, V, 3)."""

    def __init__(self, model: MeshBase):
        super().__init__()
        self.components, self.basis = PlainPerceptron(model), _linear(model.basis)

    def forward(self, joints: Tensor) -> Tensor:
        return self.basis(self.components(joints.flatten(1))).unflatten(1, (-1, 3))
