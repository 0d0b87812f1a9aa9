"""Predictions from an ONNX file of ``main/export.py``, with numpy and onnxruntime alone: nothing here needs PyTorch.

    from lib.predictor.onnx_predictor import OnnxPredictor

    predictor = OnnxPredictor("pose2mesh.onnx")
    prediction = predictor(poses)                      # (B, 17 or 19, 2) pixels, or one pose (17, 2)
    prediction.mesh, predictor.faces                   # (B, V, 3) metres, (F, 3)
    prediction.image_camera((width, height))           # (B, 4) for drawing into the image

It gives what ``Pose2MeshPredictor(mesh="network").predict`` does, as arrays. Every joint has to be there: missing ones
are not filled in, people not selected by their scores, left hands not mirrored, surfaces neither fitted nor refined.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.messages import one_line
from lib.runtime.optional import optional
from lib.units import MM_PER_M

from .array_camera import camera_crop, crop_to_image_camera, fit_weak_perspective
from .inputs import check_poses
from .of_people import OfPeople


@dataclass(frozen=True)
class ArrayPrediction(OfPeople):
    """Results for B poses, float32 arrays: the attributes of ``MeshPrediction`` that a network alone gives.

    ``len``, indices, masks and loops are people, as there; an item of a loop is one person, without the first axis.
    """

    pose2d: np.ndarray
    mesh: np.ndarray
    joints: np.ndarray
    pose3d: np.ndarray
    camera: np.ndarray
    box: np.ndarray
    residual: np.ndarray

    def _chosen(self, people) -> "ArrayPrediction":
        return ArrayPrediction(*(values[people] for values in self.to_numpy().values()))

    def to_numpy(self) -> dict[str, np.ndarray]:
        """The attributes by name, e.g. for ``numpy.savez(path, **prediction.to_numpy())``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def image_camera(self, image_size: tuple[int, int]) -> np.ndarray:
        """(B, 4) sx, sy, tx, ty for drawing into an image of (width, height); see ``crop_to_image_camera``."""
        camera = crop_to_image_camera(self.camera.reshape(-1, 3), self.box.reshape(-1, 4), image_size)
        return camera.reshape(*self.camera.shape[:-1], 4).astype(np.float32)


class OnnxPredictor:
    """An ONNX file ready for poses; ``predictor(poses)`` is ``predictor.predict(poses)``.

    Args:
        path: file of ``main/export.py`` with ``--stage pose2mesh``.
        threads: of onnxruntime; 0: its own choice.

    Attributes:
        joint_set, input_scale, mesh_model (its name), faces (F, 3), metadata (of the file, texts by name).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: onnxruntime is not installed, or the file is damaged or not one of ``main/export.py``.
    """

    def __init__(self, path: str | Path, threads: int = 0):
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no ONNX file {one_line(path, 200)}; main/export.py writes one")
        runtime = optional("onnxruntime", "onnx", use="OnnxPredictor")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common class
            raise ValueError(f"{one_line(path, 200)}: not an ONNX file, or damaged ({one_line(error, 200)})") from error
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        try:
            self._read(self.metadata)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"{one_line(path, 200)}: its metadata are not those of a mesh network ({one_line(repr(error), 200)}); "
                "write it with main/export.py of this version and --stage pose2mesh"
            ) from error

    def _read(self, metadata: dict[str, str]) -> None:
        joints, derived = tuple(json.loads(metadata["joints"])), json.loads(metadata["derived"])
        self.joint_set = JointSet(
            metadata["joint_set"],
            joints,
            joints.index(metadata["root"]),
            tuple((a, b) for a, b in json.loads(metadata["bones"])),
            graph_links=(),
            flip_pairs=(),
            eval_joints=(),
            derived=tuple((joint, (a, b)) for joint, (a, b) in derived),
        )
        self.input_scale, self.mesh_model = metadata["input_scale"], metadata["mesh_model"]
        self.faces = np.array(json.loads(metadata["faces"]), dtype=np.int64).reshape(-1, 3)
        entries = json.loads(metadata["joint_regressor"])
        self._regressor = np.zeros(entries["shape"], dtype=np.float32)
        self._regressor[entries["rows"], entries["columns"]] = entries["values"]

    def regress(self, mesh: np.ndarray) -> np.ndarray:
        """Joints (..., J, 3) of meshes (..., V, 3), in their unit."""
        joints = self._regressor @ mesh
        # the matrix has all joints, or all but the derived
        return joints if joints.shape[-2] == self.joint_set.joint_num else self.joint_set.add_derived(joints)

    def predict(self, poses: np.ndarray, batch_size: int = 64) -> ArrayPrediction:
        """Meshes, joints and cameras of 2D poses.

        Args:
            poses: (B, J, 2) pixels in the joint set's order, or one pose (J, 2), which becomes a batch of one; joint
                sets with derived joints also without those (coco: 17 or 19), which are computed in any case.
            batch_size: poses per call of the network; bounds the memory.

        Raises:
            ValueError: wrong shape or type, NaN or infinite values, no extent; see ``check_poses``.
        """
        pose2d = check_poses(poses, self.joint_set, self.input_scale)
        pose2d = self.joint_set.add_derived(pose2d[:, : self.joint_set.keypoint_num])  # as the file computes them
        parts = [self._predict_batch(pose2d[start : start + batch_size]) for start in range(0, len(pose2d), batch_size)]
        if parts:
            return ArrayPrediction(*(np.concatenate(values).astype(np.float32) for values in zip(*parts)))
        joints, vertices = self.joint_set.joint_num, self._regressor.shape[1]
        shapes = ((joints, 2), (vertices, 3), (joints, 3), (joints, 3), (3,), (4,), ())
        return ArrayPrediction(*(np.zeros((0, *shape), dtype=np.float32) for shape in shapes))

    __call__ = predict

    def _predict_batch(self, pose2d: np.ndarray) -> tuple[np.ndarray, ...]:
        count = self.joint_set.keypoint_num  # derived joints are means of others, which would count twice
        keypoints = pose2d[:, :count]
        # the network does not see where a pose is; so the file's float32 has its digits for the pose itself
        centred = (keypoints - keypoints.mean(axis=1, keepdims=True)).astype(np.float32)
        pose3d, mesh = self._session.run(["pose3d", "mesh"], {"keypoints": centred})
        joints = self.regress(mesh)
        box, target = camera_crop(pose2d)
        camera, residual = fit_weak_perspective(joints[:, :count], target[:, :count])
        return pose2d, mesh, joints * np.float32(MM_PER_M), pose3d, camera, box, residual
