"""Cameras turned to people: nothing is lost, and where the camera looks does not matter."""

import math

import pytest
import torch

from lib.geometry.gaps import fill_gaps
from lib.geometry.person_view import person_view, smooth, towards

FOCAL, PRINCPT = torch.tensor([[[1500.0, 1400.0]]]), torch.tensor([[[500.0, 400.0]]])


def walk(frames=12, joints=5, seed=0):
    """Points (1, T, J, 3) metres of somebody who crosses the picture, in the camera frame."""
    generator = torch.Generator().manual_seed(seed)
    body = 0.5 * torch.randn(joints, 3, generator=generator, dtype=torch.float64)
    time = torch.arange(frames, dtype=torch.float64)[:, None]
    place = torch.cat([0.05 * time - 0.5, 0.01 * time, 4 + 0.02 * time], dim=1)
    sway = 0.05 * torch.sin(time[:, None] + torch.arange(joints)[None, :, None])
    return (body + sway + place[:, None])[None]


def pixels(points, focal=FOCAL, princpt=PRINCPT):
    return points[..., :2] / points[..., 2:] * focal[:, :, None] + princpt[:, :, None]


def yaw(degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]], dtype=torch.float64)


def test_turned_camera_looks_straight_at_it_without_rolling():
    direction = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotation = towards(direction)
    ahead = torch.einsum("nij,nj->ni", rotation, torch.cat([direction, torch.ones(50, 1)], dim=1))
    assert ahead[:, :2].abs().max() < 1e-12
    assert (ahead[:, 2] > 0).all()
    assert (rotation @ rotation.transpose(1, 2) - torch.eye(3)).abs().max() < 1e-12
    assert rotation[:, 0, 1].abs().max() == 0  # right stays level


def test_what_is_found_in_the_turned_frame_comes_back():
    points = walk()
    view = person_view(pixels(points), FOCAL, PRINCPT)
    turned = points @ view.rotation.transpose(-1, -2)
    assert (view.to_camera(turned) - points).abs().max() < 1e-12
    # the turned picture shows the turned points
    seen = turned[..., :2] / turned[..., 2:]
    centred = seen - seen.mean(dim=2, keepdim=True)
    scale = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
    assert (centred / scale - view.pose2d).abs().max() < 1e-10


def test_where_the_camera_looks_does_not_matter():
    points = walk()
    view, other = (person_view(pixels(seen), FOCAL, PRINCPT) for seen in (points, points @ yaw(12.0).T))
    # the direction is smoothed as tangents, which bends it a little over a second
    assert (view.pose2d - other.pose2d).abs().max() < 2e-3
    assert (view.motion[..., 2:] - other.motion[..., 2:]).abs().max() < 2e-2


def test_units_of_the_picture_do_not_matter():
    points = walk()
    view = person_view(pixels(points), FOCAL, PRINCPT)
    twice = person_view(pixels(points, 2 * FOCAL, 2 * PRINCPT), 2 * FOCAL, 2 * PRINCPT)
    for value, other in zip(view, twice):
        assert (value - other).abs().max() < 1e-12


def test_smoothing_keeps_what_is_constant_and_takes_jitter_away():
    assert (smooth(torch.full((2, 30, 3), 4.0), 4.0) - 4).abs().max() < 1e-5
    noise = torch.randn(4, 400, 2, generator=torch.Generator().manual_seed(0))
    # white noise keeps 1 / (2 sqrt(pi) std) of its variance
    assert smooth(noise, 4.0)[:, 20:-20].var() == pytest.approx(1 / (2 * math.pi**0.5 * 4), rel=0.15)


def test_gaps_are_straight_lines_between_what_was_seen():
    line = torch.arange(10.0)[None, :, None, None] * torch.tensor([1.0, -2.0])
    pose2d, seen = line.expand(1, 10, 3, 2).clone(), torch.ones(1, 10, 3, dtype=torch.bool)
    seen[0, 3:6, 0] = seen[0, :2, 1] = False
    seen[0, :, 2] = False
    broken = torch.where(seen[..., None], pose2d, 99.0)
    filled = fill_gaps(broken, seen)
    assert (filled[:, :, 0] - line[:, :, 0]).abs().max() < 1e-6
    assert filled[0, :2, 1].tolist() == [[2.0, -4.0]] * 2  # rests before it is first seen
    assert (filled[:, :, 2] == 99).all()  # never seen
    assert torch.equal(fill_gaps(pose2d, torch.ones_like(seen)), pose2d)
