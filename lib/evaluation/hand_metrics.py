"""Scores of the FreiHAND benchmark (Zimmermann et al., ICCV 2019), batched: millimetres in, shares out.

They are those of the benchmark's own evaluation: errors after a Procrustes alignment that may mirror, an F-score of
surfaces (Knapitsch et al., Tanks and Temples, 2017) and the area under the curve of correct points.
"""

import torch
from torch import Tensor

from lib.evaluation.metrics import point_errors
from lib.geometry.procrustes import rigid_align

F_THRESHOLDS = (5.0, 15.0)  # mm
AUC_LIMIT = 50.0  # mm
AUC_STEPS = 100
_CHUNK = 16  # samples whose distance matrices exist at a time


def f_scores(pred: Tensor, target: Tensor, thresholds=F_THRESHOLDS) -> list[Tensor]:
    """F-score of each sample at several thresholds.

    A point counts when its nearest neighbour in the other set is closer than the threshold. The score is the harmonic
    mean of the share of predicted points that count and the share of true points that count; 0 when none does.

    Args:
        pred: (B, N, 3) mm.
        target: (B, M, 3) mm.
        thresholds: mm.

    Returns:
        one (B,) tensor with values from 0 to 1 per threshold.
    """
    centre = target.mean(1, keepdim=True)  # far from the origin, squared distances lose their digits
    scores: list[list[torch.Tensor]] = [[] for _ in thresholds]
    for a, b in zip((pred - centre).split(_CHUNK), (target - centre).split(_CHUNK)):
        distances = torch.cdist(a, b)
        to_target, to_pred = distances.amin(2), distances.amin(1)
        for found, threshold in zip(scores, thresholds):
            near_target = (to_target < threshold).to(pred.dtype).mean(1)
            near_pred = (to_pred < threshold).to(pred.dtype).mean(1)
            total = near_target + near_pred
            found.append(torch.where(total > 0, 2 * near_target * near_pred / total.clamp_min(1e-12), 0.0))
    return [torch.cat(found) for found in scores]


def auc(errors: Tensor, limit: float = AUC_LIMIT, steps: int = AUC_STEPS) -> Tensor:
    """Area under the curve "share of points with an error of at most t", t from 0 to ``limit``, divided by ``limit``.

    The curve is sampled at ``steps`` evenly spaced thresholds and integrated by the trapezoidal rule, point by point,
    so that the mean over samples is the figure of the whole set.

    Args:
        errors: (B, N) mm.

    Returns:
        (B,) from 0 to 1.
    """
    thresholds = torch.linspace(0, limit, steps, dtype=errors.dtype, device=errors.device)
    first = torch.searchsorted(thresholds, errors.contiguous())
    # a point counts from its first threshold on: full steps, and half a step where its curve rises
    return ((steps - 0.5 - first) / (steps - 1)).clamp(0, 1).mean(1).to(errors.dtype)


def hand_joint_scores(pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Joint scores after alignment: (B, J, 3) mm -> ``PA-MPJPE`` (mm) and ``AUC joints``, (B,) each."""
    errors = point_errors(rigid_align(pred, target, reflect=True), target)
    return {"PA-MPJPE": errors.mean(1), "AUC joints": auc(errors)}


def hand_mesh_scores(pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Surface scores after alignment: (B, V, 3) mm -> ``PA-MPVPE`` (mm), ``AUC vertices``, ``F@5mm``, ``F@15mm``."""
    aligned = rigid_align(pred, target, reflect=True)
    errors = point_errors(aligned, target)
    scores = {"PA-MPVPE": errors.mean(1), "AUC vertices": auc(errors)}
    scores |= {f"F@{limit:g}mm": score for limit, score in zip(F_THRESHOLDS, f_scores(aligned, target))}
    return scores
