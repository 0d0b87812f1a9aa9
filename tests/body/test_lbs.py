"""Linear blend skinning: against a slow obvious version, invariances, gradients."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.body.lbs import BodyParams, lbs
from lib.body.rotation import rotate_root
from lib.joints.tables import SMPL as SMPL_JOINTS
from tests.helpers import assert_close
from tests.support.open_models import random_pose

SIDE = {"L": "R", "R": "L"}


def slow_lbs(arrays: dict, pose: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One sample of the SMPL paper's equations in float64: loops over joints, no batching, dense 4x4 transforms."""
    arrays = {key: np.asarray(value, dtype=np.float64) for key, value in arrays.items()}
    rotations = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix()
    shaped = arrays["v_template"] + arrays["shapedirs"] @ betas
    joints = arrays["J_regressor"] @ shaped
    posed = shaped + arrays["posedirs"] @ (rotations[1:] - np.eye(3)).ravel()
    world = []
    for joint, rotation in enumerate(rotations):
        parent = int(arrays["kintree_table"][0, joint])
        local = np.eye(4)
        local[:3, :3] = rotation
        local[:3, 3] = joints[joint] if joint == 0 else joints[joint] - joints[parent]
        world.append(local if joint == 0 else world[parent] @ local)
    world = np.array(world)
    bones = world.copy()
    bones[:, :3, 3] -= np.einsum("kij,kj->ki", world[:, :3, :3], joints)
    blended = np.einsum("vk,kij->vij", arrays["weights"], bones)
    homogeneous = np.concatenate([posed, np.ones((len(posed), 1))], axis=1)
    return np.einsum("vij,vj->vi", blended, homogeneous)[:, :3], world[:, :3, 3]


def test_lbs_matches_slow_version(open_model):
    params = open_model.params()
    pose, betas = random_pose(params.joint_num, 3)
    vertices, joints = lbs(params, torch.from_numpy(pose).float(), torch.from_numpy(betas).float())
    for i in range(len(pose)):
        expected = slow_lbs(open_model.arrays(), pose[i] + params.pose_mean.double().numpy(), betas[i])
        assert_close(vertices[i], expected[0], 2e-6, "vertices")
        assert_close(joints[i], expected[1], 2e-6, "joints")
    assert vertices.is_contiguous()
    assert vertices.dtype == torch.float32


def test_lbs_in_double_precision(body):
    params = body.params().to(dtype=torch.float64)
    pose, betas = random_pose(params.joint_num, 2)
    vertices, joints = lbs(params, torch.from_numpy(pose), torch.from_numpy(betas))
    expected = slow_lbs(body.arrays(), pose[1], betas[1])
    assert_close(vertices[1], expected[0], 1e-7)  # 1e-8 in the rotation formula
    assert_close(joints[1], expected[1], 1e-7)


def test_rest_pose_is_template_plus_shape(body):
    params = body.params()
    betas = torch.linspace(-1, 1, 10)[None]
    vertices, joints = lbs(params, torch.zeros(1, 72), betas)
    shaped = params.v_template + params.shapedirs @ betas[0]
    assert_close(vertices[0], shaped, 1e-6)
    assert_close(joints[0], params.J_regressor @ shaped, 1e-6)


def test_root_rotation_turns_the_body_about_the_root_joint(open_model):
    params = open_model.params()
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(params.joint_num, 4, seed=1))
    turn = torch.from_numpy(Rotation.random(4, np.random.default_rng(8)).as_matrix()).float()
    turned = pose.clone()
    turned[:, :3] = rotate_root(turn, pose[:, :3])
    vertices, joints = lbs(params, pose, betas)
    turned_vertices, turned_joints = lbs(params, turned, betas)
    root = joints[:, :1]
    assert_close(turned_joints[:, :1], root, 1e-6)
    assert_close(turned_vertices, (vertices - root) @ turn.transpose(1, 2) + root, 5e-6)


def test_samples_of_a_batch_are_independent(body):
    params = body.params()
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(24, 5, seed=2))
    vertices, joints = lbs(params, pose, betas)
    order = torch.tensor([3, 0, 4, 2, 1])
    shuffled = lbs(params, pose[order], betas[order])
    assert_close(shuffled[0], vertices[order], 1e-6)
    assert_close(shuffled[1], joints[order], 1e-6)
    assert_close(lbs(params, pose[2:3], betas[2:3])[0], vertices[2:3], 1e-6)


def test_subset_keeps_vertices_and_joints(open_model):
    params = open_model.params()
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(params.joint_num, 3, seed=3))
    ids = np.random.default_rng(9).permutation(open_model.vertex_num)[:300]
    small = params.subset(ids)
    vertices, joints = lbs(params, pose, betas)
    few, same_joints = lbs(small, pose, betas)
    assert few.shape == (3, 300, 3)
    assert_close(few, vertices[:, ids], 1e-6)
    assert torch.equal(same_joints, joints)
    triangles = {tuple(sorted(face)) for face in open_model.faces.tolist()}
    assert all(tuple(sorted(ids[face].tolist())) in triangles for face in small.faces.numpy())
    inside = np.isin(open_model.faces, ids).all(axis=1).sum()
    assert len(small.faces) == inside


def test_mirrored_pose_gives_the_mirrored_open_body(body):
    names = SMPL_JOINTS.joints
    swap = [names.index(SIDE[n[0]] + n[1:]) if n[:2] in ("L_", "R_") else i for i, n in enumerate(names)]
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(24, 3, seed=4, scale=0.3))
    mirrored = pose.view(3, 24, 3)[:, swap] * torch.tensor([1.0, -1.0, -1.0])
    vertices, _ = lbs(body.params(), pose, betas)
    other, _ = lbs(body.params(), mirrored.reshape(3, 72), betas)
    flipped = vertices[:, body.flip_vertex_ids] * torch.tensor([-1.0, 1.0, 1.0])
    assert (other - flipped).norm(dim=-1).max() < 2e-6


@pytest.mark.parametrize("count", [0, 1, 40, 300])
def test_blocks_of_vertices_change_nothing(body, count):
    params = body.params()
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(24, count, seed=6))
    vertices, joints = lbs(params, pose, betas)
    whole, same_joints = lbs(params, pose.requires_grad_(), betas)  # gradients need all vertices at once
    assert_close(vertices, whole.detach(), 1e-6)
    assert torch.equal(joints, same_joints)


def test_lbs_gradients(body):
    ids = np.arange(0, body.vertex_num, 400)
    params = body.params().to(dtype=torch.float64).subset(ids)
    pose, betas = (torch.from_numpy(a).requires_grad_() for a in random_pose(24, 2, seed=5))
    assert torch.autograd.gradcheck(lambda p, b: lbs(params, p, b), (pose, betas), atol=1e-6, fast_mode=True)


def test_params_of_arrays_with_one_joint():
    arrays = {
        "v_template": np.eye(3),
        "shapedirs": np.zeros((3, 3, 2)),
        "posedirs": np.zeros((3, 3, 0)),
        "J_regressor": np.full((1, 3), 1 / 3),
        "weights": np.ones((3, 1)),
        "f": np.array([[0, 1, 2]]),
        "kintree_table": np.array([[4294967295], [0]], dtype=np.uint32),
    }
    params = BodyParams.from_arrays(arrays)
    vertices, joints = lbs(params, torch.tensor([[0.0, 0, np.pi / 2]]), torch.zeros(1, 2))
    assert_close(joints, np.full((1, 1, 3), 1 / 3), 1e-6)
    assert_close(vertices[0, 0], [2 / 3, 1, 0], 1e-6)
