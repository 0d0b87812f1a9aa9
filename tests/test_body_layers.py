"""Rotations, skinning, body and hand layers: against golden numbers, slow obvious versions and invariances."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib import ROOT
from lib.body.hand import TIP_VERTICES_LAYER, TIP_VERTICES_REGRESSOR
from lib.body.layer import BodyLayer, HandLayer
from lib.body.lbs import BodyParams, lbs
from lib.body.rotation import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    nearest_rotation,
    quaternion_to_matrix,
    rotate_root,
    rotation_from_6d,
)
from lib.joint_sets import SMPL as SMPL_JOINTS
from lib.mesh_model import load_mesh_model
from manopth.manolayer import ManoLayer
from smplpytorch.pytorch.smpl_layer import SMPL_Layer
from tests.helpers import assert_close, golden, shared_path

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


@pytest.fixture(scope="module", params=["open_1723", "open_6890", "open_hand"])
def open_model(request):
    return load_mesh_model("hand" if request.param == "open_hand" else "body", request.param)


@pytest.fixture(scope="module")
def body():
    return load_mesh_model("body", "open_1723")


def random_pose(joint_num: int, batch: int, seed: int = 0, scale: float = 0.5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, 3 * joint_num)) * scale, rng.normal(size=(batch, 10))


# ---------------------------------------------------------------------------------------------------- rotations


def test_axis_angle_to_matrix_matches_scipy():
    vectors = np.random.default_rng(0).normal(size=(500, 3)) * 2
    expected = Rotation.from_rotvec(vectors).as_matrix()
    double = torch.from_numpy(vectors)
    assert_close(axis_angle_to_matrix(double), expected, 1e-7)  # 1e-8 is part of the formula
    assert_close(axis_angle_to_matrix(double.float()), expected, 2e-6)


def test_zero_axis_angle_is_identity_with_finite_gradient():
    vector = torch.zeros(2, 3, requires_grad=True)
    matrix = axis_angle_to_matrix(vector)
    assert_close(matrix.detach(), np.broadcast_to(np.eye(3), (2, 3, 3)), 1e-7)
    matrix[:, 0, 1].sum().backward()
    assert torch.isfinite(vector.grad).all()
    assert_close(vector.grad, [[0, 0, -1]] * 2, 1e-4)  # dR/dz at identity is the generator of rotations about z


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-6, 1e-4, 0.01, 1.0, 3.0, np.pi - 1e-3, np.pi - 1e-6])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 3e-8), (torch.float32, 2e-6)])
def test_axis_angle_round_trip(angle, dtype, tolerance):
    axes = np.random.default_rng(1).normal(size=(200, 3))
    vectors = torch.from_numpy(axes / np.linalg.norm(axes, axis=1, keepdims=True) * angle).to(dtype)
    result = matrix_to_axis_angle(axis_angle_to_matrix(vectors))
    assert result.norm(dim=1).max() <= np.pi + 1e-6
    # near pi, rounding may give the same rotation with the opposite axis
    error = torch.minimum((result - vectors).norm(dim=1), 2 * np.pi - (result - vectors).norm(dim=1))
    assert error.max() <= tolerance


def test_matrix_to_axis_angle_of_half_turns():
    axes = np.random.default_rng(2).normal(size=(100, 3))
    axes = np.concatenate([np.eye(3), axes / np.linalg.norm(axes, axis=1, keepdims=True)])
    matrices = torch.from_numpy(Rotation.from_rotvec(axes * np.pi).as_matrix())
    vectors = matrix_to_axis_angle(matrices)
    assert_close(vectors.norm(dim=1), np.full(len(axes), np.pi), 1e-12)
    assert_close(np.abs((vectors.numpy() * axes).sum(axis=1)), np.full(len(axes), np.pi), 1e-12)


def test_matrix_to_axis_angle_gradients():
    assert torch.equal(matrix_to_axis_angle(torch.eye(3)), torch.zeros(3))
    matrix = torch.eye(3, dtype=torch.float64).requires_grad_()
    matrix_to_axis_angle(matrix).sum().backward()
    assert torch.isfinite(matrix.grad).all()
    vectors = torch.from_numpy(np.random.default_rng(3).normal(size=(4, 3)) * 0.5)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)).sum(0), vectors
    )
    assert_close(jacobian.permute(1, 0, 2), np.broadcast_to(np.eye(3), (4, 3, 3)), 1e-6)


def test_rotate_root_matches_scipy():
    rng = np.random.default_rng(4)
    left, right = Rotation.random(50, rng), Rotation.random(50, rng)
    result = rotate_root(torch.from_numpy(left.as_matrix()), torch.from_numpy(right.as_rotvec()))
    assert_close(Rotation.from_rotvec(result.numpy()).as_matrix(), (left * right).as_matrix(), 1e-7)


def test_rotate_root_of_zero_rotation_is_the_rotation_alone():
    """The original divided by the zero angle and passed NaN on."""
    rotation = Rotation.random(5, np.random.default_rng(5))
    result = rotate_root(torch.from_numpy(rotation.as_matrix()).float(), torch.zeros(5, 3))
    assert torch.isfinite(result).all()
    assert_close(result, rotation.as_rotvec(), 1e-6)


def test_rotation_from_6d():
    rotations = torch.from_numpy(Rotation.random(20, np.random.default_rng(6)).as_matrix())
    columns = torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)
    for symmetric in (False, True):
        assert_close(rotation_from_6d(columns, symmetric), rotations, 1e-12)
        noisy = rotation_from_6d(2 * columns + 0.1, symmetric)
        assert_close(noisy.transpose(1, 2) @ noisy, np.broadcast_to(np.eye(3), (20, 3, 3)), 1e-12)
        assert (torch.linalg.det(noisy) > 0).all()
    # x keeps the direction of the first vector only in the asymmetric reading
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([1.0, 1.0, 0])
    assert_close(rotation_from_6d(torch.cat([a, b]))[:, 0], [1, 0, 0], 1e-6)
    symmetric = rotation_from_6d(torch.cat([a, b]), symmetric=True)
    half = np.deg2rad(22.5)
    bisector = symmetric[:, 0] + symmetric[:, 1]
    assert_close(bisector / bisector.norm(), [np.cos(half), np.sin(half), 0], 1e-6)


def test_nearest_rotation():
    rotations = torch.from_numpy(Rotation.random(20, np.random.default_rng(7)).as_matrix())
    scaled = rotations @ torch.diag(torch.tensor([1.3, 0.8, 1.1], dtype=torch.float64))
    assert_close(nearest_rotation(rotations * 3), rotations, 1e-12)
    assert_close(torch.linalg.det(nearest_rotation(scaled)), np.ones(20), 1e-12)
    mirrored = rotations * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    assert_close(nearest_rotation(mirrored), rotations, 1e-12)


def test_quaternion_length_does_not_matter():
    quaternion = torch.tensor([0.3, -0.4, 0.5, 0.6], dtype=torch.float64)
    assert_close(quaternion_to_matrix(3 * quaternion), quaternion_to_matrix(quaternion), 1e-12)


# ----------------------------------------------------------------------------------------------------- skinning


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


def test_lbs_gradients(body):
    ids = np.arange(0, body.vertex_num, 400)
    params = body.params().to(dtype=torch.float64).subset(ids)
    pose, betas = (torch.from_numpy(a).requires_grad_() for a in random_pose(24, 2, seed=5))
    assert torch.autograd.gradcheck(lambda p, b: lbs(params, p, b), (pose, betas), atol=1e-6, fast_mode=True)


def test_wrong_shapes_are_named(body):
    with pytest.raises(ValueError, match="24 joints and 10 shape components"):
        lbs(body.params(), torch.zeros(2, 72), torch.zeros(2, 9))
    with pytest.raises(ValueError, match="24 joints"):
        BodyLayer(body.arrays())(torch.zeros(2, 69))


# ---------------------------------------------------------------------------------------------- golden: SMPL layer


@pytest.fixture(scope="module")
def numbers():
    return golden("body_layers")


def tensor(array, grad=False):
    return torch.from_numpy(array).requires_grad_(grad)


@pytest.fixture(scope="module")
def smpl_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native") / "models"
    folder.mkdir()
    for gender, short in (("neutral", "neutral"), ("female", "f"), ("male", "m")):
        link = folder / f"basicModel_{short}_lbs_10_207_0_v1.0.0.npz"
        link.symlink_to(shared_path(f"models/pseudo_smpl_{gender}.npz"))
    return folder


@pytest.mark.parametrize("gender", ["neutral", "female", "male"])
def test_smpl_layer_golden(numbers, smpl_root, gender):
    layer = SMPL_Layer(gender=gender, model_root=str(smpl_root))
    key = f"smpl_{gender}_"
    vertices, joints = layer(*(tensor(numbers[key + name]) for name in ("pose", "shape", "trans")))
    assert_close(vertices[:, numbers["smpl_vid"]], numbers[key + "verts_at_vid"], what="vertices")
    assert_close(joints, numbers[key + "joints"], what="joints")
    assert_close(vertices.double().sum((1, 2)), numbers[key + "verts_sum"], 1e-6)
    assert_close(vertices.double().norm(dim=(1, 2)), numbers[key + "verts_norm"], 1e-6)


def test_smpl_layer_golden_rules_and_gradients(numbers, smpl_root):
    key, vid = "smpl_neutral_", numbers["smpl_vid"]
    pose, shape = tensor(numbers[key + "pose"], True), tensor(numbers[key + "shape"], True)
    trans = tensor(numbers[key + "trans"])
    layer = SMPL_Layer(model_root=str(smpl_root))
    for betas in (None, torch.zeros(1), torch.zeros(4, 10)):
        vertices, joints = layer(pose.detach(), betas)
        assert_close(vertices[:, vid], numbers[key + "noshape_verts_at_vid"])
        assert_close(joints, numbers[key + "noshape_joints"])
    vertices, joints = layer(pose, shape, trans)
    ((vertices[:, numbers["smpl_grad_vid"]] ** 2).sum() + joints.sum()).backward()
    assert_close(pose.grad, numbers[key + "grad_pose"], what="pose gradient")
    assert_close(shape.grad, numbers[key + "grad_shape"], what="shape gradient")
    assert_close(layer.vertice_segmentation, numbers[key + "segmentation"], 0)

    centred = SMPL_Layer(center_idx=0, model_root=str(smpl_root))
    vertices, joints = centred(pose.detach(), shape.detach())
    assert_close(vertices[:, vid], numbers[key + "center0_verts_at_vid"])
    assert_close(joints, numbers[key + "center0_joints"])
    _, joints = centred(pose.detach(), shape.detach(), trans)
    assert_close(joints, numbers[key + "center0_trans_joints"])


def test_smpl_layer_buffers(smpl_root):
    layer = SMPL_Layer(model_root=str(smpl_root))
    shapes = {name: tuple(buffer.shape) for name, buffer in layer.named_buffers()}
    assert shapes == {
        "th_betas": (1, 10),
        "th_shapedirs": (6890, 3, 10),
        "th_posedirs": (6890, 3, 207),
        "th_v_template": (1, 6890, 3),
        "th_J_regressor": (24, 6890),
        "th_weights": (6890, 24),
        "th_faces": (13776, 3),
    }
    assert layer.th_faces.dtype == torch.int64
    assert layer.num_joints == len(layer.kintree_parents) == layer.kintree_table.shape[1] == 24


# ---------------------------------------------------------------------------------------------- golden: MANO layer


@pytest.fixture(scope="module")
def mano_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mano")
    for name in ("MANO_RIGHT.npz", "MANO_LEFT.npz"):
        (folder / name).symlink_to(shared_path("models/pseudo_mano_right.npz"))
    return str(folder)


@pytest.mark.parametrize(
    "name, options",
    [
        ("used", {"flat_hand_mean": False, "use_pca": False}),
        ("flat", {"flat_hand_mean": True, "use_pca": False}),
        ("pca6", {"flat_hand_mean": False, "use_pca": True}),
        ("center9", {"center_idx": 9, "flat_hand_mean": False, "use_pca": False}),
    ],
)
def test_mano_layer_golden(numbers, mano_root, name, options):
    layer = ManoLayer(mano_root=mano_root, **options)
    pose, shape, trans = (tensor(numbers[f"mano_{name}_{part}"]) for part in ("pose", "shape", "trans"))
    vertices, joints = layer(pose, shape, trans)
    assert_close(vertices[:, ::5], numbers[f"mano_{name}_verts"])
    assert_close(joints, numbers[f"mano_{name}_joints"])
    vertices, joints = layer(pose, shape)
    assert_close(joints, numbers[f"mano_{name}_notrans_joints"])
    # a sum over 2,334 numbers of up to 100 mm that nearly cancel
    assert np.abs(vertices.double().sum((1, 2)).numpy() - numbers[f"mano_{name}_notrans_verts_sum"]).max() < 0.02


def test_mano_layer_golden_options(numbers, mano_root):
    layer = ManoLayer(mano_root=mano_root, flat_hand_mean=False, use_pca=False)
    pose, shape = tensor(numbers["mano_used_pose"]), tensor(numbers["mano_used_shape"])
    for betas in (None, torch.zeros(1)):
        assert_close(layer(pose, betas)[1], numbers["mano_used_noshape_joints"])
    for flag in (True, torch.Tensor([1])):
        assert_close(layer(pose, shape, root_palm=flag)[1], numbers["mano_used_rootpalm_joints"])
        assert_close(layer(pose, shape, share_betas=flag)[1], numbers["mano_used_sharebetas_joints"])
    for flag in (False, torch.Tensor([0]), [0]):
        assert_close(layer(pose, shape, root_palm=flag, share_betas=flag)[1], numbers["mano_used_notrans_joints"])
    shapes = {name: tuple(buffer.shape) for name, buffer in layer.named_buffers()}
    assert shapes["th_hands_mean"] == (1, 45)
    assert shapes["th_selected_comps"] == (6, 45)
    assert len(shapes) == 9


@pytest.fixture(scope="module")
def hand_arrays():
    return load_mesh_model("hand", "open_hand").arrays()


def test_mano_layer_root_and_joint_modes_agree(hand_arrays):
    """6D roots and rotation matrices describe the same hand as axis-angles."""
    pose = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 48)) * 0.5).float()
    betas = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    plain = HandLayer(hand_arrays, use_pca=False)
    expected = plain(pose, betas)
    matrices = axis_angle_to_matrix(pose.view(3, 16, 3))
    by_matrix = HandLayer(hand_arrays, use_pca=False, joint_rot_mode="rotmat")
    assert_close(by_matrix(matrices, betas)[0], expected[0])
    assert_close(by_matrix(1.5 * matrices, betas)[1], expected[1])
    six = torch.cat([matrices[:, 0, :, 0], matrices[:, 0, :, 1], pose[:, 3:]], dim=1)
    for robust in (False, True):
        layer = HandLayer(hand_arrays, use_pca=False, root_rot_mode="rot6d", robust_rot=robust)
        assert_close(layer(six, betas)[1], expected[1])
    with pytest.raises(ValueError, match=r"expected \(B, 51\) pose values"):
        layer(pose, betas)
    with pytest.raises(ValueError, match=r"takes \(B, K, 3, 3\)"):
        by_matrix(pose, betas)


def test_mano_pca_is_a_combination_of_components(hand_arrays):
    layer = HandLayer(hand_arrays, ncomps=12, flat_hand_mean=False)
    plain = HandLayer(hand_arrays, use_pca=False, flat_hand_mean=False)
    pose = torch.randn(2, 15, generator=torch.Generator().manual_seed(1)) * 0.5
    full = torch.cat([pose[:, :3], pose[:, 3:] @ layer.th_selected_comps], dim=1)
    assert layer.th_selected_comps.shape == (12, 45)
    assert_close(layer(pose)[0], plain(full)[0])


def test_middle_fingertip_of_layer_and_regressor(hand_arrays):
    """Kept from the original: released weights were trained with vertex 444 in targets and 445 in the regressor."""
    assert TIP_VERTICES_LAYER["right"] == (745, 317, 444, 556, 673)
    assert TIP_VERTICES_LAYER["left"] == (745, 317, 445, 556, 673)
    assert TIP_VERTICES_REGRESSOR == (745, 317, 445, 556, 673)
    mano = {key: value for key, value in hand_arrays.items() if key != "fingertip_vertex_ids"}
    for side in ("right", "left"):
        vertices, joints = HandLayer(mano, side=side)(torch.zeros(1, 9))
        assert torch.equal(joints[:, [4, 8, 12, 16, 20]], vertices[:, list(TIP_VERTICES_LAYER[side])])


# ------------------------------------------------------------------------------------------- layers on open models


def test_zero_tests_look_at_the_whole_batch(body):
    """Kept from the original: one non-zero sample switches the rule for all."""
    arrays = {**body.arrays(), "betas": np.linspace(-1, 1, 10)}
    layer = BodyLayer(arrays, center_idx=0)
    pose = torch.zeros(2, 72)
    own, _ = layer(pose, torch.zeros(2, 10))
    explicit, _ = layer(pose, torch.from_numpy(np.tile(arrays["betas"], (2, 1))).float())
    assert_close(own, explicit, 1e-6)
    mixed = torch.zeros(2, 10)
    mixed[1, 0] = 1
    vertices, joints = layer(pose, mixed)
    assert (vertices[0] - own[0]).abs().max() > 1e-3
    assert_close(joints[:, 0], np.zeros((2, 3)), 1e-6)

    trans = torch.zeros(2, 3)
    trans[1, 2] = 5
    _, moved = layer(pose, mixed, trans)
    assert moved[0, 0].abs().max() > 0.01  # not centred, though its own translation is zero
    assert_close(moved[1] - moved[1, :1], joints[1], 1e-6)


def test_body_layer_equals_lbs(open_model):
    pose, betas = (torch.from_numpy(a).float() for a in random_pose(open_model.params().joint_num, 2, seed=6))
    vertices, joints = lbs(open_model.params(), pose, betas)
    if open_model.kind == "body":
        layer, scale = BodyLayer(open_model.arrays()), 1
    else:
        layer, scale = HandLayer(open_model.arrays(), flat_hand_mean=False, use_pca=False), 1000
    layer_vertices, layer_joints = layer(pose, betas)
    assert_close(layer_vertices, scale * vertices, 1e-6)
    assert_close(layer_joints, scale * open_model.posed_joints(vertices, joints), 1e-6)


def test_layer_moves_with_its_module(body):
    layer = BodyLayer(body.arrays())
    pose, betas = (torch.from_numpy(a) for a in random_pose(24, 2, seed=7))
    single = layer(pose.float(), betas.float())[0]
    double = layer.double()(pose, betas)[0]
    assert double.dtype == torch.float64
    assert_close(double, single, 1e-5)
    other = BodyLayer({**body.arrays(), "v_template": body.arrays()["v_template"] * 0.5}).double()
    assert (other(pose, betas)[0] - double).abs().max() > 0.1
    other.load_state_dict(layer.state_dict())
    assert_close(other(pose, betas)[0], double, 1e-6)


def test_open_hand_layer():
    hand = load_mesh_model("hand", "open_hand")
    layer = HandLayer(hand.arrays(), center_idx=0)
    vertices, joints = layer(torch.zeros(1, 9))
    assert vertices.shape == (1, 778, 3)
    assert_close(joints[0, 0], np.zeros(3), 1e-6)
    assert torch.equal(joints[:, [4, 8, 12, 16, 20]], vertices[:, hand.fingertip_vertex_ids])
    assert 100 < (joints[0, 12] - joints[0, 0]).norm() < 250  # wrist to middle fingertip, millimetres
    with pytest.raises(ValueError, match="root_palm"):
        layer(torch.zeros(1, 9), root_palm=True)


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


@pytest.mark.parametrize(
    "folder, module",
    [("smplpytorch", "smplpytorch.pytorch.smpl_layer"), ("manopth", "manopth.manolayer")],
)
def test_package_folder_alone_on_the_path(tmp_path: Path, folder, module):
    code = f"import sys; sys.path.insert(0, {str(ROOT / folder)!r}); import {module} as m; print(m.__file__)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert str(ROOT / folder) in result.stdout
