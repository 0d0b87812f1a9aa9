"""The measured work of ``--growth`` on networks, people and films; data sets and processes: ``cases_scaling``.

A repeat returns the number of items it did, nothing to agree on, and ``figures``: series -> key -> number.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from lib.benchmark import models
from lib.benchmark.allocator import peak_memory, reset_peak, synchronise
from lib.demo.command import run_demo
from lib.demo.options import DemoOptions
from lib.export import VideoWriter
from lib.graph.mesh_graph import MeshGraph
from lib.mesh.mesh_model import load_mesh_model
from lib.models.mesh_plan import PAPER_CHANNELS
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.prepare import prepare
from lib.predictor import Pose2MeshPredictor

MOST = 7  # repeats of a measurement
WARM = 64  # samples or people of the call before; larger calls go through the same memory again and again
PUBLISHED_VERTICES, PUBLISHED_LEVELS = 6890, 9
PERSON, SPACING = 200.0, 220.0  # pixels
PICTURE = 256  # pixels


def median_seconds(call: Callable[[], object], budget: float, device: str = "cpu") -> float:
    """Seconds of a call, median of up to ``MOST``; none begins after ``budget`` seconds."""
    seconds: list[float] = []
    while len(seconds) < MOST and sum(seconds) < max(budget, 1e-9):
        synchronise(device)
        start = time.perf_counter()
        call()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _inference(model: torch.nn.Module, batch: int, budget: float, device: str) -> dict[str, float]:
    with torch.inference_mode():
        model(models.poses(min(batch, WARM)).to(device))
        reset_peak(device)
        pose2d = models.poses(batch).to(device)
        seconds = median_seconds(lambda: model(pose2d), budget, device) / batch
    return {"seconds": seconds, "peak_bytes": peak_memory(device)}


def batch_case(side: str, device: str):
    """The published-size network with more and more samples per call."""
    model = models.our_pose2mesh().to(device).eval()

    def repeat(batch: int, precision: str, budget: float):
        prepare(model, precision)
        return batch, (), {"figures": {precision: _inference(model, batch, budget, device)}}

    return repeat


def faces_of(mesh: str, subdivisions: int) -> np.ndarray:
    """Faces (F, 3) of ``sphere``, an icosahedron, or an open body, each face cut into four so many times."""
    from trimesh.creation import icosphere
    from trimesh.remesh import subdivide

    if mesh == "sphere":
        return np.asarray(icosphere(subdivisions).faces)
    model = load_mesh_model("body", mesh)
    vertices, faces = model.arrays()["v_template"], model.faces
    for _ in range(subdivisions):
        vertices, faces = subdivide(vertices, faces)
    return np.asarray(faces)


def adapted(vertex_num: int) -> tuple[int, list[list[int]]]:
    """Halvings of a mesh that leave about as many vertices as the published ones of a body, and the published channels
    with as many blocks: the joints' one, the coarsest one and those of the four finest levels stay.
    """
    levels = max(5, PUBLISHED_LEVELS + round(np.log2(vertex_num / PUBLISHED_VERTICES)))
    joints, coarsest, middle, *_ = blocks = PAPER_CHANNELS["body"]
    finest = blocks[-4:]
    return levels, [list(block) for block in (joints, coarsest, *[middle] * (levels - 5), *finest)]


def mesh_case(side: str, device: str):
    """Building the graph of a mesh and inference with a network for it."""

    def repeat(mesh: str, subdivisions: int, batch: int, budget: float):
        faces, joints = faces_of(mesh, subdivisions), models.joint_set()
        levels, channels = adapted(int(faces.max()) + 1)
        reset_peak()
        graph = MeshGraph.build(faces, joints, levels)
        figures = {"graph_seconds": median_seconds(lambda: MeshGraph.build(faces, joints, levels), budget)}
        figures["graph_bytes"] = peak_memory()
        cfg = models.config(MODEL={"mesh_channels": channels, "graph_levels": levels})
        model = models.fill(build_pose2mesh, cfg, graph).to(device).eval()
        prepare(model)
        return batch, (), {"figures": {"": figures | _inference(model, batch, budget, device)}}

    return repeat


def crowd(people: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Detected poses (people, 17, 3) side by side, and the size of their picture."""
    pose = np.load(ROOT / "demo" / "sample_pose_coco.npy").astype(np.float64)
    pose = (pose - pose.min(0)) * (PERSON / np.ptp(pose[:, 1]))
    side = int(np.ceil(np.sqrt(people)))
    places = np.stack(np.divmod(np.arange(people), side), axis=1)
    poses = pose + SPACING * places[:, None] + 3 * np.random.default_rng(0).normal(size=(people, *pose.shape))
    size = int(SPACING * (side + 1))
    return np.concatenate([poses, np.ones((*poses.shape[:2], 1))], axis=2), (size, size)


def crowd_case(side: str, device: str):
    """All people of an image through the predictor."""
    predictors: dict[str, Pose2MeshPredictor] = {}

    def repeat(people: int, mesh: str, budget: float):
        if mesh not in predictors:
            predictors[mesh] = Pose2MeshPredictor("coco", mesh=mesh, device=device)
        (few, few_size), (poses, size) = crowd(min(people, WARM)), crowd(people)
        predictors[mesh].predict_detections(few, "coco17", image_size=few_size)
        reset_peak(device)
        call = partial(predictors[mesh].predict_detections, poses, "coco17", image_size=size)
        seconds = median_seconds(call, budget, device)
        return people, (), {"figures": {mesh: {"seconds": seconds / people, "peak_bytes": peak_memory(device)}}}

    return repeat


def film_case(side: str, device: str):
    """The demo on a film of a person, to film and arrays; also reads the pictures. Loading the weights counts too."""

    def repeat(frames: int, mesh: str):
        pose = crowd(1)[0][0, :, :2]
        sway = 20 * np.sin(np.arange(frames) / 10)[:, None, None] * np.array([1.0, 0.3])
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as name:
            folder = Path(name)
            np.save(folder / "poses.npy", (pose + 28 + sway).astype(np.float32))
            with VideoWriter(folder / "film.mp4", 30) as film:
                for number in range(frames):
                    film.write(np.full((PICTURE, PICTURE, 3), number % 256, np.uint8))
            options = DemoOptions(
                input_pose=folder / "poses.npy", input_img=folder / "film.mp4", output=folder / "result", mesh=mesh,
                device=device,
            )  # fmt: skip
            reset_peak(device)
            start = time.perf_counter()
            run_demo(options)
            seconds = time.perf_counter() - start
        return frames, (), {"figures": {mesh: {"seconds": seconds / frames, "peak_bytes": peak_memory(device)}}}

    return repeat


GROWTH_CASES = {
    "growing batch": batch_case,
    "growing mesh": mesh_case,
    "growing crowd": crowd_case,
    "growing film": film_case,
}
