"""FreiHAND: the evaluation split's true hands, scores of the benchmark, and the file that its server takes."""

import json
from pathlib import Path

import numpy as np
import torch

from lib.datasets.storage.annotations import read_json
from lib.evaluation.evaluator import START, Evaluator, Figure
from lib.evaluation.hand_metrics import AUC_LIMIT, AUC_STEPS, hand_joint_scores, hand_mesh_scores
from lib.evaluation.metrics import point_errors
from lib.files import atomic_write, hidden_beside
from lib.geometry.procrustes import rigid_align
from lib.joints.tables import MANO
from lib.mesh.joint_regressor import JointRegressor
from lib.messages import one_line
from lib.units import MM_PER_M

TRUTH_SOURCE = "they are in FreiHAND_pub_v2_eval.zip of lmb.informatik.uni-freiburg.de/projects/freihand"
JOINT_FILE, MESH_FILE = "evaluation_xyz.json", "evaluation_verts.json"
_ALIGNED = "after Procrustes alignment (scale, rotation, mirroring allowed, as in the benchmark's own evaluation)"
_AUC = f"area under the curve of correct points, 0 to {AUC_LIMIT:g} mm in {AUC_STEPS} thresholds, {_ALIGNED}"
JOINT_FIGURES = (
    Figure("PA-MPJPE", f"21 mano joints, {_ALIGNED}"),
    Figure("AUC joints", f"21 mano joints, {_AUC}", unit=""),
)
MESH_FIGURES = (
    Figure("PA-MPVPE", f"all vertices, {_ALIGNED}"),
    Figure("AUC vertices", f"all vertices, {_AUC}", unit=""),
    Figure("F@5mm", f"F-score of vertices with a nearest neighbour within 5 mm, {_ALIGNED}", unit=""),
    Figure("F@15mm", f"F-score of vertices with a nearest neighbour within 15 mm, {_ALIGNED}", unit=""),
)
NO_TARGETS = (
    "FreiHAND's evaluation annotations hold no targets: the log line shows errors of 0, and best.pth.tar is the newest "
    "epoch"
)


def truth_rows(db_index: np.ndarray, available: int, path: Path) -> np.ndarray:
    """Rows of a truth file for samples of given database indices.

    The files list the split in the order of the index: row k is the k-th smallest when the samples are the whole split,
    otherwise row k is index k.

    Raises:
        ValueError: the file cannot be of this split.
    """
    if available == len(db_index):
        rows = np.empty(len(db_index), dtype=np.int64)
        rows[np.argsort(db_index, kind="stable")] = np.arange(available)
        return rows
    if len(db_index) and not 0 <= db_index.min() <= db_index.max() < available:
        raise ValueError(
            f"{path} has {available} rows, the evaluation split {len(db_index)} samples with db_idx {db_index.min()} "
            f"to {db_index.max()}: it is of another split; {TRUTH_SOURCE}"
        )
    return np.asarray(db_index)


def load_truth(path: Path, db_index: np.ndarray, points: int) -> np.ndarray | None:
    """True joints or vertices of the evaluation split.

    Args:
        path: JSON list of (points, 3) lists in metres, one per sample in the order of the database index.
        db_index: (N,) database index of each sample.
        points: expected number of joints or vertices.

    Returns:
        (N, points, 3) float32 mm; None when there is no such file.

    Raises:
        ValueError: not such a list, or of another split.
    """
    if not path.is_file():
        return None
    try:
        truth = np.asarray(read_json(path, list), dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        reason = one_line(error, 200)
        raise ValueError(f"{path}: expected a JSON list of {points} x 3 numbers per sample ({reason})") from error
    if truth.ndim != 3 or truth.shape[1:] != (points, 3) or not np.isfinite(truth).all():
        raise ValueError(f"{path}: expected finite numbers (samples, {points}, 3) in metres, found {truth.shape}")
    return MM_PER_M * truth[truth_rows(db_index, len(truth), path)]


class FreiHandEvaluator(Evaluator):
    """Both models on FreiHAND. The log line shows 0, as there are no targets while training.

    Args:
        joints: (N, 21, 3) mm true joints, None without the file; of a mesh, they are compared with regressed ones.
        meshes: (N, V, 3) mm true meshes, likewise.
        regressor: (21, V), for meshes.
        full: see ``Evaluator``.
    """

    start = START
    setting = "evaluation split"

    def __init__(self, joints=None, meshes=None, regressor: torch.Tensor | None = None, full: bool = True):
        figures = () if joints is None else JOINT_FIGURES
        if regressor is None:
            meshes = None
        super().__init__(figures if meshes is None else figures + MESH_FIGURES, full)
        self.joints, self.meshes = joints, meshes
        self.regressor = None if regressor is None else JointRegressor(regressor)

    def protocols(self):
        if self.figures:
            return super().protocols()
        return [f"no figures without {JOINT_FILE} and {MESH_FILE} in data/FreiHAND/data; {TRUTH_SOURCE}"]

    def update(
        self, pred: torch.Tensor, target: torch.Tensor | None = None, target_joint=None, indices=None, lifted=None
    ):
        """Add a batch of joints (B, 21, 3) or meshes (B, V, 3), mm; targets are dummies and not looked at.

        Returns:
            0 for joints, (0, 0) for meshes.
        """
        indices = self.next_indices(len(pred), indices)
        if self.full:
            scores = {}
            joints = pred if self.regressor is None else self.regressor.to(pred) @ pred
            if self.joints is not None:
                truth = self._truth(self.joints, indices, pred)
                scores |= hand_joint_scores(joints, truth)
                self.keep_joints("PA-MPJPE", MANO.joints, point_errors(rigid_align(joints, truth, reflect=True), truth))
            if self.meshes is not None:
                scores |= hand_mesh_scores(pred, self._truth(self.meshes, indices, pred))
            self.samples.add(scores, indices)
        return 0.0 if self.regressor is None else (0.0, 0.0)

    def placed(self, pred, target, indices):
        known = self.joints if self.regressor is None else self.meshes
        if known is None:
            return None
        truth = self._truth(known, indices, pred)
        return rigid_align(pred, truth, reflect=True), truth

    @staticmethod
    def _truth(values: np.ndarray, indices: np.ndarray, like: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(values[indices]).to(like)

    def log_errors(self):
        return 0.0, None if self.regressor is None else 0.0


class Submission:
    """``pred.json``: a list of joints (N, 21, 3) and meshes (N, V, 3), rows in the order of db_idx: the server's.

    The original's rows are in the order of the data set (image id). Where that is another one, a file of the same name
    with ``_image_id`` has it. PoseNet has no mesh: its joints are written twice, as released. Meshes wait in a hidden
    file, not in memory.

    Args:
        path: file to write.
        db_index: (N,) of the samples.
        points: rows of a mesh (of a pose, for PoseNet).
        unit: ``mm`` or ``m``.
        regressor: (21, V) for meshes; None for PoseNet.
    """

    def __init__(self, path: Path, db_index: np.ndarray, points: int, unit: str, regressor: torch.Tensor | None):
        count, self._order = len(db_index), np.argsort(db_index, kind="stable")
        self.path, self.scale = path, {"mm": 1.0, "m": 1 / MM_PER_M}[unit]
        self.decimals = 4 if unit == "mm" else 7
        self.regressor = None if regressor is None else JointRegressor(regressor)
        self._aside = hidden_beside(path)
        self._joints = np.zeros((count, 21, 3), dtype=np.float32)
        self._points = np.memmap(self._aside, dtype=np.float32, mode="w+", shape=(count, points, 3))

    def add(self, prediction: dict[str, torch.Tensor], batch, indices: np.ndarray) -> None:
        """Add a batch: ``joints`` (B, 21, 3) or ``mesh`` (B, V, 3), mm."""
        points = prediction["joints" if self.regressor is None else "mesh"]
        joints = points if self.regressor is None else self.regressor.to(points) @ points
        self._joints[indices] = joints.cpu().numpy()
        self._points[indices] = points.cpu().numpy()

    def close(self, complete: bool) -> None:
        """Write the files, when all samples came."""
        try:
            if complete:
                self._write_file(self.path, self._order)
                as_read = np.arange(len(self._order))
                if not np.array_equal(self._order, as_read):
                    self._write_file(self.path.with_stem(f"{self.path.stem}_image_id"), as_read)
        finally:
            del self._points
            self._aside.unlink(missing_ok=True)

    def _write_file(self, path: Path, order: np.ndarray) -> None:
        with atomic_write(path) as stream:
            stream.write("[")
            self._write(stream, self._joints, order)
            stream.write(", ")
            self._write(stream, self._points, order)
            stream.write("]")

    def _write(self, stream, values: np.ndarray, order: np.ndarray) -> None:
        for number, place in enumerate(order):
            rounded = (values[place].astype(np.float64) * self.scale).round(self.decimals)
            stream.write(f"{', ' if number else '['}{json.dumps(rounded.tolist())}")
        stream.write("]")
