"""Detector files of one known scene in each tool's published layout."""

import json

import numpy as np

SIZE = (640, 480)


def people(count: int = 2, joints: int = 17, seed: int = 0) -> np.ndarray:
    """(count, joints, 3) made-up poses inside a ``SIZE`` image, with scores of 0.5 to 1."""
    rng = np.random.default_rng(seed)
    poses = rng.uniform((40, 40, 0.5), (600, 440, 1.0), (count, joints, 3))
    return poses.round(3).astype(np.float32)


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def flat(pose) -> list[float]:
    return [float(value) for value in np.asarray(pose, dtype=np.float64).ravel().round(3)]


def openpose(poses, key="pose_keypoints_2d", hands=None) -> dict:
    """One frame as ``--write_json`` writes it."""
    entries = []
    for number, pose in enumerate(poses):
        entry = {
            "person_id": [-1],
            "pose_keypoints_2d": [],
            "face_keypoints_2d": [],
            "hand_left_keypoints_2d": [],
            "hand_right_keypoints_2d": [] if hands is None else flat(hands[number]),
            "pose_keypoints_3d": [],
        }
        entry[key] = flat(pose)
        entries.append(entry)
    return {"version": 1.3, "people": entries}


def coco_results(frames) -> list[dict]:
    """``frames``: {image id: poses}."""
    return [
        {"image_id": image, "category_id": 1, "keypoints": flat(pose), "score": 0.9}
        for image, poses in frames.items()
        for pose in poses
    ]


def coco_annotations(poses) -> dict:
    """One image with its people, all joints labelled, and one crowd."""
    labelled = np.concatenate([poses[..., :2], np.full((*poses.shape[:2], 1), 2)], axis=2)
    entry = {"image_id": 7, "category_id": 1, "iscrowd": 0, "area": 100.0, "bbox": [0, 0, 10, 10], "num_keypoints": 17}
    annotations = [{**entry, "id": number, "keypoints": flat(pose)} for number, pose in enumerate(labelled)]
    crowd = {**entry, "id": 99, "iscrowd": 1, "keypoints": [0] * 51, "num_keypoints": 0}
    return {
        "info": {},
        "images": [{"id": 7, "file_name": "000000000007.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": [*annotations, crowd],
        "categories": [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}],
    }


def alphapose(frames, tracks: bool = False) -> list[dict]:
    """``frames``: {image name: poses}."""
    return [
        {
            "image_id": image,
            "category_id": 1,
            "keypoints": flat(pose),
            "score": 2.93,
            "box": [1.0, 2.0, 30.0, 40.0],
            **({"idx": number + 3} if tracks else {}),
        }
        for image, poses in frames.items()
        for number, pose in enumerate(poses)
    ]


def mmpose_instances(poses, tracks: bool = False) -> list[dict]:
    return [
        {
            "keypoints": np.asarray(pose[:, :2], dtype=float).round(3).tolist(),
            "keypoint_scores": np.asarray(pose[:, 2], dtype=float).round(3).tolist(),
            "bbox": [[1.0, 2.0, 30.0, 40.0]],
            "bbox_score": 0.98,
            **({"track_id": number} if tracks else {}),
        }
        for number, pose in enumerate(poses)
    ]


def mediapipe_landmarks(pose, visibility: bool = True) -> list[dict]:
    """One person's normalised landmarks."""
    width, height = SIZE
    return [
        {"x": float(x) / width, "y": float(y) / height, "z": -0.1, **({"visibility": float(s)} if visibility else {})}
        for x, y, s in pose
    ]
