"""People for the tiny set: real poses, random shapes, posed meshes, joints, cameras, detector-like errors."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from data.Synthetic.benchmark import read_benchmark
from data.tiny_set.models import StandIns
from lib.body.lbs import BodyParams, lbs
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, rotate_root
from lib.files import atomic_write
from lib.geometry.cameras import project as project_tensor
from lib.joints.lookup import get_joint_set

POSE, SHAPE = 72, 10
BOX_MARGIN = 1.2
_DIGITS = 6


@dataclass(frozen=True)
class Posed:
    """People in one frame of reference; metres.

    Attributes:
        vertices: (N, V, 3).
        kinematic: (N, 24, 3) SMPL joints.
        human36: (N, 17, 3). coco: (N, 19, 3) with pelvis and neck.
    """

    vertices: np.ndarray
    kinematic: np.ndarray
    human36: np.ndarray
    coco: np.ndarray


class People:
    """Draws and poses people.

    Args:
        models: the bodies.
        rng: source of every random number.
    """

    def __init__(self, models: StandIns, rng: np.random.Generator):
        self.models = models
        self.rng = rng
        self._params: dict[str, BodyParams] = {}

    @cached_property
    def _motion(self) -> tuple[np.ndarray, np.ndarray]:
        poses, clips = read_benchmark()
        return poses.astype(np.float64), np.unique(clips, return_inverse=True)[1]

    def poses(self, count: int) -> np.ndarray:
        """Real poses (count, 72) in a z-up world, from anywhere in the open benchmark."""
        motion, _ = self._motion
        return motion[self.rng.choice(len(motion), count, replace=count > len(motion))]

    def clip(self, count: int, step: int = 1) -> np.ndarray:
        """Consecutive poses (count, 72) of one real clip, each followed by ``step`` - 1 poses in between."""
        motion, clips = self._motion
        needed = (count - 1) // step + 2
        long_enough = np.flatnonzero(np.bincount(clips) >= needed)
        if not len(long_enough):
            raise ValueError(f"the open benchmark has no clip of {needed} poses; ask for fewer samples")
        rows = np.flatnonzero(clips == self.rng.choice(long_enough))
        start = self.rng.integers(len(rows) - needed + 1)
        keys = axis_angle_to_matrix(torch.from_numpy(motion[rows[start : start + needed]]).unflatten(1, (-1, 3)))
        frame = np.arange(count)
        first, share = keys[frame // step], torch.from_numpy(frame % step / step)[:, None, None]
        turn = matrix_to_axis_angle(first.transpose(-1, -2) @ keys[frame // step + 1])
        return matrix_to_axis_angle(first @ axis_angle_to_matrix(share * turn)).flatten(1).numpy()

    def shapes(self, count: int) -> np.ndarray:
        """Body shapes (count, 10)."""
        return np.clip(self.rng.normal(0.0, 0.7, (count, SHAPE)), -2.0, 2.0)

    def views(self, count: int, elevation: float = 15.0) -> np.ndarray:
        """Rotations (count, 3, 3) of upright cameras from all around, up to ``elevation`` degrees above or below."""
        azimuth = self.rng.uniform(-np.pi, np.pi, count)
        height = np.radians(self.rng.uniform(-elevation, elevation, count))
        level = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(count)], axis=1)
        forward = -np.cos(height)[:, None] * level - np.sin(height)[:, None] * (0.0, 0.0, 1.0)
        right = np.cross(-level, (0.0, 0.0, 1.0))
        return np.stack([right, np.cross(forward, right), forward], axis=1)

    def places(self, count: int, distance: tuple[float, float], lateral: float = 0.12) -> np.ndarray:
        """Positions (count, 3) in front of a camera, metres, beside its axis by a share of the distance."""
        depth = self.rng.uniform(*distance, count)
        aside = self.rng.uniform(-lateral, lateral, (count, 2)) * depth[:, None] * (1.0, 0.5)
        return np.concatenate([aside, depth[:, None]], axis=1)

    def params(self, gender: str) -> BodyParams:
        if gender not in self._params:
            self._params[gender] = self.models.params(gender)
        return self._params[gender]

    def pose(self, pose: np.ndarray, betas: np.ndarray, trans: np.ndarray, gender: str = "neutral") -> Posed:
        """Bodies of SMPL parameters pose (N, 72), betas (N, 10), trans (N, 3) metres."""
        vertices, kinematic = lbs(self.params(gender), torch.from_numpy(pose), torch.from_numpy(betas))
        vertices = vertices.numpy() + trans[:, None]
        human36, coco = (self.models.regressors[name] @ vertices for name in ("human36", "coco"))
        return Posed(vertices, kinematic.numpy() + trans[:, None], human36, get_joint_set("coco").add_derived(coco))

    def translation(self, betas: np.ndarray, places: np.ndarray, gender: str = "neutral") -> np.ndarray:
        """SMPL translations (N, 3) that put the root joints of shapes (N, 10) at places (N, 3)."""
        params = self.params(gender)
        rest = params.J_template[0] + torch.from_numpy(betas) @ params.J_shapedirs[0].T
        return places - rest.numpy()

    def detections(self, joints: np.ndarray, spread: float) -> np.ndarray:
        """Detector-like output (..., 3): x, y with Gaussian errors of ``spread`` pixels, and a score."""
        points = joints[..., :2] + self.rng.normal(0.0, spread, (*joints.shape[:-1], 2))
        return np.concatenate([points, self.rng.uniform(0.5, 1.0, (*joints.shape[:-1], 1))], axis=-1)


def turn(rotation: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Poses (N, 3K) after turning the world by rotations (N, 3, 3)."""
    root = rotate_root(torch.from_numpy(rotation), torch.from_numpy(pose[:, :3])).numpy()
    return np.concatenate([root, pose[:, 3:]], axis=1)


def project(joints: np.ndarray, focal, princpt) -> np.ndarray:
    """Pixels (..., J, 2) of camera-frame joints (..., J, 3); focal, princpt: (..., 2) or (2,)."""
    return project_tensor(*(torch.from_numpy(np.array(x, dtype=np.float64)) for x in (joints, focal, princpt))).numpy()


def person_box(joints: np.ndarray) -> np.ndarray:
    """Person boxes (..., 4) x, y, width, height with some room around joints (..., J, 2)."""
    low, high = joints.min(axis=-2), joints.max(axis=-2)
    extent = BOX_MARGIN * (high - low)
    return np.concatenate([(low + high - extent) / 2, extent], axis=-1)


def write_json(path: Path, content) -> None:
    """Write JSON; arrays become lists of numbers with six decimals."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, default=_plain) + "\n")


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    return np.round(value, _DIGITS).tolist() if value.dtype.kind == "f" else value.tolist()
