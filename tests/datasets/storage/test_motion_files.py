"""Motion files in AMASS's format and the AMASS data set: what is read, what is refused."""

import numpy as np
import pytest
import torch

from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from lib.datasets.storage.motion_files import read_motion


def motion_file(path, frames=7, **changes):
    arrays = {
        "poses": np.zeros((frames, 156), np.float32),
        "dmpls": np.zeros((frames, 8), np.float32),
        "trans": np.zeros((frames, 3), np.float32),
        "betas": np.zeros(16, np.float32),
        "gender": np.array("neutral"),
    } | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_motion_files(tmp_path):
    poses = np.random.default_rng(0).normal(size=(7, 156)).astype(np.float32)
    motion = read_motion(motion_file(tmp_path / "a_poses.npz", poses=poses), step=3)
    np.testing.assert_array_equal(motion.poses, poses[::3, :72])
    assert motion.betas.shape == (10,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dmpls": None}, "dmpls"),
        ({"poses": np.zeros((3, 60), np.float32)}, "poses must be"),
        ({"poses": np.full((3, 156), np.nan, np.float32)}, "not finite"),
        ({"betas": np.zeros(4, np.float32)}, "betas"),
        ({"gender": np.array([{}], dtype=object)}, None),
    ],
)
def test_bad_motion_files(tmp_path, changes, words):
    path = motion_file(tmp_path / "b_poses.npz", **changes)
    if words is None:
        read_motion(path)  # an unused pickled entry is not touched
        return
    with pytest.raises(ValueError, match=words) as error:
        read_motion(path)
    assert "b_poses.npz" in str(error.value)


def test_truncated_motion_file(tmp_path):
    path = motion_file(tmp_path / "c_poses.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="c_poses.npz"):
        read_motion(path)


def test_amass_protocol(tmp_path, small_config):
    root = tmp_path / "data" / "AMASS" / "data"
    motion_file(root / "CMU" / "02" / "b_poses.npz", frames=121)
    motion_file(root / "CMU" / "01" / "a_poses.npz", frames=60)
    motion_file(root / "BMLrub" / "01" / "a_poses.npz", frames=21)
    motion_file(root / "cmu_lower_case" / "01" / "a_poses.npz", frames=60)
    assert len(dataset_class("AMASS")("train", small_config("pose2mesh_net"), root=tmp_path)) == 4 * (1 + 3)
    dataset = dataset_class("AMASS")("train", small_config("posenet", "coco", "coco"), root=tmp_path)
    assert len(dataset) == 4 * (1 + 3 + 3)
    lift = dataset.batch(range(4), stream(0)).targets["lift_pose3d"]
    # the same upright rest pose from four sides: the same heights, other widths
    torch.testing.assert_close(lift[0].norm(dim=1), lift[2].norm(dim=1), atol=1e-2, rtol=0)
    assert (lift[0, :, 0] - lift[2, :, 0]).abs().max() > 100


def test_amass_says_what_it_looked_for(tmp_path, small_config):
    with pytest.raises(FileNotFoundError, match="no AMASS subset named CMU .*found nothing"):
        dataset_class("AMASS")("train", small_config("pose2mesh_net"), root=tmp_path)
    (tmp_path / "data" / "AMASS" / "data" / "CMU").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="poses.npz"):
        dataset_class("AMASS")("train", small_config("pose2mesh_net"), root=tmp_path)
    with pytest.raises(ValueError, match="no split 'test'"):
        dataset_class("AMASS")("test", small_config())
