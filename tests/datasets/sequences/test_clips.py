"""Windows of clips: frames that follow each other, at the speed that is asked for."""

import numpy as np
import pytest
import torch

from lib.body.rotation import axis_angle_between, axis_angle_to_matrix
from lib.datasets.sequences.clips import Clips
from lib.datasets.storage.motion_files import find_motion, read_clips
from tests.datasets.sequences.conftest import write_clip


@pytest.fixture(scope="module")
def clips(motion):
    return Clips(find_motion(motion), None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_whole_frames_are_the_files(clips, motion):
    for number, path in enumerate(find_motion(motion)):
        (clip,) = read_clips(path)
        frames = np.array([0, 7, len(clip.poses) - 1])
        found = clips.at(np.array([number]), frames[None].astype(float))
        turns = axis_angle_to_matrix(found.pose.unflatten(2, (-1, 3)))
        wanted = axis_angle_to_matrix(torch.from_numpy(clip.poses[frames]).unflatten(1, (-1, 3)))
        assert (turns[0] - wanted).abs().max() < 1e-5
        assert (found.trans[0].numpy() == clip.trans[frames]).all()


def test_between_frames_lies_half_of_the_turn(clips):
    places = np.array([[4.0, 4.5, 5.0]])
    start, middle, end = axis_angle_to_matrix(clips.at(np.array([0]), places).pose[0].unflatten(1, (-1, 3)))
    first, second = (part.transpose(-1, -2) @ other for part, other in ((start, middle), (middle, end)))
    assert (first - second).abs().max() < 1e-5


def test_windows_run_at_the_clips_own_rate(clips):
    """All clips walk a metre per second, whatever their frame rates."""
    windows = clips.draw(64, 20, (1.0, 1.0), generator())
    steps = windows.trans[:, :, 0].diff(dim=1)
    # backwards, and back where a clip ends, but never faster
    assert (steps.abs().median(dim=1).values - 1 / 30).abs().max() < 1e-4
    assert steps.abs().max() < 1 / 30 + 1e-4
    assert {-1.0, 1.0} == set(steps.sum(dim=1).sign().tolist()) - {0.0}


def test_speeds_are_within_the_limits(clips):
    steps = clips.draw(400, 10, (0.5, 1.8), generator()).trans[:, :, 0].diff(dim=1).abs().median(dim=1).values * 30
    assert steps.min() > 0.5 - 1e-3
    assert steps.max() < 1.8 + 1e-3
    assert ((steps - 1).abs() < 1e-3).float().mean() == pytest.approx(0.4, abs=0.08)


def test_longer_clips_are_drawn_more_often(clips, monkeypatch):
    drawn = []
    monkeypatch.setattr(clips, "at", lambda clip, place: drawn.append(clip))
    clips.draw(6000, 2, (1.0, 1.0), generator())
    seconds = np.array([70 / 30, 50 / 60, 400 / 120])
    assert np.abs(np.bincount(drawn[0]) / 6000 - seconds / seconds.sum()).max() < 0.03


def test_same_generator_same_windows(clips):
    first, second = (clips.draw(5, 8, (0.5, 2.0), generator(3)) for _ in range(2))
    assert torch.equal(first.pose, second.pose)
    assert torch.equal(first.trans, second.trans)


def test_cached_clips_are_mapped_and_the_same(clips, motion, tmp_path):
    cached = Clips(find_motion(motion), tmp_path)
    assert Clips(find_motion(motion), tmp_path).records.folder.parent == tmp_path
    first, second = (each.draw(4, 8, (0.5, 2.0), generator()) for each in (clips, cached))
    assert torch.equal(first.pose, second.pose)


def test_short_way_and_ends_of_turns():
    draw = torch.randn(200, 3, generator=generator(), dtype=torch.float64)
    start, end = draw, draw + 0.3 * torch.randn(200, 3, generator=generator(1), dtype=torch.float64)
    for share, wanted in ((0.0, start), (1.0, end)):
        between = axis_angle_between(start, end, torch.tensor([share], dtype=torch.float64))
        assert (axis_angle_to_matrix(between) - axis_angle_to_matrix(wanted)).abs().max() < 1e-7
    still = axis_angle_between(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([0.5]))
    assert still.abs().max() == 0
    # the same turn written the long way round
    same = axis_angle_between(torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, 3.2 - 2 * torch.pi]]),
                              torch.tensor([0.5]))  # fmt: skip
    assert torch.allclose(axis_angle_to_matrix(same), axis_angle_to_matrix(torch.tensor([[0.0, 0.0, 3.1]])), atol=1e-5)


@pytest.mark.parametrize("broken, message", [
    ({"trans": np.zeros((3, 3))}, "trans must be finite numbers"),
    ({"mocap_framerate": np.array(0.0)}, "no frame rate"),
    ({"mocap_framerate": None}, "no frame rate"),
    ({"frame": np.arange(4)}, "frame must be whole numbers"),
])  # fmt: skip
def test_files_without_way_or_rate_are_named(tmp_path, broken, message):
    path = write_clip(tmp_path / "a_poses.npz", 5, 30.0)
    arrays = {key: value for key, value in ({**np.load(path)} | broken).items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_clips(path)
    assert str(path) in str(caught.value)


def test_clips_are_cut_where_frames_are_missing(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a_poses.npz", 30, 30.0)
    arrays = dict(np.load(path))
    kept = np.delete(np.arange(30), [10, 11, 20])
    np.savez(path, **arrays | {key: arrays[key][kept] for key in ("poses", "trans", "dmpls")}, frame=kept)
    parts = read_clips(path)
    assert [(part.first, len(part.poses)) for part in parts] == [(0, 10), (12, 8), (21, 9)]
    monkeypatch.setattr("lib.datasets.sequences.clips.SHORTEST", 9)
    clips = Clips([path], None)
    assert clips.lengths.tolist() == [10, 9]
    steps = clips.draw(50, 20, (1.0, 1.0), generator()).trans[:, :, 0].diff(dim=1).abs()
    assert steps.max() < 1 / 30 + 1e-4
