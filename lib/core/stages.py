"""The two stages of training: what differs between PoseNet and Pose2Mesh; everything else is one loop."""

import itertools

import torch

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.graphs import configured_graph, with_rows_of
from lib.core.loss import Pose2MeshLoss, PoseNetLoss
from lib.core.loss_terms import FurtherTerms
from lib.datasets.loader import BatchLoader
from lib.evaluation.lift import LiftEvaluator
from lib.evaluation.mesh import MeshEvaluator
from lib.evaluation.surface_metrics import SurfaceRegions
from lib.graph.mesh_graph import MeshGraph
from lib.joints.lookup import get_joint_set
from lib.models.lifters import build_lifter
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh
from lib.settings.config import Config

# regions that TRAIN.detail_weight and MODEL.part_loss_weight act on, of a body and of a hand
DETAILED = ("Hands", "Feet", "Head", "Palm", "Fingers")
BASIS_SAMPLES = 3000  # meshes that principal components are computed from
NO_SURFACE_ERROR = 9999.9  # logged where there is no mesh, as the original does


class LiftStage:
    """PoseNet: 2D joints to 3D joints.

    Attributes:
        joint_set: joints of the input and of PoseNet.
        graph: mesh graph of the model that was built; None before, and without a mesh.
        regressor: (J, V) of the joints that are compared with those of the mesh, None without a mesh.
        loss_unit: of the total loss; empty for a weighted sum of several units.
    """

    regressor: torch.Tensor | None = None
    loss_unit = "mm"

    def __init__(self, cfg: Config, mesh_model):
        self.cfg = cfg
        self.mesh_model = mesh_model
        self.joint_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.further = FurtherTerms(cfg, mesh_model) if cfg.MODEL.loss_terms else None
        self.criterion: torch.nn.Module = PoseNetLoss(cfg.TRAIN.lift_loss, self.further)
        self.graph: MeshGraph | None = None

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        """The network of a new training, with the weights that it starts from (``starting_weights``)."""
        model = build_lifter(self.cfg)
        if initial is not None:
            print(initial.warm_start(model))
        return model

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        """The network of a checkpoint, built with its graph and filled with its weights.

        Raises:
            ValueError: the weights are for another mesh, or do not fit the network that the settings describe.
        """
        model = build_lifter(self.cfg)
        checkpoint.posenet.load_into(model)
        return model

    def restrict(self, model: torch.nn.Module) -> None:
        """Leave out of training what the settings say: nothing of PoseNet."""

    def begin(self, model: torch.nn.Module, loader: BatchLoader) -> None:
        """What is computed from training data before the first epoch: nothing for PoseNet."""

    def autocast(self, tensor: torch.Tensor):
        """Reduced precision of the training forward pass, if the settings ask for it."""
        enabled = self.cfg.TRAIN.precision == "bf16"
        return torch.autocast(tensor.device.type, dtype=torch.bfloat16, enabled=enabled)

    def forward(self, model, batch):
        """(B, J, 3) joints in mm, root-relative."""
        return model(batch.inputs["pose2d"].flatten(1)).unflatten(1, (-1, 3))

    def loss(self, model, batch, epoch: int):
        """Total loss and its named, weighted terms."""
        with self.autocast(batch.inputs["pose2d"]):
            pred = self.forward(model, batch)
        return self.criterion(pred.float(), batch.targets["lift_pose3d"], batch.meta["lift_pose3d_valid"])

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
        return dataset.evaluator(self.joint_set, full)

    def evaluate(self, evaluator, prediction: dict[str, torch.Tensor], batch, indices):
        """Add a batch to the evaluator; (joint error, surface error) of the batch in mm."""
        return evaluator.update(prediction["joints"], batch.targets["lift_pose3d"], indices=indices), NO_SURFACE_ERROR

    def test_text(self, joint_error: float, surface_error: float) -> str:
        return f"joint error: {joint_error:.4f}"

    def summary_text(self, joint_error: float, surface_error: float) -> str:
        return f"MPJPE: {joint_error:.4f}"


class MeshStage(LiftStage):
    """PoseNet and MeshNet together: 2D joints to 3D joints and mesh."""

    loss_unit = ""

    def __init__(self, cfg: Config, mesh_model):
        super().__init__(cfg, mesh_model)
        if cfg.AUG.flip or cfg.AUG.rotate_factor:
            raise ValueError(
                "AUG.flip and AUG.rotate_factor turn the 2D pose and the lifted joints, not the mesh: they are for "
                "PoseNet only (MODEL.name posenet)"
            )
        self._cache = ROOT / cfg.DATASET.cache if cfg.DATASET.cache else None  # of graphs
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
        faces = mesh_model.faces
        self.criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, faces, self.regressor, weights, parts, self.further)

    def _details(self) -> list[torch.Tensor]:
        """Vertex numbers of the parts whose shape is fine, see ``DETAILED``."""
        parts = SurfaceRegions.of(self.mesh_model).parts
        return [part.vertices for region in DETAILED for part in parts.get(region, ())]

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> Pose2Mesh:
        self.graph = configured_graph(self.cfg, self.mesh_model, self._cache)
        if initial is not None:
            self.graph = with_rows_of(self.graph, initial.graph)
        model = build_pose2mesh(self.cfg, self.graph)
        if initial is not None:
            print(initial.warm_start(model))
        if posenet is not None:
            print(f"Loading pretrained posenet... {posenet.name}")
            posenet.load_into(model.pose_lifter)
        return model

    def trained_model(self, checkpoint: Checkpoint) -> Pose2Mesh:
        self.graph = checkpoint.graph_on(self.mesh_model, self.cfg, self._cache)
        model = build_pose2mesh(self.cfg, self.graph)
        checkpoint.load_into(model)
        return model

    def restrict(self, model) -> None:
        if self.cfg.TRAIN.mesh_part == "base":
            model.train_base_alone()

    def begin(self, model, loader: BatchLoader) -> None:
        """Give a new base of MeshNet the principal components of training meshes."""
        if model.mesh_base is None or not model.mesh_base.is_fresh:
            return
        batches = -(-BASIS_SAMPLES // loader.batch_size)
        # epoch 0: samples of their own, training counts from 1
        meshes = [batch.targets["mesh"] for batch in itertools.islice(loader.epoch(0), batches)]
        model.mesh_base.set_basis(torch.cat(meshes))

    def forward(self, model, batch):
        """Mesh (B, V, 3) in metres, joints (B, J, 3) in mm, both root-relative."""
        return model(batch.inputs["pose2d"])

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
            assert self.regressor is not None  # made with the stage
            return MeshEvaluator(self.target_set, self.regressor, full=full)
        return dataset.evaluator(self.target_set, full, self.regressor)

    def evaluate(self, evaluator, prediction, batch, indices):
        targets = batch.targets
        lifted = (prediction["joints"], targets["lift_pose3d"]) if "joints" in prediction else None
        return evaluator.update(prediction["mesh"], 1000 * targets["mesh"], targets["reg_pose3d"], indices, lifted)

    def test_text(self, joint_error: float, surface_error: float) -> str:
        return f"surface error: {surface_error:.4f}, joint error: {joint_error:.4f}"

    def summary_text(self, joint_error: float, surface_error: float) -> str:
        return f"MPVPE: {surface_error:.2f}, MPJPE: {joint_error:.2f}"


STAGES = {"posenet": LiftStage, "pose2mesh_net": MeshStage}
