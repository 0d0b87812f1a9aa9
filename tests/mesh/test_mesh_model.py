"""How mesh models pick their files, what they offer, and the helpers on top of them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from lib import ROOT
from lib.joints.tables import HUMAN36
from lib.mesh.mano import MANO
from lib.mesh.mesh_model import (
    MANO_FOLDER,
    OPEN_FOLDER,
    REGRESSOR_FILES,
    SMPL_FOLDER,
    load_mesh_model,
)
from lib.mesh.smpl import SMPL
from tests.helpers import golden, shared_path
from tests.support.files.model_builders import NEUTRAL, small_body, small_hand


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository root with the open models only."""
    (tmp_path / OPEN_FOLDER).mkdir(parents=True)
    for file in (ROOT / OPEN_FOLDER).glob("*.npz"):
        (tmp_path / OPEN_FOLDER / file.name).symlink_to(file)
    return tmp_path


def add_smpl(root: Path, genders=("neutral",), regressors=("human36", "coco"), vertex_num: int = 6890) -> dict:
    """Random stand-ins of SMPL's files with the real names and vertex count."""
    folder = root / SMPL_FOLDER
    folder.mkdir(parents=True)
    models = {}
    for seed, gender in enumerate(genders):
        models[gender] = {**small_body(vertex_num, seed=seed), "f": small_body(vertex_num)["f"]}
        short = {"female": "f", "male": "m"}.get(gender, gender)
        (folder / f"basicModel_{short}_lbs_10_207_0_v1.0.0.pkl").write_bytes(pickle.dumps(models[gender], protocol=2))
    for name in regressors:
        file = root / REGRESSOR_FILES[name]
        file.parent.mkdir(parents=True)
        np.save(file, np.random.default_rng(5).random((17, vertex_num)))
    return models


def test_open_models_without_licensed_files(root):
    body = load_mesh_model("body", root=root)
    assert (body.name, body.kind, body.vertex_num, body.faces.shape) == ("open_6890", "body", 6890, (13776, 3))
    assert body.faces.dtype == np.int64
    assert "SMPL is not in use: no" in body.description
    assert "J_regressor_coco.npy" in body.description
    assert "\n" not in body.description
    hand = load_mesh_model("hand", root=root)
    assert (hand.name, hand.vertex_num, hand.faces.shape) == ("open_hand", 778, (1538, 3))
    assert len(body.topology_hash) == len(hand.topology_hash) == 16
    assert body.topology_hash != hand.topology_hash
    for gender in ("neutral", "female", "male"):
        assert body.params(gender) is body.params()
    with pytest.raises(ValueError, match="unknown gender"):
        body.params("other")


@pytest.mark.parametrize("which", ["open_6890", "open_1723"])
def test_open_body_regressors(which):
    body = load_mesh_model("body", which)
    for joint_set, rows in (("human36", 17), ("coco", 17), ("smpl", 24)):
        regressor = body.joint_regressor(joint_set)
        assert regressor.shape == (rows, body.vertex_num)
        assert regressor.dtype == np.float32
        np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-5)
    joints = body.joint_regressor("human36") @ body.arrays()["v_template"]
    left = [i for i, name in enumerate(HUMAN36.joints) if name.startswith("L_")]
    assert (joints[left, 0] > 0).all()  # x points to the body's left
    assert joints[HUMAN36.index("Head"), 1] > joints[HUMAN36.index("Pelvis"), 1] + 0.4
    np.testing.assert_allclose(
        body.joint_regressor("smpl") @ body.arrays()["v_template"], body.arrays()["J"], atol=1e-6
    )
    assert body.face_vertex_ids.shape == (5,)
    np.testing.assert_array_equal(body.flip_vertex_ids[body.flip_vertex_ids], np.arange(body.vertex_num))
    with pytest.raises(ValueError, match="'mano' does not belong to a body"):
        body.joint_regressor("mano")


def test_smpl_is_used_when_model_and_regressors_are_there(root):
    models = add_smpl(root, ("neutral", "female"))
    body = load_mesh_model("body", root=root)
    assert body.name == "smpl"
    assert body.description == f"SMPL body from {SMPL_FOLDER / NEUTRAL}"
    np.testing.assert_allclose(body.params().v_template, models["neutral"]["v_template"], rtol=1e-6)
    np.testing.assert_allclose(body.params("female").v_template, models["female"]["v_template"], rtol=1e-6)
    assert body.joint_regressor("coco").shape == (17, 6890)
    np.testing.assert_allclose(body.joint_regressor("smpl"), models["neutral"]["J_regressor"], rtol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"basicModel_m_lbs.*not found; get the SMPL files"):
        body.params("male")
    assert load_mesh_model("body", "open_1723", root).vertex_num == 1723


def test_smpl_without_regressors(root):
    add_smpl(root, regressors=("coco",))
    assert load_mesh_model("body", root=root).name == "open_6890"
    assert "no data/Human36M/J_regressor_h36m_correct.npy)" in load_mesh_model("body", root=root).description
    body = load_mesh_model("body", "smpl", root)
    assert body.joint_regressor("coco").shape == (17, 6890)
    with pytest.raises(FileNotFoundError, match=r"J_regressor_h36m_correct.npy not found.* original release"):
        body.joint_regressor("human36")
    file = root / REGRESSOR_FILES["human36"]
    file.parent.mkdir(parents=True)
    np.save(file, np.zeros((17, 1723)))
    with pytest.raises(ValueError, match=r"human36 regressor of smpl has shape \(17, 1723\), expected \(17, 6890\)"):
        body.joint_regressor("human36")
    file.write_bytes(b"no array")
    with pytest.raises(ValueError, match="is no NumPy file; expected one array"):
        body.joint_regressor("human36")


def test_licensed_models_that_are_not_there(root):
    with pytest.raises(FileNotFoundError, match=r"basicModel_neutral.*smplify.is.tue.mpg.de and put it there"):
        load_mesh_model("body", "smpl", root)
    with pytest.raises(FileNotFoundError, match=r"MANO_RIGHT.pkl.*mano.is.tue.mpg.de"):
        load_mesh_model("hand", "mano", root)
    with pytest.raises(ValueError, match="choose one of auto, smpl, open_6890, open_1723 or a file"):
        load_mesh_model("body", "star", root)
    with pytest.raises(ValueError, match="choose body or hand"):
        load_mesh_model("face", root=root)


def test_a_damaged_licensed_file_is_an_error_not_a_reason_to_fall_back(root):
    add_smpl(root)
    (root / SMPL_FOLDER / NEUTRAL).write_bytes(b"\x80\x02}q")
    with pytest.raises(ValueError, match="truncated or damaged pickle"):
        load_mesh_model("body", root=root)


def test_any_body_file_of_any_vertex_count(tmp_path):
    model = {
        **small_body(50),
        "J_regressor_h36m": np.random.default_rng(0).random((17, 50)),
        "face_vertex_ids": np.arange(5),
    }
    np.savez(tmp_path / "mine.npz", **model)
    body = load_mesh_model("body", str(tmp_path / "mine.npz"))
    assert (body.name, body.vertex_num) == ("mine.npz", 50)
    assert body.flip_vertex_ids is None
    np.testing.assert_allclose(body.joint_regressor("human36"), model["J_regressor_h36m"], rtol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"not found; .* or J_regressor_coco in mine\.npz"):
        load_mesh_model("body", str(tmp_path / "mine.npz"), tmp_path).joint_regressor("coco")
    np.savez(tmp_path / "bad.npz", **{**model, "face_vertex_ids": np.array([0, 1, 2, 3, 50])})
    with pytest.raises(ValueError, match="face_vertex_ids outside the 50 vertices"):
        load_mesh_model("body", str(tmp_path / "bad.npz"))


def test_mano_is_used_when_it_is_there(root):
    folder = root / MANO_FOLDER
    folder.mkdir(parents=True)
    model = small_hand()
    (folder / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(model, protocol=2))
    hand = load_mesh_model("hand", root=root)
    assert hand.name == "mano"
    np.testing.assert_allclose(hand.params().pose_mean[3:], model["hands_mean"], rtol=1e-6)
    regressor = hand.joint_regressor("mano")
    tips = regressor[[4, 8, 12, 16, 20]]
    np.testing.assert_array_equal(tips.argmax(axis=1), [745, 317, 445, 556, 673])
    np.testing.assert_array_equal(tips.sum(axis=1), 1)
    np.testing.assert_allclose(regressor[[0, 5, 17, 13, 1]], model["J_regressor"][[0, 1, 7, 10, 13]], rtol=1e-6)
    helper = MANO(root=root)
    np.testing.assert_array_equal(helper.joint_regressor, regressor)
    assert helper.layer.tip_vertices == (745, 317, 444, 556, 673)


def test_mano_regressor_golden(tmp_path):
    hand = load_mesh_model("hand", str(shared_path("models/pseudo_mano_right.npz")))
    with pytest.raises(ValueError, match="no fingertip_vertex_ids"):
        hand.joint_regressor("mano")
    (tmp_path / MANO_FOLDER).mkdir(parents=True)
    (tmp_path / MANO_FOLDER / "MANO_RIGHT.npz").symlink_to(hand.path)
    regressor = load_mesh_model("hand", "mano", tmp_path).joint_regressor("mano")
    with np.load(shared_path("golden/body_models.npz"), allow_pickle=False) as reference:
        np.testing.assert_array_equal(regressor, reference["mano_regressor"])
    np.testing.assert_array_equal(
        regressor[[4, 8, 12, 16, 20]].argmax(1), golden("body_layers")["mano_regressor_tip_vertex"]
    )


def test_smpl_helper(root):
    add_smpl(root)
    helper = SMPL(root=root)
    assert (helper.vertex_num, helper.joint_num, helper.root_joint_idx) == (6890, 29, 0)
    assert helper.joints_name[24:] == ("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear")
    assert helper.flip_pairs[-2:] == ((25, 26), (27, 28))
    assert helper.face_kps_vertex == (331, 2802, 6262, 3489, 3990)
    assert helper.joint_regressor.shape == (29, 6890)
    np.testing.assert_array_equal(helper.joint_regressor[24:].argmax(axis=1), helper.face_kps_vertex)
    assert helper.joint_regressor_h36m.shape == helper.joint_regressor_coco.shape == (17, 6890)
    assert len(helper.skeleton) == 27
    assert (24, 14) in helper.skeleton
    assert (19, 21) not in helper.skeleton
    assert helper.layer["neutral"].gender == "neutral"
    assert helper.layer["neutral"] is helper.layer["neutral"]
    with pytest.raises(FileNotFoundError, match="basicModel_f"):
        helper.layer["female"]


def test_helpers_on_open_models(root):
    body, hand = SMPL(root=root), MANO(root=root)
    assert body.vertex_num == 6890
    assert body.layer["male"].gender == "male"
    assert body.joint_regressor.shape == (29, 6890)
    assert "open body" in body.description
    assert hand.joint_num == len(hand.joints_name) == 21
    assert hand.joint_regressor.shape == (21, 778)
    assert hand.face.shape == (1538, 3)
    assert "open hand" in hand.description
    np.testing.assert_array_equal(
        hand.joint_regressor[[4, 8, 12, 16, 20]].argmax(axis=1), hand.mesh_model.fingertip_vertex_ids
    )
