"""People whom the detector loses for a moment while pictures come, and what is kept of people who are gone."""

import numpy as np

from lib.demo.carrying import LastSeen
from lib.demo.lifting import Lifter
from lib.demo.options import DemoOptions
from lib.demo.smoothing import PoseSmoother
from lib.live.drawing import draw_people
from lib.live.lifting import LiveLifter
from lib.poses import Selection, read_poses
from lib.predictor import Pose2MeshPredictor
from lib.render.mesh_renderer import MeshRenderer
from tests.helpers import ROOT


def seen(*people):
    """A selection of people at (track, x)."""
    tracks, places = np.array(people, float).reshape(-1, 2).T
    poses = places[:, None, None] + 100 * np.random.default_rng(0).random((1, 17, 2))
    count = len(tracks)
    return Selection(
        poses, np.ones((count, 17), np.float32), np.zeros((count, 17), bool), np.arange(count), tracks.astype(int)
    )


def test_lost_people_stay_for_a_moment_where_they_were():
    last = LastSeen(fps=50, longest_gap=25)
    assert last(0, seen((3, 10), (4, 500))).carried is None
    for number in range(1, 6):  # 0.1 s
        people = last(number, seen((4, 500 + number)))
        assert people.tracks.tolist() == [4, 3]
        assert people.carried.tolist() == [False, True]
        np.testing.assert_array_equal(people.poses[1], seen((3, 10)).poses[0])
    assert last(6, seen((4, 506))).tracks.tolist() == [4]
    assert last(7, seen((9, 507))).tracks.tolist() == [9]  # the same person under another number
    nobody = last(8, seen())
    assert (nobody.tracks.tolist(), nobody.carried.tolist()) == ([9], [True])


def test_few_pictures_count_where_most_are_left_out():
    last = LastSeen(fps=30, longest_gap=15)
    last(0, seen((3, 10)))
    assert [len(last(number, seen())) for number in (7, 14, 15)] == [1, 1, 0]
    last(20, seen((3, 10)))
    assert not len(last(36, seen()))  # half a second away


def test_a_lost_person_keeps_a_mesh_unless_nothing_is_smoothed():
    predictor = Pose2MeshPredictor("coco", ROOT / "experiment/pose2mesh_cocoJ_open", "cpu", mesh="network")
    sequence = read_poses(ROOT / "demo" / "demo_input_video.json")
    frame, nobody = sequence.frames[0], sequence.frames[0].take(slice(0))
    for smooth, count in (("input", 2), ("both", 2), ("none", None)):
        live = LiveLifter(Lifter(predictor, DemoOptions()), sequence.source, 30.0, smooth)
        first, lost = live(0, frame, (1371, 766)), live(1, nobody, (1371, 766))
        assert (None if lost is None else len(lost)) == count
        if lost is not None:
            assert lost.carried.all()
            assert not lost.confidence.any()
            np.testing.assert_allclose(lost.vertices, first.vertices, atol=1e-4)
            picture = np.zeros((766, 1371, 3), np.uint8)
            with MeshRenderer("software") as renderer:
                assert (draw_people(renderer, picture, lost) == 255).all(2).sum() > 100  # white rings


def test_memory_does_not_grow_with_the_people_who_were_there():
    smoother, last = PoseSmoother(30.0), LastSeen(30.0, 15)
    for number in range(0, 2000, 20):
        people = seen((number, number))
        smoother(number, last(number, people))
    assert len(smoother._sizes) + len(smoother._filter._filters) + len(last._seen) <= 4
