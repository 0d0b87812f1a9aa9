"""Errors of poses and meshes: pure batched functions in millimetres, and their means over a data set.

Abbreviations as in the literature: MPJPE mean per-joint position error, MPVPE mean per-vertex position error, PA-
after Procrustes alignment (similarity). "Root-aligned" means that prediction and target are each moved so that their
own root joint is the origin.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lib.evaluation import distances as surface
from lib.evaluation.mesh_pair import MeshPair


def root_align(points: Tensor, root: int | Tensor) -> Tensor:
    """Points relative to a root.

    Args:
        points: (B, N, 3).
        root: index into the points, or (B, 3) positions (to move a mesh by a joint that is regressed from it).
    """
    origin = points[:, root] if isinstance(root, int) else root
    return points - origin[:, None]


def point_errors(pred: Tensor, target: Tensor) -> Tensor:
    """Euclidean distance of each point, (B, N, 3) -> (B, N)."""
    return (pred - target).square().sum(-1).sqrt()  # several times faster than a vector norm over three numbers


def mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint position error of each sample ("protocol 1" when root-aligned; aligning is the caller's job).

    Args:
        pred, target: (B, J, 3) mm.

    Returns:
        (B,) mm.
    """
    return surface.mean_distance(pred, target)


def mpvpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-vertex position error of each sample: (B, V, 3) mm -> (B,) mm; aligning is the caller's job."""
    return surface.mean_distance(pred, target)


def pa_mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """MPJPE after Procrustes alignment on the same joints ("protocol 2"): (B, J, 3) mm -> (B,) mm."""
    return surface.aligned_distance(pred, target)


def pa_mpvpe(pred: Tensor, target: Tensor) -> Tensor:
    """MPVPE after Procrustes alignment on all vertices: (B, V, 3) mm -> (B,) mm."""
    return surface.aligned_distance(pred, target)


def accel_error(pred: Tensor, target: Tensor, visible: Tensor | None = None) -> Tensor:
    """Acceleration error of one sequence: norm of the difference of second differences, mean over joints.

    Args:
        pred, target: (T, J, 3) mm, consecutive frames.
        visible: (T,) bool; frames whose window of three holds an invisible one are left out.

    Returns:
        (T - 2,) mm per frame squared, or fewer with ``visible``.

    Raises:
        ValueError: fewer than three frames.
    """
    if len(pred) < 3:
        raise ValueError(f"an acceleration needs at least 3 frames, got {len(pred)}")
    difference = pred - target
    errors = torch.linalg.vector_norm(difference[:-2] - 2 * difference[1:-1] + difference[2:], dim=-1).mean(-1)
    if visible is None:
        return errors
    return errors[visible[:-2] & visible[1:-1] & visible[2:]]


def scored_joints(pred: Tensor, target: Tensor, root: int, eval_joints: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The joints that are compared: root-aligned, evaluation joints only; (B, J, 3) -> (B, len(eval_joints), 3)."""
    joints = list(eval_joints)
    return root_align(pred, root)[:, joints], root_align(target, root)[:, joints]


def joint_protocol(pred: Tensor, target: Tensor, root: int, eval_joints: Sequence[int]) -> dict[str, Tensor]:
    """Errors of lifted poses: root-aligned, then scored on the evaluation joints.

    Human3.6M: root 0, the 14 joints of ``HUMAN36.eval_joints``. 3DPW: root 17, all 19 COCO joints. SURREAL: root 0,
    all 24 SMPL joints.

    Args:
        pred, target: (B, J, 3) mm.

    Returns:
        ``MPJPE`` and ``PA-MPJPE``, (B,) mm each.
    """
    pred, target = scored_joints(pred, target, root, eval_joints)
    return {"MPJPE": mpjpe(pred, target), "PA-MPJPE": pa_mpjpe(pred, target)}


def mesh_protocol(
    pair: MeshPair,
    model: slice,
    human36: slice | None = None,
    human36_target: Tensor | None = None,
    eval_joints: Sequence[int] = (),
    log_shift: Tensor | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Final figures of predicted meshes.

    Both meshes are moved by the body model's own root joint (row 0 of its regressor). Human3.6M joints are regressed
    from the moved meshes, in that order, because the rows of the published regressor do not sum to exactly 1.

    Human3.6M: pass ``human36_target`` (annotated joints). 3DPW: leave it out, the target is regressed from the true
    mesh. SURREAL: leave out ``human36`` too.

    Args:
        pair: meshes in mm.
        model: the body model's joints among those of the pair's regressor.
        human36: the 17 human36 joints among them.
        human36_target: (B, 17, 3) mm.
        eval_joints: ``HUMAN36.eval_joints``.
        log_shift: (B, 3) mm, difference of the true and the predicted root of the log line.

    Returns:
        (B,) mm each: ``SMPL MPJPE``, ``MPVPE``, with human36 joints ``H36M MPJPE`` and ``H36M PA-MPJPE``, of a pair
        that aligns ``PA-MPVPE``; and beside them what else came up: with human36 joints ``pred`` and ``target``
        (B, len(eval_joints), 3) mm root-aligned, with ``log_shift`` the log line's ``surface`` error (B,).
    """
    pred, target = pair.joints(model)
    roots = pred[:, 0], target[:, 0]
    errors = {"SMPL MPJPE": mpjpe(root_align(pred, 0), root_align(target, 0))}
    shifts = [roots[1] - roots[0]] + ([] if log_shift is None else [log_shift])
    distances = pair.distances(*shifts)
    errors["MPVPE"], others = distances[0], {}
    if log_shift is not None:
        others["surface"] = distances[1]
    if human36 is not None:
        pred, target = pair.joints(human36, roots)
        pred, target = scored_joints(pred, target if human36_target is None else human36_target, 0, eval_joints)
        errors["H36M MPJPE"] = mpjpe(pred, target)
        errors["H36M PA-MPJPE"] = pa_mpjpe(pred, target)
        others |= {"pred": pred, "target": target}
    if pair.align:
        errors["PA-MPVPE"] = distances[-1]
    return errors, others


class MetricAccumulator:
    """Means of per-sample errors over a data set that is seen batch by batch; no prediction is kept.

    Sums stay on the device of the errors in float64, so that ``update`` costs no synchronisation.
    """

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._batch_means: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._batches: dict[str, int] = {}

    def update(self, errors: dict[str, Tensor], groups: Sequence[str] | None = None) -> None:
        """Add one batch.

        Args:
            errors: metric name -> (B,) per-sample errors; an empty batch is ignored.
            groups: label of each sample (e.g. its action); adds the metrics ``name/label``.
        """
        for name, values in errors.items():
            self._add(name, values)
            for label in dict.fromkeys(groups or ()):
                member = torch.tensor([g == label for g in groups], device=values.device)
                self._add(f"{name}/{label}", values[member])

    def _add(self, name: str, values: Tensor) -> None:
        if values.numel() == 0:
            return
        total = values.detach().double().sum()
        mean = total / values.numel()
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._batch_means[name] = self._batch_means[name] + mean if name in self._batch_means else mean
        self._counts[name] = self._counts.get(name, 0) + values.numel()
        self._batches[name] = self._batches.get(name, 0) + 1

    def merge(self, states: Sequence[dict]) -> None:
        """Replace the content by the union of several accumulators' ``state()`` (one per process)."""
        self.__init__()
        for state in states:
            for name, (total, batch_means, count, batches) in state.items():
                self._sums[name] = self._sums.get(name, torch.zeros((), dtype=torch.float64)) + total
                previous = self._batch_means.get(name, torch.zeros((), dtype=torch.float64))
                self._batch_means[name] = previous + batch_means
                self._counts[name] = self._counts.get(name, 0) + count
                self._batches[name] = self._batches.get(name, 0) + batches

    def state(self) -> dict[str, tuple[float, float, int, int]]:
        """Sum, sum of batch means, samples and batches of each metric as plain numbers."""
        return {
            name: (float(self._sums[name]), float(self._batch_means[name]), self._counts[name], self._batches[name])
            for name in self._sums
        }

    def mean(self, name: str) -> float:
        """Mean over all samples in mm; NaN when nothing was added under this name."""
        if name not in self._sums:
            return float("nan")
        return float(self._sums[name]) / self._counts[name]

    def mean_of_batch_means(self, name: str) -> float:
        """Unweighted mean of batch means: the figure of the original's log, off when the last batch is short."""
        if name not in self._sums:
            return float("nan")
        return float(self._batch_means[name]) / self._batches[name]

    def count(self, name: str) -> int:
        """Number of samples added under this name."""
        return self._counts.get(name, 0)

    def means(self) -> dict[str, float]:
        """Mean over all samples of every metric, in the order they were first added."""
        return {name: self.mean(name) for name in self._sums}
