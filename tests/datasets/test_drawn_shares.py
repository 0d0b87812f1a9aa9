"""Shares of training samples: clean, with jitter, with the published errors; limbs that come from other poses."""

import numpy as np
import pytest
import torch

import lib.datasets.input2d
from data.Synthetic.limbs import PARTS
from lib.body.pose_prior import mirror_pose
from lib.datasets.input2d import (
    JITTER_FRAME,
    JITTER_STD,
    Input2D,
    Sources2D,
)
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from lib.joints.tables import COCO, HUMAN36

CROP = (288, 384)
COUNT = 3000


def pixels(count=COUNT, joint_set=COCO):
    points = 300 + torch.tensor([90.0, 250.0]) * torch.rand(count, joint_set.keypoint_num, 2, generator=stream(3))
    return joint_set.add_derived(points)


def inputs(joint_set, key=5, scale="axis", count=COUNT, **sources):
    still = torch.zeros(count, dtype=torch.bool), torch.zeros(count)
    make = Input2D(joint_set, CROP, Sources2D(**({"noise": "errors"} | sources)), scale)
    return make(pixels(count, joint_set), *still, stream(key))


def kinds(pose2d, clean, errors):
    """Shares of samples without errors, with jitter, with errors; every sample is of one kind."""
    is_clean, is_wrong = ((pose2d - other).abs().amax((1, 2)) < 1e-6 for other in (clean, errors))
    assert not (is_clean & is_wrong).any()
    shares = [mask.double().mean().item() for mask in (is_clean, ~(is_clean | is_wrong), is_wrong)]
    return shares, ~(is_clean | is_wrong)


@pytest.mark.parametrize("joint_set", [COCO, HUMAN36], ids=str)
@pytest.mark.parametrize("clean, jitter", [(0.3, 0.2), (0.0, 0.6), (0.25, 0.75), (0.4, 0.0)])
def test_every_sample_is_clean_or_jittered_or_wrong(joint_set, clean, jitter):
    mixed = inputs(joint_set, clean_share=clean, jitter_share=jitter)
    shares, _ = kinds(mixed, inputs(joint_set, noise=""), inputs(joint_set))
    assert shares == pytest.approx([clean, jitter, 1 - clean - jitter], abs=0.03)


def test_without_jitter_nothing_changes():
    assert torch.equal(inputs(COCO, clean_share=0.3, jitter_share=0.0), inputs(COCO, clean_share=0.3))
    assert torch.equal(inputs(COCO, noise="", jitter_share=0.5), inputs(COCO, noise=""))


def test_jitter_has_its_spread_and_the_derived_joints_follow():
    clean = inputs(HUMAN36, noise="", scale="common")
    jittered = inputs(HUMAN36, scale="common", jitter_share=1.0)
    # back to pixels of the crop, which boxes fill from top to bottom
    low, high = clean.amin(1), clean.amax(1)
    size = (CROP[1] / (high - low)[:, 1])[:, None, None]
    spread = ((jittered - clean) * size).std((0, 1))
    expected = torch.tensor(CROP) * JITTER_STD / JITTER_FRAME
    np.testing.assert_allclose(spread, expected, rtol=0.1)
    for scale in ("axis", "common"):
        pose2d = inputs(COCO, scale=scale, derive_noisy=True, jitter_share=1.0, count=50)
        torch.testing.assert_close(pose2d, COCO.add_derived(pose2d[:, :17]), atol=1e-5, rtol=0)
        kept = inputs(COCO, scale=scale, jitter_share=1.0, count=50)
        assert (kept - COCO.add_derived(kept[:, :17])).abs().max() > 1e-3


def test_jittered_samples_have_no_published_errors(monkeypatch):
    monkeypatch.setattr(lib.datasets.input2d, "synthesize_poses", lambda joints, *_: joints * torch.tensor([-3.0, 1]))
    clean, mixed = inputs(COCO, noise=""), inputs(COCO, clean_share=0.2, jitter_share=0.3)
    shares, jittered = kinds(mixed, clean, inputs(COCO))
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.03)
    assert (mixed - clean)[jittered].abs().max() < 0.5  # the mirrored ones are 2 off


def test_shares_are_of_training_only(small_config):
    values = {"clean_share": 0.2, "jitter_share": 0.3, "test_samples": 8}
    cfg = small_config("posenet", "coco", DATASET={"use_gt_input": False}, SYNTHETIC=values)
    train, test = (dataset_class("Synthetic")(mode, cfg) for mode in ("train", "test"))
    assert (train.sources.clean_share, train.sources.jitter_share) == (0.2, 0.3)
    assert (test.sources.clean_share, test.sources.jitter_share) == (0, 0)
    assert test.sources.noise == "errors"


# --------------------------------------------------------------------------------------------------------- other limbs


@pytest.fixture
def poses(small_config):
    """``poses(**settings)``: drawn poses (B, 24, 3)."""

    def draw(count=400, **settings):
        cfg = small_config("posenet", "human36", SYNTHETIC={"mirror": False} | settings)
        rows = dataset_class("Synthetic")("train", cfg).rows(np.arange(count), stream(9))
        return rows["pose"].view(count, 24, 3)

    return draw


def source_of(mixed, poses, part):
    """The pose whose joints of a part each mixed pose has, (B,)."""
    same = (mixed[:, None, part] == poses[None, :, part]).all(-1).all(-1)
    assert (same.sum(1) == 1).all(), "a part comes as a whole from one pose"
    return same.int().argmax(1)


def test_every_part_comes_from_another_pose_as_a_whole(poses):
    plain, mixed = poses(), poses(mix_parts=1.0)
    sources = torch.stack([source_of(mixed, plain, part) for part in PARTS])
    for source in sources:
        assert sorted(source.tolist()) == list(range(400)), "each pose gives its part once"
        assert (source == torch.arange(400)).sum() < 10
    # arms, legs and head are drawn on their own
    assert all((first == second).sum() < 10 for i, first in enumerate(sources) for second in sources[:i])
    others = [joint for joint in range(24) if all(joint not in part for part in PARTS)]
    assert others == [0, 3, 6, 9]  # pelvis and spine
    assert torch.equal(mixed[:, others], plain[:, others])


def test_parts_are_mixed_with_the_probability_that_is_set(poses):
    plain, mixed = poses(), poses(mix_parts=0.3)
    moved = torch.stack([(mixed[:, part] != plain[:, part]).any(-1).any(-1) for part in PARTS]).double()
    assert moved.mean().item() == pytest.approx(0.3, abs=0.04)
    assert moved.prod(0).mean() < 0.03  # 0.3 ** 5 if independent
    assert torch.equal(poses(mix_parts=0.0), plain)


def test_parts_are_the_same_on_both_sides():
    """Mirroring a pose exchanges its arms and its legs."""
    tagged = torch.zeros(1, 24, 3)
    for number, part in enumerate(PARTS, start=1):
        tagged[:, part, 0] = number
    mirrored = mirror_pose(tagged.flatten(1)).view(24, 3)[:, 0]
    exchanged = {0: 0, 1: 2, 2: 1, 3: 4, 4: 3, 5: 5}
    assert mirrored.tolist() == [exchanged[int(number)] for number in tagged[0, :, 0]]
