"""Training and tests of the temporal lifter, whose samples are sequences; meshes in tests are another network's."""

from functools import cached_property

import torch
from torch import Tensor

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.core.sequence_loss import SequenceLoss
from lib.core.stages import NO_SURFACE_ERROR, MeshStage, Stage
from lib.datasets.batch import Batch
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel
from lib.models.lifters import build_lifter
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh
from lib.models.sequence_meshes import frame_meshes
from lib.models.temporal import LiftedFrames, TemporalLifter
from lib.models.temporal_windows import lift_clip
from lib.settings.config import Config
from lib.settings.setting import TEMPORAL
from lib.units import MM_PER_M

_MESHES = 64  # at a time


class SequenceTest(Stage):
    """What tests of sequences share: joints, the root's way and, where there are some, meshes of whole clips."""

    loss_unit = ""
    batch_text = "joint error: {joint:.4f}"
    test_text = "MPJPE: {joint:.4f}"

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        super().__init__(cfg, mesh_model)
        self.compared_set = self.joint_set
        self.evaluated = {"joints": self.joint_set.joint_num}
        if cfg.tests_meshes:
            self.compared_set = get_joint_set(cfg.DATASET.target_joint_set)
            self.regressor = torch.from_numpy(
                self.compared_set.add_derived(mesh_model.joint_regressor(self.compared_set))
            )
            self.batch_text = "surface error: {surface:.4f}, joint error: {joint:.4f}"
            self.test_text = "MPVPE: {surface:.2f}, MPJPE: {joint:.2f}"

    def evaluate(self, evaluator, prediction: dict[str, Tensor], batch: Batch, indices):
        """Of one clip; ``indices`` is its number."""
        true = {"joints": batch.targets["lift_pose3d"][0], "root": batch.targets["root"][0]}
        if "mesh" in prediction:
            true |= {"mesh": MM_PER_M * batch.targets["mesh"][0], "regressed": batch.targets["reg_pose3d"][0]}
        joint_error, surface_error = evaluator.update(prediction, true, evaluator.frames_of(int(indices[0])))
        return joint_error, NO_SURFACE_ERROR if surface_error is None else surface_error


class TemporalStage(SequenceTest):
    """The temporal lifter: sequences of 2D joints to 3D joints and the root's way."""

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        if cfg.MODEL.lifter != TEMPORAL:
            raise ValueError(
                f"DATASET.window trains the temporal lifter (MODEL.lifter: {TEMPORAL}), not {cfg.MODEL.lifter!r}; "
                "tests of a single-frame Pose2Mesh on sequences want MODEL.name pose2mesh_net"
            )
        super().__init__(cfg, mesh_model)
        self.criterion = SequenceLoss()

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        model = build_lifter(self.cfg)
        assert isinstance(model, TemporalLifter)
        if initial is not None:
            print(initial.warm_start(model))
        if posenet is not None:
            print(f"Loading pretrained posenet... {posenet.name}")
            posenet.load_into(model.frame)
        return model

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        model = build_lifter(self.cfg)
        checkpoint.posenet.load_into(model)
        return model

    def loss(self, model, batch: Batch, epoch: int) -> tuple[Tensor, dict[str, Tensor]]:
        inputs, targets = batch.inputs, batch.targets
        with self._autocast(batch):
            lifted = model(inputs["pose2d"], inputs["seen"], inputs["focal"], inputs["princpt"])
        return self.criterion(lifted, targets["lift_pose3d"], targets["root"])

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
        meshes = [frame_meshes(network, LiftedFrames(*part), input_scale) for part in parts]
        return prediction | {"mesh": MM_PER_M * torch.cat(meshes)}

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
        super().__init__(cfg, mesh_model)
        self._frames = MeshStage(cfg, mesh_model)

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        raise ValueError("DATASET.window trains MODEL.name posenet with MODEL.lifter temporal; Pose2Mesh takes frames")

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        return self._frames.trained_model(checkpoint)
