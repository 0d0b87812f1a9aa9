"""Drawn cameras: the published ones stay what they were, views as in photos have the spread that is set."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class

# Before views could be set (commit 7c0b72c), stream 21: means of |body pose|, |betas|, |cam_R|, trans, |pose2d|,
# |pose3d|, and the number that the stream gives next.
BEFORE = {
    "coco": (0.2697953, 0.8339533, 0.4449539, 1.6065438, 0.8282123, 234.5528415, 39586374),
    "human36": (0.2697953, 0.8339533, 0.4449539, 1.6065438, 0.8149014, 220.7716517, 125547055),
    "smpl": (0.2697953, 0.8339533, 0.4449539, 1.6065438, 0.7937276, 223.9387011, 1731542265),
    "mano": (0.1419997, 0.7289817, 0.3333333, 1.9437802, 0.8043041, 54.1592596, 1199812745),
}
COUNT = 4000


def mean_size(values):
    return values.abs().double().mean().item()


def angles(rotation):
    """Azimuth, elevation and roll in degrees of rotations (B, 3, 3), rows right, down, forward."""
    right, _, forward = rotation.double().unbind(1)
    up = torch.tensor([0.0, 0, 1], dtype=torch.float64).expand_as(forward)
    level = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=1)
    down = torch.linalg.cross(forward, level)
    azimuth, elevation = torch.atan2(-forward[:, 1], -forward[:, 0]), torch.asin(-forward[:, 2])
    roll = torch.atan2((right * down).sum(1), (right * level).sum(1))
    return tuple(torch.rad2deg(angle) for angle in (azimuth, elevation, roll))


@pytest.fixture
def drawn(small_config):
    """``drawn(mode, **settings)``: rows of all samples."""

    def rows(mode="test", joint_set="human36", **settings):
        values = {"samples_per_epoch": COUNT, "test_samples": COUNT} | settings
        dataset = dataset_class("Synthetic")(mode, small_config("posenet", joint_set, SYNTHETIC=values))
        return dataset.rows(np.arange(len(dataset)), stream(7))

    return rows


@pytest.mark.parametrize("joint_set", BEFORE)
def test_published_settings_draw_what_they_always_drew(small_config, joint_set):
    drawing = {"clean_share": 0.3, "mix_limbs": 0.4, "pose_noise": 0.05, "roll": 10.0}
    cfg = small_config("posenet", joint_set, joint_set, DATASET={"use_gt_input": False}, SYNTHETIC=drawing)
    dataset, generator = dataset_class("Synthetic")("train", cfg), stream(21)
    rows = dataset.rows(np.arange(8), generator)
    batch = dataset.finish(rows, generator)
    found = (rows["pose"][:, 3:], rows["betas"], rows["cam_R"], rows["trans"])
    found += batch.inputs["pose2d"], batch.targets["lift_pose3d"]
    *expected, following = BEFORE[joint_set]
    assert [mean_size(values) for values in found[:3]] == pytest.approx(expected[:3], rel=1e-6)
    assert rows["trans"].double().mean().item() == pytest.approx(expected[3], rel=1e-6)
    assert [mean_size(values) for values in found[4:]] == pytest.approx(expected[4:], rel=1e-5)
    assert torch.randint(2**31, (1,), generator=generator).item() == following


@pytest.mark.parametrize("mode", ["train", "test"])
def test_other_views_of_the_same_bodies(drawn, mode):
    level, wide = drawn(mode), drawn(mode, any_view_share=1.0)
    for key in ("pose", "betas", "trans", "focal", "princpt"):
        assert torch.equal(level[key], wide[key]), key
    (azimuth, elevation, roll), (same, changed, rolled) = angles(level["cam_R"]), angles(wide["cam_R"])
    apart = (azimuth - same + 180) % 360 - 180
    assert apart.abs().max() < 0.01
    assert elevation.abs().max() < 20.001
    assert roll.abs().max() < 0.01
    assert kstest(changed, "uniform", (-30, 90)).pvalue > 1e-3
    assert changed.min() > -30.001
    assert changed.max() < 60.001
    # one in ten at any roll, the others normal with 15 degrees
    beyond = (rolled.abs() > 60).double().mean().item()
    assert beyond == pytest.approx(0.1 * 120 / 180, abs=0.012)
    share = 0.9 * math.erf(15 / 15 / 2**0.5) + 0.1 * 15 / 180
    assert (rolled.abs() < 15).double().mean().item() == pytest.approx(share, abs=0.025)


def test_cameras_are_rotations(drawn):
    rotation = drawn(any_view_share=1.0, view_elevation=[-89.0, 89.0], turned_share=0.5)["cam_R"]
    product = rotation @ rotation.transpose(1, 2)
    torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(len(rotation)), atol=1e-5, rtol=0)


def test_spread_of_the_roll_and_range_of_elevations_are_settings(drawn):
    rows = drawn(any_view_share=1.0, turned_share=0.0, view_roll=5.0, view_elevation=[10.0, 12.0])
    _, elevation, roll = angles(rows["cam_R"])
    assert kstest(roll, "norm", (0, 5)).pvalue > 1e-3
    assert elevation.min() > 9.999
    assert elevation.max() < 12.001
    _, _, roll = angles(drawn(any_view_share=1.0, turned_share=1.0)["cam_R"])
    assert kstest(roll, "uniform", (-180, 360)).pvalue > 1e-3
    _, _, roll = angles(drawn(any_view_share=1.0, turned_share=0.0, view_roll=0.0)["cam_R"])
    assert roll.abs().max() < 0.01


def test_a_share_of_samples_keeps_its_level_view(drawn):
    level, some = drawn(), drawn(any_view_share=0.3)
    same = (level["cam_R"] - some["cam_R"]).abs().amax((1, 2)) < 1e-6
    assert same.double().mean().item() == pytest.approx(0.7, abs=0.03)
    _, elevation, _ = angles(some["cam_R"][~same])
    assert kstest(elevation, "uniform", (-30, 90)).pvalue > 1e-3


def test_hands_have_no_views(drawn):
    level, wide = drawn(joint_set="mano"), drawn(joint_set="mano", any_view_share=1.0)
    for key, value in level.items():
        assert torch.equal(value, wide[key]), key
    assert torch.equal(wide["cam_R"], torch.eye(3).expand(COUNT, 3, 3))
