"""Track numbers, the filter of duplicates, the picture of named joints."""

import cv2
import numpy as np
import pytest

from lib.poses import Frame, PoseSequence, assign_tracks, draw_check, filter_people, read_poses
from lib.poses.tracking import box_iou, match_costs
from tests.helpers import ROOT

PERSON = read_poses(ROOT / "demo" / "sample_pose_coco.npy", joint_set="coco").frames[0].poses[0]


def placed(x: float, y: float = 0.0, height: float = 300.0) -> np.ndarray:
    """The demo's person (17, 3) at a place."""
    pose = PERSON.copy()
    low, high = pose[:, :2].min(axis=0), pose[:, :2].max(axis=0)
    pose[:, :2] = (pose[:, :2] - low) * height / (high - low)[1] + [x, y]
    return pose


def sequence_of(frames) -> PoseSequence:
    return PoseSequence([Frame(str(n), np.array(f, np.float32).reshape(-1, 17, 3)) for n, f in enumerate(frames)],
                        "coco17", is_video=True)  # fmt: skip


def crossing(count: int = 40, seed: int = 0, height_b: float = 290.0):
    """Two people who walk through each other, in random order in each frame; the true numbers beside them."""
    rng = np.random.default_rng(seed)
    frames, truth = [], []
    for step in range(count):
        people = [placed(100 + 15.0 * step), placed(100 + 15.0 * (count - 1 - step), 8, height_b)]
        order = rng.permutation(2)
        frames.append(np.array(people)[order] + rng.normal(0, [1.5, 1.5, 0], (2, 17, 3)))
        truth.append(order)
    return frames, truth


def assert_same_people(sequence: PoseSequence, truth) -> None:
    """Each true person has one number."""
    pairs = {(int(a), int(b)) for frame, who in zip(sequence.frames, truth) for a, b in zip(frame.tracks, who)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("seed", range(5))
def test_crossing_people_keep_their_numbers(seed):
    frames, truth = crossing(seed=seed)
    assert_same_people(assign_tracks(sequence_of(frames)), truth)


def test_a_person_hidden_for_some_frames_keeps_the_number():
    frames, truth = crossing()
    for step in range(18, 23):
        keep = truth[step] == 0
        frames[step], truth[step] = frames[step][keep], truth[step][keep]
    assert_same_people(assign_tracks(sequence_of(frames)), truth)


def test_missing_joints_do_not_confuse_the_matching():
    frames, truth = crossing()
    rng = np.random.default_rng(1)
    for people in frames:
        people[rng.random((2, 17)) < 0.3] = 0
    assert_same_people(assign_tracks(sequence_of(frames)), truth)


def test_newcomers_get_new_numbers_and_long_absence_ends_a_track():
    a, b = placed(0), placed(900)
    tracked = assign_tracks(sequence_of([[a], [a, b], [b], [], [b, a]]))
    assert [frame.tracks.tolist() for frame in tracked.frames] == [[0], [0, 1], [1], [], [1, 0]]
    for absent, number in ((14, 0), (15, 1)):
        tracked = assign_tracks(sequence_of([[a], *[[]] * absent, [a]]), max_gap=15)
        assert tracked.frames[-1].tracks.tolist() == [number]


def test_given_numbers_are_kept():
    sequence = PoseSequence([Frame("0", placed(0)[None], np.array([7]))], "coco17", is_video=True)
    assert assign_tracks(sequence) is sequence


def test_costs_without_shared_joints_use_the_boxes():
    upper, lower = placed(0)[:, :2].astype(float), placed(0)[:, :2].astype(float)
    upper[11:], lower[:11] = np.nan, np.nan
    cost = match_costs(np.array([upper, np.full((17, 2), np.nan)]), np.array([lower, upper]))
    assert cost.shape == (2, 2)
    assert 0 < cost[0, 0] <= 1
    assert cost[0, 1] == 0
    assert np.isinf(cost[1]).all()
    boxes = np.array([[0, 0, 2, 2.0]])
    np.testing.assert_allclose(box_iou(boxes, np.array([[1, 0, 3, 2.0], [5, 5, 6, 6]])), [[1 / 3, 0]])


def with_derived(pose: np.ndarray) -> np.ndarray:
    return np.concatenate([pose, [pose[11:13].mean(axis=0), pose[5:7].mean(axis=0)]])


def test_filter_drops_the_unsure_and_the_same():
    sure, twin, other, unsure = placed(0), placed(8), placed(60), placed(500)
    unsure[:, 2] = 0.08
    poses = np.array([with_derived(pose) for pose in (sure, sure, twin, other, unsure)])
    reasons = filter_people(poses, "coco")
    assert [reason is None for reason in reasons] == [True, False, False, True, False]
    assert reasons[1] == "the same as person 0: 0.0 pixels apart"
    assert reasons[2].startswith("the same as person 0: 4.0")
    assert reasons[4].startswith("scores sum to 1.37")  # 17 * 0.08 and two derived ones of 0.0064


@pytest.mark.parametrize(
    ("height", "limit"), [(20, 2), (100, 10), (199.9, 20), (200, 20), (500, 20), (800, 20), (801, 20), (2000, 50)]
)
def test_small_people_side_by_side_are_not_the_same_and_large_ones_apart_are(height, limit):
    """The original's 20 pixels for people of 200 to 800 pixels, a share of the size for others."""
    for apart, same in ((0.98 * limit, True), (1.02 * limit, False)):
        one, other = with_derived(placed(0, height=height)), with_derived(placed(2 * apart, height=height))
        assert (filter_people(np.array([one, other]), "coco")[1] is not None) == same
        other = with_derived(placed(4 * apart, height=height))
        assert (filter_people(np.array([one, other]), "coco", duplicate_distance=40)[1] is not None) == same


def test_people_without_a_joint_in_common_stay():
    """The original dropped the second of two people of whom no joint is visible in both."""
    upper, lower = placed(0), placed(0)
    upper[11:, 2], lower[:11, 2] = 0, 0
    assert filter_people(np.array([with_derived(upper), with_derived(lower)]), "coco") == [None, None]


@pytest.mark.parametrize("joints, count", [("coco17", 17), ("openpose_body25", 25), ("human36", 17), ("smpl", 24),
                                           ("mano", 21), ("mediapipe33", 33)])  # fmt: skip
def test_check_picture_names_the_joints(joints, count):
    rng = np.random.default_rng(0)
    pose = rng.uniform((100, 50, 1), (500, 400, 1), (2, count, 3)).astype(np.float32)
    pose[0, 3] = 0
    image = np.full((480, 640, 3), 90, np.uint8)
    picture = draw_check(image, Frame("a.jpg", pose), joints)
    assert picture.shape == (900, 1200, 3)
    assert (picture != 90).any(axis=2).mean() > 0.03
    assert (image == 90).all()
    free = draw_check(None, Frame("a.jpg", pose), joints)
    assert min(free.shape[:2]) == 900


def test_check_picture_refuses_other_joints_and_takes_empty_frames():
    with pytest.raises(ValueError, match="coco17 has 17 joints, the poses have 18"):
        draw_check(None, Frame("a", np.ones((1, 18, 3), np.float32)), "coco17")
    assert draw_check(None, Frame("a", np.zeros((0, 17, 3), np.float32)), "coco17").shape[2] == 3


def test_check_picture_names_everybody_who_is_large_enough(monkeypatch):
    """Nobody's names are left out because others are larger; whoever is too small has a number and a word about it."""
    written, tags = [], []
    monkeypatch.setattr("lib.poses.drawing._write", lambda picture, text, place, colour: written.append(text))
    put = cv2.putText
    monkeypatch.setattr("cv2.putText", lambda picture, text, *rest: tags.append(text) or put(picture, text, *rest))
    poses = np.array([placed(30 + 170 * number, 40, 200 + 10 * number) for number in range(5)] + [placed(950, 300, 40)])
    draw_check(np.zeros((900, 1000, 3), np.uint8), Frame("a.jpg", poses.astype(np.float32)), "coco17")
    assert sum(text.endswith("L_Knee") for text in written) == 5
    assert tags == ["0", "1", "2", "3", "4", "5"]
    assert any(text.startswith("1 of 6 people have numbers only") for text in written)
    written.clear()
    crowd = np.concatenate([poses[:5] + np.array((0, 300 * row, 0)) for row in range(6)]).astype(np.float32)
    draw_check(np.zeros((2000, 1000, 3), np.uint8), Frame("a.jpg", crowd), "coco17")
    assert sum(text.endswith("L_Knee") for text in written) == 12


def test_check_picture_shows_hands_and_counts_who_has_nothing_to_show(monkeypatch):
    written = []
    monkeypatch.setattr("lib.poses.drawing._write", lambda picture, text, place, colour: written.append(text))
    poses = np.array([placed(30, 40, 300), placed(400, 40, 200)]).astype(np.float32)
    poses[1, :, 2] = 0
    hands = np.full((2, 2, 21, 3), np.nan, np.float32)
    hands[0, 1] = np.column_stack([np.linspace(500, 600, 21), np.linspace(700, 800, 21), np.full(21, 0.9)])
    image = np.zeros((900, 1000, 3), np.uint8)
    pictures = [draw_check(image, Frame("a", poses, hands=shown), "coco17") for shown in (None, hands)]
    assert any(text.startswith("1 of 2 people have no joint to show") for text in written)
    assert not any("numbers only" in text for text in written)
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=2))
    assert rows.min() > 650
    assert columns.min() > 450


def test_check_picture_colours_hands_by_their_side():
    hand = np.column_stack([np.tile([100, 160, 220], 7), np.linspace(100, 400, 21), np.ones(21)])
    hands = np.stack([hand, hand + np.array((500, 0, 0))]).astype(np.float32)
    image = np.zeros((900, 1000, 3), np.uint8)
    picture = draw_check(image, Frame("a", hands, left=np.array([True, False])), "mano")
    for hand, (strong, weak) in zip(hands, ((2, 1), (1, 2))):  # red, green
        for x, y in hand[:, :2].round().astype(int):
            assert int(picture[y, x, strong]) - int(picture[y, x, weak]) > 20


def test_a_crowd_is_filtered_as_one_by_one():
    """Each is left out who lies on somebody kept before."""
    rng = np.random.default_rng(4)
    poses = np.concatenate([rng.uniform(0, 400, (120, 24, 2)), rng.uniform(0, 1, (120, 24, 1))], axis=2)
    poses[60:, :, :2] = poses[:60, :, :2] + rng.uniform(0, 40, (60, 1, 1))  # half of them near another one
    poses[:, :, :2] = np.where(poses[..., 2:] > 0.2, poses[..., :2], np.nan)
    expected, kept = [], []
    for person, pose in enumerate(poses):
        for other in kept:
            both = (pose[:, 2] > 0.2) & (poses[other, :, 2] > 0.2)
            if both.any() and np.abs(pose[both, :2] - poses[other, both, :2]).mean() < 20:
                expected.append(f"the same as person {other}")
                break
        else:
            kept.append(person)
            expected.append(None)
    found = filter_people(poses, "smpl", joint_score=0.2, person_score=0)
    assert [reason and reason.partition(":")[0] for reason in found] == expected
    assert 10 < len(kept) < 110
