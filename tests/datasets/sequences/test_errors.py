"""2D errors over time: their size is that of single frames, and they follow each other."""

import pytest
import torch

from lib.datasets.input2d import JITTER_FRAME, JITTER_STD
from lib.datasets.sequences.errors import SequenceErrors
from lib.datasets.sequences.gaps import hide
from lib.joints.tables import COCO, HUMAN36

CROP = 288, 384
N = COCO.keypoint_num


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def still(count=40, frames=30, joints=COCO):
    """People who do not move: (B, T, J, 2)."""
    pose = 60 * torch.randn(count, 1, joints.keypoint_num, 2, generator=generator(7)) + 400
    return joints.add_derived(pose.flatten(0, 1)).unflatten(0, (count, 1)).expand(-1, frames, -1, -1).contiguous()


def test_nothing_is_changed_without_errors():
    pose2d = still()
    found, seen = SequenceErrors(COCO, CROP, "")(pose2d, generator())
    assert (found - pose2d).abs().max() < 1e-4
    assert seen.all()
    clean = SequenceErrors(COCO, CROP, "errors", clean_share=1.0)(pose2d, generator())[0]
    assert (clean - pose2d).abs().max() < 1e-4


@pytest.mark.parametrize("joint_set", [COCO, HUMAN36])
def test_jitter_has_the_size_of_single_frames(joint_set):
    pose2d = still(300, 12, joint_set)
    found, _ = SequenceErrors(joint_set, CROP, "jitter")(pose2d, generator())
    keypoints = joint_set.keypoint_num
    size = pose2d.amax(dim=2) - pose2d.amin(dim=2)  # the box has the crop's aspect
    side = torch.maximum(size[..., 0] / CROP[0], size[..., 1] / CROP[1])[:, :, None]
    error = (found - pose2d)[:, :, :keypoints] / side[..., None]
    wanted = torch.tensor(CROP) * JITTER_STD / JITTER_FRAME
    # six of ten sequences have the usual level, the others 0.3 to 1.6 of it
    level = (0.6 + 0.4 * (1.6**3 - 0.3**3) / (3 * 1.3)) ** 0.5
    assert (error.std(dim=(0, 1, 2)) / wanted / level - 1).abs().max() < 0.06


def test_half_of_the_jitter_drifts():
    pose2d = still(300, 30)
    error = (SequenceErrors(COCO, CROP, "jitter")(pose2d, generator())[0] - pose2d)[:, :, :N]
    correlation = (error[:, 1:] * error[:, :-1]).mean(dim=(1, 2, 3)) / error.square().mean(dim=(1, 2, 3))
    assert (correlation.abs() < 0.15).float().mean() == pytest.approx(0.5, abs=0.1)
    assert correlation.max() > 0.8


def test_gross_errors_stay_for_some_frames_or_change_at_once():
    pose2d = still(200, 30)
    error = (SequenceErrors(COCO, CROP, "errors")(pose2d, generator())[0] - pose2d)[:, :, :N]
    stays = (error.diff(dim=1).norm(dim=-1) < 1e-3).float().mean(dim=(1, 2))
    assert stays.min() < 0.02
    assert stays.max() > 0.85
    assert (stays < 0.02).float().mean() == pytest.approx(0.45, abs=0.1)


def test_swapped_limbs_are_those_of_the_other_side_for_a_while():
    errors = SequenceErrors(COCO, CROP, "errors")
    keypoints = still(200, 30)[:, :, :N]
    swapped = errors._swapped(keypoints, generator())
    moved = (swapped != keypoints).any(dim=-1)
    assert not moved[:, :, :5].any()  # nobody's eyes or ears
    frames = moved.any(dim=2).sum(dim=1)
    assert (frames > 0).float().mean() == pytest.approx(0.3, abs=0.1)
    assert frames.max() <= 24
    for left, right in COCO.flip_pairs:
        assert torch.equal(moved[:, :, left], moved[:, :, right])
        where = moved[:, :, left]
        assert torch.equal(swapped[:, :, left][where], keypoints[:, :, right][where])


def test_hidden_joints_are_flagged_and_filled_from_the_frames_around():
    keypoints = still(300, 30)[:, :, :N]
    filled, seen = hide(keypoints, 0.5, generator())
    assert (filled - keypoints).abs().max() < 1e-4  # nobody moves
    some = ~seen.flatten(1).all(dim=1)
    assert some.float().mean() == pytest.approx(0.5, abs=0.1)
    assert seen.any(dim=1).all()
    whole = (~seen).all(dim=2).any(dim=1)
    assert 0.1 < whole.float().mean() < 0.4
    assert torch.equal(hide(keypoints, 0.0, generator())[1], torch.ones_like(seen))


def test_derived_joints_are_seen_where_their_parents_are():
    pose2d = still(100)
    found, seen = SequenceErrors(COCO, CROP, "jitter", hidden_share=1.0)(pose2d, generator())
    hips = [COCO.joints.index(name) for name in ("L_Hip", "R_Hip")]
    pelvis = COCO.joints.index("Pelvis")
    assert torch.equal(seen[:, :, pelvis], seen[:, :, hips].all(dim=2))
    assert (found[:, :, pelvis] - found[:, :, hips].mean(dim=2)).abs().max() < 1e-3


def test_same_generator_same_errors():
    pose2d = still(4)
    errors = SequenceErrors(COCO, CROP, "errors", 0.2, 0.2, 0.5)
    first, second = (errors(pose2d, generator(5)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
