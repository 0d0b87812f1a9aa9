"""Meshes of one person's frames: the temporal lifter's joints and way, with surfaces of one shape."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lib.geometry.camera_fit import fit_weak_perspective
from lib.joints.joint_set import JointSet
from lib.mesh.fit_params import shape_frames
from lib.mesh.mesh_model import MeshModel
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.sequence_meshes import frame_meshes
from lib.models.temporal import LiftedFrames
from lib.poses.missing import JOINT_SCORE
from lib.units import MM_PER_M

from .crop import camera_crop
from .device import as_array
from .inputs import check_poses
from .results import MeshPrediction
from .sequence_lifter import FPS, LiftedPeople, SequenceLifter
from .surfaces import Circumstances, PerspectiveCamera, SurfaceMaker

_BATCH = 64  # meshes at a time
_NEAREST, _TINY = 0.5, 1e-3  # metres that people are before the camera, at least


class SequencePredictor:
    """What a predictor does with the frames of a film; see ``lib.predictor.predictor.Pose2MeshPredictor``."""

    joint_set: JointSet
    device: torch.device
    mesh_model: MeshModel
    network: Pose2Mesh
    input_scale: str
    surfaces: SurfaceMaker | None
    temporal: str | Path | None
    root: str | Path

    def regress(self, mesh: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    @cached_property
    def sequence_lifter(self) -> SequenceLifter:
        """The temporal lifter for these joints; see ``SequenceLifter`` for what is raised without weights."""
        return SequenceLifter(self.joint_set, self.temporal, self.device, self.root)

    @property
    def nobody(self) -> MeshPrediction:
        """The prediction of no people."""
        params = self.mesh_model.params()
        sizes = () if self.surfaces is None else (3 * params.joint_num, params.shape_num)
        return MeshPrediction.of_nobody(self.joint_set.joint_num, self.mesh_model.vertex_num, *sizes)

    def predict_sequence(
        self,
        poses: np.ndarray | torch.Tensor,
        fps: float = FPS,
        known: Circumstances = Circumstances(),  # noqa: B008  # it cannot change
        joint_score: float = JOINT_SCORE,
    ) -> MeshPrediction:
        """Meshes of one person in frames that follow each other, lifted together by a temporal lifter.

        Fitted and refined meshes are surfaces of one shape, fitted to the network's; joints, place and camera are the
        temporal lifter's. Memory beside in- and output does not depend on T.

        Args:
            poses: (T, J, 2) pixels as for ``predict``; what is NaN was not seen, and is filled in along time.
            fps: frames per second, 5 to 1000.
            known: of the T frames: size of the picture, focal length, shape (S,), scores (T, J), and ``frames``, their
                numbers, which increase; frames that are missing in between are those without the person. After half
                a second without, the sequence starts anew. Without the picture's size one camera is assumed for all.
            joint_score: largest score of a joint that was not seen.

        Raises:
            FileNotFoundError: no weights of a temporal lifter for these joints.
            ValueError: other shapes, left hands, or too little seen of the person.
        """
        lifter = self.sequence_lifter
        if known.left is not None and np.any(known.left):
            raise ValueError("the temporal lifter takes no left hands: predict takes them, frame by frame")
        pose2d, seen, numbers = _seen(as_array(poses), known, joint_score, lifter)
        # scores may be those of the input, which lacks derived joints
        replace(known, scores=None).check(len(pose2d), self.joint_set, self.mesh_model.params().shape_num)
        if not len(pose2d):
            return self.nobody
        runs = lifter.runs(pose2d, seen, numbers, fps)
        for run in runs:
            check_poses(run.pose2d.numpy(), self.joint_set, lifter.network.input_scale)
        people = lifter.lift(runs, fps, *lifter.camera(runs, known.image_size, known.focal))
        return self.predict_lifted(people, self._shape(people) if known.betas is None else known.betas)

    def predict_lifted(self, people: LiftedPeople, betas: np.ndarray | torch.Tensor | None = None) -> MeshPrediction:
        """Meshes and cameras of people whom a temporal lifter lifted, all of them ``known``.

        With ``fitted`` and ``refined`` meshes these are the body model's surfaces fitted to the network's; neither is
        refined to the 2D joints, whose jitter the lifter has taken out (``docs/surfaces.md``).

        Args:
            people: B rows, of any number of persons.
            betas: (S,) or (B, S) shapes of the surfaces that are known.
        """
        if betas is not None:
            betas = torch.as_tensor(betas, dtype=torch.float32, device=self.device)
            betas = betas.expand(len(people), betas.shape[-1])
        parts = (slice(start, start + _BATCH) for start in range(0, len(people), _BATCH))
        found = [self._lifted_batch(_in_front(people[part]), None if betas is None else betas[part]) for part in parts]
        return MeshPrediction.joined(found) if found else self.nobody

    def _shape(self, people: LiftedPeople) -> torch.Tensor | None:
        """The shape (S,) of one person, from frames spread evenly; None where meshes are not surfaces."""
        if self.surfaces is None:
            return None
        chosen = torch.from_numpy(shape_frames(len(people)))
        meshes = self._network_meshes(_in_front(people[chosen]))
        return self.surfaces.fitter.common_shape(meshes)

    @torch.inference_mode()
    def _network_meshes(self, people: LiftedPeople) -> torch.Tensor:
        """(B, V, 3) metres."""
        lifted = LiftedFrames(people.joints.to(self.device), people.root.to(self.device))
        return frame_meshes(self.network, lifted, self.input_scale)

    @torch.inference_mode()
    def _lifted_batch(self, people: LiftedPeople, betas: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """The parts of a ``MeshPrediction``."""
        box, target = camera_crop(people.pose2d.double())
        mesh = self._network_meshes(people)
        pose2d, pose3d, root, focal, principal, box, target = (
            values.to(mesh)
            for values in (people.pose2d, people.joints, people.root, people.focal, people.principal, box, target)
        )
        count = self.joint_set.keypoint_num

        def seen(mesh: torch.Tensor) -> tuple[torch.Tensor, PerspectiveCamera, torch.Tensor]:
            joints = self.regress(mesh)
            lens = PerspectiveCamera(focal, principal, root - joints[:, self.joint_set.root])
            return joints, lens, lens.residual(joints[:, :count], pose2d[:, :count], box)

        joints, lens, residual = seen(mesh)
        # from whatever distance: it tells joints in a wrong order
        _, lift_residual = fit_weak_perspective(joints[:, :count], target[:, :count])
        params = [mesh.new_zeros(len(mesh), 0)] * 3
        if self.surfaces is not None:
            surface = self.surfaces.fitter.fitted(mesh, betas=betas)
            mesh, params = surface.mesh, [surface.fit.pose, surface.fit.betas, surface.fit.trans]
            joints, lens, residual = seen(mesh)
        unknown, left = torch.full_like(residual, torch.nan), torch.zeros_like(residual, dtype=torch.bool)
        fits = residual, lift_residual, unknown
        camera = lens.translation, focal, principal
        return pose2d, mesh, joints * MM_PER_M, pose3d, lens.weak(box), box, *fits, *params, *camera, left


def _in_front(people: LiftedPeople) -> LiftedPeople:
    """The people, those who stand in the camera moved away from it: it would see them nowhere, or anywhere."""
    beside, depth = people.root.split([2, 1], dim=1)
    beside = beside * (_NEAREST / depth.clamp_min(_TINY)).clamp_min(1)
    return replace(people, root=torch.cat([beside, depth.clamp_min(_NEAREST)], dim=1))


def _seen(
    poses: np.ndarray, known: Circumstances, joint_score: float, lifter: SequenceLifter
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses (T, J, 2), NaN where a joint was not seen, which were seen (T, J), and numbers (T,) of the frames."""
    joint_set = lifter.joint_set
    poses = np.array(poses, dtype=np.float64)
    accepted = dict.fromkeys((joint_set.keypoint_num, joint_set.joint_num))
    if poses.ndim != 3 or poses.shape[1] not in accepted or poses.shape[2] != 2:
        raise ValueError(
            f"expected poses (T, {' or '.join(map(str, accepted))}, 2) of one person in T frames, got {poses.shape}; "
            f"joints in order: {joint_set.describe()}"
        )
    seen = np.isfinite(poses).all(axis=2)
    if known.scores is not None:
        scores = as_array(known.scores)
        if scores.ndim != 2 or len(scores) != len(poses) or scores.shape[1] < poses.shape[1]:
            raise ValueError(f"{len(poses)} poses of {poses.shape[1]} joints have scores {scores.shape}")
        seen &= scores[:, : poses.shape[1]] > joint_score
    poses[~seen] = np.nan
    if poses.shape[1] != joint_set.joint_num:
        poses = joint_set.add_derived(poses)
        seen = np.isfinite(poses).all(axis=2)
    numbers = np.arange(len(poses)) if known.frames is None else as_array(known.frames)
    if numbers.shape != (len(poses),):
        raise ValueError(f"{len(poses)} frames have numbers {numbers.shape}")
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"frames have whole numbers, got an array of {numbers.dtype}")
    return poses, seen, numbers.astype(np.int64)
