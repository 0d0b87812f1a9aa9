"""The predictor with users' joint sets: which weights it takes and refuses, and poses in their order."""

import shutil

import numpy as np
import pytest
import torch
import yaml

import lib.predictor.weights as weights_module
from lib.joints.files import joint_set_setting
from lib.joints.lookup import get_joint_set
from lib.poses import complete, draw_check, map_pose, read_poses, unmapped
from lib.predictor import Pose2MeshPredictor, find_weights
from lib.settings.config import Config
from tests.helpers import assert_close
from tests.support.demo_inputs import write_weights

MINE = {
    "name": "mine",
    "mesh": "open_1723",
    "joints": {
        "Base": "coco.Neck",
        "LeftShoulder": "coco.L_Shoulder",
        "RightShoulder": "coco.R_Shoulder",
        "L_Hip": "coco.L_Hip",
        "R_Hip": {"mean": ["coco.R_Hip"]},
        "Tip": {"vertices": [100, 101]},
        "Middle": None,
    },
    "derived": {"Middle": ["L_Hip", "R_Hip"]},
    "root": "Base",
    "bones": [[0, 1], [0, 2], [0, 6], [6, 3], [6, 4], [0, 5]],
    "flip_pairs": [["LeftShoulder", "RightShoulder"], ["L_Hip", "R_Hip"]],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A root with one training run for the own set, and the set's file."""
    root = tmp_path_factory.mktemp("own")
    file = write(root / "mine.yml")
    run = root / "experiment" / "exp_01-01_00-00-00"
    weights = write_weights(run / "checkpoint" / "final.pth.tar", joint_set_setting(file), "open_1723")
    settings = Config()
    settings = settings.changed(DATASET={"input_joint_set": joint_set_setting(file)})
    settings = settings.changed(MODEL={"name": "pose2mesh_net"})
    (run / "config.yml").write_text(yaml.safe_dump(settings.to_dict(), sort_keys=False))
    return root, file, weights


def write(path, **changes) -> str:
    path.write_text(yaml.safe_dump({**MINE, **changes}, sort_keys=False))
    return str(path)


def scene(people: int = 2) -> np.ndarray:
    """(N, 6, 3) poses of the set's keypoints."""
    pose = np.array([[50, 20, 1], [80, 22, 1], [20, 22, 1], [65, 90, 1], [35, 90, 1], [50, 0, 1]], dtype=np.float32)
    return np.stack([pose * [1 + n, 1 + n, 1] + [100 * n, 5, 0] for n in range(people)])


# pytest raises warnings of the flip pairs' names, which this set has on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*are no left and right joint")


def test_weights_of_the_own_set_are_found_and_used(folder, tmp_path):
    root, file, weights = folder
    predictor = Pose2MeshPredictor(file, device="cpu", root=root)
    assert predictor.weights == weights
    prediction = predictor(scene()[..., :2])
    assert prediction.mesh.shape == (2, 1723, 3)
    assert prediction.joints.shape == prediction.pose3d.shape == (2, 7, 3)
    assert_close(prediction.joints[:, 6], prediction.joints[:, 3:5].mean(dim=1))
    again = Pose2MeshPredictor(None, weights, "cpu", root=root)  # the set that the weights carry
    assert again.joint_set == get_joint_set(file)
    assert torch.equal(again(scene()[..., :2]).mesh, prediction.mesh)
    # the file may be anywhere, called otherwise, and say more than it did at the training
    joints = {**MINE["joints"], "Tip": {"vertices": {"open_1723": [100, 101], "smpl": [5]}}}
    copy = write(tmp_path / "copy.yml", name="copy", joints=joints, eval_joints=["Base", "Tip"])
    assert torch.equal(Pose2MeshPredictor(copy, None, "cpu", root=root)(scene()[..., :2]).mesh, prediction.mesh)


def test_other_joints_are_refused(folder, tmp_path, weights):
    _, file, own = folder
    with pytest.raises(ValueError, match="takes mine joints, not coco; .*0 Base, 1 LeftShoulder"):
        Pose2MeshPredictor("coco", own, "cpu")
    with pytest.raises(ValueError, match="takes coco joints, not mine; use --joint_set coco"):
        Pose2MeshPredictor(file, weights["coco"], "cpu")
    other = write(tmp_path / "moved.yml", joints={**MINE["joints"], "Tip": {"vertices": [100, 300]}})
    with pytest.raises(ValueError, match="was trained with Tip elsewhere on open_1723; take the joint set in the w"):
        Pose2MeshPredictor(other, own, "cpu")
    with pytest.raises(ValueError, match="another root"):
        Pose2MeshPredictor(write(tmp_path / "root.yml", root="Middle"), own, "cpu")
    with pytest.raises(ValueError, match="name a joint set"):
        Pose2MeshPredictor(None)


def test_without_a_training_the_way_to_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_module, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'mine': no Pose2Mesh below .*experiment was .*--weights.*main/train"):
        find_weights(get_joint_set(write(tmp_path / "mine.yml")), tmp_path)


def test_the_newest_run_of_these_joints_is_taken(folder, tmp_path):
    root, file, _ = folder
    shutil.copytree(root / "experiment", tmp_path / "experiment")
    runs = tmp_path / "experiment"
    shutil.copytree(runs / "exp_01-01_00-00-00", runs / "exp_01-02_00-00-00")
    newer = runs / "exp_01-02_00-00-00" / "checkpoint" / "final.pth.tar"
    newer.touch()
    assert find_weights(get_joint_set(file), tmp_path) == newer
    other = get_joint_set(write(tmp_path / "other.yml", root="Middle"))
    with pytest.raises(FileNotFoundError, match="no weights for your joint set"):
        find_weights(other, tmp_path)


# ------------------------------------------------------------------------------------------------ poses of the own set


def test_arrays_in_the_order_of_the_set(folder, tmp_path):
    _, file, _ = folder
    np.save(tmp_path / "poses.npy", scene())
    sequence = read_poses(tmp_path / "poses.npy", joint_set=file)
    assert sequence.source == file
    same = read_poses(tmp_path / "poses.npy", joint_set=get_joint_set(file))
    assert same.source == get_joint_set(file)
    np.testing.assert_array_equal(same.frames[0].poses, sequence.frames[0].poses)
    frame = sequence.frames[0]
    assert frame.poses.shape == (2, 7, 3)  # the derived joint is there, and open
    mapped = map_pose(frame.poses, sequence.source, file)
    np.testing.assert_array_equal(mapped[:, :6], scene())
    np.testing.assert_allclose(map_pose(scene()[..., :2], get_joint_set(file), file)[:, :6], scene())
    result = complete(mapped, file)
    assert result.refused == [None, None]
    np.testing.assert_allclose(result.poses[:, 6], scene()[:, 3:5, :2].mean(axis=1))
    assert draw_check(None, frame, sequence.source).shape[2] == 3


def test_detectors_joints_by_what_the_file_says(folder):
    _, file, _ = folder
    rng = np.random.default_rng(0)
    coco = np.concatenate([rng.uniform(0, 300, (4, 17, 2)), np.ones((4, 17, 1))], axis=2)
    mapped = map_pose(coco, "coco17", file)
    expected = map_pose(coco, "coco17", "coco")
    np.testing.assert_allclose(mapped[:, [0, 1, 2, 3, 4, 6]], expected[:, [18, 5, 6, 11, 12, 17]], rtol=1e-6)
    assert np.isnan(mapped[:, 5, :2]).all()
    assert unmapped("coco17", file) == ("Tip",)
    # and back: the set's joints to a network for coco
    back = map_pose(scene(1), file, "coco")
    np.testing.assert_allclose(back[0, [5, 6, 11, 12]], scene(1)[0, [1, 2, 3, 4]])
    assert "Nose" in unmapped(file, "coco")


def test_missing_joints_are_filled_where_samples_tell(folder):
    _, file, _ = folder
    poses = map_pose(scene(3), file, file)
    poses[1, 4, 2] = poses[2, 5, 2] = 0
    result = complete(poses, file)
    assert result.refused[:2] == [None, None]
    assert "Tip missing, and no sample pose tells where" in result.refused[2]
    assert np.abs(result.poses[1, 4] - scene(3)[1, 4, :2]).max() < 25
    poses[1, [1, 3], 2] = 0
    assert "3 of 6" not in str(complete(poses, file).refused[1])
    assert "only 1 of LeftShoulder, RightShoulder, L_Hip, R_Hip visible" in complete(poses, file).refused[1]
