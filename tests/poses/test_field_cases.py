"""Files that people have: each is read as the poses that it was made from, or refused with the way on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lib.files.images import read_image
from lib.joints.lookup import get_joint_set
from lib.poses import approximated, get_source, map_pose, missing_joints, read_poses, select_people
from lib.poses.readings import reading_of
from tests.helpers import ROOT

CASES = ROOT / "tests" / "field_cases"
SIZE, HAND_SIZE = (483, 524), (1149, 1149)  # of the pictures that fractions are of
TOLERANCE = 0.06  # pixels: files have two decimals, small people are enlarged


@dataclass(frozen=True)
class Read:
    """What is read.

    Attributes:
        source: name of the joints.
        people: in each frame.
        numbers: of the frames of a film; None: a picture or several.
        joint_set: that is asked for.
        left: of each hand.
        tracks: of each frame's people; None: the file has no usable ones.
        known: joints that the file determines exactly; None: all but the approximated ones.
        hands: bodies have hands.
        note: a part of the notes.
    """

    source: str
    people: tuple[int, ...] = (1,)
    numbers: tuple[int, ...] | None = None
    joint_set: str = "coco"
    left: tuple[bool, ...] | None = None
    tracks: tuple[int, ...] | None = None
    known: int | None = None
    hands: bool = False
    note: str = ""


def film(source: str, count: int = 3, people: int = 1, first: int = 0, **more) -> Read:
    return Read(source, (people,) * count, tuple(range(first, first + count)), **more)


COCO, BODY25, MEDIAPIPE, NO_SCORES = "coco17", "openpose_body25", "mediapipe33", "no scores found"
READ = {
    "ap_gap.json": Read(COCO, (1,) * 4, (2, 3, 7, 8), tracks=(1,)),
    "ap_idx0_photos.json": Read(COCO, (1, 1, 2)),
    "ap_idx0_video.json": film(COCO, 12, 2),
    "ap_noidx_video.json": film(COCO, 12, 2),
    "op_zero_frames": Read(BODY25, (0, 1, 0, 1), (0, 1, 2, 3)),
    "op_null_people.json": Read(BODY25, note="2 person(s) without joints left out"),
    "op_scale01.json": Read(BODY25),
    "op_scale11.json": Read(BODY25, note="-1 to 1"),
    "op_mpi15.json": Read("openpose_mpi15", known=12),
    "op_body135.json": Read("openpose_body25b"),
    "op_left_hand.json": Read(BODY25, hands=True),
    "op_xy_only": Read("openpose_coco18", note=NO_SCORES),
    "op_swapped": film(BODY25, 8, 2),
    "op_mixed": Read(BODY25, note="2 file(s) of the folder left out"),
    "op_part_candidates.json": Read(BODY25),
    "pose2sim_halpe26": film("halpe26"),
    "openpose_like_17.json": Read(COCO),
    "yolo_tojson.json": Read(COCO),
    "yolo_results_wrap.json": Read(COCO),
    "yolo_tojson_normalised.json": Read(COCO),
    "yolo_label.txt": Read(COCO),
    "yolo_labels": film(COCO),
    "yolo_data.npy": Read(COCO),
    "yolo_xyn.npy": Read(COCO),
    "mp_tasks_py.json": Read(MEDIAPIPE),
    "mp_tasks_js.json": Read(MEDIAPIPE),
    "mp_frames_dict.json": Read(MEDIAPIPE, (1, 0, 1), (0, 1, 2)),
    "mp_frames_list.json": Read(MEDIAPIPE, (1, 0, 1), (0, 1, 2)),
    "mp_by_name.json": Read(MEDIAPIPE),
    "mp_quads.json": Read(MEDIAPIPE),
    "mp_wide.csv": Read(MEDIAPIPE),
    "mp_long.csv": Read(MEDIAPIPE),
    "mp_T33_3.npy": film(MEDIAPIPE, tracks=(0,), note="frames of one person"),
    "mp_T33_4.npy": film(MEDIAPIPE, tracks=(0,)),
    "mp_holistic.json": Read(MEDIAPIPE, hands=True),
    "mp_hands_two.json": Read("mano21", (2,), joint_set="mano", left=(False, True), note=NO_SCORES),
    "tfjs_blazepose.json": Read(MEDIAPIPE, known=13),
    "tfjs_movenet.json": Read(COCO),
    "tfjs_movenet_one.json": Read(COCO),
    "tfjs_posenet.json": Read(COCO),
    "movenet_bare_list.json": Read(COCO),
    "mmpose_inferencer_image.json": Read(COCO),
    "mmpose_inferencer_nested.json": Read(COCO),
    "mmpose_inferencer_video.json": film(COCO, 2),
    "mmpose_topdown_image.json": Read(COCO),
    "mmpose_topdown_video.json": Read(COCO, (1, 0, 1), (0, 1, 2)),
    "sapiens308.json": Read("sam3d70", hands=True),
    "rtmlib.npz": Read("wholebody23", hands=True),
    "rtmlib_dump.json": Read("wholebody23", hands=True),
    "hf_vitpose.json": Read(COCO),
    "hf_vitpose_nested.json": Read(COCO),
    "npz_scores.npz": Read(COCO, known=15),
    "npz_keypoint_scores.npz": Read(COCO, known=15),
    "plain_list.json": Read(COCO),
    "plain_list_people.json": Read(COCO),
    "plain_xy.json": Read(COCO, note=NO_SCORES),
    "dict_kp.json": Read(COCO),
    "dict_by_joint.json": Read(COCO),
    "comfy_dwpose_one.json": Read("openpose_coco18"),
    "comfy_dwpose_normalised.json": Read("openpose_coco18"),
    "comfy_dwpose_list.json": film("openpose_coco18", 2),
    "posetrack18.json": Read("17 named joints", known=13),
    "crowdpose14.json": Read("14 named joints", known=12),
    "h36m_coco.json": Read("17 named joints", joint_set="human36"),
    "coco_results_imgid.json": Read(COCO),
    "zero_scores.json": Read(COCO, note="all scores are 0"),
    "nan_scores.json": Read(COCO, note="all scores are NaN"),
    "percent_scores.json": Read(COCO, note="per cent"),
    "data_2d_custom_my.npz": film(COCO, 6, note=NO_SCORES),
    "input_keypoints_2d.npz": film("human36", 6, joint_set="human36", tracks=(0,)),
    "sam3d_body.npz": Read("sam3d70", hands=True),
    "mhr70.npy": Read("sam3d70", hands=True),
    "pifpaf.json": Read(COCO, note="1 person(s) without joints left out"),
    "easymocap_annots.json": Read(BODY25),
    "T34.npy": film(COCO, 4, tracks=(0,)),
    "flat51.npy": Read(COCO),
    "objarr.npy": Read(COCO),
    "clip_coco.npy": film(COCO, 6, tracks=(0,)),
    "p2m62_64px.npy": Read(COCO),
    "small_people.json": Read(COCO, (3,)),
    "big_duplicate.json": Read(COCO, (2,)),
    "xys.csv": Read(COCO),
    "lines.jsonl": film(COCO, 2),
    "vibe_output.pkl": Read(COCO, note=NO_SCORES),
}
REFUSED = {
    "ap_empty.json": "found nobody",
    "op_all_empty": "all empty; the detector found nobody",
    "yolo_empty.npy": "it is empty: the detector found nobody",
    "mp_world_key.json": "world landmarks only, metres around the hips, .*pose_landmarks",
    "mp_world_only.json": "world landmarks, metres around the hips, .*pose_landmarks",
    "dlc.csv": "of its joint names .nose. 1 are known as a person's",
    "labelme.json": "a dict with the keys version, shapes, imagePath, none of the known layouts",
}
# file: joint set, and the reading that is said to fit far better: joints and axes
NOTICED = {
    "h36_as_coco.npy": ("coco", "human36", "as read"),
    "clip_h36_as_coco.npy": ("coco", "human36", "as read"),
    "coco_as_h36.npy": ("human36", "coco17", "as read"),
    "kinect25.npy": ("coco", "kinect25", "as read"),
    "panoptic19.npy": ("coco", "panoptic19", "as read"),
    "interhand_order.npy": ("mano", "interhand21", "as read"),
    "xy_swapped.npy": ("coco", "", "exchanged"),
    "y_up.npy": ("coco", "", "up"),
}
# hands of files that hold bodies, too: which are left
HANDS = {
    "op_left_hand.json": (True,),
    "mp_holistic.json": (True,),
    "mp_hands_left_tasks.json": (True,),
    "rtmlib.npz": (False, True),
    "rtmlib_dump.json": (False, True),
    "sapiens308.json": (False, True),
    "sam3d_body.npz": (False, True),
    "mhr70.npy": (False, True),
    "op_body135.json": None,
}
PICTURES = (".jpg", ".png", ".tif", ".gif", ".webp", ".mp4")


def sample(joint_set: str) -> np.ndarray:
    pose = np.load(ROOT / "demo" / f"sample_pose_{joint_set}.npy")[:, :2]
    return pose[: get_joint_set(joint_set).keypoint_num]


def distance(pose: np.ndarray, truth: np.ndarray) -> float:
    """Largest distance of joints after the best translation and scale, in pixels of the truth."""
    a, b = pose - pose.mean(axis=0), truth - truth.mean(axis=0)
    return float(np.abs(a * ((a * b).sum() / (a * a).sum()) - b).max())


def _missing(source, pose: np.ndarray) -> set[str]:
    """Roles of the source's joints that a pose lacks, which are estimated from others."""
    gone = missing_joints(pose[None])[0]
    return {role for role, lacks in zip(get_source(source).role_names, gone) if lacks}


def read(name: str, joint_set: str):
    return read_poses(CASES / name, None, joint_set, HAND_SIZE if "hand" in name or "holistic" in name else SIZE)


def test_every_file_has_its_case():
    known = {*READ, *REFUSED, *NOTICED, *HANDS, "README.md"}
    files = {path.name for path in CASES.iterdir() if path.suffix not in PICTURES}
    assert files - known == {"frames_gap", "photos", "ünï çödé"}
    assert known <= files


@pytest.mark.parametrize("name", READ)
def test_read_as_the_pose_it_was_made_from(name):
    wanted = READ[name]
    sequence = read_poses(CASES / name, None, wanted.joint_set, HAND_SIZE if "mp_hands" in name else SIZE)
    assert str(sequence.source) == wanted.source
    assert tuple(len(frame.poses) for frame in sequence.frames) == wanted.people
    assert sequence.is_video is (wanted.numbers is not None)
    numbers = wanted.numbers or (None,) * len(wanted.people)
    assert tuple(frame.number for frame in sequence.frames) == numbers
    assert wanted.note in " ".join(sequence.notes)
    means = set(approximated(sequence.source, wanted.joint_set))
    joints = get_joint_set(wanted.joint_set).joints
    for frame in sequence.frames:
        assert (frame.tracks is None) is (wanted.tracks is None)
        assert wanted.tracks is None or not len(frame.poses) or tuple(frame.tracks.tolist()) == wanted.tracks
        assert (frame.hands is not None) is wanted.hands
        left = wanted.left or (False,) * len(frame.poses)
        mapped = map_pose(frame.poses, sequence.source, wanted.joint_set, 0.1)
        for raw, pose, mirrored in zip(frame.poses, mapped, left):
            truth = sample(wanted.joint_set) * ([-1, 1] if mirrored else [1, 1])
            seen = [j for j in range(len(truth)) if pose[j, 2] > 0 and joints[j] not in means and pose[j, :2].any()]
            seen = [j for j in seen if joints[j] not in _missing(sequence.source, raw)]
            assert len(seen) == (len(truth) if wanted.known is None else wanted.known)
            assert distance(pose[seen, :2], truth[seen]) < TOLERANCE


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_way_on(name):
    with pytest.raises(ValueError, match=REFUSED[name]) as refused:
        read(name, "coco")
    assert name in str(refused.value)
    assert len(str(refused.value).replace(str(CASES), "")) < 420


@pytest.mark.parametrize("name", NOTICED)
def test_wrong_orders_and_axes_are_noticed(name):
    joint_set, source, axes = NOTICED[name]
    reading = reading_of(read(name, joint_set), joint_set, image_size=SIZE)
    assert (reading.source, reading.axes) == (source, axes)
    assert reading.lines


@pytest.mark.parametrize("name", ["clip_coco.npy", "posetrack18.json", "op_mpi15.json", "mp_tasks_py.json"])
def test_right_readings_are_not_doubted(name):
    assert reading_of(read(name, "coco"), "coco", image_size=SIZE) is None


@pytest.mark.parametrize("name", HANDS)
def test_hands_of_both_sides(name):
    if HANDS[name] is None:
        with pytest.raises(ValueError, match="without hands; hands come from"):
            read(name, "mano")
        return
    frame = read(name, "mano").frames[0]
    assert frame.poses.shape == (len(HANDS[name]), 21, 3)
    assert tuple(frame.left.tolist()) == HANDS[name]
    if name in ("op_left_hand.json", "mp_holistic.json", "mp_hands_left_tasks.json"):
        assert distance(frame.poses[0, :, :2], sample("mano")) < TOLERANCE


def test_duplicates_go_by_the_size_of_people():
    for name, count in (("small_people.json", 3), ("big_duplicate.json", 1)):
        sequence = read(name, "coco")
        assert len(select_people(sequence.frames[0].poses, sequence.source, "coco")) == count


@pytest.mark.parametrize(
    "path", [path for path in CASES.rglob("*") if path.suffix in PICTURES[:-1]], ids=lambda p: p.name
)
def test_pictures(path: Path):
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    assert min(image.shape[:2]) >= 483
