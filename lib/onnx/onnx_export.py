"""Trained networks as ONNX files, checked against PyTorch.

The packages ``onnx`` and ``onnxruntime`` are optional: nothing else needs them.
"""

import io
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.files import atomic_write
from lib.geometry.crops import standardise
from lib.graph.mesh_graph import MeshGraph
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel
from lib.models.export.export_form import ExportForm
from lib.models.lifters import build_lifter
from lib.onnx.half import store_in_half
from lib.predictor import Pose2MeshPredictor
from lib.runtime.optional import optional
from lib.settings.config import Config
from lib.settings.setting import FLOAT32, HALF
from lib.units import MM_PER_M

TOLERANCE = 1e-4  # largest difference to PyTorch, relative to the largest number of an output
WITHIN = 0.3  # mm, largest mean distance to PyTorch of a file whose weights are stored in half precision
PRECISIONS = (FLOAT32, HALF)
OPSET = 17
STAGES = ("pose2mesh", "posenet")
INPUT = "keypoints"


@dataclass(frozen=True)
class Trained:
    """A trained network and what it belongs to; ``mesh_model`` and ``graph`` are None for a lifter alone.

    ``input_scale``: see ``lib.geometry.crops.standardise``.
    """

    network: nn.Module
    joint_set: JointSet
    mesh_model: MeshModel | None
    graph: MeshGraph | None
    source: Path
    input_scale: str = "axis"

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("pose3d",) if self.graph is None else ("pose3d", "mesh")

    def export_form(self) -> ExportForm:
        """The network in plain operators, from keypoints in pixels on."""
        return ExportForm(self.network, self.joint_set, self.graph, input_scale=self.input_scale)


@dataclass(frozen=True)
class Comparison:
    """An ONNX file against PyTorch.

    Attributes:
        difference: largest difference per output, relative to its largest number.
        millimetres: largest difference of a coordinate per output, mm.
        mean: mean distance of points per output, mm.
        torch_ms, onnx_ms: milliseconds per pose, by batch size, of the network in the project and of onnxruntime.
    """

    difference: dict[str, float]
    millimetres: dict[str, float]
    mean: dict[str, float]
    torch_ms: dict[int, float]
    onnx_ms: dict[int, float]


def load_trained(
    weights: str | Path,
    stage: str = "pose2mesh",
    joint_set: str = "",
    body: str = "",
    root: str | Path = ROOT,
) -> Trained:
    """A trained network.

    Args:
        weights: checkpoint file or folder.
        stage: ``pose2mesh``, or ``posenet``, which may also be the PoseNet inside a Pose2Mesh.
        joint_set: of a PoseNet that does not say its own; those of the original release follow from their inputs.
        body: mesh model; empty takes the one of the weights' settings.
        root: folder with the licensed models and ``experiment/``.

    Raises:
        FileNotFoundError, ValueError: no such weights, or weights of another stage or mesh.
    """
    path = find_checkpoint(weights, root=Path(root))
    if stage == "pose2mesh":
        predictor = Pose2MeshPredictor(joint_set or None, path, "cpu", body or None, root)
        parts = predictor.network, predictor.joint_set, predictor.mesh_model, predictor.graph
        return Trained(*parts, path, predictor.input_scale)
    checkpoint = load_checkpoint(path).posenet
    if checkpoint.settings is None and joint_set:
        cfg = Config().changed(DATASET={"input_joint_set": joint_set, "target_joint_set": joint_set})
    else:
        cfg = checkpoint.trained
    network = build_lifter(cfg)
    checkpoint.load_into(network)
    scale = cfg.DATASET.input_scale
    return Trained(network.eval(), get_joint_set(cfg.DATASET.input_joint_set), None, None, path, scale)


def export_onnx(trained: Trained, path: str | Path, precision: str = FLOAT32) -> Path:
    """Write a network as one ONNX file with a free batch size.

    Input ``keypoints`` (B, keypoint_num, 2) float32, pixels; outputs ``pose3d`` (B, J, 3), millimetres, and for
    Pose2Mesh ``mesh`` (B, V, 3), metres. Joint names, units, faces and what else ``lib.predictor.onnx_predictor`` reads
    are in the file's metadata.

    Args:
        precision: of the stored weights, one of ``PRECISIONS``; all is computed in float32.

    Raises:
        ValueError: the package onnx is not installed.
    """
    onnx = optional("onnx", "onnx", use="main/export.py")
    form = trained.export_form()
    names = (INPUT, *trained.outputs)
    buffer: Any = io.BytesIO()  # the tracing exporter takes files too, which its annotation leaves out
    example = sample_keypoints(trained.joint_set, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer; the result is compared with the network instead
        # The tracing exporter needs no further package and takes seconds where the newer one takes a minute.
        torch.onnx.export(
            form,
            (torch.from_numpy(example),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(trained.outputs),
            dynamic_axes={name: {0: "batch"} for name in names},
        )
    model = onnx.load_from_string(buffer.getvalue())
    for key, value in _metadata(trained).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    if precision == HALF:
        store_in_half(model, onnx)
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(path, "wb") as stream:
        stream.write(model.SerializeToString())
    return Path(path)


def _metadata(trained: Trained) -> dict[str, str]:
    joint_set = trained.joint_set
    content = {
        "joint_set": joint_set.name,
        "keypoints": json.dumps(joint_set.joints[: joint_set.keypoint_num]),
        "joints": json.dumps(joint_set.joints),
        "root": joint_set.joints[joint_set.root],
        "derived": json.dumps(joint_set.derived),
        "bones": json.dumps(joint_set.bones),
        "input_scale": trained.input_scale,
        "units": json.dumps({"keypoints": "pixels", "pose3d": "mm", "mesh": "m"}),
        "frame": "x right, y down, z away from the camera; relative to the root",
    }
    if trained.mesh_model is not None:
        content["mesh_model"] = trained.mesh_model.name
        content["faces"] = json.dumps(trained.mesh_model.faces.tolist(), separators=(",", ":"))
        content["joint_regressor"] = _sparse_text(trained.mesh_model.joint_regressor(joint_set))
    return content


def _sparse_text(matrix: np.ndarray) -> str:
    """A matrix (J, V) as its shape, and rows, columns and values of what is not zero."""
    rows, columns = matrix.nonzero()
    values = [float(f"{value:.9g}") for value in matrix[rows, columns]]  # so many digits tell each float32
    content = {"shape": matrix.shape, "rows": rows.tolist(), "columns": columns.tolist(), "values": values}
    return json.dumps(content, separators=(",", ":"))


def sample_keypoints(joint_set: JointSet, count: int) -> np.ndarray:
    """(count, keypoint_num, 2) float32: scattered points about as large as people in pictures, always the same."""
    rng = np.random.default_rng(0)
    size = np.array([120.0, 250.0])
    keypoints = rng.uniform(300, 700, (count, 1, 2)) + size * rng.normal(size=(count, joint_set.keypoint_num, 2))
    return keypoints.astype(np.float32)


def compare(
    trained: Trained,
    path: str | Path,
    batches: tuple[int, ...] = (1, 64),
    threads: int = 0,
    precision: str = FLOAT32,
) -> Comparison:
    """Run an ONNX file with onnxruntime and the network with PyTorch, on a CPU.

    Args:
        trained: what the file was made from.
        path: the file.
        batches: batch sizes; results are compared and timed for each.
        threads: processor threads; 0: onnxruntime's and PyTorch's own choice.
        precision: of the file.

    Raises:
        ValueError: onnxruntime is not installed, or the results differ by more than ``TOLERANCE``; in half precision by
            more than ``WITHIN``.
    """
    session = open_session(path, threads)
    if threads:
        torch.set_num_threads(threads)
    difference, millimetres, mean = (dict.fromkeys(trained.outputs, 0.0) for _ in range(3))
    torch_ms, onnx_ms = {}, {}
    for batch in batches:
        keypoints = sample_keypoints(trained.joint_set, batch)
        expected = run_torch(trained, keypoints)
        found = session.run(list(trained.outputs), {INPUT: keypoints})
        for name, a, b in zip(trained.outputs, found, expected):
            error, size, unit = np.abs(a - b).max(), np.abs(b).max(), MM_PER_M if name == "mesh" else 1.0
            difference[name] = max(difference[name], float(error / size))
            millimetres[name] = max(millimetres[name], float(error * unit))
            mean[name] = max(mean[name], float(np.linalg.norm(a - b, axis=2).mean() * unit))
    if precision == HALF and not max(mean.values()) <= WITHIN:
        raise ValueError(f"{path} differs from the network by {mean} mm on average, allowed is {WITHIN}: use {FLOAT32}")
    if precision == FLOAT32 and not max(difference.values()) <= TOLERANCE:
        raise ValueError(f"{path} differs from the network: {difference}, allowed is {TOLERANCE}")
    for batch in batches:
        keypoints = sample_keypoints(trained.joint_set, batch)
        torch_ms[batch] = _milliseconds(lambda poses=keypoints: run_torch(trained, poses)) / batch
        onnx_ms[batch] = _milliseconds(lambda poses=keypoints: session.run(None, {INPUT: poses})) / batch
    return Comparison(difference, millimetres, mean, torch_ms, onnx_ms)


def open_session(path: str | Path, threads: int = 0) -> Any:
    """An ONNX file in onnxruntime on a CPU, whose threads do not wait busily between calls, beside PyTorch's."""
    runtime = optional("onnxruntime", "onnx", use="the check of main/export.py")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@torch.inference_mode()
def run_torch(trained: Trained, keypoints: np.ndarray) -> list[np.ndarray]:
    """The network in its own form, outputs in the order of the file's."""
    pose2d = trained.joint_set.add_derived(torch.from_numpy(keypoints).double())
    pose2d = standardise(pose2d, trained.input_scale).float()
    if trained.graph is None:
        return [trained.network(pose2d.flatten(1)).unflatten(1, (-1, 3)).numpy()]
    mesh, pose3d = trained.network(pose2d)
    return [pose3d.numpy(), mesh.numpy()]


def _milliseconds(run, least: int = 3, seconds: float = 1.0) -> float:
    """Shortest of several runs, the first one not counted."""
    run()
    best, start, count = float("inf"), time.perf_counter(), 0
    while count < least or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run()
        best, count = min(best, time.perf_counter() - begin), count + 1
    return 1000 * best
