"""Frames at their places in time, whatever frames a file leaves out."""

from dataclasses import replace

import numpy as np
import pytest

from lib.poses import Frame, PoseSequence, assign_tracks
from lib.poses.timeline import all_frames, check_span, frame_numbers, moved, numbered_by_name, split_number
from tests.poses.test_pose_tracking import assert_same_people, placed


def film(numbers, names=None, tracks=None) -> PoseSequence:
    names = names or [f"{number}.jpg" for number in numbers]
    pose = placed(0)[None]
    frames = [Frame(name, pose + place, tracks, number) for place, (name, number) in enumerate(zip(names, numbers))]
    return PoseSequence(frames, "coco17", is_video=True)


def test_300_frames_with_gaps_are_tracked_like_the_whole_film():
    """Two people who walk through each other, listed in any order; some frames, and a whole second, show nobody."""
    rng = np.random.default_rng(3)
    gone = rng.random(300) < 0.25
    gone[120:140] = True  # longer than a track lives
    whole, truth = [], []
    for number in range(300):
        people = np.array([placed(100 + 5 * number), placed(1600 - 5 * number, 8, 290)], np.float32)
        people[..., :2] += rng.normal(0, 1.5, (2, 17, 2))
        order = rng.permutation(2)[: 0 if gone[number] else 2]
        whole.append(Frame(str(number), people[order]))
        truth.append(order)
    listed = [replace(frame, number=number) for number, frame in enumerate(whole) if len(frame.poses)]
    expected = assign_tracks(PoseSequence(whole, "coco17", is_video=True))
    film = all_frames(PoseSequence(listed[::-1], "coco17", is_video=True), 0, 299)
    assert f"{gone.sum()} of 300 frames are not among the poses" in film.notes[0]
    found = assign_tracks(film)
    for number, (frame, other) in enumerate(zip(found.frames, expected.frames, strict=True)):
        assert (frame.name, frame.number) == (other.name, number)
        np.testing.assert_array_equal(frame.poses, other.poses)
        np.testing.assert_array_equal(frame.tracks, other.tracks)
    for part in (slice(0, 120), slice(140, 300)):
        assert_same_people(replace(found, frames=found.frames[part]), truth[part])
    assert {track for frame in found.frames for track in frame.tracks} == {0, 1, 2, 3}


def test_frames_without_poses_are_there_and_empty():
    filled = all_frames(film((2, 3, 7, 8), tracks=np.array([5])))
    assert [frame.number for frame in filled.frames] == list(range(2, 9))
    assert [frame.name for frame in filled.frames] == ["2.jpg", "3.jpg", "4", "5", "6", "7.jpg", "8.jpg"]
    assert [frame.poses.shape for frame in filled.frames][2:6] == [(0, 17, 3)] * 3 + [(1, 17, 3)]
    assert [frame.tracks.tolist() for frame in filled.frames] == [[5], [5], [], [], [], [5], [5]]
    assert filled.notes == ("3 of 7 frames are not among the poses: nobody is there",)
    assert all(frame.tracks is None for frame in all_frames(film((2, 4))).frames)
    assert len(all_frames(film((2, 3)), 0, 9).frames) == 10
    assert [frame.number for frame in moved(film((1, 3)), -1).frames] == [0, 2]


def test_frames_that_do_not_all_have_a_number_of_their_own_go_by_place():
    for numbers in ((None, None), (4, None), (4, 4), (4, -1)):
        assert frame_numbers(film(numbers, ["a", "b"])) == [0, 1]
        assert [frame.name for frame in all_frames(film(numbers, ["a", "b"])).frames] == ["a", "b"]


def test_numbers_that_no_film_has_are_refused():
    with pytest.raises(ValueError, match="the frames' numbers go from 3 to 10000000000, but only 2 of these frames"):
        all_frames(film((3, 10**10)))
    check_span(0, 200_999, 1000, "numbers")
    for last, known in ((201_000, 1000), (1001, 1)):
        with pytest.raises(ValueError):
            check_span(0, last, known, "numbers")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/IMG_0042.jpg", ("IMG_", 42, "")),
        ("clip.0007", ("clip.", 7, "")),
        ("7", ("", 7, "")),
        ("12_000000000003_keypoints", ("12_", 3, "_keypoints")),
        ("office.jpg", None),
        ("", None),
        ("a\\b5.mp4", ("b", 5, "")),
    ],
)
def test_number_of_a_name(name, parts):
    assert split_number(name) == parts


def test_names_that_differ_in_the_number_alone_number_the_frames():
    ordered = numbered_by_name(film([None] * 3, ["f_10.jpg", "f_9.jpg", "f_2.jpg"]))
    assert [(frame.name, frame.number) for frame in ordered.frames] == [
        ("f_2.jpg", 2),
        ("f_9.jpg", 9),
        ("f_10.jpg", 10),
    ]
    for names in (["a_1.jpg", "b_2.jpg"], ["a/1.jpg", "b/1.jpg"], ["x.jpg", "1.jpg"], ["1.jpg", "900000.jpg"]):
        assert all(frame.number is None for frame in numbered_by_name(film([None] * 2, names)).frames)
    assert [frame.number for frame in numbered_by_name(film((4, 5), ["1.jpg", "2.jpg"])).frames] == [4, 5]
