"""Smoothing of whole clips: the demo's filters, and means over frames."""

import numpy as np
import pytest

from lib.demo.smoothing import PoseSmoother, TrackFilter
from lib.geometry.smoothing import BETA_MESH, mean_over_frames, smooth_points, smooth_pose2d
from lib.poses import Selection

FPS = 30.0


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    return 300 + rng.normal(0, 60, (1, 17, 2)) + rng.normal(0, 4, (40, 17, 2)).cumsum(0)


def test_2d_poses_are_those_of_the_demo(clip):
    smoother, row = PoseSmoother(FPS), np.zeros(1, np.int64)
    shown = np.ones((1, 17)), np.zeros((1, 17), bool), row, row
    demo = [smoother(number, Selection(pose[None], *shown)).poses[0] for number, pose in enumerate(clip)]
    np.testing.assert_array_equal(smooth_pose2d(clip, FPS)[1:], np.stack(demo)[1:])
    np.testing.assert_allclose(smooth_pose2d(clip, FPS)[0], clip[0], rtol=1e-15)


def test_points_are_those_of_the_demo(clip):
    points = (0.01 * clip[:, :, [0, 1, 0]]).astype(np.float32)
    follow = TrackFilter(FPS, BETA_MESH)
    np.testing.assert_array_equal(smooth_points(points, FPS), [follow(0, t, frame) for t, frame in enumerate(points)])
    assert smooth_points(points, FPS).dtype == np.float32


def test_the_size_of_a_person_does_not_matter(clip):
    np.testing.assert_allclose(smooth_pose2d(7 * clip), 7 * smooth_pose2d(clip), rtol=1e-12)


@pytest.mark.parametrize("frames", [1, 3, 9, 99])
def test_means_are_over_the_frames_around(clip, frames):
    found = mean_over_frames(clip, frames)
    for time in (0, 1, 17, 38, 39):
        reach = min(time, len(clip) - 1 - time, frames // 2)
        np.testing.assert_allclose(found[time], clip[time - reach : time + reach + 1].mean(0), rtol=1e-12)


def test_means_keep_steady_motion():
    line = np.linspace(0, 5, 30)[:, None] * [1.0, -2.0] + 4
    np.testing.assert_allclose(mean_over_frames(line), line, rtol=1e-12)
    assert mean_over_frames(line.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("frames", [0, 4, -3])
def test_even_windows_are_refused(frames):
    with pytest.raises(ValueError, match=f"odd number of them, got {frames}"):
        mean_over_frames(np.zeros((5, 2)), frames)
