"""The full-size models that are measured: equal weights on both sides, whatever the order of construction."""

import functools
from collections.abc import Callable
from typing import TypeVar
from zlib import crc32

import numpy as np
import torch

from lib import ROOT
from lib.datasets.batch import Batch
from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.models.meshnet import MeshNetPlan
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh
from lib.models.skip_init import SkipInit
from lib.plain.networks import PlainMeshNet, PlainPose2Mesh, PlainPoseNet
from lib.settings.config import Config
from lib.settings.reading import load_config, merge
from lib.settings.setting import FLOAT32
from lib.units import MM_PER_M

Model = TypeVar("Model", bound=torch.nn.Module)
BODY, JOINTS = "open_6890", "human36"


@functools.cache
def mesh_model() -> MeshModel:
    return load_mesh_model("body", BODY)


def joint_set() -> JointSet:
    return get_joint_set(JOINTS)


@functools.cache
def graph() -> MeshGraph:
    return MeshGraph.build(mesh_model().faces, joint_set())


def our_plan() -> MeshNetPlan:
    return MeshNetPlan.paper(joint_set().body)


def config(input_set: str = JOINTS, **sections) -> Config:
    """Published settings on the open body."""
    values: dict[str, dict] = {
        "DATASET": {"input_joint_set": input_set, "target_joint_set": JOINTS, "use_gt_input": False, "cache": ""},
        "MODEL": {"body": BODY},
        "TRAIN": {"edge_loss_start": 0},
    }
    for section, entries in sections.items():
        values[section].update(entries)
    return merge(values)


def fill(build: Callable[..., Model], *arguments) -> Model:
    """A network with weights drawn from each tensor's own name; plain enough for outputs of a person's size."""
    with SkipInit():
        model = build(*arguments)
    for name, tensor in model.state_dict().items():  # shares the model's memory
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            tensor.zero_()
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            tensor.uniform_(0.5, 1.5, generator=generator)
        else:
            bound = (2.0 / sum(tensor.shape)) ** 0.5 if tensor.dim() == 2 else 0.1
            tensor.uniform_(-bound, bound, generator=generator)
    return model


@functools.cache
def our_pose2mesh() -> Pose2Mesh:
    return fill(build_pose2mesh, config(), graph())


def _build_plain() -> PlainPose2Mesh:
    mesh_net = PlainMeshNet(graph().laplacians, our_plan().channels)
    return PlainPose2Mesh(PlainPoseNet(joint_set().joint_num), mesh_net)


@functools.cache
def plain_pose2mesh() -> PlainPose2Mesh:
    return fill(_build_plain)


def poses(batch: int, seed: int = 0) -> torch.Tensor:
    """Standardised random 2D poses (batch, J, 2)."""
    values = torch.randn(batch, joint_set().joint_num, 2, generator=torch.Generator().manual_seed(seed))
    return (values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True, unbiased=False)


def meshes(count: int, seed: int = 0, model: MeshModel | None = None) -> torch.Tensor:
    """Disturbed body meshes (count, V, 3) in metres, root-relative, of the full-size mesh or a given one."""
    template = torch.from_numpy(np.asarray((model or mesh_model()).arrays()["v_template"], dtype=np.float32))
    noise = torch.randn(count, *template.shape, generator=torch.Generator().manual_seed(seed))
    return template + 0.02 * noise


@functools.cache
def regressor(name: str = JOINTS) -> torch.Tensor:
    return torch.from_numpy(mesh_model().joint_regressor(name))


def training_batch(batch: int, device: str = "cpu", model: MeshModel | None = None) -> Batch:
    """A batch of Pose2Mesh, on the full-size mesh or a given one."""
    mesh = meshes(batch, model=model).to(device)
    weights = regressor() if model is None else torch.from_numpy(model.joint_regressor(JOINTS))
    joints = MM_PER_M * weights.to(device) @ mesh
    targets = {"mesh": mesh, "lift_pose3d": joints, "reg_pose3d": joints}
    meta = {f"{name}_valid": torch.ones_like(value[..., :1]) for name, value in targets.items()}
    return Batch({"pose2d": poses(batch).to(device)}, targets, meta)


def open_config() -> Config:
    """Settings of the shipped weights: narrow MeshNet with its base, frozen PoseNet; in float32."""
    cfg = load_config(ROOT / "asset" / "yaml" / f"pose2mesh_{JOINTS}J_train_open.yml")
    return cfg.changed(TRAIN={"precision": FLOAT32}, DATASET={"cache": ""})
