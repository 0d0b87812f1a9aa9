"""Pose2Mesh: PoseNet and MeshNet in sequence.

Source: Pose2Mesh (ECCV 2020), section 3.
"""

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor, nn

from lib.graph.mesh_graph import MeshGraph
from lib.joints.lookup import get_joint_set
from lib.models import meshnet, posenet
from lib.models.lifters import build_lifter
from lib.models.mesh_base import MeshBase
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.torch_operators import keep_from_data_parallel
from lib.settings.config import Config
from lib.units import MM_PER_M


class Pose2Mesh(nn.Module):
    """2D pose to 3D pose and mesh.

    Args:
        pose_lifter: lifts the joints (`lib.models.lifters`), as published a PoseNet; mesh losses never reach it, it
            learns from its own output.
        pose2mesh: grows the mesh.
        mesh_base: rough mesh that MeshNet's output is added to; None, as published: there is none.
        freeze: keep PoseNet as it is: evaluation mode (no dropout, fixed statistics) and no gradients. The published
            training does not freeze it.
    """

    def __init__(
        self, pose_lifter: nn.Module, pose2mesh: MeshNet, mesh_base: MeshBase | None = None, freeze: bool = False
    ):
        super().__init__()
        self.pose_lifter = pose_lifter
        self.pose2mesh = pose2mesh
        self.mesh_base, self.base_alone = mesh_base, False
        if mesh_base is not None:  # a correction starts at zero
            nn.init.zeros_(pose2mesh.cl[-1].weight)
            nn.init.zeros_(pose2mesh.cl[-1].bias)
        self.freeze = freeze
        if freeze:
            self.pose_lifter.requires_grad_(False).eval()
        persistent = self.state_dict().keys()
        constants = [name for name, _ in self.named_buffers() if name not in persistent]
        unused = getattr(pose_lifter, "UNUSED", ())
        keep_from_data_parallel(self, [f"pose_lifter.{name}" for name in unused] + constants)

    def train(self, mode: bool = True) -> "Pose2Mesh":
        """Switch the mode; a frozen PoseNet stays in evaluation mode."""
        super().train(mode)
        if self.freeze:
            self.pose_lifter.eval()
        return self

    def forward(self, pose2d: Tensor) -> tuple[Tensor, Tensor]:
        """Predict pose and mesh.

        Args:
            pose2d: (B, J, 2) standardised 2D joints.

        Returns:
            mesh (B, V, 3), metres, and pose3d (B, J, 3), millimetres, both root-relative.
        """
        pose3d = self.pose_lifter(pose2d.flatten(1)).view(*pose2d.shape[:2], 3)
        return self.mesh(pose2d, pose3d.detach()), pose3d

    def mesh(self, pose2d: Tensor, pose3d: Tensor) -> Tensor:
        """Meshes (B, V, 3), metres, of standardised 2D joints (B, J, 2) and root-relative 3D joints (B, J, 3), mm."""
        joints = torch.cat([pose2d, pose3d / MM_PER_M], dim=2)
        if self.mesh_base is None:
            return self.pose2mesh(joints)
        base = self.mesh_base(joints)
        return base if self.base_alone else base + self.pose2mesh(joints)

    def train_base_alone(self) -> None:
        """Leave MeshNet as it is, and out of the computation: for the start, while its output is zero.

        Raises:
            ValueError: there is no base, or MeshNet is trained already: the mesh of the weights would be another one.
        """
        if self.mesh_base is None:
            raise ValueError("TRAIN.mesh_part: base needs a base: set MODEL.base_components")
        if any(parameter.any() for parameter in self.pose2mesh.cl[-1].parameters()):
            raise ValueError("TRAIN.mesh_part: base is for the start: MeshNet in TRAIN.init_path is trained already")
        self.base_alone = True
        self.pose2mesh.requires_grad_(False)


def build_pose2mesh(cfg: Config, graph: MeshGraph) -> Pose2Mesh:
    """The Pose2Mesh that a configuration describes, randomly initialised from torch's global generator.

    Raises:
        ValueError: input and target joints belong to different kinds of mesh, the graph has other joints than the
            input, or its levels do not fit the channel plan.
    """
    joint_set = get_joint_set(cfg.DATASET.input_joint_set)
    target = get_joint_set(cfg.DATASET.target_joint_set)
    if joint_set.body != target.body:
        raise ValueError(
            f"DATASET.input_joint_set {joint_set.name!r} is of a {joint_set.body}, "
            f"DATASET.target_joint_set {target.name!r} of a {target.body}"
        )
    if graph.joint_num != joint_set.joint_num:
        raise ValueError(
            f"the graph was built for {graph.joint_num} joints, joint set {joint_set.name!r} has {joint_set.joint_num}"
        )
    plan = MeshNetPlan.from_config(cfg.MODEL.mesh_channels, joint_set.body)
    model, base = cfg.MODEL, None
    if model.base_components:
        vertex_num = len(graph.reverse)
        base = MeshBase(joint_set.joint_num, vertex_num, model.base_components, model.base_width, model.base_stages)
    return Pose2Mesh(build_lifter(cfg), MeshNet(graph, plan), base, model.posenet_freeze)


def get_model(num_joint: int, graph_L: Sequence[sparse.spmatrix]) -> Pose2Mesh:
    """The published Pose2Mesh under the original release's constructor name; see `meshnet.get_model`."""
    return Pose2Mesh(posenet.get_model(num_joint), meshnet.get_model(5, 3, graph_L))
