"""Ranges and distribution of joint rotations."""

import numpy as np
import pytest
import torch

from lib.body.hand_prior import HandPosePrior
from lib.body.joint_prior import FILES, JointPrior, joint_prior, left_jacobian_inverse
from lib.body.pose_prior import PosePrior, mirror_pose
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.joints.tables import SMPL

HANDS = [SMPL.joints.index(name) for name in ("L_Hand", "R_Hand")]


def drawn(kind, count=300, seed=5):
    generator = torch.Generator().manual_seed(seed)
    if kind == "body":
        pose = PosePrior.load().sample(count, generator)
    else:
        prior = HandPosePrior.load()
        pose = prior.sample(count, generator)
        pose[:, 3:] += prior.mean
    return axis_angle_to_matrix(pose.unflatten(1, (-1, 3)))


def wild(like, seed=0):
    return axis_angle_to_matrix(2 * torch.randn(*like.shape[:2], 3, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("kind", FILES)
def test_drawn_poses_are_likely_and_in_range(kind):
    prior, rotations = joint_prior(kind), drawn(kind)
    if kind == "body":
        rotations[:, HANDS] = torch.eye(3)  # they turn with the wrists
    torch.testing.assert_close(prior.limited(rotations), rotations, atol=0, rtol=0)
    expected = 3 * (rotations.shape[1] - 1)
    assert 0.3 * expected < prior.distance(rotations).mean() < 1.2 * expected
    assert prior.distance(wild(rotations)).min() > 3 * expected


@pytest.mark.parametrize("kind", FILES)
def test_what_is_out_of_range_comes_to_its_limit(kind):
    prior = joint_prior(kind)
    rotations = wild(drawn(kind))
    limited = prior.limited(rotations)
    found = prior.features(limited)
    assert (found >= prior.lower - 1e-4).all()
    assert (found <= prior.upper + 1e-4).all()
    torch.testing.assert_close(prior.limited(limited), limited, atol=1e-4, rtol=0)
    assert torch.equal(limited[:, 0], rotations[:, 0])  # the root may turn anywhere


def test_left_and_right_are_alike():
    prior = joint_prior("body")
    pose = PosePrior.load().sample(200, torch.Generator().manual_seed(1))
    both = [axis_angle_to_matrix(p.unflatten(1, (-1, 3))) for p in (pose, mirror_pose(pose))]
    first, second = (prior.distance(rotations) for rotations in both)
    torch.testing.assert_close(first, second, rtol=0.05, atol=1.0)


def test_slopes_are_those_of_small_steps():
    prior = joint_prior("body").to(torch.zeros(0, dtype=torch.float64))
    rotations = drawn("body", 3).double()
    parent = wild(rotations, 1).double()
    curvature, descent = prior.linearise(rotations, parent)
    generator = torch.Generator().manual_seed(2)
    world = torch.randn(3, rotations.shape[1], 3, generator=generator).double()
    step = 1e-4

    def value(size):
        local = (parent.mT @ (size * world)[..., None]).squeeze(-1)
        return prior.distance(axis_angle_to_matrix(local) @ rotations) / 2

    slope = (value(step) - value(-step)) / (2 * step)
    flat = world[:, 1:].flatten(1)
    torch.testing.assert_close(-(descent * flat).sum(dim=1), slope, rtol=1e-4, atol=1e-3)
    assert (torch.einsum("bi,bij,bj->b", flat, curvature, flat) > 0).all()


def test_left_jacobian_inverse():
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(40, 3, generator=generator).double()
    vector = vector / vector.norm(dim=1, keepdim=True) * torch.linspace(0.01, 3.0, 40).double()[:, None]
    turn = 1e-4 * torch.randn(40, 3, generator=generator).double()
    moved = [matrix_to_axis_angle(axis_angle_to_matrix(s * turn) @ axis_angle_to_matrix(vector)) for s in (1, -1)]
    expected = (moved[0] - moved[1]) / 2
    found = (left_jacobian_inverse(vector) @ turn[..., None]).squeeze(-1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-7)


def test_unusable_files(tmp_path):
    prior = joint_prior("hand")
    prior.save(tmp_path / "p.npz")
    assert torch.equal(JointPrior.load(tmp_path / "p.npz").precision, prior.precision)
    arrays = dict(np.load(tmp_path / "p.npz"))
    np.savez(tmp_path / "short.npz", **{**arrays, "lower": arrays["lower"][1:]})
    with pytest.raises(ValueError, match="short.npz: lower has the shape"):
        JointPrior.load(tmp_path / "short.npz")
    with pytest.raises(FileNotFoundError, match="fit_joint_prior"):
        JointPrior.load(tmp_path / "none.npz")
