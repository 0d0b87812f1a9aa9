"""Body and hand layers on the open models: modes that must agree, kept oddities, modules."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import ROOT
from lib.body.hand import TIP_VERTICES_LAYER, TIP_VERTICES_REGRESSOR, hand_joints
from lib.body.layer import BodyLayer, HandLayer
from lib.body.lbs import lbs
from lib.body.rotation import axis_angle_to_matrix
from lib.mesh.mesh_model import load_mesh_model
from tests.helpers import assert_close
from tests.support.open_models import random_pose

# --------------------------------------------------------------------------------------------------------- hand layer


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


# -------------------------------------------------------------------------------------------- body layer, both layers


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
        layer, scale, expected = BodyLayer(open_model.arrays()), 1, joints
    else:
        layer, scale = HandLayer(open_model.arrays(), flat_hand_mean=False, use_pca=False), 1000
        expected = hand_joints(vertices, joints, open_model.layer_tips)
    layer_vertices, layer_joints = layer(pose, betas)
    assert_close(layer_vertices, scale * vertices, 1e-6)
    assert_close(layer_joints, scale * expected, 1e-6)


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


def test_wrong_shapes_are_named(body):
    with pytest.raises(ValueError, match="24 joints and 10 shape components"):
        lbs(body.params(), torch.zeros(2, 72), torch.zeros(2, 9))
    with pytest.raises(ValueError, match="24 joints"):
        BodyLayer(body.arrays())(torch.zeros(2, 69))


@pytest.mark.parametrize(
    "folder, module",
    [("smplpytorch", "smplpytorch.pytorch.smpl_layer"), ("manopth", "manopth.manolayer")],
)
def test_package_folder_alone_on_the_path(tmp_path: Path, folder, module):
    code = f"import sys; sys.path.insert(0, {str(ROOT / folder)!r}); import {module} as m; print(m.__file__)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert str(ROOT / folder) in result.stdout
