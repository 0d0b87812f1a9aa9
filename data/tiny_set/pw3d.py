"""3DPW: sequence files and a first image as in the official download, the annotation files that ``data/3dpw2coco.py``
makes of them, and detections."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np

from data.convert.pw3d import convert_splits
from data.tiny_set.people import People, project, write_json
from lib.files import atomic_write
from lib.joints.tables import COCO

WIDTH, HEIGHT, FOCAL = 1080, 1920, 1960.0
DISTANCE = (3.5, 5.0)  # metres
SEQUENCES = {
    "train": ("courtyard_golf_00", "courtyard_arguing_00"),
    "validation": ("courtyard_hug_00", "outdoors_parcours_01"),
    "test": ("downtown_walkBridge_01", "downtown_arguing_00"),
}
PEOPLE = (1, 2)  # in the first and the second sequence
PIXEL_NOISE = 6.0
# COCO joint (18 is the neck) behind each of OpenPose's 18
OPENPOSE = (0, 18, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)


def write_pw3d(root: Path, people: People, samples: int) -> None:
    """About ``samples`` annotations per split, in two sequences."""
    folder = root / "data" / "PW3D"
    frames = -(-samples // sum(PEOPLE)) + 1
    names = []
    for split, sequences in SEQUENCES.items():
        for name, count in zip(sequences, PEOPLE):
            _write_sequence(folder, split, name, _sequence(people, name, count, frames))
            names.append(name)
    for split in SEQUENCES:
        # one split at a time, each with ids from zero, as the published files
        (file,) = convert_splits(
            folder, folder / "data", [split], people.params("neutral"), tuple(names), progress=False
        )
        _write_detections(folder / "data" / f"darkpose_3dpw_{split}set_output.json", file, people)


def _write_sequence(folder: Path, split: str, name: str, content: dict) -> None:
    with atomic_write(folder / "sequenceFiles" / split / f"{name}.pkl", "wb") as file:
        pickle.dump(content, file, protocol=2)
    shade = np.linspace(90, 200, HEIGHT).astype(np.uint8)[:, None, None]
    _, picture = cv2.imencode(".jpg", np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).copy())
    with atomic_write(folder / "imageFiles" / name / "image_00000.jpg", "wb") as file:
        file.write(picture.tobytes())


def _sequence(people: People, name: str, count: int, frames: int) -> dict:
    """The content of a sequence file: ``count`` people walk past a camera that moves a little."""
    camera = np.tile(np.eye(4), (frames, 1, 1))
    camera[:, :3, :3] = people.views(1)
    camera[:, :3, 3] = people.places(1, DISTANCE) + np.linspace(0.0, 0.1, frames)[:, None]
    rotation, shift = camera[:, :3, :3], camera[:, :3, 3]
    intrinsics = np.array([[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL + 2.0, HEIGHT / 2], [0.0, 0.0, 1.0]])
    focal, princpt = np.diag(intrinsics)[:2], intrinsics[:2, 2]
    keys = ("poses", "betas", "trans", "jointPositions", "genders", "campose_valid", "poses2d", "betas_clothed")
    content: dict[str, list] = {key: [] for key in keys}
    for person in range(count):
        gender = ("m", "f")[(person + len(name)) % 2]
        file_gender = {"m": "male", "f": "female"}[gender]
        pose, shape = people.clip(frames), people.shapes(1)
        at = np.array([0.6 * person, 0.3 * person, 0.0]) + np.linspace(0.0, 0.1, frames)[:, None]
        shapes = shape.repeat(frames, axis=0)
        trans = people.translation(shapes, at, file_gender)
        posed = people.pose(pose, shapes, trans, file_gender)
        coco = posed.coco @ rotation.transpose(0, 2, 1) + shift[:, None]
        found = people.detections(project(coco, focal, princpt), PIXEL_NOISE)[:, list(OPENPOSE)]
        valid = np.ones(frames, dtype=np.int64)
        if person:
            valid[-1] = 0
        # some files of the download hold 300 shape components
        more = np.zeros(300 if person else 10)
        more[: shape.size] = shape[0]
        values = (pose, more, trans, posed.kinematic.reshape(frames, -1), gender, valid, found.transpose(0, 2, 1), more)
        for key, value in zip(keys, values):
            content[key].append(value)
    return content | {
        "sequence": name,
        "cam_poses": camera,
        "cam_intrinsics": intrinsics,
        "img_frame_ids": np.arange(frames),
        "texture_maps": [],
    }


def _write_detections(path: Path, annotations: Path, people: People) -> None:
    """Detections of every annotation of a converted file, in no order."""
    content = json.loads(annotations.read_text(encoding="utf-8"))
    cameras = {image["id"]: image["cam_param"] for image in content["images"]}
    detections = []
    for annotation in content["annotations"]:
        smpl, camera = annotation["smpl_param"], cameras[annotation["image_id"]]
        pose, shape, trans = (np.array([smpl[key]]) for key in ("pose", "shape", "trans"))
        coco = people.pose(pose, shape, trans, smpl["gender"]).coco[0, : COCO.keypoint_num]
        points = people.detections(project(coco, camera["focal"], camera["princpt"]), PIXEL_NOISE)
        entry = {"annotation_id": annotation["id"], "image_id": annotation["image_id"], "category_id": 1}
        detections.append(entry | {"score": points[:, 2].mean(), "keypoints": points})
    order = people.rng.permutation(len(detections)).tolist()
    write_json(path, [detections[row] for row in order])
