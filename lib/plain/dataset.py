"""Human3.6M with COCO joints, one sample at a time (slow reference of ``lib.datasets``)."""

import copy

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from lib.joints.tables import COCO, HUMAN36
from lib.plain import crop
from lib.plain.body import PlainBodyLayer
from lib.plain.noise import synthesize_pose

FIT_THRESHOLD = 25.0  # mm
LARGEST_BETA = 3.0


def rotate_axis_angle(rotation: np.ndarray, axis_angle: np.ndarray) -> np.ndarray:
    """Axis-angle (3,) of the rotation followed by a matrix (3, 3)."""
    matrix, _ = cv2.Rodrigues(axis_angle.astype(np.float64))
    rotated, _ = cv2.Rodrigues(np.dot(rotation.astype(np.float64), matrix))
    return rotated.reshape(-1).astype(np.float32)


def add_pelvis_and_neck(joints: np.ndarray) -> np.ndarray:
    left_hip, right_hip, left_shoulder, right_shoulder = 11, 12, 5, 6
    pelvis = (joints[left_hip] + joints[right_hip]) * 0.5
    neck = (joints[left_shoulder] + joints[right_shoulder]) * 0.5
    return np.concatenate([joints, pelvis[None], neck[None]])


class PlainHuman36M(Dataset):
    """Pose2Mesh training items from rows of body parameters.

    Args:
        columns: ``pose`` (N, 72), ``betas`` (N, 10), ``trans`` (N, 3) metres, ``cam_R`` (N, 3, 3), ``cam_t`` (N, 3)
            metres, ``focal``, ``princpt`` (N, 2), ``joint_cam`` (N, 17, 3) mm.
        arrays: skinning arrays of the neutral body.
        human36_regressor, coco_regressor: (17, V) float32.
        input_set: ``human36`` or ``coco``.
        noise: synthesise detection errors (COCO joints).
    """

    def __init__(self, columns, arrays, human36_regressor, coco_regressor, input_set="coco", noise=True):
        self.columns = columns
        self.layer = PlainBodyLayer(arrays)
        self.human36_regressor, self.coco_regressor = human36_regressor, coco_regressor
        self.input_set, self.noise = input_set, noise
        self._rng = None

    def __len__(self) -> int:
        return len(self.columns["pose"])

    @property
    def rng(self) -> np.random.RandomState:
        """Made when first drawn from, so that each loading process has its own."""
        if self._rng is None:
            self._rng = np.random.RandomState(torch.initial_seed() % 2**32)
        return self._rng

    def __getitem__(self, index: int):
        row = copy.deepcopy({key: values[index] for key, values in self.columns.items()})
        mesh = self._mesh(row)
        joint_cam = row["joint_cam"].astype(np.float32)
        joint_cam_coco = add_pelvis_and_neck(np.dot(self.coco_regressor, mesh))
        if self.input_set == "coco":
            joint_img = crop.camera_to_pixel(joint_cam_coco, row["focal"], row["princpt"])
            joint_img[:, 2] = 1
        else:
            joint_img = crop.camera_to_pixel(joint_cam, row["focal"], row["princpt"])

        mesh = mesh - joint_cam[:1]
        joint_cam_coco = joint_cam_coco - joint_cam_coco[COCO.root]
        joint_cam = joint_cam - joint_cam[HUMAN36.root]
        lift = joint_cam_coco if self.input_set == "coco" else joint_cam

        tight = crop.tight_box(joint_img)
        box = crop.process_box(tight)
        assert box is not None  # generated people are seen from five metres
        joint_img, matrix = crop.crop_joints(joint_img, box)
        if self.noise:
            count = COCO.keypoint_num
            joint_img[:count] = synthesize_pose(joint_img[:count], crop.crop_area(tight, matrix), self.rng)
        pose2d = crop.standardise(joint_img)

        fitted = self._fitting_error(joint_cam, mesh) <= FIT_THRESHOLD
        lift_valid = fitted or self.input_set != "coco"
        inputs = {"pose2d": pose2d}
        targets = {
            "mesh": (mesh / 1000).astype(np.float32),
            "lift_pose3d": crop.rotate_3d(lift, 0.0),
            "reg_pose3d": joint_cam.astype(np.float32),
        }
        meta = {
            "mesh_valid": np.full((len(mesh), 1), float(fitted), np.float32),
            "lift_pose3d_valid": np.full((len(lift), 1), float(lift_valid), np.float32),
            "reg_pose3d_valid": np.ones((len(joint_cam), 1), np.float32),
        }
        return inputs, targets, meta

    def _mesh(self, row: dict) -> np.ndarray:
        """(V, 3) mm in the camera frame."""
        pose, betas = row["pose"].copy(), row["betas"].copy()
        if (np.abs(betas) > LARGEST_BETA).any():
            betas[:] = 0
        pose[:3] = rotate_axis_angle(row["cam_R"], pose[:3])
        with torch.no_grad():
            mesh, joints = self.layer(torch.from_numpy(pose)[None], torch.from_numpy(betas)[None])
        mesh, joints = mesh[0].numpy().astype(np.float32), joints[0].numpy().astype(np.float32)
        rotation, root = row["cam_R"], joints[0]
        offset = np.dot(rotation, row["trans"]) + row["cam_t"] - root + np.dot(rotation, root)
        return (mesh + offset.reshape(1, 3)) * 1000

    def _fitting_error(self, joint_cam: np.ndarray, mesh: np.ndarray) -> float:
        regressed = np.dot(self.human36_regressor, mesh)
        regressed = regressed - np.mean(regressed, axis=0)[None] + np.mean(joint_cam, axis=0)[None]
        return float(np.sqrt(np.sum((joint_cam - regressed) ** 2, axis=1)).mean())
