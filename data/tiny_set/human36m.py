"""Human3.6M: one data, camera, joint and SMPL file per subject, and detections of the test images."""

import itertools
from pathlib import Path

import numpy as np
import torch

from data.AMASS.dataset import CAMERAS
from data.tiny_set.people import People, person_box, project, write_json
from lib.body.rotation import axis_angle_between
from lib.geometry.single import world2cam
from lib.joints.tables import HUMAN36
from lib.units import MM_PER_M

SUBJECTS, TEST_SUBJECTS = (1, 5, 6, 7, 8, 9, 11), (9, 11)
ACTIONS = 15
WIDTH, HEIGHT = 1000, 1002
# Frames of a clip and the cameras that see them: frame 3 is in neither split, 5 in training only.
FRAMES = {0: (1, 2), 3: (3,), 5: (4,), 50: (3, 4)}
# Consecutive frames, but for those that training and tests on single frames take; between the last two of FRAMES
MOTION = {frame: (1, 2) for frame in range(51, 60) if frame % 5}
FIRST_MOTION_ID = 1_000_000
CLIP_TEST_IMAGES = 4
NO_FIT = {(1, 5), (9, 50)}  # subject, frame of the first clip: SMPL fits that are missing
BAD_FIT = {(5, 0), (11, 0)}  # those that are worse than the 25 mm that training accepts
BAD_BOX = {(6, 5)}  # boxes narrower than a pixel
JOINT_NOISE, BAD_FIT_NOISE, PIXEL_NOISE = 3.0, 0.35, 4.0  # mm, radians, pixels

CENTRE = np.array([0.0, 0.0, 900.0])  # the cameras look here, mm


def write_human36m(root: Path, people: People, samples: int) -> None:
    """Files of all subjects; ``samples`` test images per subject, rounded up to whole clips."""
    folder = root / "data" / "Human36M"
    ids, motion_ids, detections = itertools.count(), itertools.count(FIRST_MOTION_ID), {}
    for place, subject in enumerate(SUBJECTS):
        cameras = _cameras(subject)
        images, annotations, joints, fits = [], [], {}, {}
        for clip in range(-(-samples // CLIP_TEST_IMAGES)):
            action, subaction = 2 + (place + clip) % ACTIONS, 1 + clip // ACTIONS % 2
            world = _Clip(people)
            for row, (frame, seen_by) in enumerate((FRAMES | MOTION).items()):
                case = (subject, frame) if clip == 0 else None
                nested = (str(action), str(subaction), str(frame))
                _put(joints, nested, world.joints[row])
                if case not in NO_FIT:
                    _put(fits, nested, world.fit(row, bad=case in BAD_FIT))
                for camera in seen_by:
                    parameters = cameras[str(camera)]
                    joint_cam = world2cam(world.joints[row], parameters["R"], parameters["t"])
                    joint_img = project(joint_cam, parameters["f"], parameters["c"])
                    box = person_box(joint_img)
                    box[2] = 0.5 if case in BAD_BOX else box[2]
                    image_id = next(motion_ids if frame in MOTION else ids)
                    image = _image(image_id, subject, action, subaction, camera, frame)
                    images.append(image)
                    annotations.append(
                        {"id": image_id, "image_id": image_id, "keypoints_vis": [True] * 17, "bbox": box}
                    )
                    if subject in TEST_SUBJECTS and frame % 50 == 0:
                        name = image["file_name"].rpartition("/")[2]
                        detections[name] = people.detections(joint_img, PIXEL_NOISE)
        start = f"Human36M_subject{subject}"
        contents = {"data": {"images": images, "annotations": annotations}, "camera": cameras}
        for kind, content in {**contents, "joint_3d": joints, "smpl_param": fits}.items():
            write_json(folder / "annotations" / f"{start}_{kind}.json", content)
    names = people.rng.permutation(sorted(detections)).tolist()
    write_json(folder / "absnet_output_on_testset.json", {name: detections[name] for name in names})


class _Clip:
    """A person in the world, a row per entry of ``FRAMES`` and ``MOTION``; joints (rows, 17, 3) in millimetres."""

    def __init__(self, people: People):
        self.rng = people.rng
        count = len(FRAMES)
        self.pose = people.clip(count)
        self.shape = people.shapes(1).repeat(count, axis=0)
        self.trans = people.translation(self.shape, np.array([0.0, 0.0, 0.9]) + self._aside(count))
        noise = self.rng.normal(0.0, JOINT_NOISE, (count, HUMAN36.joint_num, 3))
        share = torch.linspace(0.0, 1.0, len(MOTION), dtype=torch.float64)[:, None]
        turns = [torch.from_numpy(pose).view(1, -1, 3) for pose in self.pose[-2:]]
        between = axis_angle_between(turns[0], turns[1], share[..., None]).flatten(1).numpy()
        self.pose = np.concatenate([self.pose, between])
        self.trans = np.concatenate([self.trans, self.trans[-2] + share.numpy() * (self.trans[-1] - self.trans[-2])])
        self.shape, noise = (
            np.concatenate([rows, rows[-1:].repeat(len(MOTION), axis=0)]) for rows in (self.shape, noise)
        )
        self.joints = MM_PER_M * people.pose(self.pose, self.shape, self.trans).human36 + noise

    def _aside(self, count: int) -> np.ndarray:
        start = self.rng.uniform(-0.4, 0.4, (1, 2)) + np.linspace(0.0, 0.2, count)[:, None]
        return np.concatenate([start, np.zeros((count, 1))], axis=1)

    def fit(self, row: int, bad: bool) -> dict:
        error = self.rng.normal(0.0, BAD_FIT_NOISE, self.pose[row].shape) if bad else 0.0
        return {"pose": self.pose[row] + error, "shape": self.shape[row], "trans": self.trans[row]}


def _cameras(subject: int) -> dict[str, dict]:
    """Every subject has their own calibration."""
    cameras = {}
    for number, rotation in enumerate(CAMERAS.astype(np.float64), start=1):
        distance = np.array([0.0, 0.0, 5000.0 + 100.0 * number + 10.0 * subject])
        cameras[str(number)] = {
            "R": rotation,
            "t": distance - rotation @ CENTRE,
            "f": np.array([1144.0 + number, 1143.0 - number]),
            "c": np.array([512.0 + number, 515.0 - number]),
        }
    return cameras


def _image(number: int, subject: int, action: int, subaction: int, camera: int, frame: int) -> dict:
    name = f"s_{subject:02d}_act_{action:02d}_subact_{subaction:02d}_ca_{camera:02d}"
    return {
        "id": number,
        "file_name": f"{name}/{name}_{frame + 1:06d}.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "subject": subject,
        "action_name": f"action {action}",
        "action_idx": action,
        "subaction_idx": subaction,
        "cam_idx": camera,
        "frame_idx": frame,
    }


def _put(tree: dict, keys: tuple[str, ...], value) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = value
