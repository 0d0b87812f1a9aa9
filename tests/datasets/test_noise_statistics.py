"""2D error synthesis: statistics of the original and a slow version written from its rules."""

import numpy as np
import pytest
import torch

from lib.datasets.noise import human36_noise
from lib.datasets.noise_stats import COCO_ERRORS, HUMAN36_ERRORS
from lib.joints.tables import COCO, HUMAN36
from tests.helpers import assert_close, golden
from tests.support.noisy_poses import PARTNERS, draw

QUANTILES = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])[:, None]
# 272 figures are compared per pose: a threshold of 4.5 standard errors fails by chance once in about 500 seeds
LIMIT = 4.5


@pytest.fixture(scope="module")
def reference():
    return golden("noise")


def assert_same_rate(rate, n, expected, m, what):
    """Rates of two samples of sizes n and m agree within LIMIT standard errors; rates of 0 get a floor of 1/m."""
    rate, expected = np.asarray(rate, float), np.asarray(expected, float)
    pooled = (rate * n + expected * m) / (n + m)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1 / m) * (1 / n + 1 / m))
    worst = np.abs((rate - expected) / error).max()
    assert worst < LIMIT, f"{what}: {worst:.1f} standard errors"


@pytest.mark.parametrize("pose", ["full", "part9", "few5"])
def test_statistics_match_the_original(reference, pose):
    n, m = 20000, int(reference[f"{pose}_n"])
    joints, visible = reference[f"{pose}_in"][:, :2], reference[f"{pose}_in"][:, 2] > 0
    noisy = draw(joints, reference[f"{pose}_area"], n, visible=visible).double().numpy()
    error = noisy - joints
    distance = np.linalg.norm(error, axis=-1)

    mean, std = reference[f"{pose}_mean"], reference[f"{pose}_std"]
    assert (np.abs(error.mean(0) - mean) < LIMIT * std * np.sqrt(1 / n + 1 / m)).all()
    kurtosis = ((error - error.mean(0)) ** 4).mean(0) / error.var(0) ** 2
    assert (np.abs(error.std(0) / std - 1) < LIMIT * np.sqrt((kurtosis - 1) / 4 * (1 / n + 1 / m))).all()
    below = (distance < reference[f"{pose}_rquant"][:, None]).mean(1)
    assert_same_rate(below, n, np.broadcast_to(QUANTILES, below.shape), m, "quantiles of the error")

    d85, d50, _ = reference[f"{pose}_ks_dist"]
    good, jitter, beyond, near_pair = reference[f"{pose}_frac_good_jitter_beyond_nearpair"]
    assert_same_rate((distance < d85).mean(0), n, good, m, "good")
    assert_same_rate(((distance >= d85) & (distance < d50)).mean(0), n, jitter, m, "jitter")
    assert_same_rate((distance >= d50).mean(0), n, beyond, m, "beyond")
    to_partner = (np.linalg.norm(noisy - joints[PARTNERS], axis=-1) < d50).mean(0)
    has_partner = visible[PARTNERS] & (np.arange(17) > 0)
    assert_same_rate(to_partner[has_partner], n, near_pair[has_partner], m, "near the partner")


def test_statistics_match_the_published_table():
    """Second pose, thresholds and shares as measured on the original (standard error of the shares <= 0.0035)."""
    points = [(144, 40), (150, 34), (138, 34), (158, 38), (130, 38), (170, 80), (118, 80), (182, 130),
              (106, 130), (186, 178), (102, 178), (162, 190), (126, 190), (164, 260), (124, 260), (166, 330),
              (122, 330)]  # fmt: skip
    n, joints = 20000, np.array(points, float)
    noisy = draw(joints, 40000, n).double().numpy()
    distance = np.linalg.norm(noisy - joints, axis=-1)
    table = {  # joint: D85, D50, D10, share below D85, between, above D50, above D10, mean, median
        0: (5.929, 12.245, 22.318, 0.878, 0.103, 0.020, 0.000, 3.87, 3.36),
        1: (5.701, 11.774, 21.460, 0.825, 0.149, 0.026, 0.003, 4.09, 3.46),
        5: (18.016, 37.206, 67.813, 0.774, 0.149, 0.076, 0.012, 15.42, 11.59),
        11: (24.401, 50.393, 91.847, 0.643, 0.230, 0.127, 0.009, 25.39, 18.18),
        15: (20.296, 41.916, 76.396, 0.786, 0.119, 0.096, 0.009, 17.44, 12.95),
    }
    for joint, (d85, d50, d10, good, jitter, beyond, far, mean, median) in table.items():
        d = distance[:, joint]
        assert (d < d85).mean() == pytest.approx(good, abs=0.015)
        assert ((d >= d85) & (d < d50)).mean() == pytest.approx(jitter, abs=0.015)
        assert (d >= d50).mean() == pytest.approx(beyond, abs=0.015)
        assert (d > d10).mean() == pytest.approx(far, abs=0.006)
        assert d.mean() == pytest.approx(mean, rel=0.04)
        assert np.median(d) == pytest.approx(median, rel=0.05)
    assert np.abs((noisy - joints).mean((0, 1)) - [0.06, 0.02]).max() < 0.2


def slow_joint(rng, joint, partner, sigma, rates, area):
    """One draw for one joint, straight from the rules: many proposals, reject, choose a type, choose a proposal."""
    d85, d50, d10 = (np.sqrt(-2 * area * (2 * sigma) ** 2 * np.log(level)) for level in (0.85, 0.5, 0.1))

    def proposals(centre, low, high, n):
        angle, radius = rng.uniform(0, 2 * np.pi, n), rng.uniform(low, high, n)
        return centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), radius

    def around(centre, other, low, high, n, limit=None):
        points, radius = proposals(centre, low, high, n)
        return points[np.linalg.norm(points - other, axis=1) > (radius if limit is None else limit)]

    miss = around(joint, partner, d50, d10, 2000, d50)
    other_side = around(partner, joint, d50, d10, 2000, d50)
    miss = np.concatenate([miss, other_side[rng.integers(len(other_side), size=len(other_side) // 4)]])
    kinds = [
        around(joint, partner, d85, d50, 500), miss, around(partner, joint, 0, d50, 500),
        around(joint, partner, 0, d85, 125),
    ]  # fmt: skip
    rates = np.array(rates) * [len(kept) > 0 for kept in kinds]
    kept = kinds[rng.choice(4, p=rates / rates.sum())]
    return kept[rng.integers(len(kept))]


@pytest.mark.parametrize("gap", [0.5, 40.0, 130.0])
def test_fast_synthesis_has_the_law_of_the_slow_one(gap):
    """The left hip for partners at three distances, from almost coincident to far outside the error radii.

    Five visible joints, the class with the most misses and jitter.
    """
    index, area, n, m = COCO.index("L_Hip"), 44800.0, 40000, 1500
    along, across = np.array([0.6, -0.8]), np.array([0.8, 0.6])
    pose = np.random.default_rng(0).uniform(50, 250, (17, 2))
    pose[index + 1] = pose[index] + gap * along
    visible = torch.zeros(17, dtype=torch.bool)
    visible[[0, 1, 2, index, index + 1]] = True
    table = COCO_ERRORS["Hip"]
    rates = [table.jitter[0], table.miss[0], table.inversion, 1 - table.jitter[0] - table.miss[0] - table.inversion]
    rng = np.random.default_rng(1)
    slow = [slow_joint(rng, pose[index], pose[index + 1], table.sigma, rates, area) for _ in range(m)]
    slow = np.stack(slow) - pose[index]
    fast = draw(pose, area, n, seed=2, visible=visible)[:, index].double().numpy() - pose[index]

    def to_joint(e):
        return np.linalg.norm(e, axis=1)

    def to_partner(e):
        return np.linalg.norm(e - gap * along, axis=1)

    for name, feature in (
        ("distance", to_joint),
        ("distance to the partner", to_partner),
        ("distance to the nearer one", lambda e: np.minimum(to_joint(e), to_partner(e))),
        ("distance to the farther one", lambda e: np.maximum(to_joint(e), to_partner(e))),
        ("towards the partner", lambda e: e @ along),
        ("across", lambda e: e @ across),
    ):
        levels = np.quantile(feature(slow), [0.01, 0.05, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])[:, None]
        assert_same_rate((feature(fast) < levels).mean(1), n, (feature(slow) < levels).mean(1), m, name)


def test_gaussian_errors_match_the_original(reference):
    table = reference["h36m_table"]
    for row, name in zip(table, HUMAN36.joints):
        ours = HUMAN36_ERRORS[name]
        assert_close([*ours.mean, *ours.std, ours.probability], row, 1e-12, name)
    n = 20000
    noise = human36_noise(n, torch.Generator().manual_seed(0), (256, 256)).double().numpy()
    hit = noise.any(-1)
    assert np.abs((1 - hit.mean(0)) - reference["h36m_zero_frac"]).max() < 0.01
    assert np.abs((1 - hit.mean(0)) - (1 - table[:, 4])).max() < LIMIT * 0.3 / np.sqrt(n)
    assert ((noise[..., 0] == 0) == (noise[..., 1] == 0)).all()
    for joint, row in enumerate(table):
        errors = noise[hit[:, joint], joint]
        assert np.abs((errors.mean(0) - row[:2]) / row[2:4]).max() < LIMIT / np.sqrt(len(errors))
        assert np.abs(errors.std(0) / row[2:4] - 1).max() < LIMIT / np.sqrt(2 * len(errors))
    assert_close(noise.mean(0), reference["h36m_mean"], 0.03)
    assert_close(noise.std(0), reference["h36m_std"], 0.03)


def test_gaussian_errors_scale_with_the_crop():
    small = human36_noise(50, torch.Generator().manual_seed(0), (256, 256))
    crop = human36_noise(50, torch.Generator().manual_seed(0))
    assert_close(crop, small * torch.tensor([288 / 256, 384 / 256]))
