"""Roots of people from root-relative joints and a 2D pose."""

import pytest
import torch

from lib.geometry.cameras import project
from lib.geometry.root_fit import root_from_joints

FOCAL, PRINCPT = torch.tensor([1400.0, 1500.0]), torch.tensor([640.0, 360.0])


@pytest.fixture
def people():
    """Joints (40, 17, 3), roots (40, 3) metres and 2D poses."""
    generator = torch.Generator().manual_seed(0)
    joints = 0.4 * torch.randn(40, 17, 3, generator=generator)
    root = torch.rand(40, 3, generator=generator) * torch.tensor([4.0, 2.0, 6.0]) + torch.tensor([-2.0, -1.0, 3.0])
    return joints, root, project((joints + root[:, None]).double(), FOCAL, PRINCPT)


@pytest.mark.parametrize("robust", [False, True])
def test_exact_poses_give_the_exact_root(people, robust):
    joints, root, pose2d = people
    found = root_from_joints(joints, pose2d, FOCAL, PRINCPT, robust)
    assert found.dtype == joints.dtype
    torch.testing.assert_close(found, root, atol=2e-5, rtol=0)


def test_each_frame_may_have_its_camera(people):
    joints, root, _ = people
    focal = FOCAL * torch.linspace(0.5, 2, 40)[:, None]
    pose2d = project(joints + root[:, None], focal, PRINCPT)
    found = root_from_joints(joints, pose2d, focal, PRINCPT.expand(40, 2))
    torch.testing.assert_close(found, root, atol=1e-4, rtol=0)


def test_no_other_root_fits_better(people):
    joints, _, pose2d = people
    noisy = pose2d + 6 * torch.randn(pose2d.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = root_from_joints(joints.double(), noisy, FOCAL, PRINCPT)
    rays = (noisy - PRINCPT) / FOCAL

    def error(root):
        placed = joints + root[:, None]
        return (placed[..., :2] - rays * placed[..., 2:]).square().sum((1, 2))

    for step in torch.cat([torch.eye(3), -torch.eye(3)]).double():
        assert (error(found) < error(found + 1e-3 * step)).all()


def test_gross_errors_hardly_move_the_robust_root(people):
    joints, root, pose2d = people
    wrong = pose2d.clone()
    wrong[:, :3] += 100
    plain, robust = (root_from_joints(joints, wrong, FOCAL, PRINCPT, robust) - root for robust in (False, True))
    assert robust.norm(dim=1).median() < 0.01
    assert plain.norm(dim=1).median() > 0.2


def test_roots_stay_in_front_of_the_camera(people):
    joints, _, pose2d = people
    found = root_from_joints(joints, 2 * PRINCPT - pose2d, FOCAL, PRINCPT)  # upside down: no root in front fits
    assert (found[:, 2] >= 0.1).all()
    assert (found[:, 2] < 0.2).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda joints, pose: (joints, pose[:, :5]), r"\(40, 17, 3\), \(40, 5, 2\)"),
        (
            lambda joints, pose: (joints, torch.where(torch.arange(40)[:, None, None] == 7, 3.0, pose)),
            "pose 7 is a point",
        ),
        (
            lambda joints, pose: (torch.where(torch.arange(40)[:, None, None] == 9, torch.nan, joints), pose),
            "pose 9 is",
        ),
    ],
)
def test_unusable_poses_are_named(people, change, message):
    joints, _, pose2d = people
    with pytest.raises(ValueError, match=message):
        root_from_joints(*change(joints, pose2d), FOCAL, PRINCPT)
