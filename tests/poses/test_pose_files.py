"""Detector files in each tool's published layout give the poses that were written."""

import numpy as np
import pytest

from lib.poses import read_poses
from tests.helpers import ROOT
from tests.support.files import pose_files as files


def check(sequence, source: str, frames: dict, video: bool = False, tolerance: float = 2e-3):
    assert sequence.source == source
    assert [frame.name for frame in sequence.frames] == list(frames)
    assert sequence.is_video is video
    for frame, poses in zip(sequence.frames, frames.values()):
        assert frame.poses.dtype == np.float32
        np.testing.assert_allclose(frame.poses, poses, atol=tolerance)


@pytest.mark.parametrize("shape", [(17, 3), (2, 17, 3), (4, 2, 17, 3)])
@pytest.mark.parametrize("joint_set, source", [("coco", "coco17"), ("human36", "human36")])
def test_arrays_of_17_joints_follow_the_joint_set(tmp_path, shape, joint_set, source):
    poses = files.people(np.prod(shape[:-2], dtype=int)).reshape(shape)
    np.save(tmp_path / "poses.npy", poses)
    sequence = read_poses(tmp_path / "poses.npy", joint_set=joint_set)
    frames = poses.reshape(-1, *poses.shape[-3:]) if poses.ndim > 2 else poses[None, None]
    names = map(str, range(len(frames))) if poses.ndim == 4 else ["poses"]
    check(sequence, source, dict(zip(names, frames)), video=poses.ndim == 4)


def test_arrays_without_scores_are_certain_and_absent_people_are_dropped(tmp_path):
    poses = files.people(6).reshape(3, 2, 17, 3)[..., :2]
    poses[1, 1] = np.nan
    np.savez(tmp_path / "poses.npz", poses=poses, other=np.zeros(3))
    sequence = read_poses(tmp_path / "poses.npz", "coco17")
    assert [len(frame.poses) for frame in sequence.frames] == [2, 1, 2]
    assert (sequence.frames[0].poses[..., 2] == 1).all()


@pytest.mark.parametrize("joints, source", [(18, "openpose_coco18"), (25, "openpose_body25"), (26, "halpe26"),
                                            (33, "mediapipe33"), (24, "smpl24"), (21, "mano21")])  # fmt: skip
def test_other_arrays_are_recognised_by_their_joints(tmp_path, joints, source):
    np.save(tmp_path / "poses.npy", files.people(1, joints))
    joint_set = "mano" if source == "mano21" else None
    assert read_poses(tmp_path / "poses.npy", joint_set=joint_set).source == source


@pytest.mark.parametrize("joint_set", ["human36", "coco", "smpl", "mano"])
def test_samples_of_the_demo(joint_set):
    sequence = read_poses(ROOT / "demo" / f"sample_pose_{joint_set}.npy", joint_set=joint_set)
    assert sequence.source == {"human36": "human36", "coco": "coco17", "smpl": "smpl24", "mano": "mano21"}[joint_set]


@pytest.mark.parametrize("joints, source", [(25, "openpose_body25"), (18, "openpose_coco18")])
def test_openpose_file_and_folder(tmp_path, joints, source):
    poses = files.people(2, joints)
    path = files.write(tmp_path / "photo_keypoints.json", files.openpose(poses))
    check(read_poses(path), source, {"photo": poses})
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (2, 10, 1):
        files.write(folder / f"clip_{number}_keypoints.json", files.openpose(poses[: number % 2 + 1]))
    expected = {"clip_1": poses, "clip_2": poses[:1], "clip_10": poses[:1]}
    check(read_poses(folder), source, expected, video=True)


def test_openpose_hands_and_its_older_key(tmp_path):
    body, hands = files.people(2, 25), files.people(2, 21, seed=1)
    hands[1] = 0  # a hand that OpenPose does not see
    path = files.write(tmp_path / "a_keypoints.json", files.openpose(body, hands=hands))
    check(read_poses(path, joint_set="mano"), "mano21", {"a": hands[:1]})
    older = files.openpose(body, key="pose_keypoints")
    for person in older["people"]:
        del person["pose_keypoints_2d"]
    check(read_poses(files.write(path, older)), "openpose_body25", {"a": body})


def test_coco_results_and_annotations(tmp_path):
    poses = files.people(3)
    path = files.write(tmp_path / "results.json", files.coco_results({139: poses[:2], 285: poses[2:]}))
    check(read_poses(path), "coco17", {"139": poses[:2], "285": poses[2:]})
    path = files.write(tmp_path / "person_keypoints.json", files.coco_annotations(poses))
    sequence = read_poses(path)
    labelled = poses.copy()
    labelled[..., 2] = 1
    check(sequence, "coco17", {"000000000007.jpg": labelled})
    assert sequence.image_size == files.SIZE
    assert "1 annotation(s) left out" in sequence.notes[0]


@pytest.mark.parametrize("joints, source", [(17, "coco17"), (26, "halpe26"), (133, "wholebody23"), (136, "halpe26")])
def test_alphapose(tmp_path, joints, source):
    poses = files.people(2, joints)
    path = files.write(tmp_path / "alphapose-results.json", files.alphapose({"10.jpg": poses[:1], "9.jpg": poses}))
    used = poses[:, : int(source[-2:])]
    check(read_poses(path), source, {"9.jpg": used, "10.jpg": used[:1]}, video=True)
    tracked = files.write(path, files.alphapose({"0.jpg": poses, "1.jpg": poses}, tracks=True))
    assert read_poses(tracked).frames[1].tracks.tolist() == [3, 4]


def test_alphapose_open_and_cmu_forms_have_openpose_joints(tmp_path):
    poses = files.people(2, 18)
    opened = {"a.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": files.flat(p)} for p in poses]}}
    cmu = {"a.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": files.flat(p)} for p in poses]}}
    for content in (opened, cmu):
        path = files.write(tmp_path / "alphapose-results.json", content)
        check(read_poses(path), "openpose_coco18", {"a.jpg": poses})


def test_hands_of_whole_body_files(tmp_path):
    for joints, first in ((133, 112), (136, 115)):
        poses = files.people(1, joints)
        path = files.write(tmp_path / "results.json", files.alphapose({"a.jpg": poses}))
        both = np.concatenate([poses[:, first:], poses[:, first - 21 : first]])
        sequence = read_poses(path, joint_set="mano")
        check(sequence, "mano21", {"a.jpg": both})
        assert sequence.frames[0].left.tolist() == [False, True]
        body = read_poses(path).frames[0]
        np.testing.assert_allclose(body.hands, both[None, ::-1], atol=2e-3)


def test_mmpose_image_video_and_meta_info(tmp_path):
    poses = files.people(2)
    path = tmp_path / "photo.json"
    for content in (files.mmpose_instances(poses), [files.mmpose_instances(poses)]):
        check(read_poses(files.write(path, content)), "coco17", {"photo": poses})
    frames = [{"frame_id": n, "instances": files.mmpose_instances(poses, tracks=True)} for n in range(2)]
    for content in (frames, {"meta_info": {"dataset_name": "coco"}, "instance_info": frames}):
        sequence = read_poses(files.write(path, content))
        check(sequence, "coco17", {"0": poses, "1": poses}, video=True)
        assert sequence.frames[1].tracks.tolist() == [0, 1]


def test_demo_json_of_the_original(tmp_path):
    poses = files.people(2)
    extra = np.concatenate([poses, np.ones((2, 17, 1))], axis=2)  # HigherHRNet's fourth number is not used
    path = files.write(tmp_path / "demo_input_2dpose.json", {"106542.jpg": extra.tolist(), "empty.jpg": []})
    check(read_poses(path), "coco17", {"106542.jpg": poses, "empty.jpg": poses[:0]})


def test_mediapipe_pose_landmarks_become_pixels(tmp_path):
    poses = files.people(2, 33)
    marks = [files.mediapipe_landmarks(pose) for pose in poses]
    path = tmp_path / "photo.json"
    for content, people in ((marks[0], poses[:1]), (marks, poses), ({"landmarks": marks}, poses),
                            ({"pose_landmarks": {"landmark": marks[0]}}, poses[:1])):  # fmt: skip
        sequence = read_poses(files.write(path, content), image_size=files.SIZE)
        check(sequence, "mediapipe33", {"photo": people})
    files.write(path, [marks, [], marks[:1]])
    check(
        read_poses(path, image_size=files.SIZE), "mediapipe33", {"0": poses, "1": poses[:0], "2": poses[:1]}, video=True
    )


def test_mediapipe_hands_and_arrays(tmp_path):
    hand = files.people(1, 21)
    marks = files.mediapipe_landmarks(hand[0], visibility=False)
    certain = hand.copy()
    certain[..., 2] = 1
    path = files.write(tmp_path / "hand.json", {"multi_hand_landmarks": [{"landmark": marks}]})
    sequence = read_poses(path, joint_set="mano", image_size=files.SIZE)
    check(sequence, "mano21", {"hand": certain})

    pose = files.people(1, 33)[0]
    rows = np.column_stack([pose[:, :2] / files.SIZE, np.full(33, -0.2), pose[:, 2]])
    np.save(tmp_path / "pose.npy", rows)
    check(read_poses(tmp_path / "pose.npy", image_size=files.SIZE), "mediapipe33", {"pose": pose[None]})
