"""The measured work: one function per case that prepares a side and returns what a repeat calls.

A repeat returns the number of items it did, a few numbers that both sides must agree on and, where it starts a program,
that program's own figures. Networks, losses, loading and errors are computed on the device that is measured; the graph
and the camera are the CPU's. A network's input is made in the first repeat of its size, a warm-up, and stays there.
"""

import functools
from collections.abc import Callable
from dataclasses import asdict

import torch

from lib.benchmark import models
from lib.benchmark.cases_data import data_case, demo_case, evaluation_case
from lib.benchmark.cases_scaling import loading_case, processes_case
from lib.benchmark.live import CASE, live_case
from lib.benchmark.machine import measure_rates
from lib.checkpoints.graphs import configured_graph
from lib.core.loss import Pose2MeshLoss, PoseNetLoss
from lib.core.optim import build_optimizer
from lib.core.stages import MeshStage
from lib.geometry.camera_fit import CROP_SIZE, fit_weak_perspective, project
from lib.graph.mesh_graph import MeshGraph
from lib.mesh.mesh_model import load_mesh_model
from lib.models.graphed import Graphed
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.posenet import build_posenet
from lib.models.prepare import prepare
from lib.plain.camera import fit_camera
from lib.plain.graph import levels_in_use, plain_coarse_graphs
from lib.plain.networks import PlainMeshNet, PlainPose2Mesh, PlainPoseNet
from lib.plain.training import PlainTrainer, posenet_step
from lib.settings.setting import BF16, FLOAT32
from lib.units import MM_PER_M

Repeat = Callable[..., tuple]
CHECKED_VERTICES = 500  # every so many vertices of the first mesh are compared
SEED = 0


def inference_case(side: str, device: str) -> Repeat:
    """Whole network in evaluation mode, 2D poses to meshes in the mesh's own order; ``part="meshnet"``: MeshNet.

    Ours is prepared, as programs do, for products in ``precision``; with ``graph`` its calls are CUDA graphs.
    ``part="distance"``: mean and largest distance in mm of the meshes to those of float32, over all vertices.
    """
    model: Pose2Mesh | PlainPose2Mesh
    if side == "ours":
        model = models.our_pose2mesh().to(device).eval()

        @functools.lru_cache(maxsize=1)
        def prepared(precision, graph):
            prepare(model, precision)
            return Graphed(model) if graph else model

        def predict(pose2d, precision, graph):
            return prepared(precision, graph)(pose2d)[0]
    else:
        model = models.plain_pose2mesh().to(device).eval()
        rows = torch.from_numpy(models.graph().reverse).to(device)

        def predict(pose2d, precision, graph):
            return model(pose2d)[0][:, rows, :]

    @functools.lru_cache(maxsize=1)
    def poses(batch):
        return models.poses(batch).to(device)

    def repeat(batch: int, part: str = "", precision: str = FLOAT32, graph: bool = False):
        with torch.inference_mode():
            pose2d = poses(batch)
            if part == "meshnet":
                mesh = model.pose2mesh(torch.cat([pose2d, pose2d.new_zeros(*pose2d.shape[:2], 3)], dim=2))
            else:
                mesh = predict(pose2d, precision, graph)
            if part == "distance":
                distances = MM_PER_M * (mesh - predict(pose2d, FLOAT32, False)).norm(dim=2)
                return batch, [distances.mean(), distances.max()]
        return batch, mesh[0, ::CHECKED_VERTICES].flatten().tolist()

    return repeat


def training_case(side: str, device: str) -> Repeat:
    """Forward, five losses, backward, RMSprop of Pose2Mesh; in bf16 as ``TRAIN.precision`` does it."""
    faces, regressor = models.mesh_model().faces, models.regressor()
    if side == "ours":
        cfg, model = models.config(), models.our_pose2mesh().to(device).train()
        criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, faces, regressor).to(device)
        optimizer = build_optimizer(cfg.TRAIN, model.parameters())

        def step(batch, precision):
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == BF16):
                mesh, joints = model(batch.inputs["pose2d"])
            total, _ = criterion((mesh.float(), joints.float()), batch.targets, batch.meta, epoch=1)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    else:
        plain = models.plain_pose2mesh().to(device).train()
        trainer = PlainTrainer(plain, faces, regressor.to(device), models.graph().reverse)
        trainer.faces, trainer.reverse = trainer.faces.to(device), trainer.reverse.to(device)

        def step(batch, precision):
            trainer.step(batch)

    made = functools.lru_cache(maxsize=1)(models.training_batch)

    def repeat(batch: int, precision: str = FLOAT32):
        torch.manual_seed(SEED)
        step(made(batch, device), precision)
        return batch, ()

    return repeat


def open_training_case(side: str, device: str) -> Repeat:
    """A step with the settings of the shipped weights; plain has no base, and trains PoseNet too."""
    cfg = models.open_config()
    body = load_mesh_model("body", cfg.MODEL.body)
    stage = MeshStage(cfg, body)
    if side == "ours":
        model = stage.build_model().to(device).train()
        stage.criterion.to(device)
        optimizer = build_optimizer(cfg.TRAIN, model.parameters())

        def step(batch):
            total, _ = stage.loss(model, batch, epoch=1)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    else:
        graph = configured_graph(cfg, body)
        lifter = PlainPoseNet(graph.joint_num, cfg.MODEL.posenet_width, cfg.MODEL.posenet_stages, dropout=0.0)
        plain = PlainPose2Mesh(lifter, PlainMeshNet(graph.laplacians, cfg.MODEL.mesh_channels)).to(device).train()
        regressor = torch.from_numpy(body.joint_regressor(cfg.DATASET.target_joint_set))
        trainer = PlainTrainer(plain, body.faces, regressor.to(device), graph.reverse)
        trainer.faces, trainer.reverse = trainer.faces.to(device), trainer.reverse.to(device)
        step = trainer.step

    @functools.lru_cache(maxsize=1)
    def made(batch):
        return models.training_batch(batch, device, body)

    def repeat(batch: int):
        step(made(batch))
        return batch, ()

    return repeat


def posenet_case(side: str, device: str) -> Repeat:
    """The same of PoseNet alone."""
    cfg = models.config(MODEL={"name": "posenet"})
    model: torch.nn.Module
    if side == "ours":
        model = models.fill(build_posenet, cfg).to(device).train()
        criterion, optimizer = PoseNetLoss(), build_optimizer(cfg.TRAIN, model.parameters())

        def step(pose2d, target, valid):
            total, _ = criterion(model(pose2d.flatten(1)).view(target.shape), target, valid)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    else:
        model = models.fill(PlainPoseNet, models.joint_set().joint_num).to(device).train()
        optimizer = torch.optim.RMSprop(model.parameters(), lr=cfg.TRAIN.lr, foreach=False)

        def step(pose2d, target, valid):
            posenet_step(model, optimizer, pose2d, target, valid)

    made = functools.lru_cache(maxsize=1)(models.training_batch)

    def repeat(batch: int):
        inputs, targets, meta = made(batch, device)
        step(inputs["pose2d"], targets["lift_pose3d"], meta["lift_pose3d_valid"])
        return batch, ()

    return repeat


def graph_case(side: str, device: str) -> Repeat:
    """From faces to Laplacians and the rows of the vertices."""
    faces, joints = models.mesh_model().faces, models.joint_set()

    def repeat():
        if side == "ours":
            graph = MeshGraph.build(faces, joints)
            return 1, [*graph.reverse[:50], *graph.sizes]
        _, laplacians, _, reverse = plain_coarse_graphs(
            faces, joints.joint_num, joints.bones, joints.graph_links, models.graph().levels
        )
        return 1, [*reverse[:50], *(L.shape[0] for L in levels_in_use(laplacians))]

    return repeat


def camera_case(side: str, device: str) -> Repeat:
    """Weak-perspective camera of one pose; the residual (crop pixels) is reported."""
    joints = models.regressor() @ models.meshes(1)[0]
    noise = torch.randn(len(joints), 2, generator=torch.Generator().manual_seed(SEED))
    target = project(torch.tensor([[0.8, 0.05, -0.1]]), joints[None])[0] + 5 * noise

    def repeat():
        torch.manual_seed(SEED)
        if side == "ours":
            residual = fit_weak_perspective(joints[None], target[None], CROP_SIZE)[1].item()
        else:
            residual = fit_camera(joints, target)[1]
        return 1, [residual]

    return repeat


def rates_case(side: str, device: str) -> Repeat:
    """What this machine does per second, see ``lib.benchmark.machine.measure_rates``."""

    def repeat(square: int, numbers: int):
        return 1, (), {"rates": asdict(measure_rates(square, numbers, device))}

    return repeat


CASES: dict[str, Callable[[str, str], Repeat]] = {
    "inference": inference_case,
    "training": training_case,
    "open_training": open_training_case,
    "posenet": posenet_case,
    "data": data_case,
    "graph": graph_case,
    "evaluation": evaluation_case,
    "camera": camera_case,
    "demo": demo_case,
    "rates": rates_case,
    "loading": loading_case,
    "processes": processes_case,
    CASE: live_case,
}
