"""Training and tests of the temporal lifter, whose samples are sequences; meshes in tests are another network's."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.core.sequence_loss import SequenceLoss
from lib.core.stages import NO_SURFACE_ERROR, MeshStage, Stage
from lib.datasets.batch import Batch
from lib.evaluation.sequence import SequenceEvaluator
from lib.geometry.crops import standardise
from lib.geometry.root_fit import root_from_joints
from lib.geometry.smoothing import mean_over_frames, smooth_points, smooth_pose2d
from lib.joints.lookup import get_joint_set
from lib.mesh.fit_params import shape_frames
from lib.mesh.mesh_model import MeshModel
from lib.mesh.surface import SurfaceFitter
from lib.models.lifters import build_lifter
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh
from lib.models.sequence_meshes import frame_meshes
from lib.models.temporal import LiftedFrames, TemporalLifter
from lib.models.temporal_windows import lift_clip
from lib.settings.config import Config
from lib.settings.setting import FITTED, FLOAT32, NETWORK, REFINED, TEMPORAL
from lib.units import MM_PER_M

_MESHES = 64  # at a time


class SequenceTest(Stage):
    """What tests of sequences share: joints, the root's way and, where there are some, meshes of whole clips."""

    loss_unit = ""
    batch_text = "joint error: {joint:.4f}"
    test_text = "MPJPE: {joint:.4f}"
    _input_root: Tensor | None = None  # (V,) makes the root joint of the input set of meshes

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        for name in ("save_predictions", "vis", "smooth"):
            if getattr(cfg.TEST, name):
                raise ValueError(f"TEST.{name} is of tests on frames; those of sequences (DATASET.window) have none")
        super().__init__(cfg, mesh_model)
        self.compared_set = self.joint_set
        self.evaluated = {"joints": self.joint_set.joint_num}
        if cfg.tests_meshes:
            self.compared_set = get_joint_set(cfg.DATASET.target_joint_set)
            self.regressor = torch.from_numpy(
                self.compared_set.add_derived(mesh_model.joint_regressor(self.compared_set))
            )
            rows = self.joint_set.add_derived(mesh_model.joint_regressor(self.joint_set))
            self._input_root = torch.from_numpy(rows[self.joint_set.root])
            self.batch_text = "surface error: {surface:.4f}, joint error: {joint:.4f}"
            self.test_text = "MPVPE: {surface:.2f}, MPJPE: {joint:.2f}"

    def evaluator(self, dataset, full: bool = True) -> SequenceEvaluator:
        return SequenceEvaluator(
            self.compared_set, self.regressor, self.mesh_model, dataset.clip_names, dataset.clip_of_frame, full
        )

    def evaluate(self, evaluator, prediction: dict[str, Tensor], batch: Batch, indices):
        """Of one clip; ``indices`` is its number."""
        targets = {key: value[0] for key, value in batch.targets.items()}
        true = {"joints": targets["lift_pose3d"], "root": targets["root"]}
        found = prediction
        if "mesh" in prediction:
            true |= {"mesh": MM_PER_M * targets["mesh"]}
            found, true = ({**side, "root": self._mesh_root(side)} for side in (found, true))
        frames = np.flatnonzero(evaluator.groups.index == int(indices[0]))
        joint_error, surface_error = evaluator.update(found, true, frames)
        return joint_error, NO_SURFACE_ERROR if surface_error is None else surface_error

    def _mesh_root(self, side: dict[str, Tensor]) -> Tensor:
        """Where the origin of meshes is, (F, 3) metres, whose root joint of the input set is at ``side["root"]``."""
        assert self._input_root is not None  # there are meshes
        return side["root"] - self._input_root.to(side["mesh"]) @ side["mesh"] / MM_PER_M


class TemporalStage(SequenceTest):
    """The temporal lifter: sequences of 2D joints to 3D joints and the root's way."""

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        if cfg.MODEL.lifter != TEMPORAL:
            raise ValueError(
                f"DATASET.window trains the temporal lifter (MODEL.lifter: {TEMPORAL}), not {cfg.MODEL.lifter!r}; "
                "tests of a single-frame Pose2Mesh on sequences want MODEL.name pose2mesh_net"
            )
        if cfg.TEST.mesh == REFINED:
            raise ValueError(
                "TEST.mesh refined brings the 2D joints' jitter back; meshes of sequences are network or, with one "
                "body shape for each clip, fitted"
            )
        if cfg.TEST.precision != FLOAT32:
            raise ValueError(f"TEST.precision {cfg.TEST.precision} does nothing to the temporal lifter; leave it out")
        super().__init__(cfg, mesh_model)
        self.criterion = SequenceLoss()

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        window, longest = self.cfg.DATASET.window, self.cfg.MODEL.temporal_frames
        if window > longest:
            raise ValueError(f"DATASET.window {window} is more than the {longest} frames of MODEL.temporal_frames")
        self._find_meshes()
        model = build_lifter(self.cfg)
        assert isinstance(model, TemporalLifter)
        if initial is not None:
            print(initial.warm_start(model))
        if posenet is not None:
            print(f"Loading pretrained posenet... {posenet.name}")
            posenet.load_into(model.frame)
        return model

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        self._find_meshes()
        model = build_lifter(self.cfg)
        checkpoint.posenet.load_into(model)
        return model

    def loss(self, model, batch: Batch, epoch: int) -> tuple[Tensor, dict[str, Tensor]]:
        inputs, targets = batch.inputs, batch.targets
        with self._autocast(batch):
            lifted = model(inputs["pose2d"], inputs["seen"], inputs["focal"], inputs["princpt"])
        valid = batch.meta["lift_pose3d_valid"][:, :, 0, 0]  # of all joints of a frame, and its root, alike
        return self.criterion(lifted, targets["lift_pose3d"], targets["root"], valid)

    def predict(self, model, batch: Batch) -> dict[str, Tensor]:
        """Of one clip of T frames: ``joints`` (T, J, 3) mm; ``root`` (T, 3) metres; with TEST.mesh_path ``mesh``
        (T, V, 3) mm, relative to the root."""
        clip = (batch.inputs[key][0] for key in ("pose2d", "seen", "focal", "princpt"))
        lifted = lift_clip(model, *clip)
        prediction = {"joints": lifted.joints, "root": lifted.root}
        if not self.cfg.tests_meshes:
            return prediction
        network, input_scale = self._network
        network.to(lifted.root.device)
        parts = zip(lifted.joints.split(_MESHES), lifted.root.split(_MESHES))
        mesh = torch.cat([frame_meshes(network, LiftedFrames(*part), input_scale) for part in parts])
        return prediction | {"mesh": MM_PER_M * (self._of_one_shape(mesh) if self.cfg.TEST.mesh == FITTED else mesh)}

    def _of_one_shape(self, mesh: Tensor) -> Tensor:
        """Surfaces of the body model, all of one shape, fitted to a clip's meshes (T, V, 3)."""
        betas = self._fitter.common_shape(mesh[shape_frames(len(mesh))])
        fitted = [self._fitter.fitted(part, betas=betas.expand(len(part), -1)).mesh for part in mesh.split(_MESHES)]
        return torch.cat(fitted)

    @cached_property
    def _fitter(self) -> SurfaceFitter:
        assert self._input_root is not None  # there are meshes
        return SurfaceFitter(self.mesh_model, self.joint_set, self._input_root.device)

    def _find_meshes(self) -> None:
        """Read what makes meshes before an epoch is trained, or a run folder made, in vain."""
        if self.cfg.tests_meshes:
            _ = self._network

    @cached_property
    def _network(self) -> tuple[Pose2Mesh, str]:
        """The network that makes meshes, and its input scale."""
        path = find_checkpoint(self.cfg.TEST.mesh_path, setting="TEST.mesh_path")
        checkpoint = load_checkpoint(path)
        if not checkpoint.with_mesh:
            raise ValueError(f"TEST.mesh_path: {path} holds a PoseNet alone; meshes need a Pose2Mesh")
        if checkpoint.joint_set != self.joint_set:
            raise ValueError(
                f"TEST.mesh_path: {path} takes {checkpoint.joint_set.name} joints, the lifter gives "
                f"{self.joint_set.name}"
            )
        settings = checkpoint.trained
        network = build_pose2mesh(settings, checkpoint.graph_on(self.mesh_model, settings))
        checkpoint.load_into(network, take_over=True)
        return network.requires_grad_(False).eval(), settings.DATASET.input_scale


class FramesStage(SequenceTest):
    """A single-frame Pose2Mesh tested on sequences, frame by frame, filtered over time where TEST.filter says so."""

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        if cfg.TEST.mesh != NETWORK:
            raise ValueError("DATASET.window: single frames of sequences are tested with TEST.mesh network")
        super().__init__(cfg, mesh_model)
        self._frames = MeshStage(cfg, mesh_model)

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        raise ValueError("DATASET.window trains MODEL.name posenet with MODEL.lifter temporal; Pose2Mesh takes frames")

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        return self._frames.trained_model(checkpoint)

    def predict(self, model, batch: Batch) -> dict[str, Tensor]:
        """As `TemporalStage.predict`; the root is where each frame's joints fit its 2D pose."""
        pose2d, focal, princpt = (batch.inputs[key][0] for key in ("pose2d", "focal", "princpt"))
        if self.cfg.TEST.filter == "one_euro":
            pose2d = _filtered(smooth_pose2d, pose2d)
        network_input = standardise(pose2d, self.cfg.DATASET.input_scale)
        meshes, joints = (torch.cat(part) for part in zip(*(model(part) for part in network_input.split(_MESHES))))
        root = root_from_joints(joints / MM_PER_M, pose2d, focal, princpt, robust=True)
        prediction = {"joints": joints / MM_PER_M, "root": root, "mesh": meshes}
        over_time = {"none": None, "one_euro": smooth_points, "mean": mean_over_frames}[self.cfg.TEST.filter]
        if over_time is not None:
            prediction = {name: _filtered(over_time, values) for name, values in prediction.items()}
        return {name: values if name == "root" else MM_PER_M * values for name, values in prediction.items()}


def _filtered(over_time: Callable[[np.ndarray], np.ndarray], values: Tensor) -> Tensor:
    """Values (T, ...) through a filter over time."""
    return torch.from_numpy(over_time(values.cpu().numpy())).to(values)
