"""Make the demo's sample scene and sample video: people of the open body in a painted room, and their "detections".

    python data/build/make_scene.py

Writes ``demo/demo_input_img/scene.jpg``, ``demo/demo_input_2dpose.json`` (the original demo's layout: {image:
[person]}, a person = 17 lists [x, y, score] in COCO order) and ``demo/demo_input_video.json`` (AlphaPose's layout,
without track numbers: two people walk past each other, 30 frames per second).

Poses come from the open benchmark, one is made by hand. Joints are those of the body's COCO regressor, projected, with
a detector's jitter; those behind something else have low scores and are far off. The scene's list ends with somebody
found twice and somebody who is not there.

World: metres, x right, y away from the camera, z up, floor at z = 0.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, RotationSpline

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build.scene_paint import Body, box, draw_scene, dress, screen
from data.Synthetic.benchmark import read_benchmark
from lib import ROOT
from lib.body.lbs import lbs
from lib.files import atomic_write
from lib.mesh.mesh_model import MeshModel, load_mesh_model

CLIP_FPS, VIDEO_FPS = 10, 30
JITTER = 1.5  # pixels, of joints in sight
GUESS = 15.0  # pixels, of joints behind something else
BEHIND = 0.12  # metres: joints lie so deep inside the body at most
FEET = (7, 8, 10, 11)  # ankles and toes in SMPL's order
FACE_AXIS = np.array([0.0, 0.0, 1.0])  # SMPL's bodies look along z at rest


@dataclass(frozen=True)
class Person:
    """Somebody in the scene.

    Attributes:
        clip, frame: pose in the open benchmark; an empty clip is the pose made by hand.
        place: x, y metres. heading: degrees the body is turned, 0 looks at the camera, 90 to the right.
        betas: first shape components. shirt, trousers, skin, hair: colours (r, g, b) in 0..1.
    """

    clip: str
    frame: int
    place: tuple[float, float]
    heading: float
    betas: tuple[float, ...]
    shirt: tuple[float, float, float]
    trousers: tuple[float, float, float]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]


PEOPLE = (
    Person("55_02", 97, (0.05, -0.35), -8, (0.4, 0.6), (0.90, 0.45, 0.36), (0.27, 0.32, 0.47), (0.96, 0.78, 0.66),
           (0.36, 0.22, 0.14)),
    Person("", 0, (-1.55, 0.15), 28, (-0.6, -0.3), (0.24, 0.58, 0.60), (0.50, 0.43, 0.36), (0.66, 0.46, 0.34),
           (0.14, 0.11, 0.10)),
    Person("127_02", 108, (1.28, -0.30), 8, (0.8, -0.5), (0.93, 0.74, 0.34), (0.33, 0.40, 0.36), (0.90, 0.70, 0.57),
           (0.62, 0.44, 0.22)),
    Person("08_01", 7, (0.42, 1.0), -18, (-0.2, 0.3), (0.52, 0.45, 0.70), (0.30, 0.30, 0.33), (0.52, 0.35, 0.26),
           (0.10, 0.09, 0.09)),
)  # fmt: skip
SEAT = 1  # the person who sits
WALKS = (("08_01", 1, -0.1), ("08_11", -1, 0.9))  # clip, direction along x, distance y
VIDEO_FRAMES = 60


def sitting_pose() -> np.ndarray:
    """(72,) axis-angle of somebody who sits upright, arms at the sides, looking along SMPL's z."""
    turns = {
        1: (-84, -8, 6), 2: (-88, 8, -6), 4: (82, 0, 0), 5: (92, 0, 0), 7: (4, 0, 0), 8: (-4, 0, 0), 3: (4, 0, 0),
        6: (6, 0, 0), 9: (4, 4, 0), 12: (-2, 8, 0), 15: (-6, 10, 2), 16: (-4, -22, -66), 17: (-4, 22, 64),
        18: (0, -44, 0), 19: (0, 48, 0), 20: (0, -8, -8), 21: (0, 8, 8),
    }  # fmt: skip
    pose = np.zeros((24, 3))
    for joint, degrees in turns.items():
        pose[joint] = Rotation.from_euler("zyx", degrees[::-1], degrees=True).as_rotvec()
    pose[0] = np.pi / 2, 0, 0  # upright in a world whose z points up
    return pose.ravel()


def clip_poses(clip: str) -> np.ndarray:
    """(T, 72) axis-angle poses of a clip of the open benchmark, 10 per second."""
    poses, clips = read_benchmark()
    return poses[clips == clip].astype(np.float64)


def turn_to(poses: np.ndarray, heading: float) -> np.ndarray:
    """Poses (T, 72), turned together about the vertical so that the mean look has a heading in degrees."""
    root = Rotation.from_rotvec(poses[:, :3])
    look = root.apply(FACE_AXIS).mean(axis=0)
    turn = np.deg2rad(heading - 90) - np.arctan2(look[1], look[0])
    turned = poses.copy()
    turned[:, :3] = (Rotation.from_rotvec([0, 0, turn]) * root).as_rotvec()
    return turned


def pose_body(model: MeshModel, poses: np.ndarray, betas: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (T, V, 3) and SMPL's joints (T, 24, 3) of poses, feet on the floor and the root at x = y = 0."""
    shape = torch.zeros(len(poses), model.params().shape_num)
    shape[:, : len(betas)] = torch.tensor(betas)
    vertices, joints = (t.double().numpy() for t in lbs(model.params(), torch.from_numpy(poses).float(), shape))
    origin = np.concatenate([joints[:, 0, :2], vertices[..., 2].min(axis=1)[:, None]], axis=1)[:, None]
    return vertices - origin, joints - origin


def walk(model: MeshModel, clip: str, direction: int, distance: float) -> np.ndarray:
    """Vertices (VIDEO_FRAMES, V, 3) of somebody who walks along x and passes x = 0 in the middle.

    The clips are without positions: the lowest of ankles and toes stays where it is from frame to frame.
    """
    poses = turn_to(clip_poses(clip), 90.0 * direction).reshape(-1, 24, 3)
    times = np.arange(0, len(poses) - 1, CLIP_FPS / VIDEO_FPS)
    splines = [RotationSpline(np.arange(len(poses)), Rotation.from_rotvec(joint)) for joint in poses.swapaxes(0, 1)]
    smooth = np.stack([spline(times).as_rotvec() for spline in splines], axis=1).reshape(len(times), -1)
    vertices, joints = pose_body(model, smooth, ())
    feet = joints[:, FEET]
    standing = feet[:-1, :, 2].argmin(axis=1)
    steps = -np.diff(feet[..., :2], axis=0)[np.arange(len(standing)), standing]
    path = np.zeros((len(times), 3))
    path[1:, :2] = gaussian_filter1d(steps.cumsum(axis=0), VIDEO_FPS / 15, axis=0)
    middle = len(path) // 2
    path -= path[middle] - [0, distance, 0]
    path[:, 1] = distance
    return (vertices + path[:, None])[middle - VIDEO_FRAMES // 2 :][:VIDEO_FRAMES]


def covered(joints: np.ndarray, body: Body) -> np.ndarray:
    """Which joints (J, 3; screen x, y and depth) lie behind a body's surface, (J,) bool."""
    corners = screen(body.vertices)[body.faces]
    a, b, c = corners[:, None, 0], corners[:, None, 1], corners[:, None, 2]

    def area(p, q, r):
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    shares = np.stack([area(joints, b, c), area(a, joints, c), area(a, b, joints)], axis=-1)
    whole = shares.sum(axis=-1, keepdims=True)
    shares = shares / np.where(whole == 0, 1, whole)
    depth = (shares * corners[:, None, :, 2]).sum(axis=-1)
    return ((shares >= 0).all(axis=-1) & (whole[..., 0] != 0) & (depth < joints[:, 2] - BEHIND)).any(axis=0)


def detect(person: int, bodies: list[Body], regressor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a detector would say of a person: (17, 3) x, y in pixels and score."""
    joints = screen(regressor @ bodies[person].vertices)
    hidden = np.any([covered(joints, body) for i, body in enumerate(bodies) if i != person] or [[False]], axis=0)
    behind_self = covered(joints, bodies[person])
    error = np.where(hidden, GUESS, JITTER)[:, None] * rng.normal(size=(len(joints), 2))
    score = rng.uniform(0.78, 0.97, len(joints)) - 0.35 * behind_self
    score = np.where(hidden, rng.uniform(0.02, 0.09, len(joints)), score)
    return np.column_stack([joints[:, :2] + error, score])


def rounded(pose: np.ndarray) -> list[list[float]]:
    """Tenths of a pixel, hundredths of a score."""
    return [[round(x, 1), round(y, 1), round(score, 2)] for x, y, score in pose.tolist()]


def make_scene(model: MeshModel, rng: np.random.Generator) -> tuple[list[Body], list[list[list[float]]]]:
    """The bodies of the scene, and the detections: everybody, the first one a second time, and a ghost."""
    bodies = []
    for person in PEOPLE:
        pose = clip_poses(person.clip)[person.frame] if person.clip else sitting_pose()
        vertices = pose_body(model, turn_to(pose[None], person.heading), person.betas)[0][0]
        bodies.append(Body(vertices + np.array([*person.place, 0]), model.faces, _colours(model, person)))
    bodies.append(_seat(bodies[SEAT].vertices, PEOPLE[SEAT]))
    regressor = model.joint_regressor("coco").astype(np.float64)
    people = [detect(person, bodies, regressor, rng) for person in range(len(PEOPLE))]
    twice = people[0] + np.column_stack([rng.normal(scale=4, size=(17, 2)), np.full(17, -0.15)])
    ghost = people[-1] * [0.3, 0.3, 0] + [130, 62, 0.06]  # as if the picture on the wall were somebody
    return bodies, [rounded(pose) for pose in (*people, twice, ghost)]


def _colours(model: MeshModel, person: Person) -> np.ndarray:
    return dress(model, person.shirt, person.trousers, person.skin, person.hair)


def _seat(vertices: np.ndarray, person: Person) -> Body:
    """A box under somebody who sits at ``place``."""
    heading = np.deg2rad(person.heading)
    back = np.array([-np.sin(heading), np.cos(heading)])
    place = np.array(person.place)
    near = np.abs(vertices[:, :2] - place).max(axis=1) < 0.15
    height = vertices[near, 2].min()
    return box(place + 0.03 * back, np.array([0.52, 0.42, height + 0.015]), heading, (0.83, 0.68, 0.50))


def make_video(model: MeshModel, rng: np.random.Generator) -> list[dict]:
    """Detections of two people who walk past each other: entries of an AlphaPose results file."""
    walkers = [walk(model, *settings) for settings in WALKS]
    regressor = model.joint_regressor("coco").astype(np.float64)
    entries = []
    for frame in range(VIDEO_FRAMES):
        bodies = [Body(walker[frame], model.faces, np.zeros(0)) for walker in walkers]
        for person in range(len(bodies)):
            pose = detect(person, bodies, regressor, rng)
            low, high = pose[:, :2].min(axis=0), pose[:, :2].max(axis=0)
            entries.append(
                {
                    "image_id": f"{frame:06d}.jpg",
                    "category_id": 1,
                    "keypoints": [value for joint in rounded(pose) for value in joint],
                    "score": round(float(pose[:, 2].sum()) / 6, 2),
                    "box": [round(value, 1) for value in (*low.tolist(), *(high - low).tolist())],
                }
            )
    return entries


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "demo", help="folder (default demo/)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", type=int, default=88, help="of the JPEG file")
    options = parser.parse_args(arguments)
    bodies, people = make_scene(load_mesh_model("body", "open_6890"), np.random.default_rng(options.seed))
    video = make_video(load_mesh_model("body", "open_1723"), np.random.default_rng(options.seed))
    image = draw_scene(bodies, np.random.default_rng(options.seed))
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1]
    files = {
        "demo_input_img/scene.jpg": jpeg.tobytes(),
        "demo_input_2dpose.json": json.dumps({"scene.jpg": people}, indent=None).encode(),
        "demo_input_video.json": json.dumps(video, separators=(",", ":")).encode(),
    }
    for name, content in files.items():
        path = options.output / name
        with atomic_write(path, "wb") as stream:
            stream.write(content)
        print(f"{path}: {len(content) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
