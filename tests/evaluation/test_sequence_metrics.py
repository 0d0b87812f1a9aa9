"""Errors of motion against what is known of made motion."""

import numpy as np
import pytest

from lib.evaluation.sequence_metrics import foot_joints, foot_slide, foot_vertices, root_errors
from lib.evaluation.video_metrics import Videos
from lib.joints.tables import COCO, HUMAN36, MANO, SMPL
from lib.mesh.mesh_model import load_mesh_model

LENGTHS = (50, 3, 1, 2, 30)
CLIP = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
PATH_ERRORS = ("root jitter", "root step error", "depth jump")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def truth(rng):
    """Ways of the root, (N, 3) mm, far apart in different clips."""
    return rng.normal(0, 20, (len(CLIP), 3)).cumsum(0) + 5000 * CLIP[:, None]


def first_and_last():
    ends = np.cumsum(LENGTHS)
    first = np.isin(np.arange(len(CLIP)), ends - LENGTHS)
    return first, first | np.isin(np.arange(len(CLIP)), ends - 1)


def test_a_constant_offset_neither_shakes_nor_jumps(truth):
    offset = np.array([30.0, -40, 120])
    errors = root_errors(Videos(CLIP), truth + offset * (1 + CLIP[:, None]), truth)
    np.testing.assert_allclose(errors["MRPE"], 130 * (1 + CLIP), rtol=1e-12)
    for name in PATH_ERRORS:
        assert np.nanmax(errors[name]) < 1e-9, name


def test_frames_without_neighbours_have_no_value(truth):
    errors = root_errors(Videos(CLIP), truth + 1, truth)
    first, end = first_and_last()
    for name, missing in (
        ("MRPE", first & ~first),
        ("root jitter", end),
        ("root step error", first),
        ("depth jump", first),
    ):
        np.testing.assert_array_equal(np.isnan(errors[name]), missing, name)


def test_a_known_sine_gives_the_known_numbers(truth):
    """Of a sin(w t): second difference 4 sin^2(w/2) a |sin|, first 2 sin(w/2) a |cos| half a frame before."""
    time, amplitude, speed = np.arange(len(CLIP)), 7.0, 2 * np.pi / 9
    wave = amplitude * np.sin(speed * time)
    errors = root_errors(Videos(CLIP), truth + wave[:, None] * [0, 0.6, 0.8], truth)
    first, end = first_and_last()
    half = np.sin(speed / 2)
    np.testing.assert_allclose(errors["root jitter"][~end], 4 * half**2 * np.abs(wave)[~end], atol=1e-9)
    step = 2 * half * amplitude * np.abs(np.cos(speed * (time - 0.5)))
    np.testing.assert_allclose(errors["root step error"][~first], step[~first], atol=1e-9)
    np.testing.assert_allclose(errors["depth jump"][~first], 0.8 * step[~first], atol=1e-9)


def test_the_order_of_clips_changes_nothing(truth, rng):
    pred = truth + rng.normal(0, 5, truth.shape)
    feet, true_feet = (points[:, None] + rng.normal(0, 3, (len(CLIP), 4, 3)) for points in (pred, truth))
    # clips interleaved, each in its own order
    mixed = np.argsort(np.concatenate([np.sort(rng.uniform(size=length)) for length in LENGTHS]))
    errors, other = (root_errors(Videos(CLIP[rows]), pred[rows], truth[rows]) for rows in (np.arange(len(CLIP)), mixed))
    slides = (
        foot_slide(Videos(CLIP), feet, true_feet, 30),
        foot_slide(Videos(CLIP[mixed]), feet[mixed], true_feet[mixed], 30),
    )
    for name, values in errors.items():
        np.testing.assert_allclose(values[mixed], other[name], atol=1e-9, err_msg=name)
    assert np.isfinite(slides[0]).any()
    np.testing.assert_allclose(slides[0][mixed], slides[1], atol=1e-9)


def test_clips_do_not_mix(truth, rng):
    pred = truth + rng.normal(0, 5, truth.shape)
    together = root_errors(Videos(CLIP), pred, truth)
    for clip in range(len(LENGTHS)):
        rows = clip == CLIP
        alone = root_errors(Videos(CLIP[rows]), pred[rows], truth[rows])
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][rows], values, atol=1e-9, err_msg=name)


def test_feet_slide_while_the_true_ones_rest():
    true_feet = np.zeros((6, 2, 3))
    true_feet[:, 1, 0] = [0, 100, 200, 300, 300, 304]  # the second foot swings, then rests
    feet = true_feet + 50
    feet[:, 0, 2] += [0, 3, 6, 9, 12, 12]
    feet[:, 1, 1] += [0, 0, 0, 0, 5, 5]
    videos = Videos(np.zeros(6))
    found = foot_slide(videos, feet, true_feet)
    np.testing.assert_allclose(found, [np.nan, 3, 3, 3, (3 + 5) / 2, (0 + 4) / 2])
    np.testing.assert_allclose(foot_slide(videos, true_feet, true_feet), [np.nan, 0, 0, 0, 0, 2])
    moving = foot_slide(videos, feet + 40 * np.arange(6)[:, None, None], true_feet + 40 * np.arange(6)[:, None, None])
    assert np.isnan(moving).all()  # nothing rests


@pytest.mark.parametrize("name", ["open_1723", "open_6890"])
def test_foot_vertices_are_the_ends_of_both_soles(name):
    model = load_mesh_model("body", name)
    rest = model.arrays()["v_template"]
    left_heel, left_toe, right_heel, right_toe = rest[foot_vertices(model)]
    for heel, toe, side in ((left_heel, left_toe, 1), (right_heel, right_toe, -1)):
        assert 0.2 < toe[2] - heel[2] < 0.32
        assert side * toe[0] > 0.05
        assert max(heel[1], toe[1]) < rest[:, 1].min() + 0.035
    np.testing.assert_allclose(left_heel * [-1, 1, 1], right_heel, atol=0.01)


def test_feet_of_joint_sets():
    names = {s.name: [s.joints[joint] for joint in foot_joints(s)] for s in (COCO, HUMAN36, SMPL, MANO)}
    assert names == {
        "coco": ["L_Ankle", "R_Ankle"],
        "human36": ["R_Ankle", "L_Ankle"],
        "smpl": ["L_Ankle", "R_Ankle", "L_Toe", "R_Toe"],
        "mano": [],
    }
    assert foot_vertices(load_mesh_model("hand")) == []
