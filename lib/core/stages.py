"""The two stages of training: what differs between PoseNet and Pose2Mesh; everything else is one loop."""

import itertools
from pathlib import Path

import torch

from lib import ROOT
from lib.checkpoints.weights import load_posenet, pretrained_posenet
from lib.core.loss import Pose2MeshLoss, PoseNetLoss
from lib.datasets.loader import BatchLoader
from lib.evaluation.lift import LiftEvaluator
from lib.evaluation.mesh import MeshEvaluator
from lib.evaluation.registry import build_evaluator
from lib.evaluation.surface_metrics import SurfaceRegions
from lib.graph.cache import cached_graph
from lib.graph.mesh_graph import MeshGraph, default_levels
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import OPEN_FILES
from lib.models.pose2mesh_net import build_pose2mesh, build_posenet
from lib.settings.config import Config

# regions that TRAIN.detail_weight and MODEL.part_loss_weight act on, of a body and of a hand
DETAILED = ("Hands", "Feet", "Head", "Palm", "Fingers")
BASIS_SAMPLES = 3000  # meshes that principal components are computed from
NO_SURFACE_ERROR = 9999.9  # logged where there is no mesh, as the original does


class LiftStage:
    """PoseNet: 2D joints to 3D joints.

    Attributes:
        joint_set: joints of the input and of PoseNet.
        graph: mesh graph, None without a mesh.
        regressor: (J, V) of the joints that are compared with those of the mesh, None without a mesh.
    """

    regressor: torch.Tensor | None = None

    def __init__(self, cfg: Config, mesh_model):
        self.cfg = cfg
        self.mesh_model = mesh_model
        self.joint_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.criterion = PoseNetLoss(cfg.TRAIN.lift_loss)
        self.graph: MeshGraph | None = None

    def build_model(self) -> torch.nn.Module:
        return build_posenet(self.cfg)

    def load_pretrained(self, model: torch.nn.Module, experiment: Path, root: Path) -> None:
        """PoseNet has no earlier stage."""

    def begin(self, model: torch.nn.Module, loader: BatchLoader) -> None:
        """What is computed from training data before the first epoch: nothing for PoseNet."""

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

    def predict(self, model, batch) -> dict[str, torch.Tensor]:
        """What is evaluated and saved: ``joints`` (B, J, 3) mm, root-relative."""
        return {"joints": self.forward(model, batch)}

    @property
    def evaluated(self) -> dict[str, int]:
        """The prediction that figures are computed from, and its number of points."""
        return {"joints": self.joint_set.joint_num}

    def evaluator(self, dataset=None, full: bool = True):
        """The evaluator of a data set; None: the one of data sets without a published protocol."""
        if dataset is None:
            return LiftEvaluator(self.joint_set, full=full)
        return build_evaluator(dataset, self.cfg, self.joint_set, full)

    def evaluate(self, evaluator, prediction: dict[str, torch.Tensor], batch, indices):
        """Add a batch to the evaluator; (joint error, surface error) of the batch in mm."""
        return evaluator.update(prediction["joints"], batch[1], indices=indices), NO_SURFACE_ERROR

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
        cache = ROOT / cfg.DATASET.cache if cfg.DATASET.cache else None
        self.graph = cached_graph(mesh_model.faces, self.joint_set, levels, scaling, mesh_model.name, cache)
        self.target_set = get_joint_set(cfg.DATASET.target_joint_set)
        # derived joints are means of other joints, so their rows are means of rows
        self.regressor = torch.from_numpy(self.target_set.add_derived(mesh_model.joint_regressor(self.target_set)))
        details = self._details() if cfg.TRAIN.detail_weight != 1 or cfg.MODEL.part_loss_weight else []
        weights = None
        if cfg.TRAIN.detail_weight != 1 and sum(map(len, details)) < mesh_model.vertex_num:  # all of a hand is detail
            weights = torch.ones(mesh_model.vertex_num)
            weights[torch.cat(details)] = cfg.TRAIN.detail_weight
            weights /= weights.mean()
        parts = details if cfg.MODEL.part_loss_weight else ()
        self.criterion = Pose2MeshLoss(cfg, mesh_model.faces, self.regressor, weights, parts)

    def _details(self) -> list[torch.Tensor]:
        """Vertex numbers of the parts whose shape is fine, see ``DETAILED``."""
        parts = SurfaceRegions.of(self.mesh_model).parts
        return [part.vertices for region in DETAILED for part in parts.get(region, ())]

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
        if self.cfg.TRAIN.mesh_part == "base":
            model.train_base_alone()

    def begin(self, model: torch.nn.Module, loader: BatchLoader) -> None:
        """Give a new base of MeshNet the principal components of training meshes."""
        if model.mesh_base is None or not model.mesh_base.is_fresh:
            return
        batches = -(-BASIS_SAMPLES // loader.batch_size)
        # epoch 0: samples of their own, training counts from 1
        meshes = [batch[1]["mesh"] for batch in itertools.islice(loader.epoch(0), batches)]
        model.mesh_base.set_basis(torch.cat(meshes))

    def forward(self, model, batch):
        """Mesh (B, V, 3) in metres, joints (B, J, 3) in mm, both root-relative."""
        return model(batch[0]["pose2d"])

    def loss(self, model, batch, epoch: int):
        inputs, targets, meta = batch
        with self.autocast(inputs["pose2d"]):
            mesh, pose3d = model(inputs["pose2d"])
        return self.criterion((mesh.float(), pose3d.float()), targets, meta, epoch)

    def predict(self, model, batch) -> dict[str, torch.Tensor]:
        """``mesh`` (B, V, 3) and, unless the model has none, ``joints`` (B, J, 3), mm."""
        mesh, joints = self.forward(model, batch)
        prediction = {} if joints is None else {"joints": joints}
        return {**prediction, "mesh": 1000 * mesh}

    @property
    def evaluated(self) -> dict[str, int]:
        return {"mesh": self.mesh_model.vertex_num}

    def evaluator(self, dataset=None, full: bool = True):
        if dataset is None:
            return MeshEvaluator(self.target_set, self.regressor, full=full)
        return build_evaluator(dataset, self.cfg, self.target_set, full, self.regressor)

    def evaluate(self, evaluator, prediction, batch, indices):
        targets = batch[1]
        lifted = (prediction["joints"], targets["lift_pose3d"]) if "joints" in prediction else None
        return evaluator.update(prediction["mesh"], 1000 * targets["mesh"], targets["reg_pose3d"], indices, lifted)

    def test_text(self, joint_error: float, surface_error: float) -> str:
        return f"surface error: {surface_error:.4f}, joint error: {joint_error:.4f}"

    def summary_text(self, joint_error: float, surface_error: float) -> str:
        return f"MPVPE: {surface_error:.2f}, MPJPE: {joint_error:.2f}"


STAGES = {"posenet": LiftStage, "pose2mesh_net": MeshStage}
