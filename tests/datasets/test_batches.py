"""The batched data path: geometry, determinism, joint conventions, mixing."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.AMASS.dataset import CAMERAS
from data.Synthetic.views import look_at_rotations
from lib.body.lbs import lbs
from lib.body.pose_prior import mirror_pose
from lib.datasets.batch import Batch
from lib.datasets.input2d import JITTER_STD
from lib.datasets.loader import BatchLoader
from lib.datasets.mixing import MultipleDatasets
from lib.datasets.noise_stats import HUMAN36_ERRORS
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from lib.geometry.cameras import project
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO
from lib.mesh.mesh_model import load_mesh_model

SETS = ["human36", "coco", "smpl", "mano"]


def synthetic(cfg, mode="train", **options):
    return dataset_class("Synthetic")(mode, cfg, **options)


def poses(batch):
    """2D input and 3D target."""
    return batch.inputs["pose2d"], batch.targets["lift_pose3d"]


@pytest.mark.parametrize("joint_set", SETS)
def test_batch_contract(small_config, joint_set):
    cfg = small_config("pose2mesh_net", joint_set)
    dataset = synthetic(cfg)
    inputs, targets, meta = dataset.batch(range(5), stream(1))
    joints = get_joint_set(joint_set)
    target = get_joint_set(cfg.DATASET.target_joint_set)
    vertices = dataset.mesh_model.vertex_num
    assert inputs["pose2d"].shape == (5, joints.joint_num, 2)
    assert targets["mesh"].shape == (5, vertices, 3)
    assert targets["lift_pose3d"].shape == (5, joints.joint_num, 3)
    assert targets["reg_pose3d"].shape == (5, target.joint_num, 3)
    assert meta["mesh_valid"].shape == (5, vertices, 1)
    assert meta["lift_pose3d_valid"].shape == (5, joints.joint_num, 1)
    assert meta["reg_pose3d_valid"].shape == (5, target.joint_num, 1)
    for part in (inputs, targets, meta):
        for value in part.values():
            assert value.dtype == torch.float32
            assert torch.isfinite(value).all()
    torch.testing.assert_close(inputs["pose2d"].mean(dim=1), torch.zeros(5, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs["pose2d"].std(dim=1, correction=0), torch.ones(5, 2), atol=1e-4, rtol=0)
    assert targets["lift_pose3d"][:, joints.root].abs().max() == 0
    assert targets["reg_pose3d"][:, target.root].abs().max() == 0
    # millimetres at the joints, metres at the mesh: a body is 1.4 to 2.2 m, a hand 0.1 to 0.3 m from end to end
    size = (targets["mesh"].amax(dim=1) - targets["mesh"].amin(dim=1)).norm(dim=1)
    low, high = (0.08, 0.4) if joint_set == "mano" else (0.7, 3.5)
    assert (size > low).all()
    assert (size < high).all()
    span = targets["reg_pose3d"].norm(dim=2).amax(dim=1) / 1000
    assert (span < size).all()
    assert (span > 0.2 * size).all()


@pytest.mark.parametrize("joint_set", SETS)
def test_posenet_batch_is_the_same_data_without_the_mesh(small_config, joint_set):
    full = synthetic(small_config("pose2mesh_net", joint_set)).batch(range(4), stream(3))
    batch = synthetic(small_config("posenet", joint_set, joint_set)).batch(range(4), stream(3))
    assert [list(part) for part in batch] == [["pose2d"], ["lift_pose3d"], ["lift_pose3d_valid"]]
    # posing only the vertices that the regressor reads gives the joints of the full mesh
    torch.testing.assert_close(batch.targets["lift_pose3d"], full.targets["lift_pose3d"], atol=2e-2, rtol=0)
    torch.testing.assert_close(batch.inputs["pose2d"], full.inputs["pose2d"], atol=1e-4, rtol=0)
    assert batch.meta["lift_pose3d_valid"].shape == full.meta["lift_pose3d_valid"].shape


def test_mesh_and_regressed_joints_share_the_root(small_config):
    dataset = synthetic(small_config("pose2mesh_net", "coco"))
    _, targets, _ = dataset.batch(range(3), stream(2))
    regressor = torch.from_numpy(dataset.mesh_model.joint_regressor("human36"))
    joints = 1000 * regressor @ targets["mesh"]
    torch.testing.assert_close(joints - joints[:, :1], targets["reg_pose3d"], atol=1e-2, rtol=0)
    assert joints[:, 0].abs().max() < 1e-2


def test_input_is_the_projection_of_the_pose(small_config):
    """Standardising removes crop and scale, so the network input must equal the standardised pixels."""
    cfg = small_config("posenet", "coco", "coco")
    dataset = synthetic(cfg)
    rows = dataset.rows(np.arange(6), stream(4))
    pose2d = dataset.finish(rows, stream(4)).inputs["pose2d"]
    model = dataset.mesh_model
    rotation = Rotation.from_matrix(rows["cam_R"].double().numpy()) * Rotation.from_rotvec(
        rows["pose"][:, :3].double().numpy()
    )
    pose = rows["pose"].clone()
    pose[:, :3] = torch.from_numpy(rotation.as_rotvec()).float()
    vertices, _ = lbs(model.params(), pose, rows["betas"])
    joints = COCO.add_derived(torch.from_numpy(model.joint_regressor("coco")) @ vertices) + rows["trans"][:, None]
    pixels = project(joints, rows["focal"], rows["princpt"])
    expected = (pixels - pixels.mean(dim=1, keepdim=True)) / pixels.std(dim=1, keepdim=True, correction=0)
    torch.testing.assert_close(pose2d, expected, atol=1e-3, rtol=0)


def test_flip_augmentation_mirrors_input_and_target(small_config):
    plain = small_config("posenet", "coco", "coco")
    flipping = small_config("posenet", "coco", "coco", AUG={"flip": True})
    rows = synthetic(plain).rows(np.arange(64), stream(5))
    pose2d, lift = poses(synthetic(plain).finish(rows, stream(6)))
    pose2d_flip, lift_flip = poses(synthetic(flipping).finish(rows, stream(6)))
    order = list(range(COCO.joint_num))
    for a, b in COCO.flip_pairs:
        order[a], order[b] = b, a
    flipped = (lift_flip - lift).abs().amax(dim=(1, 2)) > 1
    assert 16 < flipped.sum() < 48
    mirrored = lift[flipped][:, order] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(lift_flip[flipped], mirrored, atol=1e-3, rtol=0)
    mirrored = pose2d[flipped][:, order] * torch.tensor([-1.0, 1])
    torch.testing.assert_close(pose2d_flip[flipped], mirrored, atol=1e-3, rtol=0)


def test_errors_change_inputs_but_not_targets(small_config):
    clean = small_config("posenet", "coco", "coco")
    noisy = small_config("posenet", "coco", "coco", DATASET={"use_gt_input": False})
    half = small_config("posenet", "coco", "coco", DATASET={"use_gt_input": False}, SYNTHETIC={"clean_share": 0.5})
    rows = synthetic(clean).rows(np.arange(400), stream(7))
    base, target = poses(synthetic(clean).finish(rows, stream(8)))
    for cfg, low, high in ((noisy, 400, 400), (half, 150, 250)):
        pose2d, lift = poses(synthetic(cfg).finish(rows, stream(8)))
        torch.testing.assert_close(lift, target)
        assert low <= ((pose2d - base).abs().amax(dim=(1, 2)) > 1e-3).sum() <= high


def test_derived_joints_follow_the_noisy_keypoints(small_config):
    cfg = small_config("posenet", "coco", "coco", DATASET={"use_gt_input": False})
    pose2d = synthetic(cfg).batch(range(32), stream(9)).inputs["pose2d"]
    torch.testing.assert_close(pose2d, COCO.add_derived(pose2d[:, :17]), atol=1e-4, rtol=0)


def test_jitter_matches_the_error_table():
    spread = np.array([error.std for error in HUMAN36_ERRORS.values()])
    assert abs(math.sqrt((spread**2).mean()) - JITTER_STD) < 0.01


def test_same_stream_same_batch(small_config):
    cfg = small_config("pose2mesh_net", "coco", DATASET={"use_gt_input": False})
    first = synthetic(cfg).batch(range(8), stream(1, 2, 3))
    second = synthetic(cfg).batch(range(8), stream(1, 2, 3))
    other = synthetic(cfg).batch(range(8), stream(1, 2, 4))
    torch.testing.assert_close(first.targets["mesh"], second.targets["mesh"], rtol=0, atol=0)
    assert not torch.equal(first.targets["mesh"], other.targets["mesh"])


def test_single_items_come_from_the_same_code(small_config):
    dataset = synthetic(small_config("pose2mesh_net", "coco"), mode="test")
    inputs, targets, meta = dataset[3]
    torch.testing.assert_close(inputs["pose2d"], dataset.batch([3], stream(0)).inputs["pose2d"][0])
    assert targets["mesh"].shape == (dataset.mesh_model.vertex_num, 3)
    assert meta["mesh_valid"].shape == (dataset.mesh_model.vertex_num, 1)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_single_items_of_posenet_are_tensors_as_in_the_original(small_config):
    dataset = synthetic(small_config("posenet", "coco", "coco"), mode="test")
    batch = dataset.batch([3], stream(0))
    parts = batch.inputs["pose2d"], batch.targets["lift_pose3d"], batch.meta["lift_pose3d_valid"]
    torch.testing.assert_close(dataset[3], tuple(part[0] for part in parts), rtol=0, atol=0)


def test_test_split_does_not_depend_on_the_seed(small_config):
    cfg = small_config()
    first, second = (synthetic(cfg, mode="test", seed=seed).batch(range(4), stream(0)) for seed in (1, 2))
    torch.testing.assert_close(first.targets, second.targets, rtol=0, atol=0)


class Numbers:
    """A data set of the numbers 0..n-1, tagged with its own number."""

    def __init__(self, tag, count):
        self.tag, self.count = tag, count

    def __len__(self):
        return self.count

    def rows(self, indices, generator):
        return indices

    def finish(self, rows, generator, device="cpu"):
        values = torch.as_tensor(rows)
        return Batch({"tag": torch.full_like(values, self.tag)}, {"value": values}, {})


def test_mixing_follows_the_original_law():
    sets = MultipleDatasets([Numbers(0, 10), Numbers(1, 4), Numbers(2, 1)])
    assert len(sets) == 30
    indices = np.tile(np.arange(30), 400)
    which, samples = sets.assign(indices, stream(1))
    assert np.abs(np.bincount(which) / len(which) - 1 / 3).max() < 0.02
    position = indices % 10
    assert (samples[which == 0] == position[which == 0]).all()
    whole = (which == 1) & (position < 8)
    assert (samples[whole] == position[whole] % 4).all()
    drawn = np.bincount(samples[(which == 1) & (position >= 8)], minlength=4)
    assert (np.abs(drawn / drawn.sum() - 0.25) < 0.06).all()
    assert (samples[which == 2] == 0).all()


def test_mixing_keeps_the_order_of_the_indices():
    sets = MultipleDatasets([Numbers(0, 5), Numbers(1, 3)], make_same_len=False)
    assert len(sets) == 8
    batch = sets.finish(sets.rows(np.array([7, 0, 5, 4]), stream(0)), stream(0))
    assert batch.inputs["tag"].tolist() == [1, 0, 1, 0]
    assert batch.targets["value"].tolist() == [2, 0, 0, 4]
    with pytest.raises(ValueError, match="train_list is empty"):
        MultipleDatasets([])


def test_cameras_look_at_the_origin_with_z_up():
    azimuth = torch.linspace(-3, 3, 7)
    elevation = torch.linspace(-1, 1, 7)
    rotation = look_at_rotations(azimuth, elevation, torch.zeros(7))
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(7, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(7), atol=1e-6, rtol=0)
    up = rotation @ torch.tensor([0.0, 0.0, 1.0])
    assert (up[:, 1] < 0).all(), "up in the world is up in the image (y points down)"
    torch.testing.assert_close(up[:, 0], torch.zeros(7), atol=1e-6, rtol=0)
    assert (torch.as_tensor(CAMERAS)[:, 1, 2] < -0.9).all(), "the Human3.6M cameras have z up too"


def test_mirrored_pose_gives_the_mirrored_body():
    model = load_mesh_model("body", "open_1723")
    generator = stream(11)
    pose = 0.4 * torch.randn(3, 72, generator=generator)
    vertices, joints = lbs(model.params(), pose, torch.zeros(3, 10))
    flipped, flipped_joints = lbs(model.params(), mirror_pose(pose), torch.zeros(3, 10))
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    root = joints[:, :1] * mirror - flipped_joints[:, :1]
    torch.testing.assert_close(flipped[:, model.flip_vertex_ids] + root, vertices * mirror, atol=2e-3, rtol=0)
    torch.testing.assert_close(mirror_pose(mirror_pose(pose)), pose, rtol=0, atol=0)


def test_unknown_data_set():
    with pytest.raises(ValueError, match="unknown data set 'CMU'.*AMASS"):
        dataset_class("CMU")


def test_joint_set_must_fit_the_mesh_model(small_config):
    cfg = small_config("posenet", "coco", "coco")
    hand = load_mesh_model("hand", "open_hand")
    dataset = synthetic(cfg, model=hand)
    with pytest.raises(ValueError, match=r"coco.*body"):
        dataset.batch(range(2), stream(0))


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_whole_batches_are_dealt_out_in_turn(processes):
    dataset = Numbers(0, 19)
    alone = [batch.targets["value"].tolist() for batch in BatchLoader(dataset, 5).epoch(0)]
    loaders = [BatchLoader(dataset, 5, rank=rank, world_size=processes, whole=True) for rank in range(processes)]
    assert [loader.batches() for loader in loaders] == [4] * processes
    for rank, loader in enumerate(loaders):
        assert [batch.targets["value"].tolist() for batch in loader.epoch(0)] == alone[rank::processes]
        assert len(loader) == len(alone[rank::processes])
