"""What the predictor gives back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from lib.geometry.camera_fit import crop_to_image_camera

from .of_people import OfPeople


@dataclass(frozen=True)
class MeshPrediction(OfPeople):
    """Results for B poses: float32 tensors on the CPU. Frame: x right, y down, z away from the camera.

    As in files and in ``lib.export.PeopleArrays``, joints are millimetres, meshes and cameras metres.

    ``len(prediction)`` is B. ``prediction[2]``, and every item of a loop, is one person, without the first axis;
    ``prediction[1:3]``, ``prediction[mask]`` and ``prediction[[4, 0]]`` are predictions of several.

    Attributes:
        pose2d: (B, J, 2) the input with derived joints, pixels.
        mesh: (B, V, 3) metres, root-relative.
        joints: (B, J, 3) millimetres, regressed from the mesh, same origin.
        pose3d: (B, J, 3) millimetres, PoseNet's root-relative joints, or those that were given.
        camera: (B, 3) weak-perspective s, tx, ty of metres in the crop ``box``.
        box: (B, 4) x, y, width, height of the square crop, pixels.
        residual: (B,) mean absolute distance per coordinate between projected joints and pose2d, pixels of the
            500 x 500 crop.
        lift_residual: (B,) the same of the network's vertices, large where the lift does not explain the pose.
        risk: (B,) probability that a refined body's mean vertex error exceeds 150 mm (``lib.predictor.risk``); NaN for
            other meshes.
        pose, betas, trans: (B, 3K) axis-angle in radians, (B, S), (B, 3) metres: parameters whose surface the mesh is,
            ``lbs(params, pose, betas) + trans``; (B, 0) with the network's vertices.
        translation: (B, 3) metres, of refined meshes and of sequences: mesh + translation stands before a perspective
            camera, to which ``camera`` agrees where the mesh's origin is. NaN for others, which ``camera`` sees.
        focal, principal: (B,) and (B, 2) pixels of that camera.
        left: (B,) bool, who is a left hand. The model is of right ones: a left hand's mesh has the faces turned,
            ``faces[:, ::-1]``, and its parameters are the mirrored model's (``lib.predictor.mirror``).
    """

    pose2d: torch.Tensor
    mesh: torch.Tensor
    joints: torch.Tensor
    pose3d: torch.Tensor
    camera: torch.Tensor
    box: torch.Tensor
    residual: torch.Tensor
    lift_residual: torch.Tensor
    risk: torch.Tensor
    pose: torch.Tensor
    betas: torch.Tensor
    trans: torch.Tensor
    translation: torch.Tensor
    focal: torch.Tensor
    principal: torch.Tensor
    left: torch.Tensor

    @classmethod
    def joined(cls, parts: Iterable[Sequence[torch.Tensor]]) -> "MeshPrediction":
        """One after the other, each as the attributes in their order."""
        joined = [torch.cat(values).cpu() for values in zip(*parts, strict=True)]
        return cls(*(v if v.dtype == torch.bool else v.float() for v in joined))

    @classmethod
    def of_nobody(cls, joint_num: int, vertex_num: int, pose_num: int = 0, shape_num: int = 0) -> "MeshPrediction":
        """No people, with arrays of the right sizes; parameters only where ``pose_num`` is not 0."""
        rest = ((pose_num,), (shape_num,), (3 if pose_num else 0,), (3,), (), (2,))
        joints = ((joint_num, 2), (vertex_num, 3), (joint_num, 3), (joint_num, 3))
        shapes: list[tuple[int, ...]] = [*joints, (3,), (4,), (), (), (), *rest]
        return cls(*[*(torch.zeros(0, *shape) for shape in shapes), torch.zeros(0, dtype=torch.bool)])

    @property
    def values(self) -> tuple[torch.Tensor, ...]:
        """The attributes in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def _chosen(self, people) -> "MeshPrediction":
        people = torch.as_tensor(people) if isinstance(people, list | np.ndarray) else people
        return MeshPrediction(*(value[people] for value in self.values))

    def to_numpy(self) -> dict[str, np.ndarray]:
        """The attributes as arrays by name, e.g. for ``numpy.savez(path, **prediction.to_numpy())``."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    def image_camera(self, image_size: tuple[int, int]) -> torch.Tensor:
        """(B, 4) sx, sy, tx, ty for drawing into an image of (width, height); see ``crop_to_image_camera``."""
        camera = crop_to_image_camera(self.camera.reshape(-1, 3), self.box.reshape(-1, 4), image_size)
        return camera.reshape(*self.camera.shape[:-1], 4)


@dataclass(frozen=True)
class PeoplePrediction:
    """Results for N detected people, of whom B could be used.

    Attributes:
        prediction: of the B people, in the order of the detections.
        kept: (B,) int64, their numbers among the N.
        reasons: N entries: why a person was left out, None for those in ``prediction``.
        scores: (B, J) float32 scores of the joints, 0 where they were filled.
        filled: (B, J) bool, joints that the detector did not see.
    """

    prediction: MeshPrediction
    kept: np.ndarray
    reasons: list[str | None]
    scores: np.ndarray
    filled: np.ndarray
