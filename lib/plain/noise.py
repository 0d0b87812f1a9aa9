"""2D detection errors, joint by joint with lists of candidates (slow reference of ``lib.datasets.noise``)."""

import numpy as np

from lib.datasets.noise_stats import COCO_ERRORS, VISIBLE_LIMITS
from lib.joints.tables import COCO

FEW, MANY, GOOD_DRAWS = 500, 2000, 125


def _ring(rng, centre: np.ndarray, low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) around a centre, uniform in angle and radius, and their radii."""
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = rng.uniform(low, high, count)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=1), radius


def _distance(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.sqrt((points[:, 0] - centre[0]) ** 2 + (points[:, 1] - centre[1]) ** 2)


def _pick(rng, candidates: np.ndarray) -> np.ndarray | None:
    return candidates[rng.randint(len(candidates))] if len(candidates) else None


def _near(rng, centre, other, low, high, count):
    """A candidate around ``centre`` that is nearer to it than to ``other``."""
    points, radius = _ring(rng, centre, low, high, count)
    if other is not None:
        points = points[_distance(points, other) > radius]
    return _pick(rng, points)


def _miss(rng, truth, partner, d50, d10):
    """A candidate far from both sides: around the joint, or (a quarter as often) around its partner."""
    around_joint, _ = _ring(rng, truth, d50, d10, MANY)
    if partner is None:
        return _pick(rng, around_joint)
    around_joint = around_joint[_distance(around_joint, partner) > d50]
    around_partner, _ = _ring(rng, partner, d50, d10, MANY)
    around_partner = around_partner[_distance(around_partner, truth) > d50]
    share = len(around_partner) // 4
    chosen = rng.choice(len(around_partner), share) if share else []
    return _pick(rng, np.concatenate([around_joint, around_partner[chosen]] if share else [around_joint]))


def synthesize_pose(joints: np.ndarray, area: float, rng: np.random.RandomState) -> np.ndarray:
    """(17, 3) COCO joints in crop pixels (third column: visible) to (17, 3) erroneous ones; area in square pixels."""
    partners = dict(COCO.flip_pairs) | {right: left for left, right in COCO.flip_pairs}
    visible_num = int((joints[:, 2] > 0).sum())
    few = sum(visible_num > limit for limit in VISIBLE_LIMITS)
    noisy = joints.copy()
    for j in range(COCO.keypoint_num):
        error = COCO_ERRORS[COCO.joints[j].removeprefix("L_").removeprefix("R_")]
        d85, d50, d10 = (np.sqrt(-2 * area * (2 * error.sigma) ** 2 * np.log(level)) for level in (0.85, 0.5, 0.1))
        truth, partner = noisy[j, :2].copy(), None
        if j in partners and joints[partners[j], 2] > 0:
            partner = noisy[partners[j], :2].copy()

        jitter = _near(rng, truth, partner, d85, d50, FEW)
        miss = _miss(rng, truth, partner, d50, d10)
        inversion = None if partner is None else _near(rng, partner, truth, 0, d50, FEW)
        good = _near(rng, truth, partner, 0, d85, GOOD_DRAWS)

        rates = [error.jitter[few], error.miss[few], error.inversion]
        rates.append(1 - sum(rates))
        candidates = [jitter, miss, inversion, good]
        chances = np.array([0.0 if found is None else rate for rate, found in zip(rates, candidates)])
        if chances.sum() == 0:
            noisy[j] = 0
            continue
        kind = rng.choice(len(chances), p=chances / chances.sum())
        noisy[j] = [*candidates[kind], 1]
    return noisy
