"""The two stages of training: what differs between PoseNet and Pose2Mesh; everything else is one loop."""

from pathlib import Path

import torch

from data.evaluation import LiftEvaluator, MeshEvaluator
from lib.core.config import Config
from lib.core.loss import Pose2MeshLoss, PoseNetLoss
from lib.core.weights import load_posenet, pretrained_posenet
from lib.joint_sets import get_joint_set
from lib.mesh_graph import MeshGraph, default_levels
from lib.mesh_model import OPEN_FILES
from lib.models.pose2mesh_net import build_pose2mesh, build_posenet

NO_SURFACE_ERROR = 9999.9  # logged where there is no mesh, as the original does


class LiftStage:
    """PoseNet: 2D joints to 3D joints."""

    def __init__(self, cfg: Config, mesh_model):
        self.cfg = cfg
        self.mesh_model = mesh_model
        self.joint_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.criterion = PoseNetLoss()
        self.graph: MeshGraph | None = None

    def build_model(self) -> torch.nn.Module:
        return build_posenet(self.cfg)

    def load_pretrained(self, model: torch.nn.Module, experiment: Path, root: Path) -> None:
        """PoseNet has no earlier stage."""

    def use_graph_of(self, checkpoint: dict, source: str | Path) -> None:
        """PoseNet has no graph."""

    def autocast(self, tensor: torch.Tensor):
        """Reduced precision of the training forward pass, if the settings ask for it."""
        enabled = self.cfg.TRAIN.precision == "bf16"
        return torch.autocast(tensor.device.type, dtype=torch.bfloat16, enabled=enabled)

    def forward(self, model, batch):
        """(B, J, 3) joints in mm, root-relative."""
        pose2d = batch[0]
        return model(pose2d.flatten(1)).view(len(pose2d), -1, 3)

    def loss(self, model, batch, epoch: int):
        """Total loss and its named, weighted terms."""
        with self.autocast(batch[0]):
            pred = self.forward(model, batch)
        return self.criterion(pred.float(), batch[1], batch[2])

    def evaluator(self):
        return LiftEvaluator(self.joint_set)

    def evaluate(self, evaluator, model, batch) -> tuple[float, float]:
        """Add a batch to the evaluator; (joint error, surface error) of the batch in mm."""
        return evaluator.update(self.forward(model, batch), batch[1]), NO_SURFACE_ERROR

    def test_text(self, joint_error: float, surface_error: float) -> str:
        return f"joint error: {joint_error:.4f}"

    def summary_text(self, joint_error: float, surface_error: float) -> str:
        return f"MPJPE: {joint_error:.4f}"


class MeshStage(LiftStage):
    """PoseNet and MeshNet together: 2D joints to 3D joints and mesh."""

    def __init__(self, cfg: Config, mesh_model):
        super().__init__(cfg, mesh_model)
        if cfg.AUG.flip or cfg.AUG.rotate_factor:
            raise ValueError(
                "AUG.flip and AUG.rotate_factor turn the 2D pose and the lifted joints, not the mesh: they are for "
                "PoseNet only (MODEL.name posenet)"
            )
        levels = cfg.MODEL.graph_levels or default_levels(self.joint_set)
        scaling = cfg.MODEL.laplacian_scaling
        self.graph = MeshGraph.build(mesh_model.faces, self.joint_set, levels, scaling, mesh_name=mesh_model.name)
        self.target_set = get_joint_set(cfg.DATASET.target_joint_set)
        self.criterion = Pose2MeshLoss(cfg, mesh_model.faces, self._target_regressor())

    def _target_regressor(self) -> torch.Tensor:
        """(J, V): derived joints are means of other rows, so their rows are too."""
        return torch.from_numpy(self.target_set.add_derived(self.mesh_model.joint_regressor(self.target_set.name)))

    def use_graph_of(self, checkpoint: dict, source: str | Path) -> None:
        """Take over the graph that weights were trained with.

        Weights without one are of the original release. Whether they fit the configured mesh shows in their shapes
        alone (``check_level_sizes``), so any SMPL or MANO file may be tried, but no open model.

        Raises:
            ValueError: the weights are for another mesh than the configured one.
        """
        state = checkpoint.get("graph")
        if state is None:
            if self.mesh_model.name in OPEN_FILES:
                raise ValueError(
                    f"{source} carries no mesh graph, so it is of the original release and needs the SMPL or MANO "
                    f"files; the configured mesh model is {self.mesh_model.name} (MODEL.body)"
                )
            return
        graph = MeshGraph.from_state(state)
        graph.check_topology(self.mesh_model.faces)
        if (graph.joint_num, graph.sizes, graph.scaling) != (
            self.graph.joint_num,
            self.graph.sizes,
            self.graph.scaling,
        ):
            raise ValueError(
                f"{source} was trained on a graph with level sizes {graph.sizes} and {graph.scaling} scaling, the "
                f"settings give {self.graph.sizes} and {self.graph.scaling} (MODEL.graph_levels, laplacian_scaling)"
            )
        self.graph = graph

    def build_model(self) -> torch.nn.Module:
        return build_pose2mesh(self.cfg, self.graph)

    def load_pretrained(self, model: torch.nn.Module, experiment: Path, root: Path) -> None:
        """Start PoseNet from ``MODEL.posenet_path`` when ``MODEL.posenet_pretrained`` asks for it."""
        path = pretrained_posenet(self.cfg, experiment, root)
        if path is not None:
            load_posenet(model.pose_lifter, path)

    def forward(self, model, batch):
        """Mesh (B, V, 3) in metres, joints (B, J, 3) in mm, both root-relative."""
        return model(batch[0]["pose2d"])

    def loss(self, model, batch, epoch: int):
        inputs, targets, meta = batch
        with self.autocast(inputs["pose2d"]):
            mesh, pose3d = model(inputs["pose2d"])
        return self.criterion((mesh.float(), pose3d.float()), targets, meta, epoch)

    def evaluator(self):
        return MeshEvaluator(self.target_set, self._target_regressor())

    def evaluate(self, evaluator, model, batch) -> tuple[float, float]:
        mesh, _ = self.forward(model, batch)
        return evaluator.update(1000 * mesh, 1000 * batch[1]["mesh"])

    def test_text(self, joint_error: float, surface_error: float) -> str:
        return f"surface error: {surface_error:.4f}, joint error: {joint_error:.4f}"

    def summary_text(self, joint_error: float, surface_error: float) -> str:
        return f"MPVPE: {surface_error:.2f}, MPJPE: {joint_error:.2f}"


STAGES = {"posenet": LiftStage, "pose2mesh_net": MeshStage}
