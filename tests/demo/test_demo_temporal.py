"""The demo with a temporal lifter: who is lifted together, and what is written of it."""

import numpy as np
import pytest

from lib.demo.carrying import carry_over
from lib.demo.temporal import lift_tracks
from lib.export import load_npz
from lib.joints.lookup import get_joint_set
from lib.poses import Selection
from lib.predictor import Circumstances, Pose2MeshPredictor, SequenceLifter
from tests.support.temporal import walk, write_temporal

COCO = get_joint_set("coco")
SIZE = (900, 700)


@pytest.fixture(scope="module")
def temporal(tmp_path_factory):
    return write_temporal(tmp_path_factory.mktemp("temporal") / "final.pth.tar")


@pytest.fixture
def run_demo(run_demo, weights):
    return lambda *arguments: run_demo("--weights", weights["coco"], *arguments)


@pytest.fixture
def film(tmp_path):
    """Two people, the second unseen in frames 3 and 4; (T, 2, 17, 3)."""
    poses = np.ones((8, 2, 17, 3))
    poses[:, 0, :, :2], poses[:, 1, :, :2] = walk(8), walk(8, offset=350, seed=1)
    poses[3:5, 1] = np.nan
    np.save(tmp_path / "film.npy", poses)
    return tmp_path / "film.npy"


def people(orders, tracks=(7, 3, -1)):
    """A film of three people, one of whom has no number, in these orders."""
    films = np.stack([COCO.add_derived(walk(len(orders), 200 * place, seed=place)) for place in range(len(tracks))])
    return [
        Selection(films[order, number], np.ones((len(order), 19)), np.zeros((len(order), 19), bool), np.array(order),
                  np.array(tracks)[order])
        for number, order in enumerate(orders)
    ]  # fmt: skip


def test_people_are_followed_in_any_order(temporal):
    lifter = SequenceLifter(COCO, temporal)
    plain = lift_tracks(lifter, people([[0, 1, 2]] * 10), 30.0, SIZE)
    orders = [np.random.default_rng(number).permutation(3).tolist() for number in range(10)]
    mixed = lift_tracks(lifter, people(orders), 30.0, SIZE)
    for order, one, other in zip(orders, plain, mixed):
        np.testing.assert_array_equal(other.root, one.root[order])
        np.testing.assert_array_equal(other.joints, one.joints[order])
        assert one.known.tolist() == [True, True, False]


def test_a_person_twice_in_a_frame_is_lifted_once(temporal):
    lifter = SequenceLifter(COCO, temporal)
    found = lift_tracks(lifter, people([[0, 1, 2]] * 4, (5, 5, 5)), 30.0, SIZE)
    assert [frame.known.tolist() for frame in found] == [[True, False, False]] * 4


def test_carried_people_are_frames_that_nobody_saw(temporal):
    lifter = SequenceLifter(COCO, temporal)
    shown = people([[0, 1], [0, 1], [1], [0, 1], [0, 1]])
    carried = lift_tracks(lifter, carry_over(shown, 30.0), 30.0, SIZE)
    gone = lift_tracks(lifter, shown, 30.0, SIZE)
    assert carried[2].known.tolist() == [True, True]
    np.testing.assert_allclose(carried[3].root, gone[3].root, rtol=1e-5)
    assert gone[2].known.tolist() == [True]


def test_what_is_written_is_the_lifters(run_demo, film, temporal, weights, tmp_path, capsys):
    arguments = "--input_pose", film, "--temporal", temporal, "--mesh", "fitted", "--save", "npz,params"
    assert run_demo(*arguments, "--smooth", "input") == 0
    said = capsys.readouterr().out
    assert f"Lifting: each person's frames together, {temporal}" in said
    assert "Smoothing: not of 2D poses" in said
    assert "Carried over: 2 poses" in said
    found = load_npz(tmp_path / "result" / "film_mesh.npz")
    assert found.track.tolist() == [0, 1] * 8
    assert np.flatnonzero(found.carried).tolist() == [7, 9]
    predictor = Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="fitted", temporal=temporal)
    for track in (0, 1):
        rows = found.take(found.track == track)
        known = Circumstances(betas=rows.betas[0])  # black pictures have no size of their own
        wanted = predictor.predict_sequence(np.load(film)[:, track, :, :2], known=known)
        np.testing.assert_allclose(rows.pose3d, wanted.pose3d, atol=0.05)
        np.testing.assert_allclose(rows.pose2d, wanted.pose2d, atol=1e-3)
        assert (rows.betas == rows.betas[0]).all()
        # an assumed camera's depth is that of the picture's camera at the same size
        ratio = rows.translation[:, 2] / wanted.translation[:, 2].numpy()
        np.testing.assert_allclose(ratio, float(rows.focal) / wanted.focal.numpy(), rtol=1e-3)
    with np.load(tmp_path / "result" / "film_params.npz") as params:
        np.testing.assert_allclose(params["betas"], found.betas, atol=1e-6)
        np.testing.assert_allclose(params["poses"], found.pose, atol=1e-6)


def test_with_a_known_picture_the_place_is_the_lifters(run_demo, film, temporal, weights, tmp_path):
    import cv2

    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number:03}.png"), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    arguments = "--input_pose", film, "--input_img", tmp_path, "--temporal", temporal, "--mesh", "network"
    assert run_demo(*arguments, "--save", "npz") == 0
    found = load_npz(tmp_path / "result" / "film_mesh.npz")
    predictor = Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="network", temporal=temporal)
    rows = found.take(found.track == 0)
    wanted = predictor.predict_sequence(np.load(film)[:, 0, :, :2], known=Circumstances(SIZE))
    np.testing.assert_allclose(rows.translation, wanted.translation, atol=1e-4)
    np.testing.assert_allclose(rows.vertices, wanted.mesh, atol=1e-4)
    np.testing.assert_array_equal(rows.lens, rows.translation)


def test_without_temporal_lifter_it_says_why(run_demo, film, temporal, tmp_path, capsys):
    common = "--input_pose", film, "--mesh", "network", "--save", "npz"
    assert run_demo(*common, "--temporal", "off") == 0
    assert "Lifting: frame by frame (--temporal off)" in capsys.readouterr().out
    assert run_demo(*common, "--fps", "2") == 0
    assert "Lifting: frame by frame (2 frames per second, it takes 5 to 1000)" in capsys.readouterr().out
    refused = [
        ((*common, "--temporal", temporal, "--fps", "2"), "2 frames per second, it takes 5 to 1000"),
        ((*common, "--temporal", tmp_path / "none.tar"), "It may also be auto, on or off"),
        ((*common, "--temporal", ""), "--temporal is empty"),
        (("--temporal", "on"), "--temporal need frames that follow each other"),
    ]
    np.save(tmp_path / "one.npy", walk(1)[None])
    refused.append(
        (("--input_pose", tmp_path / "one.npy", "--video", "--temporal", temporal), "there is one frame only")
    )
    np.save(tmp_path / "three.npy", 1000 * np.random.default_rng(0).normal(0, 0.3, (3, 19, 3)))
    refused.append(
        (("--input_pose3d", tmp_path / "three.npy", "--video", "--temporal", temporal), "the joints are 3D already")
    )
    for arguments, message in refused:
        assert run_demo(*arguments) != 0
        assert message in capsys.readouterr().err
