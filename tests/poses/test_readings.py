"""Other readings of the same numbers: joints of another source, exchanged axes; never of poses read rightly."""

import numpy as np
import pytest

from data.build.make_pose_samples import projected_joints
from lib.demo import sample_pose_path
from lib.poses import SOURCES, Frame, PoseSequence, Source, better_reading, map_pose, reading_of
from lib.poses.sources import OWN_SOURCES, sources_with
from tests.support.demo_inputs import sample

SIDE = 1000  # pixels of the pictures


@pytest.fixture(scope="module")
def people() -> dict[str, np.ndarray]:
    """Poses (N, J, 3) of sources, of the same bodies; none of them is a sample pose."""
    projected = projected_joints("body", "test", 200) | projected_joints("hand", "test", 40)
    scored = {name: np.concatenate([poses, np.ones_like(poses[..., :1])], axis=-1) for name, poses in projected.items()}
    known = {OWN_SOURCES[name][-1]: poses for name, poses in scored.items()} | {"coco17": scored["coco"][:, :17]}
    for name, base in (("panoptic19", "coco19"), ("interhand21", "mano21"), ("ho3d21", "mano21")):
        known[name] = in_order(known[base], SOURCES[base], SOURCES[name])
    return known


def in_order(poses: np.ndarray, source: Source, wanted: Source) -> np.ndarray:
    """Poses (..., J, C) of one source in the joint order of another."""
    return poses[..., [source.role_names.index(role) for role in wanted.role_names], :]


@pytest.mark.parametrize("source, joint_set, most", [
    ("coco17", "coco", 200), ("coco19", "coco", 40), ("human36", "human36", 40), ("coco17", "human36", 40),
    ("smpl24", "smpl", 40), ("panoptic19", "coco", 40), ("mano21", "mano", 40), ("interhand21", "mano", 40),
])  # fmt: skip
def test_poses_that_are_read_rightly_raise_no_alarm(people, source, joint_set, most):
    readings = [better_reading(pose[None], source, joint_set) for pose in people[source][:most]]
    assert not any(reading.source or reading.axes == "as read" for reading in readings if reading)
    assert sum(reading is not None for reading in readings) <= 1  # somebody who does lie on the floor


@pytest.mark.parametrize("joint_set", ["coco", "human36", "mano"])
def test_the_shipped_samples_raise_no_alarm(joint_set):
    pose = scored(np.load(sample_pose_path(joint_set))[None])
    assert better_reading(pose, OWN_SOURCES[joint_set][0], joint_set) is None


@pytest.mark.parametrize("source, taken, joint_set", [
    ("human36", "coco17", "coco"), ("coco17", "human36", "human36"), ("coco17", "human36", "smpl"),
    ("panoptic19", "coco19", "coco"), ("interhand21", "mano21", "mano"), ("ho3d21", "mano21", "mano"),
])  # fmt: skip
def test_joints_of_another_source_are_noticed(people, source, taken, joint_set):
    found = [better_reading(pose[None], taken, joint_set) for pose in people[source][:40]]
    assert np.mean([reading is not None and reading.source == source for reading in found]) > 0.97
    together = better_reading(people[source][:16], taken, joint_set)
    (line,) = together.lines
    assert line.startswith("Warning: the joints fit no known pose as those of")
    assert line.endswith(f"--format {source}")


# what users are told to do, by the statement that they read
WAYS_BACK = {
    "poses[..., :2] = poses[..., 1::-1]": lambda x, y: (y, x),
    "poses[..., 1] = height - poses[..., 1]": lambda x, y: (x, SIDE - y),
    "poses[..., :2] = np.stack([poses[..., 1], height - poses[..., 0]], axis=-1)": lambda x, y: (y, SIDE - x),
}
AXES = {
    "exchanged": lambda x, y: (y, x),
    "up": lambda x, y: (x, SIDE - y),
    "exchanged, up": lambda x, y: (SIDE - y, x),
}


@pytest.mark.parametrize("axes", AXES)
def test_other_axes_are_noticed_and_the_way_back_is_right(people, axes):
    right = people["coco17"][:50]
    poses = right.copy()
    poses[..., 0], poses[..., 1] = AXES[axes](right[..., 0], right[..., 1])
    found = [better_reading(pose[None], "coco17", "coco") for pose in poses]
    assert np.mean([reading is not None and reading.axes == axes for reading in found]) > 0.95
    (line,) = better_reading(poses, "coco17", "coco").lines
    statement = "poses[" + line.partition(": poses[")[2]
    back = np.stack(WAYS_BACK[statement](poses[..., 0], poses[..., 1]), axis=-1)
    np.testing.assert_allclose(back, right[..., :2], atol=1e-3)


def test_exchanged_fractions_of_a_wide_picture(people):
    """They were multiplied by the wrong sides of it."""
    size = np.array([1920, 1080])
    poses = people["coco17"][:16].copy()
    poses[..., :2] = poses[..., 1::-1] / size[::-1] * size
    assert better_reading(poses, "coco17", "coco", image_size=tuple(size)).axes == "exchanged"


def test_another_source_with_exchanged_axes(people):
    poses = people["human36"][:16].copy()
    poses[..., :2] = poses[..., 1::-1]
    found = better_reading(poses, "coco17", "coco")
    assert (found.source, found.axes) == ("human36", "exchanged")
    assert [line.partition(":")[0] for line in found.lines] == ["Warning", "Note"]


def test_an_order_that_no_table_has(people):
    order = np.random.default_rng(1).permutation(17)
    (line,) = better_reading(people["coco17"][:16, order], "coco17", "coco").lines
    assert "fit no known pose" in line
    assert "--check_input" in line


def test_joints_that_a_file_names_are_not_doubted(people):
    named = Source("a file's own", SOURCES["coco17"].joints, "")
    found = better_reading(people["human36"][:16], named, "coco")
    assert found is None or not found.source


def test_missing_joints_and_people_in_one_place():
    pose = scored(sample()[None, :17])
    pose[0, 10:, 2] = 0
    assert better_reading(pose, "coco17", "coco") is None
    assert better_reading(np.ones((3, 17, 3)), "coco17", "coco") is None
    assert better_reading(np.full((3, 17, 3), np.nan), "coco17", "coco") is None
    assert better_reading(np.zeros((0, 17, 3)), "coco17", "coco") is None


def test_people_of_all_frames_count(people):
    wrong, right = people["human36"], people["coco17"]
    frames = [Frame(str(number), (wrong if number < 30 else right)[number][None]) for number in range(40)]
    assert reading_of(PoseSequence(frames, "coco17"), "coco").source == "human36"
    assert reading_of(PoseSequence(frames[30:], "coco17"), "coco") is None
    assert reading_of(PoseSequence([Frame("empty", np.zeros((0, 17, 3)))], "coco17"), "coco") is None


def test_sources_that_have_to_be_named_are_not_taken_by_their_number():
    for count, joint_set in ((17, "coco"), (19, "coco"), (21, "mano"), (25, "coco")):
        assert all(SOURCES[name].usual for name in sources_with(count, joint_set))
    assert sources_with(25, "coco") == ("openpose_body25",)
    hand = scored(sample("mano")[None, :, :2])
    for name in ("interhand21", "ho3d21", "mano_native21"):
        back = map_pose(in_order(hand, SOURCES["mano21"], SOURCES[name]), name, "mano")
        np.testing.assert_allclose(back, hand, rtol=1e-6)


def scored(poses: np.ndarray) -> np.ndarray:
    return np.concatenate([poses[..., :2], np.ones_like(poses[..., :1])], axis=-1)
