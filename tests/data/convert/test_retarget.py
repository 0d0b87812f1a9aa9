"""Retargeting of BVH clips to SMPL's joints, frames that are dropped, the turned world."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.convert import retarget
from data.convert.bvh import parse_bvh
from lib.joints.tables import SMPL
from tests.support.files.bvh_clips import REST, cmu_text, positions_of, tiny

JOINT = {name: index for index, name in enumerate(SMPL.joints)}


def posed_directions(pose: np.ndarray, bone: tuple[str, str]) -> np.ndarray:
    """World direction of a bone of the target body, pose (24, 3)."""
    joint, child = JOINT[bone[0]], JOINT[bone[1]]
    turn, at = Rotation.identity(), joint
    while at >= 0:
        turn, at = Rotation.from_rotvec(pose[at]) * turn, retarget.PARENTS[at]
    direction = turn.apply(REST[child] - REST[joint])
    return direction / np.linalg.norm(direction)


LIMBS = {
    ("Hip", "Knee"): "Leg", ("Knee", "Ankle"): "Foot", ("Shoulder", "Elbow"): "ForeArm", ("Elbow", "Wrist"): "Hand",
}  # fmt: skip


def random_clip(seed: int, frames: int = 4):
    rng = np.random.default_rng(seed)
    names = parse_bvh(cmu_text()).joints
    return parse_bvh(cmu_text({name: rng.uniform(-40, 40, (frames, 3)) for name in names}, frames))


def test_limb_directions_equal_the_source():
    clip = random_clip(0)
    poses, positions = retarget.retarget(clip, REST), positions_of(clip)
    for (joint, child), source in LIMBS.items():
        for letter, side in (("L", "Left"), ("R", "Right")):
            end = clip.index(f"{side}{source}")
            expected = positions[:, end] - positions[:, clip.parents[end]]
            expected /= np.linalg.norm(expected, axis=1, keepdims=True)
            found = [posed_directions(pose, (f"{letter}_{joint}", f"{letter}_{child}")) for pose in poses]
            np.testing.assert_allclose(found, expected, atol=1e-9)


def test_zero_pose():
    """CMU's zero pose: trunk as in the T-pose, legs splayed by 20 degrees, elbows' hinges rolled by 30."""
    pose = retarget.retarget(parse_bvh(cmu_text()), REST)[0]
    for name in ("Pelvis", "Torso", "Spine", "Chest", "Neck", "Head", "L_Thorax", "R_Thorax"):
        np.testing.assert_allclose(pose[JOINT[name]], 0, atol=1e-12)
    leg = posed_directions(pose, ("L_Hip", "L_Knee"))
    np.testing.assert_allclose(leg, [np.sin(np.radians(20)), -np.cos(np.radians(20)), 0], atol=1e-9)
    np.testing.assert_allclose(posed_directions(pose, ("R_Shoulder", "R_Elbow")), [-1, 0, 0], atol=1e-9)
    # the splay of the legs is undone at the ankle, so the foot's world rotation is that of the turn alone
    world = Rotation.identity()
    for name in ("L_Hip", "L_Knee", "L_Ankle"):
        world = world * Rotation.from_rotvec(pose[JOINT[name]])
    np.testing.assert_allclose(world.as_rotvec(degrees=True), [0, 0, 20], atol=1e-9)
    # the hand has no roll against the T-pose; the shoulder has the hinge's 30 degrees about the arm
    aligned = retarget.smallest_rotation(REST[18] - REST[16], np.array([1.0, 0, 0]))
    expected = Rotation.from_rotvec([-30, 0, 0], degrees=True).as_matrix() @ aligned
    np.testing.assert_allclose(Rotation.from_rotvec(pose[16]).as_matrix(), expected, atol=1e-12)


def test_root_and_spine_rotations_pass_unchanged():
    angles = np.array([[10.0, 20.0, 30.0]])
    pose = retarget.retarget(parse_bvh(cmu_text({"Hips": angles, "Spine": angles})), REST)[0]
    expected = Rotation.from_euler("ZYX", angles[0], degrees=True).as_rotvec()
    np.testing.assert_allclose(pose[JOINT["Pelvis"]], expected, atol=1e-9)
    np.testing.assert_allclose(pose[JOINT["Spine"]], expected, atol=1e-9)


def test_neck_takes_half_of_the_upper_neck():
    pose = retarget.retarget(parse_bvh(cmu_text({"Neck1": np.array([[0.0, 0.0, 40.0]])})), REST)[0]
    np.testing.assert_allclose(np.degrees(pose[JOINT["Neck"]]), [20, 0, 0], atol=1e-6)
    np.testing.assert_allclose(np.degrees(pose[JOINT["Head"]]), [20, 0, 0], atol=1e-6)


def test_mirrored_clip_gives_mirrored_pose():
    rng = np.random.default_rng(1)
    names = parse_bvh(cmu_text()).joints
    angles = {name: rng.uniform(-40, 40, (3, 3)) for name in names}

    def twin(name):
        for a, b in (("Left", "Right"), ("Right", "Left"), ("LHip", "RHip"), ("RHip", "LHip")):
            if name.startswith(a):
                return b + name[len(a) :]
        return name

    mirrored = {twin(name): value * [-1, -1, 1] for name, value in angles.items()}
    poses = retarget.retarget(parse_bvh(cmu_text(angles, 3)), REST)
    other = retarget.retarget(parse_bvh(cmu_text(mirrored, 3)), REST)
    order = list(range(24))
    for a, b in SMPL.flip_pairs:
        order[a], order[b] = b, a
    np.testing.assert_allclose(other, poses[:, order] * [1, -1, -1], atol=1e-7)


def test_shared_twist_keeps_the_hand():
    clip = random_clip(2)
    with_share, without = retarget.retarget(clip, REST), retarget.retarget(clip, REST, share_wrist_twist=False)
    axis = REST[20] - REST[18]
    elbow, wrist = (Rotation.from_rotvec(with_share[:, j]) for j in (18, 20))
    before = Rotation.from_rotvec(without[:, 18]) * Rotation.from_rotvec(without[:, 20])
    np.testing.assert_allclose((elbow * wrist).as_matrix(), before.as_matrix(), atol=1e-9)
    half = 0.5 * retarget.twist_angle(without[:, 20], axis)
    np.testing.assert_allclose(retarget.twist_angle(with_share[:, 20], axis), half, atol=1e-9)
    np.testing.assert_allclose(np.delete(with_share, [18, 19, 20, 21], 1), np.delete(without, [18, 19, 20, 21], 1))


def test_twist_angle():
    twist = Rotation.from_rotvec([0, 0, 2.0])
    swing = Rotation.from_rotvec([0.7, -0.2, 0])
    np.testing.assert_allclose(retarget.twist_angle((swing * twist).as_rotvec(), np.array([0, 0, 3.0])), 2.0)


def axis_turn(axis, degrees) -> np.ndarray:
    return np.radians(degrees) * np.asarray(axis) / np.linalg.norm(axis)


@pytest.mark.parametrize(
    "joint, axis, limit",
    [
        ("L_Ankle", [1, 0, 0], 85), ("R_Ankle", [0, 1, 1], 85), ("Neck", [0, 1, 0], 85), ("Head", [1, 2, 0], 85),
        ("L_Wrist", [0, 0, 1], 100), ("R_Wrist", [1, 0, 0], 100),
        ("L_Hip", REST[4] - REST[1], 75), ("R_Hip", REST[5] - REST[2], 75),
        ("L_Shoulder", REST[18] - REST[16], 135), ("R_Shoulder", REST[19] - REST[17], 135),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_implausible_angles_are_dropped(joint, axis, limit, sign):
    for degrees, kept in ((limit - 1, True), (limit + 1, False)):
        poses = np.zeros((3, 24, 3))
        poses[:, JOINT[joint]] = sign * axis_turn(axis, degrees)
        assert retarget.keep_frames(poses, REST, 1 / 30).tolist() == [kept] * 3


def test_hip_swing_is_no_twist():
    poses = np.zeros((1, 24, 3))
    poses[:, JOINT["L_Hip"]] = axis_turn([1, 0, 0], -120)
    leg = REST.copy()
    leg[4] = leg[1] + [0, -0.4, 0]
    assert retarget.keep_frames(poses, leg, 1 / 30).tolist() == [True]


@pytest.mark.parametrize(
    "frame_time, degrees, kept", [(1 / 30, 59, 1), (1 / 30, 61, 0), (1 / 60, 31, 0), (1 / 15, 110, 1)]
)
def test_frames_beside_a_jump_are_dropped(frame_time, degrees, kept):
    poses = np.zeros((6, 24, 3))
    poses[3:, JOINT["L_Knee"]] = axis_turn([1, 0, 0], degrees)
    assert retarget.keep_frames(poses, REST, frame_time).tolist() == [True, True, bool(kept), bool(kept), True, True]


def test_z_up_world():
    """The pelvis of a y-up clip comes to rest with y as height z, and a body that faced +z faces -y."""
    poses, positions = np.zeros((1, 24, 3)), np.array([[1.0, 0.9, 2.0]])
    turned, trans = retarget.z_up(poses, positions, REST + 0.1)
    np.testing.assert_allclose(trans[0] + 0.1, [1.0, -2.0, 0.9], atol=1e-12)
    root = Rotation.from_rotvec(turned[0, 0])
    np.testing.assert_allclose(root.apply([0, 1, 0]), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(root.apply([0, 0, 1]), [0, -1, 0], atol=1e-12)


def test_unknown_skeleton_is_refused():
    with pytest.raises(ValueError, match=r"lacks.*Hips"):
        retarget.retarget(parse_bvh(tiny()), REST)
