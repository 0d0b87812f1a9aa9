"""Errors of poses and meshes: pure batched functions in millimetres, and their means over a data set.

Abbreviations as in the literature: MPJPE mean per-joint position error, MPVPE mean per-vertex position error, PA-
after Procrustes alignment (similarity). "Root-aligned" means that prediction and target are each moved so that their
own root joint is the origin.
"""

import functools
import itertools
import operator
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from lib.evaluation.mesh_pair import MeshPair
from lib.geometry.procrustes import rigid_align


def root_align(points: Tensor, root: int) -> Tensor:
    """Points (B, N, 3) relative to one of them."""
    return points - points[:, root, None]


def point_errors(pred: Tensor, target: Tensor) -> Tensor:
    """Euclidean distance of each point, (B, N, 3) -> (B, N)."""
    return (pred - target).square().sum(-1).sqrt()  # several times faster than a vector norm over three numbers


def mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint position error of each sample, "protocol 1" of root-aligned poses: (B, J, 3) mm -> (B,) mm."""
    return point_errors(pred, target).mean(-1)


def mpvpe(pred: Tensor, target: Tensor) -> Tensor:
    """Mean per-vertex position error of each sample: (B, V, 3) mm -> (B,) mm; `MeshPair` serves whole data sets."""
    return point_errors(pred, target).mean(-1)


def pa_mpjpe(pred: Tensor, target: Tensor) -> Tensor:
    """MPJPE after Procrustes alignment on the same joints ("protocol 2"): (B, J, 3) mm -> (B,) mm."""
    return mpjpe(rigid_align(pred.double(), target.double()), target).to(pred.dtype)


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
    """Running errors of the log line: per metric the unweighted mean of batch means.

    So the original's log has it; it is off when the last batch is short. Means of batches stay on the device of the
    errors in float64, so that ``update`` costs no synchronisation.
    """

    def __init__(self) -> None:
        self._means: dict[str, Tensor] = {}  # grown by doubling, see ``GrowingArray``
        self._batches: Counter[str] = Counter()

    def update(self, errors: dict[str, Tensor]) -> None:
        """Add one batch: metric name -> (B,) per-sample errors; an empty batch is ignored."""
        for name, values in errors.items():
            if len(values):
                number, means = self._batches[name], self._means.get(name)
                if means is None or number == len(means):
                    grown = values.new_zeros(max(2 * number, 1024), dtype=torch.float64)
                    if means is not None:
                        grown[:number] = means
                    means = self._means[name] = grown
                means[number] = values.detach().double().mean()
                self._batches[name] += 1

    def batch_means(self) -> dict[str, list[float]]:
        """Metric name -> mean of each batch, in order."""
        return {name: means[: self._batches[name]].tolist() for name, means in self._means.items()}

    def take(self, shares: Sequence[dict[str, list[float]]]) -> None:
        """Hold the ``batch_means`` of several processes, of which number r had the batches r, r + processes, ..."""
        self._means.clear()
        for name in shares[0]:
            rounds = itertools.zip_longest(*(share.get(name, []) for share in shares))
            means = [mean for one in rounds for mean in one if mean is not None]
            self._means[name], self._batches[name] = torch.tensor(means, dtype=torch.float64), len(means)

    def mean_of_batch_means(self, name: str) -> float:
        """The figure so far, in mm; NaN when nothing was added under this name."""
        if name not in self._means:
            return float("nan")
        means = self._means[name][: self._batches[name]].tolist()
        return functools.reduce(operator.add, means) / len(means)  # one by one: sum() rounds otherwise from 3.12 on

    def count(self, name: str) -> int:
        """Number of batches added under this name."""
        return self._batches[name]
