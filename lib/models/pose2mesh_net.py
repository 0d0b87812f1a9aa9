"""Pose2Mesh: PoseNet and MeshNet in sequence.

Source: Pose2Mesh (ECCV 2020), section 3.
"""

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor, nn

from lib.core.config import Config
from lib.joint_sets import get_joint_set
from lib.mesh_graph import MeshGraph
from lib.models import meshnet, posenet
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.posenet import PoseNet, build_posenet

MM_PER_M = 1000.0


class Pose2Mesh(nn.Module):
    """2D pose to 3D pose and mesh.

    Args:
        pose_lifter: lifts the joints; mesh losses never reach it, it learns from its own output.
        pose2mesh: grows the mesh.
        freeze: keep PoseNet as it is: evaluation mode (no dropout, fixed statistics) and no gradients. The published
            training does not freeze it.
    """

    def __init__(self, pose_lifter: PoseNet, pose2mesh: MeshNet, freeze: bool = False):
        super().__init__()
        self.pose_lifter = pose_lifter
        self.pose2mesh = pose2mesh
        self.freeze = freeze
        if freeze:
            self.pose_lifter.requires_grad_(False).eval()
        persistent = self.state_dict().keys()
        constants = [name for name, _ in self.named_buffers() if name not in persistent]
        self._ddp_params_and_buffers_to_ignore = [f"pose_lifter.{name}" for name in PoseNet.UNUSED] + constants

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
        mesh = self.pose2mesh(torch.cat([pose2d, pose3d.detach() / MM_PER_M], dim=2))
        return mesh, pose3d


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
    return Pose2Mesh(build_posenet(cfg), MeshNet(graph, plan), cfg.MODEL.posenet_freeze)


def get_model(num_joint: int, graph_L: Sequence[sparse.spmatrix]) -> Pose2Mesh:
    """The published Pose2Mesh under the original release's constructor name; see `meshnet.get_model`."""
    return Pose2Mesh(posenet.get_model(num_joint), meshnet.get_model(5, 3, graph_L))
