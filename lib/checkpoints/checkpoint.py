"""One set of weights with all that gives them meaning.

Usage::

    checkpoint = load_checkpoint("experiment/pose2mesh_cocoJ_open")        # lib.checkpoints.files
    checkpoint.stage, checkpoint.joint_set, checkpoint.trained.MODEL       # what they are, settings of their training
    checkpoint.load_into(model)                                            # strictly
    save_checkpoint(path, Checkpoint.of(model, epoch=3, settings=cfg, graph=graph))
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from lib import ROOT
from lib.checkpoints.graphs import configured_graph, unlike
from lib.checkpoints.messages import mismatch
from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import OPEN_FILES, OPEN_MODELS, MeshModel, load_mesh_model
from lib.settings.agreement import followed
from lib.settings.config import Config
from lib.settings.setting import POSE2MESH, POSENET

LICENSED = {"body": "smpl", "hand": "mano"}  # meshes of the original release's weights
# settings that name files of the machine that trained
_LOCAL_PATHS = {"MODEL": {"posenet_path": ""}, "TRAIN": {"init_path": "", "resume_path": ""}}
_POSENET_PREFIX = "pose_lifter."


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """Weights, and what is needed to use them or to train on.

    Attributes:
        state: tensors under the original release's names.
        source: the file that they came from; None when they never were in one.
        epoch: number of epochs behind them; 0 when the file does not say.
        optimizer, scheduler: their state dicts; None in weights to share.
        train_log: mean loss per epoch.
        test_log: ``surface`` and ``joint`` errors per epoch, mm.
        settings: of the training; None in files of the original release and in bare state dicts.
        graph: mesh graph that rows of the weights belong to; None for a PoseNet, and in files of the original release.
        rng: ``lib.checkpoints.random_state.get_rng_state``.
    """

    state: "OrderedDict[str, Tensor]"
    source: Path | None = None
    epoch: int = 0
    optimizer: dict | None = None
    scheduler: dict | None = None
    train_log: list[float] = field(default_factory=list)
    test_log: dict[str, list[float]] = field(default_factory=dict)
    settings: Config | None = None
    graph: MeshGraph | None = None
    rng: dict | None = None

    @classmethod
    def of(cls, model: nn.Module, **values) -> "Checkpoint":
        """A model's weights as they are now, on the CPU, without the prefix that data-parallel wrappers add."""
        tensors = model.state_dict().items()
        state = OrderedDict((key.removeprefix("module."), value.detach().cpu()) for key, value in tensors)
        return cls(state, **values)

    @property
    def name(self) -> str:
        """How messages call these weights."""
        return str(self.source or "the checkpoint")

    # ------------------------------------------------------------------------------------------------ what they are

    @property
    def with_mesh(self) -> bool:
        """Whether they make meshes: those of a Pose2Mesh, not of a PoseNet alone."""
        return any(key.startswith(_POSENET_PREFIX) for key in self.state)

    @property
    def stage(self) -> str:
        """``pose2mesh_net`` or ``posenet``, as MODEL.name says it."""
        return POSE2MESH if self.with_mesh else POSENET

    @property
    def posenet(self) -> "Checkpoint":
        """The PoseNet inside a Pose2Mesh; itself when there is nothing else."""
        if not self.with_mesh:
            return self
        lifter = (item for item in self.state.items() if item[0].startswith(_POSENET_PREFIX))
        state = OrderedDict((key.removeprefix(_POSENET_PREFIX), value) for key, value in lifter)
        return dataclasses.replace(self, state=state, graph=None, optimizer=None, scheduler=None)

    @cached_property
    def trained(self) -> Config:
        """Settings of the training.

        Files of the original release carry none and follow the defaults; their joint set shows in the number of inputs.

        Raises:
            ValueError: no settings, and an unknown number of inputs.
        """
        if self.settings is not None:
            return self.settings
        if "w1.weight" not in self.posenet.state:
            raise ValueError(f"{self.name} holds no PoseNet (no {_POSENET_PREFIX}w1.weight or w1.weight)")
        inputs = self.posenet.state["w1.weight"].shape[1] // 2
        names = [joint_set.name for joint_set in JOINT_SETS.values() if joint_set.joint_num == inputs]
        if not names:
            raise ValueError(
                f"{self.name} takes {inputs} joints and does not say which; no built-in joint set has as many"
            )
        joint_sets = {"input_joint_set": names[0], "target_joint_set": names[0]}
        return Config().changed(DATASET=joint_sets, MODEL={"name": self.stage})

    @cached_property
    def joint_set(self) -> JointSet:
        """Joints that the network takes; see ``trained``."""
        return get_joint_set(self.trained.DATASET.input_joint_set)

    def adapted(self, cfg: Config) -> Config:
        """``cfg`` with those settings of the training that decide what weights mean; prints which ones change.

        Weights without settings mean the defaults, the published behaviour.
        """
        cfg, lines = followed(cfg, self.settings or Config())
        for line in lines:
            print(f"{line}, as {self.name} was trained")
        return cfg

    def mesh_model(self, which: str = "auto", root: str | Path = ROOT) -> MeshModel:
        """The mesh model that the weights belong to.

        Args:
            which: name or file of the only one to try; ``auto`` takes SMPL or MANO for weights of the original release,
                for others what ``load_mesh_model`` takes for it, else the open one that fits.
            root: folder with the licensed models.

        Raises:
            FileNotFoundError: the model file is not there.
            ValueError: the weights are for another mesh.
        """
        kind = self.joint_set.body
        if self.graph is None:
            return load_mesh_model(kind, LICENSED[kind] if which == "auto" else which, root)
        problems: list[ValueError] = []
        for name in (which, *OPEN_MODELS[kind]) if which == "auto" else (which,):
            mesh_model = load_mesh_model(kind, name, root)
            try:
                self.graph.check_topology(mesh_model.faces)
                return mesh_model
            except ValueError as error:
                problems.append(error)
        raise problems[0]

    def graph_on(self, mesh_model: MeshModel, cfg: Config | None = None, cache: Path | None = None) -> MeshGraph:
        """The graph that a network for these weights is built with.

        Weights without one are of the original release. Whether they fit a mesh shows in their shapes alone
        (``lib.graph.building.check_level_sizes``), so any SMPL or MANO file may be tried, but no open model.

        Args:
            mesh_model: the mesh in use.
            cfg: settings of the network; None: of the training.
            cache: folder of ``lib.graph.cache.cached_graph``.

        Raises:
            ValueError: the weights are for another mesh, or another graph of it than ``cfg`` asks for.
        """
        if self.graph is None:
            licensed = LICENSED[mesh_model.kind]
            if mesh_model.name in OPEN_FILES:
                raise ValueError(
                    f"{self.name} carries no mesh graph, so its weights are of the original release and fit "
                    f"{licensed.upper()} only, not {mesh_model.name} (MODEL.body): put the licensed files in place"
                )
            return configured_graph(cfg or self.trained, mesh_model, cache, licensed)
        try:
            self.graph.check_topology(mesh_model.faces)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        if cfg is not None and (difference := unlike(self.graph, cfg)):
            raise ValueError(f"{self.name} was trained on {difference}")
        return self.graph

    # ------------------------------------------------------------------------------------------------------- in use

    def load_into(self, model: nn.Module, take_over: bool = False) -> None:
        """Copy the weights into a model, strictly.

        Args:
            model: PoseNet or Pose2Mesh, not wrapped; a Pose2Mesh is built with ``graph_on``.
            take_over: the model gets these tensors themselves, on their device, instead of copies: faster, for a
                checkpoint that nobody else uses.

        Raises:
            ValueError: keys or shapes differ, the message says what the difference means; or weights are not finite.
        """
        state, wanted = self.state, model.state_dict()
        problem = mismatch(state, wanted)
        if problem:
            raise ValueError(f"{self.name} does not fit the model.\n{problem}")
        self._check_finite(state, wanted)
        if take_over:
            state = OrderedDict((key, value.to(wanted[key].dtype)) for key, value in state.items())
        model.load_state_dict(state, assign=take_over)

    def warm_start(self, model: nn.Module) -> str:
        """Copy what fits into a model of another joint set or size; the rest keeps its fresh values.

        A PoseNet takes that of a Pose2Mesh, and a Pose2Mesh a PoseNet for its own.

        Returns:
            one line that says how many tensors were taken.

        Raises:
            ValueError: no tensor fits; or one that does is not finite.
        """
        own = model.state_dict()
        holds_posenet = any(key.startswith(_POSENET_PREFIX) for key in own)
        state = self.state if holds_posenet else self.posenet.state
        if holds_posenet and not self.with_mesh:
            state = OrderedDict((f"{_POSENET_PREFIX}{key}", value) for key, value in state.items())
        fitting = {key: value for key, value in state.items() if key in own and _fits(value, own[key])}
        if not fitting:
            raise ValueError(f"TRAIN.init_path: no tensor of {self.name} has the name and shape of one of this model's")
        self._check_finite(fitting, own)
        model.load_state_dict(fitting, strict=False)
        return f"Warm start from {self.name}: {len(fitting)} of {len(own)} tensors"

    def _check_finite(self, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
        broken = [key for key, value in state.items() if not _finite(value, wanted[key].dtype)]
        if broken:
            raise ValueError(f"{self.name} holds NaN or infinite weights: {', '.join(broken[:3])}")

    def released(self) -> "Checkpoint":
        """As weights to share: matrices as float16 (where they fit), settings without paths of this machine, and
        nothing that only training needs."""
        return dataclasses.replace(
            self,
            state=OrderedDict((key, _halved(value)) for key, value in self.state.items()),
            settings=None if self.settings is None else self.settings.changed(**_LOCAL_PATHS),
            optimizer=None,
            scheduler=None,
            rng=None,
        )


def _fits(value: Tensor, wanted: Tensor) -> bool:
    return value.shape == wanted.shape and value.is_floating_point() == wanted.is_floating_point()


def _finite(value: Tensor, dtype: torch.dtype) -> bool:
    """All numbers are finite in a type; extremes tell without a temporary as long as the tensor."""
    return value.numel() == 0 or all(bool(extreme.to(dtype).isfinite()) for extreme in value.aminmax())


def _halved(value: Tensor) -> Tensor:
    # biases and BatchNorm statistics are a thousandth of the file and lose most, so only matrices shrink
    if not value.is_floating_point() or value.ndim < 2 or not bool(value.half().isfinite().all()):
        return value
    return value.half()
