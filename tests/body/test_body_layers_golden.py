"""SMPL and MANO layers against golden numbers of the original ones."""

import numpy as np
import pytest
import torch

from manopth.manolayer import ManoLayer
from smplpytorch.pytorch.smpl_layer import SMPL_Layer
from tests.helpers import assert_close, golden, shared_path

# --------------------------------------------------------------------------------------------------------- SMPL layer


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


# --------------------------------------------------------------------------------------------------------- MANO layer


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
