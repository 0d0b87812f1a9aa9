"""300 frames of two people with gaps and swapped people: the same film from every tool's layout."""

import json

import numpy as np
import pytest

from lib.poses import SOURCES, assign_tracks, map_pose, read_poses
from lib.poses.timeline import all_frames
from tests.helpers import ROOT
from tests.support.files import pose_files as files

COUNT, SIZE = 300, (1280, 720)


def scene() -> dict[int, list[np.ndarray]]:
    """People (17, 3) of the frames that have some, in changing order; they walk past each other."""
    sample = np.load(ROOT / "demo" / "sample_pose_coco.npy")[:17, :2] * 0.6
    rng = np.random.default_rng(3)
    frames = {}
    for number in range(COUNT):
        sway = 6 * np.sin(number / 9 + np.arange(17))[:, None]
        people = [
            np.column_stack([sway + sample + np.array([20 + 2.4 * number, 60]), np.full(17, 0.9)]),
            np.column_stack([sample * (0.9, 1) - sway + np.array([800 - 2.4 * number, 200]), np.full(17, 0.8)]),
        ]
        seen = [person for person, gone in zip(people, rng.random(2) < 0.08) if not gone]
        if seen and number % 37 and not 120 <= number < 126:
            frames[number] = [person.round(3) for person in seen[:: rng.choice((-1, 1))]]
    return frames


def body25(pose: np.ndarray) -> np.ndarray:
    """OpenPose's joints of COCO's."""
    place = dict(zip(SOURCES["coco17"].joints, pose))
    place["Neck"] = (place["L_Shoulder"] + place["R_Shoulder"]) / 2
    place["Pelvis"] = (place["L_Hip"] + place["R_Hip"]) / 2
    return np.array([place.get(joint, np.zeros(3)) for joint in SOURCES["openpose_body25"].joints])


def alphapose(path, frames):
    entries = files.alphapose({f"{number}.jpg": people for number, people in reversed(frames.items())})
    return files.write(path / "alphapose-results.json", [entry | {"idx": [0.0]} for entry in entries])


def openpose(path, frames):
    folder = path / "openpose"
    folder.mkdir()
    for number in range(COUNT):
        people = [body25(pose) for pose in frames.get(number, [])]
        files.write(folder / f"walk_{number:012d}_keypoints.json", files.openpose(people))
    (folder / "params.json").write_text('{"fps": 30}')
    return folder


def mmpose(path, frames):
    listed = [
        {"frame_id": number + 1, "instances": files.mmpose_instances(np.array(frames.get(number, [])))}
        for number in range(COUNT)
    ]
    return files.write(path / "results_walk.json", {"meta_info": {"dataset_name": "coco"}, "instance_info": listed})


def ultralytics(path, frames):
    folder = path / "labels"
    folder.mkdir()
    for number, people in frames.items():
        rows = [
            "0 0.5 0.5 0.2 0.6 " + " ".join(f"{x / SIZE[0]:.7f} {y / SIZE[1]:.7f} {s:.3f}" for x, y, s in pose)
            for pose in people
        ]
        (folder / f"walk_{number + 1}.txt").write_text("\n".join(rows) + "\n")
    return folder


def comfyui(path, frames):
    place = SOURCES["openpose_coco18"].joints
    order = [SOURCES["openpose_body25"].joints.index(joint) for joint in place]
    listed = [
        {
            "people": [{"pose_keypoints_2d": files.flat(body25(pose)[order])} for pose in frames.get(number, [])],
            "canvas_width": SIZE[0],
            "canvas_height": SIZE[1],
        }
        for number in range(COUNT)
    ]
    return files.write(path / "POSE_KEYPOINT.json", listed)


def table(path, frames):
    rows = ["frame,person," + ",".join(f"{joint}_{axis}" for joint in SOURCES["coco17"].joints for axis in "xyc")]
    for number, people in frames.items():
        rows += [f"{number},{row}," + ",".join(map(str, files.flat(pose))) for row, pose in enumerate(people)]
    path = path / "walk.csv"
    path.write_text("\n".join(rows))
    return path


def lines(path, frames):
    path = path / "walk.jsonl"
    text = [
        json.dumps(
            {"frame": number + 1, "predictions": [{"keypoints": files.flat(pose), "bbox": []} for pose in people]}
        )
        for number, people in frames.items()
    ]
    path.write_text("\n".join([json.dumps({"frame": 1, "predictions": []}), *text]))
    return path


def film(path) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2, 17, 2) joints of the people by their numbers, NaN where nobody is."""
    sequence = assign_tracks(all_frames(read_poses(path, None, "coco", SIZE), 0, COUNT - 1))
    assert sequence.is_video
    joints = np.full((COUNT, 2, 17, 2), np.nan)
    for frame in sequence.frames:
        joints[frame.number, frame.tracks] = map_pose(frame.poses, sequence.source, "coco")[:, :17, :2]
    return joints


@pytest.fixture(scope="module")
def truth() -> tuple[dict, np.ndarray]:
    frames = scene()
    joints = np.full((COUNT, 2, 17, 2), np.nan)
    first = frames[min(frames)]
    names = [person[0, 2] for person in first]  # the scores tell who is who
    for number, people in frames.items():
        for person in people:
            joints[number, names.index(person[0, 2])] = person[:, :2]
    return frames, joints


@pytest.mark.parametrize("layout", [alphapose, openpose, mmpose, ultralytics, comfyui, table, lines])
def test_the_same_film_from_every_layout(tmp_path, truth, layout):
    frames, joints = truth
    assert len(frames) < COUNT - 10
    np.testing.assert_allclose(film(layout(tmp_path, frames)), joints, atol=0.02)
