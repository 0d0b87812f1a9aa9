"""Meshes of lifted sequences: MeshNet frame by frame, on the lifted joints alone."""

import torch
from torch import Tensor

from lib.geometry.crops import standardise
from lib.geometry.person_view import towards
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.temporal import LiftedFrames
from lib.units import MM_PER_M

_NEAREST = 0.1  # metres in front of the camera that no joint is projected from nearer


def frame_meshes(network: Pose2Mesh, lifted: LiftedFrames, input_scale: str) -> Tensor:
    """Meshes of frames.

    MeshNet wants a 2D pose beside the 3D one. It gets the lifted joints as a camera sees them that looks straight at
    the person, not the 2D input: what a detector got wrong in one frame stays out of the mesh.

    Args:
        network: whose MeshNet, and base where it has one, grows the meshes.
        lifted: joints (B, J, 3) mm, root-relative, and root (B, 3) metres, camera frame.
        input_scale: of the network (``lib.geometry.crops.standardise``).

    Returns:
        (B, V, 3) metres, camera frame, relative to the root as the network's meshes are.
    """
    rotation = towards(lifted.root[:, :2] / lifted.root[:, 2:].clamp_min(_NEAREST))
    joints = lifted.joints @ rotation.transpose(1, 2)
    distance = torch.linalg.vector_norm(lifted.root, dim=1)[:, None, None]
    pose2d = joints[..., :2] / (joints[..., 2:] / MM_PER_M + distance).clamp_min(_NEAREST)
    return network.mesh(standardise(pose2d, input_scale), joints) @ rotation
