"""A rough mesh from joints, which MeshNet corrects: a perceptron from all joints to principal components of meshes.

Not part of the published network. A mesh is to a great part a smooth function of its joints; this part of it is learned
in a fraction of the time that graph convolutions need for it, which then turn to what it cannot express.
"""

import torch
from torch import Tensor, nn

from lib.models.module_list import ModuleList
from lib.models.posenet import ResidualStage


class MeshBase(nn.Module):
    """Joints to a rough mesh.

    Args:
        num_joint: joints J.
        vertex_num: vertices V.
        components: principal components that the mesh is made of.
        width: hidden units; 0: components depend linearly on the joints.
        stages: residual stages of the hidden units.
        joint_channels: input channels per joint.
    """

    def __init__(
        self, num_joint: int, vertex_num: int, components: int, width: int, stages: int, joint_channels: int = 5
    ):
        super().__init__()
        self.w1 = nn.Linear(joint_channels * num_joint, width or components)
        self.linear_stages = ModuleList(ResidualStage(width, 0.0) for _ in range(stages if width else 0))
        self.w2 = nn.Linear(width, components) if width else nn.Identity()
        self.basis = nn.Linear(components, 3 * vertex_num)
        nn.init.zeros_(self.basis.weight)
        nn.init.zeros_(self.basis.bias)

    @property
    def is_fresh(self) -> bool:
        """Whether the basis is still to be set; also after a warm start from another number of components."""
        return not bool(self.basis.weight.any())

    def forward(self, joints: Tensor) -> Tensor:
        """(B, J, 5) joints as MeshNet takes them to (B, V, 3) vertices, metres, root-relative."""
        x = self.w1(joints.flatten(1))
        for stage in self.linear_stages:
            x = stage(x)
        x = self.w2(x)
        # bfloat16 would round vertices to millimetres
        with torch.autocast(x.device.type, enabled=False):
            return self.basis(x.to(self.basis.weight.dtype)).unflatten(1, (-1, 3))

    @torch.no_grad()
    def set_basis(self, meshes: Tensor) -> None:
        """Mean and principal components of meshes (N, V, 3), metres; coefficients get unit variance over them."""
        rows = meshes.flatten(1).double()
        mean = rows.mean(0)
        _, values, directions = torch.linalg.svd(rows - mean, full_matrices=False)
        count = min(self.basis.in_features, len(values))
        spread = values[:count, None] / (len(rows) - 1) ** 0.5
        self.basis.weight.zero_()
        self.basis.weight[:, :count] = (directions[:count] * spread).t().to(self.basis.weight)
        self.basis.bias.copy_(mean)
