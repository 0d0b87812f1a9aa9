"""BVH reading, retargeting to SMPL's joints, frame rules, file conversion, thinning and the held-out split."""

import gzip

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.prepare import cmu_bvh, make_benchmark, retarget
from data.prepare.bvh import parse_bvh, read_bvh
from data.prepare.pose_distance import heading_free_joints, remove_heading, thin
from data.prepare.split import HELDOUT_SUBJECTS, UNKNOWN_SUBJECT, in_split
from lib.joint_sets import SMPL

TINY = """HIERARCHY
ROOT base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT arm
  {
    OFFSET 0 2 0
    CHANNELS 3 {order}
    End Site
    {
      OFFSET 1 0 0
    }
  }
  JOINT fixed
  {
    OFFSET 3 0 0
  }
}
MOTION
Frames: 2
Frame Time: 0.05
1 2 3 90 0 0 {angles}
0 0 0 0 0 0 0 0 0
"""

# A body whose limbs point in other directions than CMU's zero pose, as every real body does
REST = np.array(
    [
        [0, 0, 0], [0.1, -0.1, 0], [-0.1, -0.1, 0], [0, 0.1, 0], [0.12, -0.5, 0.02], [-0.12, -0.5, 0.02],
        [0, 0.2, 0], [0.13, -0.9, -0.02], [-0.13, -0.9, -0.02], [0, 0.3, 0], [0.14, -0.95, 0.1],
        [-0.14, -0.95, 0.1], [0, 0.5, 0], [0.05, 0.45, 0], [-0.05, 0.45, 0], [0, 0.6, 0.03], [0.17, 0.45, -0.01],
        [-0.17, 0.45, -0.01], [0.43, 0.44, -0.03], [-0.43, 0.44, -0.03], [0.68, 0.45, -0.02], [-0.68, 0.45, -0.02],
        [0.76, 0.44, -0.02], [-0.76, 0.44, -0.02],
    ]
)  # fmt: skip
JOINT = {name: index for index, name in enumerate(SMPL.joints)}

CMU_SPINE = [("LowerBack", "Hips"), ("Spine", "LowerBack"), ("Spine1", "Spine")]
CMU_HEAD = [("Neck", "Spine1"), ("Neck1", "Neck"), ("Head", "Neck1")]


def cmu_text(rotations=None, frames: int = 1, fps: float = 30.0, positions=None) -> str:
    """A clip of the CMU skeleton; rotations: joint -> (frames, 3) degrees in file order (Z, Y, X)."""
    sine, cosine = np.sin(np.radians(20.0)), np.cos(np.radians(20.0))
    bones = [(name, parent, (0.0, 2.0, 0.0)) for name, parent in CMU_SPINE + CMU_HEAD]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hip = f"{side[0]}HipJoint"
        thigh = (sign * 7 * sine, -7 * cosine, 0.0)
        bones += [
            (hip, "Hips", (0.0, 0.0, 0.0)), (f"{side}UpLeg", hip, (sign * 1.5, -1.5, 0.5)),
            (f"{side}Leg", f"{side}UpLeg", thigh), (f"{side}Foot", f"{side}Leg", thigh),
            (f"{side}ToeBase", f"{side}Foot", (sign * 0.2, -0.4, 2.3)),
            (f"{side}Shoulder", "Spine1", (0.0, 2.0, 0.0)), (f"{side}Arm", f"{side}Shoulder", (sign * 3.0, 1.0, 0.0)),
            (f"{side}ForeArm", f"{side}Arm", (sign * 5.0, 0.0, 0.0)),
            (f"{side}Hand", f"{side}ForeArm", (sign * 3.5, 0.0, 0.0)),
            (f"{side}FingerBase", f"{side}Hand", (sign * 1.7, 0.0, 0.0)),
        ]  # fmt: skip
    children = {}
    for name, parent, offset in bones:
        children.setdefault(parent, []).append((name, offset))
    order, lines = [], ["HIERARCHY"]

    def write(name, offset):
        order.append(name)
        root = "Xposition Yposition Zposition " if name == "Hips" else ""
        lines.extend([f"{'ROOT' if root else 'JOINT'} {name}", "{", "OFFSET {} {} {}".format(*offset)])
        lines.append(f"CHANNELS {6 if root else 3} {root}Zrotation Yrotation Xrotation")
        for child in children.get(name, []):
            write(*child)
        lines.append("}")

    write("Hips", (0.0, 0.0, 0.0))
    positions = np.zeros((frames, 3)) if positions is None else positions
    columns = [positions] + [(rotations or {}).get(name, np.zeros((frames, 3))) for name in order]
    rows = [" ".join(f"{value:.9f}" for value in row) for row in np.concatenate(columns, axis=1)]
    return "\n".join([*lines, "MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.9f}", *rows]) + "\n"


def tiny(order="Zrotation Yrotation Xrotation", angles="30 20 10") -> str:
    return TINY.replace("{order}", order).replace("{angles}", angles)


def test_hierarchy_and_header():
    clip = parse_bvh(tiny())
    assert clip.joints == ("base", "arm", "fixed")
    assert clip.parents.tolist() == [-1, 0, 0]
    np.testing.assert_array_equal(clip.offsets, [[0, 0, 0], [0, 2, 0], [3, 0, 0]])
    np.testing.assert_array_equal(clip.end_offsets["arm"], [1, 0, 0])
    assert clip.channels[2] == ()
    assert (len(clip), clip.frame_time) == (2, 0.05)


@pytest.mark.parametrize("order, angles", [("Z Y X", (30, 20, 10)), ("X Z Y", (10, 30, 20)), ("Y X Z", (-50, 70, 5))])
def test_rotation_channels_apply_in_listed_order(order, angles):
    axes = order.split()
    clip = parse_bvh(tiny(" ".join(f"{a}rotation" for a in axes), " ".join(map(str, angles))))
    expected = Rotation.from_euler("".join(axes), angles, degrees=True)  # capital letters: R = R1 R2 R3
    np.testing.assert_allclose(clip.local_rotations()[0, 1], expected.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(clip.local_rotations()[1, 1], np.eye(3), atol=1e-12)


def test_forward_kinematics():
    positions = parse_bvh(tiny()).positions()
    # the root stands at (1, 2, 3) and is turned by 90 degrees about z: x becomes y, y becomes -x
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [-1, 2, 3], [1, 5, 3]], atol=1e-12)
    np.testing.assert_allclose(positions[1], [[0, 0, 0], [0, 2, 0], [3, 0, 0]], atol=1e-12)


def test_windows_line_ends_gzip_and_byte_order_mark(tmp_path):
    text = tiny().replace("\n", "\r\n")
    plain, packed = tmp_path / "a.bvh", tmp_path / "a.bvh.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_bvh(plain).values, parse_bvh(tiny()).values)
    np.testing.assert_array_equal(read_bvh(packed).values, parse_bvh(tiny()).values)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("MOTION", "", "no MOTION section"),
        ("CHANNELS 3 Z", "CHANNELS 3 Q", "line 9: channel expected"),
        ("OFFSET 0 2 0", "OFFSET 0 two 0", "line 8: 3 numbers expected, found '0 two 0'"),
        ("JOINT fixed", "LIMB fixed", "line 15: JOINT, 'End Site' or } expected"),
        ("JOINT fixed", "JOINT arm", "line 16: joint name 'arm' is a duplicate"),
        ("Frames: 2", "Frames: 3", "3 frames announced, 2 found"),
        ("Frames: 2", "Frames: two", "line 21: 'frames: NUMBER' expected"),
        ("Frame Time: 0.05", "Frame Time: 0", "line 22: the frame time must be positive"),
        ("1 2 3 90", "1 2 90", "line 23: 9 numbers expected"),
        ("1 2 3 90", "1 2 nan 90", "line 23: a motion row must hold finite numbers"),
        ("}\nMOTION", "MOTION", "ends too early"),
        ("Xrotation\n    End", "Zrotation\n    End", "line 9: repeated channel"),
    ],
)
def test_malformed_files_are_named(old, new, message):
    text = tiny()
    assert old in text
    with pytest.raises(ValueError, match=r"clip\.bvh") as caught:
        parse_bvh(text.replace(old, new), "clip.bvh")
    assert message in str(caught.value)


def test_damaged_or_missing_files(tmp_path):
    packed = tmp_path / "a.bvh.gz"
    packed.write_bytes(gzip.compress(tiny().encode())[:-20])
    with pytest.raises(ValueError, match="damaged gzip"):
        read_bvh(packed)
    with pytest.raises(FileNotFoundError):
        read_bvh(tmp_path / "none.bvh")


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
    poses, positions = retarget.retarget(clip, REST), clip.positions()
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


@pytest.fixture
def clip_folder(tmp_path):
    body = tmp_path / "body.npz"
    np.savez(body, J=REST)
    folder = tmp_path / "clips"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in ("02_01", "14_03", "expmap-jumping_1"):
        start = rng.uniform(-10, 10, (1, 3))
        walk = {"LeftUpLeg": start + np.linspace(0, 40, 31)[:, None] * [0.2, 0.1, -1]}
        positions = np.linspace([0, 16, 0], [0, 16, 18], 31)
        text = cmu_text(walk, 31, positions=positions)
        (folder / f"{name}.bvh.gz").write_bytes(gzip.compress(text.encode()))
    return folder, body


def run(clip_folder, output, *extra):
    folder, body = clip_folder
    cmu_bvh.main(["--input", str(folder), "--output", str(output), "--body", str(body), *extra])
    return {str(path.relative_to(output)) for path in output.rglob("*.npz")}


def test_conversion_to_amass_files(clip_folder, tmp_path, capsys):
    output = tmp_path / "out"
    files = run(clip_folder, output)
    assert files == {
        "CMU/02/02_01_poses.npz", "CMU/14/14_03_poses.npz", f"CMU/{UNKNOWN_SUBJECT}/expmap-jumping_1_poses.npz",
    }  # fmt: skip
    with np.load(output / "CMU/02/02_01_poses.npz", allow_pickle=False) as arrays:
        assert arrays["poses"].shape == (11, 156)
        assert not arrays["poses"][:, 72:].any()
        assert (arrays["betas"].shape, arrays["dmpls"].shape, arrays["trans"].shape) == ((16,), (11, 8), (11, 3))
        assert str(arrays["gender"]) == "neutral"
        np.testing.assert_allclose(arrays["mocap_framerate"], 10.0, atol=1e-6)
        # 18 units of 5.6444 cm forward (z becomes -y)
        np.testing.assert_allclose(arrays["trans"][-1] - arrays["trans"][0], [0, -18 * 0.0254 / 0.45, 0], atol=1e-6)
        clip = read_bvh(clip_folder[0] / "02_01.bvh.gz")
        body_pose = retarget.retarget(clip, REST)[::3].reshape(-1, 72)
        np.testing.assert_allclose(arrays["poses"][:, 3:72], body_pose[:, 3:], atol=1e-6)
    assert "33 frames of 3 subjects" in capsys.readouterr().out


def test_conversion_options(clip_folder, tmp_path):
    assert run(clip_folder, tmp_path / "a", "--split", "heldout", "--subset", "X") == {"X/02/02_01_poses.npz"}
    assert len(run(clip_folder, tmp_path / "b", "--split", "train", "--fps", "keep")) == 2
    with np.load(tmp_path / "b/CMU/14/14_03_poses.npz") as arrays:
        assert len(arrays["poses"]) == 31
    index = tmp_path / "index.csv"
    index.write_text("file,subject\nfolder/02_01.bvh.gz,77\nfolder/expmap-jumping_1.bvh.gz,unlisted\n")
    files = run(clip_folder, tmp_path / "c", "--index", str(index))
    assert {"CMU/77/02_01_poses.npz", f"CMU/{UNKNOWN_SUBJECT}/expmap-jumping_1_poses.npz"} <= files


def test_conversion_errors(clip_folder, tmp_path, capsys):
    (clip_folder[0] / "zz_1.bvh").write_text(tiny())
    with pytest.raises(SystemExit):
        run(clip_folder, tmp_path / "out")
    assert "zz_1.bvh: no known skeleton" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run((tmp_path / "nothing", clip_folder[1]), tmp_path / "out")
    assert "no such file or folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run((clip_folder[0], tmp_path / "no_body.npz"), tmp_path / "out")
    assert "no body model" in capsys.readouterr().err
    with pytest.raises(ValueError, match="100 were asked for"):
        cmu_bvh.convert_clip(parse_bvh(cmu_text()), REST, fps=100)


def test_split():
    assert in_split("02", "heldout")
    assert not in_split("02", "train")
    assert in_split("14", "train")
    assert in_split("02", "all")
    assert UNKNOWN_SUBJECT not in HELDOUT_SUBJECTS
    # clips of unknown subject may show these persons
    assert not HELDOUT_SUBJECTS & {"06", "10", "11", "14", "16", "29"}
    with pytest.raises(ValueError, match="unknown split"):
        in_split("02", "test")


def test_pose_distance_ignores_heading_and_thins():
    rng = np.random.default_rng(4)
    poses = rng.normal(0, 0.4, (50, 72))
    poses[:, :3] = (Rotation.from_rotvec(poses[:, :3]) * Rotation.from_rotvec([np.pi / 2, 0, 0])).as_rotvec()
    turned = poses.copy()
    turned[:, :3] = (Rotation.from_rotvec([0, 0, 1.3]) * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    joints = heading_free_joints(poses, REST)
    np.testing.assert_allclose(heading_free_joints(turned, REST), joints, atol=1e-9)
    assert thin(np.concatenate([joints, joints]), 1e-3).tolist() == list(range(50))
    kept = thin(joints, 0.25)
    distances = np.sqrt(np.square(joints[:, None] - joints[None]).sum(-1).mean(-1))
    among = distances[np.ix_(kept, kept)] + np.eye(len(kept))
    assert 1 < len(kept) < 50
    assert among.min() >= 0.25
    assert distances[:, kept].min(axis=1).max() < 0.25


def test_upright_body_without_heading_faces_minus_y():
    root = Rotation.from_rotvec([0, 0, 2.0]) * Rotation.from_rotvec([np.pi / 2, 0, 0])
    front = remove_heading(Rotation.from_rotvec(root.as_rotvec()[None])).apply([0, 0, 1])
    np.testing.assert_allclose(front, [[0, -1, 0]], atol=1e-9)


def test_benchmark_is_made_of_heldout_subjects(clip_folder, tmp_path):
    run(clip_folder, tmp_path / "motion", "--fps", "keep")
    output = tmp_path / "benchmark" / "rows.npz"
    body = str(clip_folder[1])
    arguments = ["--motion", str(tmp_path / "motion"), "--output", str(output), "--body", body]
    make_benchmark.main(arguments)
    with np.load(output, allow_pickle=False) as rows:
        assert len(rows["frame"]) == 31
    make_benchmark.main([*arguments, "--distance", "0.04"])
    with np.load(output, allow_pickle=False) as rows, np.load(tmp_path / "motion/CMU/02/02_01_poses.npz") as clip:
        assert rows["poses"].dtype == np.float16
        assert set(rows["subject"].tolist()) == {"02"}
        assert set(rows["clip"].tolist()) == {"02_01"}
        assert 2 <= len(rows["frame"]) < 31
        np.testing.assert_array_equal(rows["poses"], clip["poses"][rows["frame"], :72].astype(np.float16))


def test_shipped_benchmark():
    with np.load(make_benchmark.DEFAULT_OUTPUT, allow_pickle=False) as rows:
        count = len(rows["poses"])
        assert rows["poses"].shape == (count, 72)
        assert count > 3000
        assert set(rows["subject"].tolist()) == HELDOUT_SUBJECTS
        poses = rows["poses"].astype(np.float64)
    assert np.isfinite(poses).all()
    up = Rotation.from_rotvec(poses[:, :3]).apply([0, 1, 0])[:, 2]
    assert np.median(up) > 0.9  # z up: most bodies stand
