"""Named joints of each source to each joint set: exact where joints agree, close where they are approximated."""

import numpy as np
import pytest

from data.build.make_pose_samples import projected_joints
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.poses import SOURCES, approximated, describe_mapping, map_pose, unmapped
from lib.poses.mapping import RECIPES, VIRTUAL, recipes, ways_used
from lib.poses.sources import sources_with

PAIRS = [(source.name, s.name) for source in SOURCES.values() for s in JOINT_SETS.values() if s.body == source.body]
# mean distance on the open benchmark in per cent of the person's longer side: approximated joints, and same-named ones,
# which each set puts elsewhere in the body
LIMITS = {
    ("coco17", "human36"): {"Torso": 2.9, "Head": 2.2, "Neck": 1.3, "Nose": 0.01, "": 1.8},
    ("coco17", "smpl"): {"Torso": 2.9, "Spine": 2.9, "Chest": 2.9, "L_Hand": 2.8, "R_Hand": 2.8, "Head": 0.7, "": 1.8},
    ("human36", "coco"): {"L_Ear": 2.0, "R_Ear": 2.0, "L_Eye": 0.7, "R_Eye": 0.7, "": 1.8},
    ("human36", "smpl"): {"Torso": 0.8, "Chest": 1.1, "Head": 1.1, "L_Hand": 3.0, "R_Hand": 3.0, "": 0.9},
    ("smpl24", "human36"): {"Head": 2.6, "": 0.9},
    ("smpl24", "coco"): {"": 1.8},
}


@pytest.fixture(scope="module")
def benchmark() -> dict[str, np.ndarray]:
    return projected_joints("body", "test", 300)


def scene(source: str, people: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.uniform((0, 0, 0.2), (500, 400, 1), (people, SOURCES[source].joint_num, 3))


def flipped(poses: np.ndarray, pairs, width: float = 500) -> np.ndarray:
    result = poses.copy()
    result[..., 0] = width - result[..., 0]
    for a, b in pairs:
        result[:, [a, b]] = result[:, [b, a]]
    return result


@pytest.mark.parametrize("source, joint_set", PAIRS)
def test_mapping_and_flipping_can_be_exchanged(source, joint_set):
    poses = scene(source)
    poses[0, 3, 2] = poses[1, :2, 2] = 0  # some missing joints
    poses[2, -1, 0] = np.nan
    one = map_pose(flipped(poses, SOURCES[source].flip_pairs), source, joint_set)
    other = flipped(map_pose(poses, source, joint_set), get_joint_set(joint_set).flip_pairs)
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("source, joint_set", PAIRS)
def test_mapping_follows_translation_and_scale(source, joint_set):
    poses = scene(source)
    moved = poses * [2, 2, 1] + [30, -7, 0]
    expected = map_pose(poses, source, joint_set) * [2, 2, 1] + [30, -7, 0]
    np.testing.assert_allclose(map_pose(moved, source, joint_set), expected, atol=2e-3)


def test_weights_sum_to_one():
    for joint_set in RECIPES:
        for joint, ways in recipes(joint_set).items():
            for way in ways:
                assert sum(way.values()) == pytest.approx(1), (joint_set, joint)
    assert all(sum(way.values()) == 1 for ways in VIRTUAL.values() for way in ways)


@pytest.mark.parametrize("source, joint_set", [("human36", "human36"), ("coco19", "coco"), ("smpl24", "smpl"),
                                               ("mano21", "mano"), ("mediapipe_hand21", "mano")])  # fmt: skip
def test_a_set_maps_to_itself(source, joint_set):
    poses = scene(source)
    for joint, (a, b) in get_joint_set(joint_set).derived:
        poses[:, joint] = np.append((poses[:, a, :2] + poses[:, b, :2]) / 2, poses[:, [a, b], 2:].min(1), axis=1)
    np.testing.assert_allclose(map_pose(poses, source, joint_set), poses.astype(np.float32), rtol=1e-6)
    assert not unmapped(source, joint_set)
    assert not approximated(source, joint_set)


@pytest.mark.parametrize("source, joint_set", LIMITS)
def test_distances_on_the_open_benchmark(benchmark, source, joint_set):
    origin = {"coco17": "coco", "human36": "human36", "smpl24": "smpl"}[source]
    poses = benchmark[origin][:, : SOURCES[source].joint_num]
    mapped = map_pose(poses, source, joint_set)[..., :2]
    size = np.ptp(benchmark["coco"], axis=1).max(axis=1)
    error = (np.linalg.norm(mapped - benchmark[joint_set], axis=2) / size[:, None]).mean(axis=0) * 100
    limits = LIMITS[source, joint_set]
    for joint, value in zip(get_joint_set(joint_set).joints, error):
        if joint in unmapped(source, joint_set):
            assert np.isnan(value)
        else:
            assert value < limits.get(joint, limits[""]), joint


def test_unmapped_joints_are_reported():
    assert unmapped("coco17", "smpl") == ("L_Toe", "R_Toe")
    assert unmapped("openpose_body25", "smpl") == ()
    assert unmapped("smpl24", "coco") == ("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear")
    assert approximated("coco17", "human36") == ("Torso", "Neck", "Head")
    assert "L_Toe: unmapped, filled" in describe_mapping("coco17", "smpl")
    assert "Torso: 0.49 Pelvis + 0.51 Neck" in describe_mapping("coco17", "human36")
    for source, joint_set in PAIRS:
        known = np.isfinite(map_pose(scene(source), source, joint_set)).all(axis=(0, 2))
        assert [not way for way in ways_used(source, joint_set).values()] == (~known).tolist()


def test_the_same_person_from_every_detector():
    """Joints of equal name are the same pixels, whichever order a detector lists them in."""
    place = {role: np.array([number, 2 * number, 0.5]) for number, role in enumerate(
        sorted({role for source in SOURCES.values() for role in source.role_names}), start=1)}  # fmt: skip
    for side in ("Shoulder", "Hip"):
        middle = "Neck" if side == "Shoulder" else "Pelvis"
        place[middle] = (place[f"L_{side}"] + place[f"R_{side}"]) / 2
    results = {
        name: map_pose(np.array([[place[role] for role in source.role_names]]), name, "coco")
        for name, source in SOURCES.items()
        if not unmapped_or_hand(name)
    }
    assert len(results) == 10
    for name, result in results.items():
        np.testing.assert_allclose(result, results["coco17"], err_msg=name)


def unmapped_or_hand(name: str) -> bool:
    return SOURCES[name].body == "hand" or name in ("human36", "smpl24", "openpose_mpi15", "kinect25")  # no faces


def test_scores_are_the_smallest_and_missing_joints_fall_back():
    poses = scene("coco17", 2)
    left, right = 11, 12
    mapped = map_pose(poses, "coco17", "human36")
    np.testing.assert_allclose(mapped[:, 0, 2], poses[:, [left, right], 2].min(axis=1), rtol=1e-6)
    poses[0, left, 2] = 0.05
    mapped = map_pose(poses, "coco17", "human36", joint_score=0.1)
    names = get_joint_set("human36").joints
    assert [names[j] for j in np.flatnonzero(np.isnan(mapped[0, :, 0]))] == ["Pelvis", "L_Hip", "Torso"]
    assert (mapped[0, np.isnan(mapped[0, :, 0]), 2] == 0).all()
    poses[1, 3, 2] = 0  # an ear: the neck takes its next way, the head has none
    mapped = map_pose(poses, "coco17", "human36")
    neck, pelvis = poses[1, 5:7, :2].mean(axis=0), poses[1, 11:13, :2].mean(axis=0)
    np.testing.assert_allclose(mapped[1, 8, :2], 1.13 * neck - 0.13 * pelvis, rtol=1e-5)
    assert np.isnan(mapped[1, 10, 0])


def test_refused():
    with pytest.raises(ValueError, match=r"\(N, 25, 2 or 3\).*openpose_body25.*0 Nose, 1 Neck"):
        map_pose(np.zeros((1, 18, 3)), "openpose_body25", "coco")
    with pytest.raises(ValueError, match="is a body, joint set 'mano' a hand"):
        map_pose(np.zeros((1, 17, 3)), "coco17", "mano")
    with pytest.raises(ValueError, match="unknown source of poses 'openpose'; choose one of coco17"):
        map_pose(np.zeros((1, 17, 3)), "openpose", "coco")


def test_sources_are_tables_without_slips():
    for source in SOURCES.values():
        assert len(set(source.joints)) == source.joint_num
        assert all(source.joints[b] == "R_" + source.joints[a][2:] for a, b in source.flip_pairs)
        assert len(set(source.role_names)) == source.joint_num
        assert source.bones
    counts = {"openpose_body25": 25, "openpose_coco18": 18, "halpe26": 26, "wholebody23": 23, "mediapipe33": 33}
    assert all(SOURCES[name].joint_num == count for name, count in counts.items())
    assert sources_with(17, "human36")[0] == "human36"
    assert sources_with(17, "coco")[0] == "coco17"
