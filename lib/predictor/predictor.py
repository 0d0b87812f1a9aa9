"""Network, mesh model and camera fit in one object; the package's description has examples."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.geometry.camera_fit import fit_weak_perspective
from lib.geometry.crops import standardise
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.messages import naming
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.prepare import prepare
from lib.models.skip_init import SkipInit
from lib.poses import Selection, Source, select_people
from lib.poses.filters import PERSON_SCORE
from lib.poses.missing import JOINT_SCORE
from lib.settings.config import Config
from lib.settings.setting import FITTED, FLOAT32, NETWORK, POSE2MESH
from lib.units import MM_PER_M

from .crop import camera_crop
from .device import as_array, resolve_device
from .inputs import check_pose3d, check_poses, orthographic_view
from .mirror import Mirror
from .results import MeshPrediction, PeoplePrediction
from .sequences import SequencePredictor
from .surfaces import Circumstances, PerspectiveCamera, SurfaceMaker, chosen_surface
from .weights import check_joints, check_regressor, find_weights


class Pose2MeshPredictor(SequencePredictor):
    """A network with its mesh model, ready for poses; ``predictor(poses)`` is ``predictor.predict(poses)``.

    Args:
        joint_set: ``human36``, ``coco``, ``smpl``, ``mano``, the path of a joint set file
            (``lib/joints/files.py``), or a joint set itself. None takes the one that ``weights`` were trained with.
        weights: checkpoint file or folder; None takes ``lib.predictor.find_weights``.
        device: see ``resolve_device``.
        body: mesh model (``lib.mesh.mesh_model.load_mesh_model``); None takes the one the weights were trained for.
        root: folder with the licensed models and ``experiment/`` with weights; the open ones are found in any case.
        mesh: which one comes out: ``network`` (its vertices, as published), ``fitted`` (the body model's surface fitted
            to them), ``refined`` (that surface refined to the 2D joints); ``auto`` is ``refined`` for the open models
            and ``network`` for licensed ones. See ``docs/surfaces.md``.
        precision: of the network's products: ``float32``, ``bf16`` or ``half`` (``docs/speed.md``).
        temporal: checkpoint file or folder of a temporal lifter, for ``predict_sequence``; None takes
            ``lib.predictor.find_temporal_weights``. It is read when it is needed.

    Attributes:
        joint_set, device, weights (file in use), mesh_model, graph, network, mesh, precision, temporal, root,
        input_scale (see ``lib.geometry.crops.standardise``), and ``description``: lines that say what is in use.

    Raises:
        FileNotFoundError: weights, model files or the joint set file are not there.
        ValueError: the weights are for another joint set, stage or mesh, or damaged; or a precision that this processor
            computes more slowly.
    """

    def __init__(
        self,
        joint_set: str | Path | JointSet | None = "coco",
        weights: str | Path | None = None,
        device: str = "auto",
        body: str | None = None,
        root: str | Path = ROOT,
        mesh: str = "auto",
        precision: str = FLOAT32,
        temporal: str | Path | None = None,
    ):
        wanted = None if joint_set is None else get_joint_set(joint_set)
        self.device = resolve_device(device)
        if weights is not None:
            self.weights = find_checkpoint(weights, root=Path(root))
        elif wanted is not None:
            self.weights = find_weights(wanted, root)
        else:
            raise ValueError("name a joint set, or weights to take it from")
        checkpoint = load_checkpoint(self.weights)
        if not checkpoint.with_mesh:
            raise ValueError(f"{self.weights} holds {checkpoint.stage} weights; a mesh needs those of {POSE2MESH}")
        cfg, trained = checkpoint.trained, checkpoint.joint_set
        self.joint_set = trained if wanted is None else wanted
        self.input_scale = cfg.DATASET.input_scale
        check_joints(self.joint_set, trained, self.weights)
        with naming(body or self.weights):
            self.mesh_model = checkpoint.mesh_model(body or cfg.MODEL.body, root)
        self.graph = checkpoint.graph_on(self.mesh_model, cache=Path(root) / Config().DATASET.cache)
        regressor = check_regressor(self.joint_set, trained, self.mesh_model, self.weights)
        with naming(self.weights), SkipInit():
            self.network = build_pose2mesh(cfg, self.graph)
        checkpoint.load_into(self.network, take_over=True)
        self.network.requires_grad_(False).eval().to(self.device)
        prepare(self.network, precision)
        self.precision, self.temporal, self.root = precision, temporal, root
        self._regressor = torch.from_numpy(regressor).to(self.device)
        self.mesh = chosen_surface(mesh, self.mesh_model)
        self.surfaces = None
        if self.mesh != NETWORK:
            self.surfaces = SurfaceMaker(self.mesh, self.mesh_model, self.joint_set, self.device)

    @property
    def description(self) -> tuple[str, ...]:
        rounded = "" if self.precision == FLOAT32 else f", products in {self.precision}"
        mesh = {NETWORK: "the network's vertices", FITTED: "surface fitted to the network's vertices"}
        return (
            f"Mesh model: {self.mesh_model.description}",
            f"Weights: {self.weights} on {self.device}{rounded}",
            f"Mesh: {mesh.get(self.mesh, 'surface fitted to the network and refined to the 2D pose')}",
        )

    @cached_property
    def template_joints(self) -> np.ndarray:
        """(J, 3) metres: the mesh model's joints in its rest pose, x to its left, y up."""
        template = self.mesh_model.arrays()["v_template"].astype(np.float64)
        return self.regress(torch.from_numpy(template)).numpy()

    def regress(self, mesh: torch.Tensor) -> torch.Tensor:
        """Joints (..., J, 3) of meshes (..., V, 3), in their unit."""
        joints = self._regressor.to(mesh) @ mesh
        # the matrix has all joints, or all but the derived
        return joints if joints.shape[-2] == self.joint_set.joint_num else self.joint_set.add_derived(joints)

    def predict(
        self,
        poses: np.ndarray | torch.Tensor,
        batch_size: int = 64,
        known: Circumstances = Circumstances(),  # noqa: B008  # it cannot change
    ) -> MeshPrediction:
        """Meshes, joints and cameras of 2D poses.

        Args:
            poses: (B, J, 2) pixels in the joint set's order, or one pose (J, 2), which becomes a batch of one; joint
                sets with derived joints also without those (coco: 17 or 19).
            batch_size: poses per network call; bounds the memory.
            known: what is known beside the poses: who is a left hand; for fitted and refined meshes size of the
                picture, focal length, scores, shape, film. Without the picture's size a camera looks straight at each
                person.

        Raises:
            ValueError: see ``check_poses``; ``known`` is of other people.
        """
        pose2d = torch.from_numpy(check_poses(as_array(poses), self.joint_set, self.input_scale))
        known.check(len(pose2d), self.joint_set, self.mesh_model.params().shape_num)
        starts = range(0, len(pose2d), batch_size)
        parts = (slice(start, start + batch_size) for start in starts)
        return self._joined([self._predict_batch(pose2d[part], known=known.rows(part)) for part in parts])

    __call__ = predict

    def predict_pose3d(
        self,
        pose3d: np.ndarray | torch.Tensor,
        pose2d: np.ndarray | torch.Tensor | None = None,
        unit: str = "mm",
        batch_size: int = 64,
        betas: np.ndarray | torch.Tensor | None = None,
        left: np.ndarray | None = None,
    ) -> MeshPrediction:
        """Meshes of 3D joints: MeshNet alone, without PoseNet.

        MeshNet takes the 2D pose beside the 3D one. Where none is given it is the orthographic projection of the
        joints, and pose2d, camera and box of the result belong to that view, a picture of ``VIEW_SIZE`` with the root
        in the middle.

        Args:
            pose3d: (B, J, 3) x right, y down, z away from the camera, from any origin (they are made root-relative),
                or one pose (J, 3). Other frames first: ``pose3d * [1, -1, -1]`` where y points up.
            pose2d: (B, J, 2) the same poses in pixels of an image.
            unit: of ``pose3d``, ``mm`` or ``m``.
            batch_size: poses per network call.
            betas: (S,) a shape that is known, for fitted surfaces. 3D joints are trusted more than 2D ones, so that
                surfaces are not refined.
            left: (B,) bool, who is a left hand; None: nobody is.

        Raises:
            ValueError: see ``check_pose3d`` and ``check_poses`` of ``lib.predictor.inputs``; or numbers of 2D and 3D
                poses that differ.
        """
        joints = check_pose3d(as_array(pose3d), self.joint_set, self.template_joints, unit)
        if pose2d is None:
            points = orthographic_view(joints, self.template_joints, self.input_scale)
        else:
            points = check_poses(as_array(pose2d), self.joint_set, self.input_scale)
        if len(points) != len(joints):
            raise ValueError(f"{len(joints)} 3D poses need as many 2D poses, got {len(points)}")
        known = Circumstances(betas=betas, left=left)
        known.check(len(joints), self.joint_set, self.mesh_model.params().shape_num)
        parts = (slice(start, start + batch_size) for start in range(0, len(joints), batch_size))
        pairs = torch.from_numpy(points), torch.from_numpy(joints)
        return self._joined(
            [self._predict_batch(*(pair[part] for pair in pairs), known=known.rows(part)) for part in parts]
        )

    def select_people(
        self, poses: np.ndarray | torch.Tensor, source: str | Path | JointSet | Source = "coco17", **options
    ) -> Selection:
        """The first half of ``predict_detections``: whom to lift, and complete poses for ``predict``.

        Args:
            poses, source: see ``predict_detections``.
            options: of ``lib.poses.select_people``.
        """
        poses = as_array(poses)
        return select_people(poses[None] if poses.ndim == 2 else poses, source, self.joint_set, **options)

    def predict_detections(
        self,
        poses: np.ndarray | torch.Tensor,
        source: str | Path | JointSet | Source = "coco17",
        joint_score: float = JOINT_SCORE,
        person_score: float = PERSON_SCORE,
        image_size: tuple[int, int] | None = None,
        batch_size: int = 64,
        focal: float | None = None,
        left: np.ndarray | None = None,
    ) -> PeoplePrediction:
        """Meshes of the people that a detector found in an image: joints mapped, missing ones filled in.

        People are left out whose scores are too small, who are there twice, or of whom too little is visible.

        Args:
            poses: (N, J', 3) x, y in pixels and score, or (N, J', 2), taken as certain; one person also (J', 2 or 3).
                NaN, (0, 0) or a score up to ``joint_score`` mean a missing joint.
            source: whose joints these are: a key of ``lib.poses.SOURCES``, or the predictor's own joint set.
            joint_score: largest score of a missing joint.
            person_score: smallest sum of a person's scores.
            image_size: width and height, where known: joints far outside are missing.
            batch_size: poses per network call.
            focal: of the camera, pixels, where known.
            left: (N,) bool, who is a left hand; None: nobody is.

        Raises:
            ValueError: unknown source, a hand for a body, or a wrong number of joints.
        """
        people = self.select_people(
            poses, source, joint_score=joint_score, person_score=person_score, image_size=image_size, left=left
        )
        known = Circumstances(image_size, focal, people.scores, left=people.left)
        prediction = self.predict(people.poses, batch_size, known)
        return PeoplePrediction(prediction, people.kept, list(people.reasons), people.scores, people.filled)

    @torch.inference_mode()
    def _predict_batch(
        self, pose2d: torch.Tensor, pose3d: torch.Tensor | None = None, *, known: Circumstances
    ) -> tuple[torch.Tensor, ...]:
        """The parts of a `MeshPrediction`; ``pose3d`` (B, J, 3) in millimetres takes PoseNet's place."""
        mirror, given = Mirror(known, len(pose2d), self.device), pose3d is not None
        pose2d = mirror.points(pose2d)
        # on the CPU: what is looked at here, a GPU would be waited for.
        # the published crop to 288 x 384 before this step cancels in the standardisation
        network_input = standardise(pose2d, self.input_scale).float()
        box, target = camera_crop(pose2d)
        network_input, pose2d, box, target = (
            values.to(self.device, non_blocking=True) for values in (network_input, pose2d, box, target)
        )
        if pose3d is None:
            mesh, pose3d = self.network(network_input)
        else:
            pose3d = mirror.vectors(pose3d.to(self.device)).float()
            mesh = self.network.mesh(network_input, pose3d)
        count = self.joint_set.keypoint_num  # derived joints are means of others, which would count twice
        joints = self.regress(mesh)
        camera, residual = fit_weak_perspective(joints[:, :count], target[:, :count])
        lift_residual = residual
        params, lens = [mesh.new_zeros(len(mesh), 0)] * 3, PerspectiveCamera.none(mesh)
        risk = torch.full_like(residual, torch.nan)
        if self.surfaces is not None:
            surface, lens, risk = self.surfaces(mesh, pose3d, pose2d, box, known, refine=not given)
            mesh, fit = surface.mesh, surface.fit
            params = [fit.pose, fit.betas, fit.trans]
            joints = self.regress(mesh)
            if surface.translation is None:
                camera, residual = fit_weak_perspective(joints[:, :count], target[:, :count])
            else:
                camera = lens.weak(box)
                residual = lens.residual(joints[:, :count], pose2d[:, :count], box)
        fits, seen = (residual, lift_residual, risk), (lens.translation, lens.focal, lens.principal)
        return mirror.back(pose2d, mesh, joints * MM_PER_M, pose3d, camera, box, *fits, *params, *seen)

    def _joined(self, parts: list[tuple[torch.Tensor, ...]]) -> MeshPrediction:
        return MeshPrediction.joined(parts) if parts else self.nobody
