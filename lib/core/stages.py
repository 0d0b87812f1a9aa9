"""The two stages of training: what differs between PoseNet and Pose2Mesh; everything else is one loop."""

import itertools

import torch
from torch import Tensor

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.graphs import configured_graph, with_rows_of
from lib.core.loss import Pose2MeshLoss, PoseNetLoss
from lib.core.loss_terms import FurtherTerms
from lib.datasets.batch import Batch
from lib.datasets.loader import BatchLoader
from lib.evaluation.evaluator import Evaluator
from lib.evaluation.surface_metrics import SurfaceRegions
from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel
from lib.mesh.refine import View
from lib.mesh.surface import SurfaceFitter
from lib.models.lifters import build_lifter
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh
from lib.settings.config import Config
from lib.settings.setting import FITTED, NETWORK, POSE2MESH, POSENET
from lib.units import MM_PER_M

# regions that TRAIN.detail_weight and MODEL.part_loss_weight act on, of a body and of a hand
DETAILED = ("Hands", "Feet", "Head", "Palm", "Fingers")
BASIS_SAMPLES = 3000  # meshes that principal components are computed from
NO_SURFACE_ERROR = 9999.9  # logged where there is no mesh, as the original does


class Stage:
    """What training and testing ask of a stage.

    Args:
        cfg: settings.
        mesh_model: mesh of the data.

    Attributes:
        joint_set: joints of the input and of PoseNet.
        further: terms of MODEL.loss_terms, None without.
        criterion: computes the loss.
        graph: mesh graph of the model that was built; None before, and without a mesh.
        compared_set: joints whose error is the joint error.
        regressor: (J, V) of those joints where they are the mesh's; None without a mesh.
        evaluated: the prediction that figures are computed from, and its number of points.
        loss_unit: of the total loss; empty for a weighted sum of several units.
        batch_text, test_text: errors in mm of a batch and of a test, to be formatted with ``joint`` and ``surface``.
    """

    criterion: torch.nn.Module
    graph: MeshGraph | None = None
    compared_set: JointSet
    regressor: Tensor | None = None
    evaluated: dict[str, int]
    loss_unit: str
    batch_text: str
    test_text: str

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        self.cfg, self.mesh_model = cfg, mesh_model
        self.joint_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.further = FurtherTerms(cfg, mesh_model) if cfg.MODEL.loss_terms else None

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        """The network of a new training, with the weights that it starts from (``starting_weights``)."""
        raise NotImplementedError

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        """The network of a checkpoint, built with its graph and filled with its weights.

        Raises:
            ValueError: the weights are for another mesh, or do not fit the network that the settings describe.
        """
        raise NotImplementedError

    def restrict(self, model) -> None:
        """Leave out of training what the settings say."""

    def begin(self, model, loader: BatchLoader) -> None:
        """Compute what a new network needs of training data before the first epoch."""

    def loss(self, model, batch: Batch, epoch: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its named, weighted terms."""
        raise NotImplementedError

    def predict(self, model, batch: Batch) -> dict[str, Tensor]:
        """What is evaluated and saved, in mm, root-relative."""
        raise NotImplementedError

    def evaluator(self, dataset, full: bool = True) -> Evaluator:
        """The evaluator of a data set."""
        return dataset.evaluator(self.compared_set, full, self.regressor)

    def evaluate(self, evaluator, prediction: dict[str, Tensor], batch: Batch, indices):
        """Add a batch to the evaluator; (joint error, surface error) of the batch in mm."""
        raise NotImplementedError

    def _autocast(self, batch: Batch) -> torch.autocast:
        """Reduced precision of the training forward pass, if the settings ask for it."""
        enabled = self.cfg.TRAIN.precision == "bf16"
        return torch.autocast(batch.inputs["pose2d"].device.type, dtype=torch.bfloat16, enabled=enabled)


class LiftStage(Stage):
    """PoseNet: 2D joints to 3D joints."""

    loss_unit = "mm"
    batch_text = "joint error: {joint:.4f}"
    test_text = "MPJPE: {joint:.4f}"

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        super().__init__(cfg, mesh_model)
        self.compared_set = self.joint_set
        self.evaluated = {"joints": self.joint_set.joint_num}
        self.criterion = PoseNetLoss(cfg.TRAIN.lift_loss, self.further)

    def build_model(self, initial: Checkpoint | None = None, posenet: Checkpoint | None = None) -> torch.nn.Module:
        model = build_lifter(self.cfg)
        if initial is not None:
            print(initial.warm_start(model))
        return model

    def trained_model(self, checkpoint: Checkpoint) -> torch.nn.Module:
        model = build_lifter(self.cfg)
        checkpoint.posenet.load_into(model)
        return model

    def _lift(self, model, batch: Batch) -> Tensor:
        return model(batch.inputs["pose2d"].flatten(1)).unflatten(1, (-1, 3))

    def loss(self, model, batch: Batch, epoch: int) -> tuple[Tensor, dict[str, Tensor]]:
        with self._autocast(batch):
            joints = self._lift(model, batch)
        return self.criterion(joints.float(), batch.targets["lift_pose3d"], batch.meta["lift_pose3d_valid"])

    def predict(self, model, batch: Batch) -> dict[str, Tensor]:
        """``joints`` (B, J, 3) mm, root-relative."""
        return {"joints": self._lift(model, batch)}

    def evaluate(self, evaluator, prediction: dict[str, Tensor], batch: Batch, indices):
        found, true = prediction["joints"], batch.targets["lift_pose3d"]
        return evaluator.update(found, true, indices=indices), NO_SURFACE_ERROR


class MeshStage(Stage):
    """PoseNet and MeshNet together: 2D joints to 3D joints and mesh."""

    loss_unit = ""
    batch_text = "surface error: {surface:.4f}, joint error: {joint:.4f}"
    test_text = "MPVPE: {surface:.2f}, MPJPE: {joint:.2f}"

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        super().__init__(cfg, mesh_model)
        if cfg.AUG.flip or cfg.AUG.rotate_factor:
            raise ValueError(
                "AUG.flip and AUG.rotate_factor turn the 2D pose and the lifted joints, not the mesh: they are for "
                "PoseNet only (MODEL.name posenet)"
            )
        self._fitter: SurfaceFitter | None = None
        self._cache = ROOT / cfg.DATASET.cache if cfg.DATASET.cache else None  # of graphs
        self.compared_set = get_joint_set(cfg.DATASET.target_joint_set)
        # derived joints are means of other joints, so their rows are means of rows
        regressor = self.compared_set.add_derived(mesh_model.joint_regressor(self.compared_set))
        self.regressor = torch.from_numpy(regressor)
        self.evaluated = {"mesh": mesh_model.vertex_num}
        details = self._details() if cfg.TRAIN.detail_weight != 1 or cfg.MODEL.part_loss_weight else []
        weights = None
        if cfg.TRAIN.detail_weight != 1 and sum(map(len, details)) < mesh_model.vertex_num:  # all of a hand is detail
            weights = torch.ones(mesh_model.vertex_num)
            weights[torch.cat(details)] = cfg.TRAIN.detail_weight
            weights /= weights.mean()
        parts = details if cfg.MODEL.part_loss_weight else ()
        faces = mesh_model.faces
        self.criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, faces, regressor, weights, parts, self.further)

    def _details(self) -> list[Tensor]:
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

    def restrict(self, model: Pose2Mesh) -> None:
        if self.cfg.TRAIN.mesh_part == "base":
            model.train_base_alone()

    def begin(self, model: Pose2Mesh, loader: BatchLoader) -> None:
        """Give a new base of MeshNet the principal components of training meshes."""
        if model.mesh_base is None or not model.mesh_base.is_fresh:
            return
        batches = -(-BASIS_SAMPLES // loader.batch_size)
        # epoch 0: samples of their own, training counts from 1
        meshes = [batch.targets["mesh"] for batch in itertools.islice(loader.undivided().epoch(0), batches)]
        model.mesh_base.set_basis(torch.cat(meshes))

    def loss(self, model, batch: Batch, epoch: int) -> tuple[Tensor, dict[str, Tensor]]:
        with self._autocast(batch):
            mesh, joints = model(batch.inputs["pose2d"])
        return self.criterion((mesh.float(), joints.float()), batch.targets, batch.meta, epoch)

    def predict(self, model, batch: Batch) -> dict[str, Tensor]:
        """``mesh`` (B, V, 3) and, unless the model lifts none, ``joints`` (B, J, 3); mm, root-relative."""
        mesh, joints = model(batch.inputs["pose2d"])
        prediction = {} if joints is None else {"joints": joints}
        return {**prediction, "mesh": MM_PER_M * self._surface(mesh, batch)}

    def _surface(self, mesh: Tensor, batch: Batch) -> Tensor:
        """The mesh (B, V, 3) in metres that ``TEST.mesh`` asks for."""
        wanted = self.cfg.TEST.mesh
        if wanted == NETWORK:
            return mesh
        if self._fitter is None:
            joint_set = get_joint_set(self.cfg.DATASET.input_joint_set)
            self._fitter = SurfaceFitter(self.mesh_model, joint_set, mesh.device)
        fitted = self._fitter.fitted(mesh)
        if wanted == FITTED:
            return fitted.mesh
        if "rays" not in batch.meta:
            raise ValueError("TEST.mesh: refined needs perspective cameras, which this data set lacks; take fitted")
        return self._fitter.refined(fitted.fit, View.of(batch.meta["rays"], self._fitter.joint_set))[0].mesh

    def evaluate(self, evaluator, prediction: dict[str, Tensor], batch: Batch, indices):
        targets = batch.targets
        lifted = (prediction["joints"], targets["lift_pose3d"]) if "joints" in prediction else None
        return evaluator.update(prediction["mesh"], MM_PER_M * targets["mesh"], targets["reg_pose3d"], indices, lifted)


STAGES: dict[str, type[Stage]] = {POSENET: LiftStage, POSE2MESH: MeshStage}  # by MODEL.name
