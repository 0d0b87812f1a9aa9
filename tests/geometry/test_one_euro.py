"""One-Euro filter."""

import numpy as np
import pytest

from lib.geometry.one_euro import OneEuroFilter, smooth_pose
from tests.helpers import assert_close, golden

RAMP = np.array([0, 1, 2, 3, 2, 1])


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.7, [0, 0.79250849, 1.8029467, 2.80901427, 2.23970917, 1.20485463]),
        (0.005, [0, 0.04964212, 0.19697359, 0.47217823, 0.58277534, 0.60024639]),
    ],
)
def test_known_values_of_whole_number_frames(beta, expected):
    before = RAMP.copy()
    assert_close(smooth_pose(RAMP, 0.004, beta), expected, 1e-8)
    np.testing.assert_array_equal(RAMP, before)


@pytest.mark.parametrize("i", range(3))
def test_poses_match_the_original(i):
    reference = golden("utils")
    min_cutoff, beta = reference[f"euro_par{i}"]
    assert_close(smooth_pose(reference["euro_in"], min_cutoff, beta), reference[f"euro_out{i}"])


def test_elements_are_independent():
    signal = np.random.default_rng(0).normal(size=(30, 4, 3))
    together = smooth_pose(signal)
    alone = np.stack([smooth_pose(column) for column in signal.reshape(30, 12).T], axis=-1)
    np.testing.assert_array_equal(together, alone.reshape(30, 4, 3))


def test_streaming_equals_the_whole_sequence_and_keeps_no_history():
    signal = np.random.default_rng(1).normal(size=(20, 5))
    stream = OneEuroFilter(0, signal[0], min_cutoff=0.004, beta=0.7)
    frames = [stream(k, frame) for k, frame in enumerate(signal[1:], start=1)]
    np.testing.assert_array_equal(np.stack(frames), smooth_pose(signal)[1:])
    assert all(np.size(value) <= 5 for value in vars(stream).values())


def test_the_unit_of_time_does_not_matter():
    signal = np.random.default_rng(3).normal(size=(20, 5))
    seconds = OneEuroFilter(0, signal[0], min_cutoff=0.4, beta=0.7, d_cutoff=2.0)
    quarters = OneEuroFilter(0, signal[0], min_cutoff=0.1, beta=0.7, d_cutoff=0.5)
    times = np.cumsum(np.random.default_rng(4).uniform(0.1, 2, 19))
    for time, frame in zip(times, signal[1:]):
        assert_close(quarters(4 * time, frame), seconds(time, frame), 1e-12)


def test_filter_properties():
    rng = np.random.default_rng(2)
    np.testing.assert_array_equal(smooth_pose(np.full((9, 2), 3.5)), np.full((9, 2), 3.5))
    signal = rng.normal(size=(200, 3))
    assert_close(smooth_pose(signal + 5.0), smooth_pose(signal) + 5.0)
    assert_close(smooth_pose(-signal), -smooth_pose(signal))
    smooth = smooth_pose(signal, 0.004, 0.005)
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.1 * np.abs(np.diff(signal, axis=0)).mean()
    assert smooth_pose(signal.astype(np.float32)).dtype == np.float32


def test_wrong_use_is_an_error():
    stream = OneEuroFilter(0, np.zeros(3))
    with pytest.raises(ValueError, match="order of time"):
        stream(0, np.zeros(3))
    with pytest.raises(ValueError, match=r"expected \(3,\)"):
        stream(1, np.zeros(4))
    with pytest.raises(ValueError, match="without frames"):
        smooth_pose(np.zeros((0, 17, 3)))
