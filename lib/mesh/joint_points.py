"""The joints of a set as points of a body (``lib.body.points``)."""

from dataclasses import replace

import torch

from lib.body.hand import order_hand_joints
from lib.body.lbs import BodyParams
from lib.body.points import BodyPoints
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO, HUMAN36
from lib.mesh.mesh_model import MeshModel


def with_joints(params: BodyParams) -> BodyParams:
    """The model with its K joints as further vertices, which move with them."""
    still = params.blend.new_zeros(params.joint_num, 3, params.posedirs.shape[-1])
    joints = torch.cat([params.J_template[..., None], params.J_shapedirs, still], dim=2)
    return replace(
        params,
        blend=torch.cat([params.blend, joints]),
        weights=torch.cat([params.weights, torch.eye(params.joint_num).to(params.weights)]),
        J_regressor=None,
    )


def joint_matrix(mesh_model: MeshModel, joint_set: JointSet) -> torch.Tensor:
    """(J, V + K) what makes the set's joints, derived ones included, of vertices and joints of the model.

    As in training data: ``smpl`` and ``mano`` joints are the model's own, others are regressed from the mesh.
    """
    vertex_num, joint_num = mesh_model.vertex_num, mesh_model.params().joint_num
    own = torch.cat([torch.zeros(joint_num, vertex_num), torch.eye(joint_num)], dim=1)
    if joint_set.name == "smpl":
        return own
    if joint_set.name == "mano":
        tips = torch.nn.functional.one_hot(torch.tensor(mesh_model.layer_tips), vertex_num + joint_num).float()
        return order_hand_joints(torch.cat([own, tips]), axis=0)
    regressor = torch.from_numpy(joint_set.add_derived(mesh_model.joint_regressor(joint_set)))
    return torch.cat([regressor, regressor.new_zeros(len(regressor), joint_num)], dim=1)


def joint_points(mesh_model: MeshModel, joint_set: JointSet, device: torch.device | str = "cpu") -> BodyPoints:
    """The set's joints without the derived ones."""
    params = with_joints(mesh_model.params()).to(device)
    return BodyPoints(params, joint_matrix(mesh_model, joint_set)[: joint_set.keypoint_num].to(params.weights))


def origin_point(mesh_model: MeshModel, joint_set: JointSet, device: torch.device | str = "cpu") -> BodyPoints:
    """The one point that meshes of a network for these joints are relative to: the root; of ``coco`` human36's."""
    root_set = get_joint_set(HUMAN36) if joint_set.name == COCO.name else joint_set
    params = with_joints(mesh_model.params()).to(device)
    return BodyPoints(params, joint_matrix(mesh_model, root_set)[None, root_set.root].to(params.weights))
