"""Missing joints: which count, how well they are filled, who is refused."""

import numpy as np
import pytest

from data.build.make_pose_samples import joints_by_vertices, normalised, projected_joints
from data.measure.measure_missing import MissingBenchmark
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.poses import complete, missing_joints, select_people
from lib.poses import samples as samples_module


@pytest.fixture(scope="module")
def poses() -> dict[str, np.ndarray]:
    """Complete poses of the open benchmark with scores 1."""
    found = projected_joints("body", "test", 200) | projected_joints("hand", "test", 200)
    return {name: np.concatenate([pose, np.ones((*pose.shape[:2], 1))], axis=2) for name, pose in found.items()}


@pytest.fixture(scope="module")
def benchmark() -> MissingBenchmark:
    return MissingBenchmark("coco", 100)


def person(poses, number: int = 20, joint_set: str = "coco") -> np.ndarray:
    return poses[joint_set][number : number + 1].copy()


@pytest.mark.parametrize("value", [(np.nan, 5, 1), (0, 0, 1), (300, 300, 0.1), (300, 300, np.nan), (np.inf, 1, 1)])
def test_what_counts_as_missing(poses, value):
    pose = person(poses)
    assert not missing_joints(pose).any()
    pose[0, 9] = value
    assert np.flatnonzero(missing_joints(pose)[0]).tolist() == [9]


def test_absurd_joints(poses):
    pose = person(poses)
    pose[0, 10, :2] = 9000, 9000
    assert np.flatnonzero(missing_joints(pose)[0]).tolist() == [10]
    pose = person(poses)
    pose[0, 10, :2] = pose[0, 8, :2] + [150, 0]
    assert not missing_joints(pose).any()
    assert missing_joints(pose, image_size=(200, 200))[0].any()


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_complete_poses_stay_untouched(poses, joint_set):
    result = complete(poses[joint_set], joint_set)
    np.testing.assert_array_equal(result.poses, poses[joint_set][..., :2])
    assert not result.filled.any()
    assert result.refused == [None] * len(poses[joint_set])


@pytest.mark.parametrize("joint_set, limit", [("human36", 5.0), ("coco", 5.0), ("smpl", 3.5), ("mano", 6.5)])
def test_filled_joints_are_near_the_true_ones(poses, joint_set, limit):
    true, joints = poses[joint_set], get_joint_set(joint_set)
    rng = np.random.default_rng(0)
    gone = rng.random((len(true), joints.keypoint_num)).argsort(axis=1) < 3
    damaged = true.copy()
    damaged[:, : joints.keypoint_num][gone] = np.nan
    result = complete(damaged, joint_set)
    size = np.ptp(true[..., :2], axis=1).max(axis=1)
    error = np.linalg.norm(result.poses - true[..., :2], axis=2) / size[:, None] * 100
    use = result.usable
    assert use.mean() > 0.95
    assert error[use][:, : joints.keypoint_num][gone[use]].mean() < limit
    np.testing.assert_array_equal(error[use][~result.filled[use]], 0)
    assert np.isfinite(result.poses[use]).all()


def test_derived_joints_are_derived_again(poses):
    pose = person(poses)
    pose[0, 11] = 0  # a hip, with it the pelvis
    result = complete(pose, "coco")
    assert np.flatnonzero(result.filled[0]).tolist() == [11, 17]
    np.testing.assert_allclose(result.poses[0, 17], result.poses[0, 11:13].mean(axis=0))


def test_filling_follows_translation_and_scale(poses):
    pose = person(poses, joint_set="human36")
    pose[0, [3, 16]] = np.nan
    moved = pose * [2.5, 2.5, 1] + [-40, 900, 0]
    expected = complete(pose, "human36").poses * 2.5 + [-40, 900]
    np.testing.assert_allclose(complete(moved, "human36").poses, expected, atol=1e-6)


def test_batches_do_not_change_the_result(poses):
    true = poses["coco"][:150].copy()
    true[:, 9] = 0
    true[::2, 4] = 0
    together = complete(true, "coco").poses
    alone = np.concatenate([complete(true[n : n + 1], "coco").poses for n in range(0, 150, 30)])
    np.testing.assert_allclose(together[::30], alone, atol=1e-6)


def test_half_of_the_joints_may_be_missing(poses):
    pose = person(poses)
    pose[0, [0, 1, 2, 3, 4, 9, 10, 15], 2] = 0
    result = complete(pose, "coco")
    assert result.refused == [None]
    assert result.filled[0, :17].sum() == 8


def test_refusals_say_why(poses):
    few, trunk, legs = person(poses), person(poses), person(poses)
    few[0, :9] = 0
    trunk[0, [5, 6, 11]] = 0
    legs[0, 11:17] = 0  # a portrait: both shoulders are there
    result = complete(np.concatenate([few, trunk, legs]), "coco")
    assert result.refused[0] == "9 of 17 joints missing, more than half"
    assert result.refused[1] == "only 1 of L_Shoulder, R_Shoulder, L_Hip, R_Hip visible, 2 are needed"
    assert result.refused[2] is None
    assert result.usable.tolist() == [False, False, True]
    nobody, portrait = (select_people(pose, "coco", "coco") for pose in (few, legs))
    assert nobody.notes == ("person 0 left out: 9 of 17 joints missing, more than half",)
    assert portrait.notes[0].startswith("person 0: 6 missing joint(s) filled: L_Hip, R_Hip")
    assert (portrait.scores[0] == 0).tolist() == portrait.filled[0].tolist()
    assert select_people(legs, "coco", "coco", fill=False).reasons == ("6 joint(s) missing, not filled as asked",)
    assert not complete(np.zeros((1, 19, 3)), "coco").usable[0]
    assert complete(np.zeros((0, 19, 3)), "coco").poses.shape == (0, 19, 2)


def test_sequences_do_not_flicker(poses):
    """A wrist that goes missing for some frames stays where it was, and fades to the estimate from one frame."""
    pose, joint = person(poses), 9
    alone = pose.copy()
    alone[0, joint] = 0
    estimate = complete(alone, "coco").poses[0, joint]
    known = pose[0, joint, :2]
    previous, distances = pose[..., :2], []
    for step in range(1, 31):
        frame = alone.copy()
        frame[..., :2] = np.where(frame[..., 2:] > 0, frame[..., :2] + 2.0 * step, 0)
        previous = complete(frame, "coco", previous=previous).poses
        distances.append(np.linalg.norm(previous[0, joint] - 2.0 * step - known))
    offset = np.linalg.norm(estimate - known)
    np.testing.assert_allclose(distances, [offset * (1 - 0.9**step) for step in range(1, 31)], rtol=1e-4)
    far = pose[..., :2] + 4000.0  # another person, or a cut
    np.testing.assert_allclose(complete(alone, "coco", previous=far).poses[0, joint], estimate)
    np.testing.assert_allclose(complete(alone, "coco", previous=far * np.nan).poses[0, joint], estimate)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_filling_lowers_the_error_of_the_mesh(benchmark, count):
    row = benchmark.row(count)
    clean = benchmark.error(benchmark.pose2d, np.ones(100, bool))
    assert row["filled"] < row["copied"] < row["not filled"]
    assert row["filled"] < clean + 8 * count  # mm
    assert row["not filled"] > 2.5 * clean
    assert row["refused"] <= 0.15 * 100


def test_sample_poses_are_small_and_there(monkeypatch, tmp_path, poses):
    assert sum(file.stat().st_size for file in samples_module.SAMPLES.iterdir()) < 900_000
    monkeypatch.setattr(samples_module, "SAMPLES", tmp_path)
    samples_module.built_in_samples.cache_clear()
    samples_module.sample_poses.cache_clear()
    pose = person(poses)
    pose[0, 0, 2] = 0
    with pytest.raises(FileNotFoundError, match="make_pose_samples"):
        complete(pose, "coco")
    samples_module.built_in_samples.cache_clear()


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"expected poses \(N, 19, 3\) of joint set 'coco', got \(1, 17, 3\)"):
        complete(np.zeros((1, 17, 3)), "coco")


def test_feet_of_an_own_set_are_filled():
    joint_set = get_joint_set("asset/joint_sets/body25.yml")
    true = projected_joints("body", "test", 40, own=joint_set)["body25"]
    poses = np.concatenate([true, np.ones((40, 25, 1))], axis=2)
    feet = [joint_set.index(name) for name in joint_set.joints if name.endswith(("Toe", "Heel"))]
    poses[:, feet] = 0
    result = complete(poses, joint_set)
    assert result.usable.all()
    error = np.linalg.norm(result.poses - true, axis=2)[:, feet] / np.ptp(true, axis=1).max(axis=1)[:, None] * 100
    assert error.mean() < 5


def test_shipped_samples_of_an_own_set_are_what_the_script_draws():
    drawn = joints_by_vertices(get_joint_set("asset/joint_sets/body25.yml"), 250)
    with np.load(samples_module.SAMPLES / "joints_body25.npz") as shipped:
        assert sorted(shipped.files) == sorted(drawn)
        for name, expected in drawn.items():
            np.testing.assert_allclose(shipped[name][:250].astype(float), expected.astype(float), atol=4e-3)
    with pytest.raises(ValueError, match="defines no joint by vertices"):
        joints_by_vertices(get_joint_set("coco"), 250)


@pytest.mark.parametrize("kind", ["body", "hand"])
def test_shipped_samples_are_what_the_script_draws(kind):
    drawn = normalised(projected_joints(kind, "train", 250))  # the first block of the draw
    with np.load(samples_module.SAMPLES / f"{kind}.npz") as shipped:
        assert sorted(shipped.files) == sorted(drawn)
        for name, expected in drawn.items():
            np.testing.assert_allclose(shipped[name][:250].astype(float), expected.astype(float), atol=4e-3)
