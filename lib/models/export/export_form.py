"""Trained networks rewritten in operators that every inference engine has, for export.

The training code computes graph convolutions with sparse tensors and embedding bags, which exchange formats cannot
express. Here a product with a Laplacian is one with small dense blocks (`neighbour_sums`), normalisation is multiplied
into the weights, and only real vertices are computed.
"""

import copy

import torch
from torch import Tensor, nn

from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.models.export.neighbour_sums import DENSE_ROWS
from lib.models.export.perceptrons import PlainBase, PlainPoseNet
from lib.models.export.plain_meshnet import PlainMeshNet
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.posenet import PoseNet
from lib.units import MM_PER_M


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
