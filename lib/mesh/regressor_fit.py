"""Fits joint regressors: sparse, non-negative matrices whose rows sum to 1, from meshes and their joints."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from lib.units import MM_PER_M

CANDIDATES = 200  # vertices that are tried per joint
MAX_VERTICES = 32  # that a joint may read in the end
_PRUNE = 1e-3  # weights below are dropped


@dataclass(frozen=True)
class RegressorFit:
    """Result of `fit_regressor`.

    Attributes:
        matrix: (J, V) float32, non-negative, rows sum to 1.
        mean, largest: (J,) distance of regressed to given joints over the meshes, mm.
        used: (J,) vertices that each joint reads.
    """

    matrix: np.ndarray
    mean: np.ndarray
    largest: np.ndarray
    used: np.ndarray


def fit_regressor(
    vertices: np.ndarray, joints: np.ndarray, candidates: int = CANDIDATES, max_vertices: int = MAX_VERTICES
) -> RegressorFit:
    """Fit each joint as a weighted mean of few vertices.

    The vertices that stay nearest to a joint in all meshes are candidates. Non-negative least squares on them, with the
    sum of weights as a further equation, is sparse by itself; then the smallest weights are dropped and the rest fitted
    again, until few enough are left.

    Args:
        vertices: (N, V, 3) meshes, metres.
        joints: (N, J, 3) their joints, metres, the same frame.
        candidates: vertices that are tried per joint.
        max_vertices: most vertices that a joint may read.

    Raises:
        ValueError: wrong shapes, values that are not finite, or limits below 1.
    """
    vertices, joints = np.asarray(vertices), np.asarray(joints)
    check_pairs(vertices, joints)
    if min(candidates, max_vertices) < 1:
        raise ValueError(f"candidates {candidates} and max_vertices {max_vertices} must be at least 1")
    vertices, joints = vertices.astype(np.float64), joints.astype(np.float64)
    matrix = np.zeros((joints.shape[1], vertices.shape[1]))
    for joint, row in enumerate(matrix):
        chosen = _candidates(vertices, joints[:, joint], candidates)
        weights = _sparse_weights(vertices[:, chosen] - joints[:, joint, None], max_vertices)
        row[chosen] = weights
    matrix = matrix.astype(np.float32)
    errors = MM_PER_M * np.linalg.norm(np.einsum("jv,nvc->njc", matrix, vertices, optimize=True) - joints, axis=2)
    return RegressorFit(matrix, errors.mean(axis=0), errors.max(axis=0), (matrix > 0).sum(axis=1))


def check_pairs(vertices: np.ndarray, joints: np.ndarray) -> None:
    """
    Raises:
        ValueError: arrays that are no vertices (N, V, 3) and joints (N, J, 3), or values that are not finite.
    """
    if vertices.ndim != 3 or joints.ndim != 3 or vertices.shape[2] != 3 or joints.shape[2] != 3:
        raise ValueError(f"expected vertices (N, V, 3) and joints (N, J, 3), got {vertices.shape} and {joints.shape}")
    if len(vertices) != len(joints) or not vertices.size or not joints.size:
        raise ValueError(f"{len(vertices)} meshes and {len(joints)} sets of joints do not belong together")
    if vertices.dtype.kind not in "fiu" or joints.dtype.kind not in "fiu":
        raise ValueError(f"expected numbers, got vertices of {vertices.dtype} and joints of {joints.dtype}")
    if not (np.isfinite(vertices).all() and np.isfinite(joints).all()):
        raise ValueError("vertices or joints hold NaN or infinite numbers")


def _candidates(vertices: np.ndarray, joint: np.ndarray, count: int) -> np.ndarray:
    """Numbers of the ``count`` vertices nearest to a joint (N, 3) in all meshes together."""
    distance = np.sqrt(np.square(vertices - joint[:, None]).sum(axis=2).max(axis=0))
    return np.argsort(distance, kind="stable")[:count]


def _sparse_weights(offsets: np.ndarray, limit: int) -> np.ndarray:
    """Weights (C,) >= 0 with sum 1 and at most ``limit`` entries that bring offsets (N, C, 3) nearest to zero."""
    meshes, count, _ = offsets.shape
    rows: np.ndarray = offsets.transpose(0, 2, 1).reshape(3 * meshes, count)
    if len(rows) > count:
        # with many meshes the normal equations have far fewer rows: R of a QR decomposition solves the same problem
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    scale = max(float(np.abs(offsets).max()), 1e-9) * 1e3 * np.sqrt(meshes)
    active = np.arange(count)
    while True:
        system = np.vstack([rows[:, active], np.full(len(active), scale)])
        found, _ = nnls(system, np.append(np.zeros(len(rows)), scale), maxiter=30 * count)
        found /= found.sum()
        kept = np.flatnonzero(found > _PRUNE)
        if len(kept) > limit:  # half of the surplus at a time: the rest takes over the dropped ones' part
            surplus = max((len(kept) - limit) // 2, 1)
            kept = kept[np.argsort(-found[kept], kind="stable")[: len(kept) - surplus]]
        if len(kept) == len(active):
            weights = np.zeros(count)
            weights[active] = found
            return weights
        active = active[np.sort(kept)]
