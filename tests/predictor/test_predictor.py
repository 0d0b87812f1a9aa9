"""Pose files, the predictor on small random networks, the choice of weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

import lib.predictor.weights as weights_module
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint, save_checkpoint
from lib.demo import sample_pose_path
from lib.geometry.camera_fit import fit_weak_perspective, project, project_to_image
from lib.geometry.crops import standardise
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import load_mesh_model
from lib.poses import map_pose, read_poses
from lib.predictor import Pose2MeshPredictor, camera_crop, check_poses, find_weights, resolve_device
from tests.helpers import ROOT, assert_close, golden
from tests.support.demo_inputs import sample

# ------------------------------------------------------------------------------------------------------ pose files


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_shipped_samples_load(joint_set):
    sequence = read_poses(sample_pose_path(joint_set), joint_set=joint_set)
    poses = map_pose(sequence.frames[0].poses, sequence.source, joint_set)
    assert poses.shape == (1, get_joint_set(joint_set).joint_num, 3)
    expected = sample(joint_set)
    assert_close(poses[0, : len(expected), :2], expected)


def test_the_sample_of_the_original_s_readme_is_there():
    sequence = read_poses(ROOT / "demo" / "h36m_joint_input.npy", joint_set="human36")
    assert np.load(ROOT / "demo" / "h36m_joint_input.npy").dtype == np.int64  # as the original's
    assert np.abs(sequence.frames[0].poses[0, :, :2] - sample("human36")).max() <= 0.5


def test_coco_files_may_leave_out_pelvis_and_neck(tmp_path):
    values = golden("demo")
    np.save(tmp_path / "pose.npy", values["coco_in"])
    sequence = read_poses(tmp_path / "pose.npy", joint_set="coco")
    poses = map_pose(sequence.frames[0].poses, sequence.source, "coco")
    assert_close(poses[0, :, :2], values["coco_pelvis_neck_out"][:, :2])
    # the original multiplies the scores of the two hips, of the two shoulders; here the less sure one decides
    scores = values["coco_in"][:, 2]
    assert_close(poses[0, :, 2], [*scores, scores[[11, 12]].min(), scores[[5, 6]].min()])


def test_whole_number_poses_are_not_truncated(predictor):
    pose = sample().round()
    whole, real = predictor.predict(pose[None].astype(np.int64)), predictor.predict(pose[None])
    assert torch.equal(whole.mesh, real.mesh)
    assert torch.equal(whole.camera, real.camera)


def test_network_input_and_crop_match_the_original():
    values = golden("demo")
    pose = torch.from_numpy(check_poses(values["demo_int64_in"][None], get_joint_set("human36")))
    # the original truncated this file to whole crop pixels; its numbers for the same pose as floats are the right ones
    assert_close(standardise(pose), values["demo_float32_net_in"])
    box, target = camera_crop(pose)
    assert_close(box[0], values["demo_float32_bbox"])
    assert_close(target[0], values["demo_float32_target"])
    assert np.abs(values["demo_int64_net_in"] - values["demo_float32_net_in"]).max() > 1e-3


# ------------------------------------------------------------------------------------------------------- predictor


def test_prediction_shapes_and_units(predictor):
    prediction = predictor.predict(sample()[None].repeat(3, axis=0))
    assert prediction.mesh.shape == (3, 1723, 3)
    assert prediction.joints.shape == prediction.pose3d.shape == (3, 19, 3)
    assert prediction.camera.shape == (3, 3)
    assert prediction.image_camera((640, 480)).shape == (3, 4)
    regressor = torch.from_numpy(load_mesh_model("body", "open_1723").joint_regressor("coco"))
    joints = regressor @ prediction.mesh[0]
    assert_close(prediction.joints[0, :17], 1000 * joints)
    assert_close(prediction.joints[0, 17], 500 * (joints[11] + joints[12]))


def test_the_camera_is_fitted_to_keypoints_and_not_to_joints_derived_from_them(predictor):
    prediction = predictor.predict(sample()[None])
    target = camera_crop(prediction.pose2d.double())[1][:, :17]
    joints = prediction.joints.double()[:, :17] / 1000
    errors = (project(prediction.camera.double(), joints) - target).abs().mean((1, 2))
    assert_close(errors, prediction.residual, 1e-4)
    assert_close(fit_weak_perspective(joints, target)[1], errors, 1e-4)  # no camera is nearer to the keypoints


def test_batches_equal_single_poses(predictor):
    generator = np.random.default_rng(0)
    poses = sample()[None, :17] + generator.normal(0, 5, (5, 17, 2))
    together = predictor.predict(poses, batch_size=2)
    for k, pose in enumerate(poses):
        alone = predictor.predict(torch.from_numpy(pose)[None])
        assert_close(together.mesh[k], alone.mesh[0])
        assert_close(together.camera[k], alone.camera[0], 1e-3)


def test_moving_and_scaling_a_pose_moves_the_overlay_with_it(predictor):
    pose = sample().astype(np.float64)
    first, second = predictor.predict(pose[None]), predictor.predict(2 * pose[None] + 100)
    assert_close(second.mesh, first.mesh)
    size = (900, 700)
    pixels = [project_to_image(p.image_camera(size), p.mesh, size) for p in (first, second)]
    assert_close(pixels[1], 2 * pixels[0] + 100, 0.01)


def test_wrong_poses_are_refused_with_the_joint_order(predictor):
    with pytest.raises(ValueError, match=r"\(B, 17 or 19, 2\).*got \(2, 18, 2\).*17 Pelvis, 18 Neck"):
        predictor.predict(np.ones((2, 18, 2)))
    with pytest.raises(ValueError, match="pose 1 is"):
        predictor.predict(np.stack([sample(), np.zeros_like(sample())]))


def test_no_poses_give_no_meshes(predictor):
    for nobody in (predictor.predict(np.zeros((0, 17, 2))), predictor.predict_pose3d(np.zeros((0, 19, 3)))):
        assert len(nobody) == 0
        assert {name: array.shape[1:] for name, array in nobody.to_numpy().items()} == {
            name: array.shape[1:] for name, array in predictor.predict(sample()[None]).to_numpy().items()
        }
    with pytest.raises(ValueError, match=r"got \(0, 18, 2\)"):
        predictor.predict(np.zeros((0, 18, 2)))


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:x", "cuda:", "tpu", "cpu:0"):
        with pytest.raises(ValueError, match="unknown device"):
            resolve_device(name)


# --------------------------------------------------------------------------------------------------- choice of weights


@pytest.fixture
def fake_root(tmp_path, monkeypatch):
    """``fake_root(*names)``: a repository root with nothing but empty weight files."""

    def make(*weights: str) -> Path:
        for name in weights:
            (tmp_path / "experiment" / name).mkdir(parents=True)
            (tmp_path / "experiment" / name / "final.pth.tar").touch()
        monkeypatch.setattr(weights_module, "ROOT", tmp_path)
        return tmp_path

    return make


@pytest.mark.parametrize("name", JOINT_SETS)
def test_open_weights_are_taken_without_licensed_files(name, fake_root):
    folders = weights_module.OPEN_WEIGHTS[name], weights_module.ORIGINAL_WEIGHTS[name]
    chosen = find_weights(get_joint_set(name), fake_root(*folders))
    assert chosen.parent.name == folders[0]


def test_open_weights_are_found_beside_any_root(tmp_path):
    chosen = find_weights(get_joint_set("coco"), tmp_path)
    assert chosen == ROOT / "experiment" / weights_module.OPEN_WEIGHTS["coco"] / "final.pth.tar"


def test_original_weights_are_taken_with_licensed_files(fake_root, monkeypatch):
    root = fake_root(weights_module.OPEN_WEIGHTS["coco"], weights_module.ORIGINAL_WEIGHTS["coco"])
    licensed = type("Licensed", (), {"name": "smpl"})
    monkeypatch.setattr(weights_module, "load_mesh_model", lambda *_: licensed)
    assert find_weights(get_joint_set("coco"), root).parent.name == weights_module.ORIGINAL_WEIGHTS["coco"]


def test_missing_weights_name_both_places(fake_root):
    with pytest.raises(FileNotFoundError, match=r"manoJ_open.*manoJ_train_freihand.*Pose2Mesh_RELEASE"):
        find_weights(get_joint_set("mano"), fake_root())
    root = fake_root(weights_module.ORIGINAL_WEIGHTS["coco"])
    with pytest.raises(FileNotFoundError, match="it needs the SMPL files as well"):
        find_weights(get_joint_set("coco"), root)


def test_topology_finds_the_body_when_the_settings_leave_it_open(weights):
    checkpoint = load_checkpoint(weights["coco"])
    model = checkpoint.mesh_model()
    assert model.name == "open_1723"
    assert checkpoint.graph_on(model).topology_hash == model.topology_hash
    with pytest.raises(ValueError, match=f"{weights['coco']}: the weights were trained for another mesh"):
        checkpoint.graph_on(load_mesh_model("body", "open_6890"))


ORIGINAL = Checkpoint({"pose_lifter.w1.weight": torch.zeros(8, 2 * 19)})  # no settings, no graph


def test_original_weights_refuse_open_bodies():
    with pytest.raises(ValueError, match="fit SMPL only, not open_6890"):
        ORIGINAL.graph_on(ORIGINAL.mesh_model("open_6890"))
    # the same number of vertices is not enough: weights would be refused by shape, see test_released_weights.py
    same_size = str(ROOT / "asset/open_body/open_body_6890.npz")
    with pytest.warns(UserWarning, match="SMPL file are not the official ones"):
        ORIGINAL.graph_on(ORIGINAL.mesh_model(same_size))


def test_original_weights_get_the_graph_of_their_mesh(monkeypatch):
    asked = []
    faces = golden("legacy_order")["smpl2020.faces"]  # a stand-in that coarsens as SMPL does
    licensed = type("Licensed", (), {"faces": faces, "kind": "body", "name": "smpl"})
    loading = "lib.checkpoints.checkpoint.load_mesh_model"
    monkeypatch.setattr(loading, lambda *arguments: asked.append(arguments) or licensed)
    graph = ORIGINAL.graph_on(ORIGINAL.mesh_model())
    assert asked == [("body", "smpl", ROOT)]
    graph.check_topology(faces)
    assert graph.sizes[0] == 12288


def test_posenet_weights_are_refused(tmp_path, weights):
    save_checkpoint(tmp_path / "posenet.pth.tar", load_checkpoint(weights["coco"]).posenet)
    with pytest.raises(ValueError, match="holds posenet weights"):
        Pose2MeshPredictor("coco", tmp_path / "posenet.pth.tar", "cpu")
