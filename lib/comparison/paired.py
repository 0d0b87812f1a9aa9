"""Statistics of two results over the same samples."""

from dataclasses import dataclass

import numpy as np

_RESAMPLES = 2000
_CHUNK = 1 << 22  # draws at a time


@dataclass(frozen=True)
class Paired:
    """Differences of a figure, other minus first, over the samples that both have.

    Attributes:
        mean: of the differences.
        low, high: ends of the 95 % interval of that mean, by the percentile bootstrap.
        better: share of samples in which the other one is better, from 0 to 1.
        worse: share in which it is worse.
        samples: number of them.
        units: number of what was drawn for the bootstrap: samples, or groups of them.
    """

    mean: float
    low: float
    high: float
    better: float
    worse: float
    samples: int
    units: int


def paired(
    first: np.ndarray, other: np.ndarray, larger_is_better: bool = False, clusters: np.ndarray | None = None
) -> Paired | None:
    """Compare two results sample by sample.

    Frames of a video are alike: with ``clusters`` whole groups are drawn for the interval, which is wider and right.

    Args:
        first, other: (N,) values; samples without one (NaN) in either are left out.
        larger_is_better: of the figure.
        clusters: (N,) group of each sample; None: each stands alone.

    Returns:
        the statistics; None where no sample is left.
    """
    known = np.isfinite(first) & np.isfinite(other)
    difference = (other[known].astype(np.float64) - first[known]).ravel()
    if not len(difference):
        return None
    sums: np.ndarray = difference
    counts: np.ndarray = np.ones(len(difference))
    if clusters is not None:
        _, index = np.unique(clusters[known], return_inverse=True)
        sums, counts = np.bincount(index, difference), np.bincount(index).astype(np.float64)
    means = _resampled_means(sums, counts)
    low, high = np.percentile(means, [2.5, 97.5])
    gain = difference if larger_is_better else -difference
    shares = float((gain > 0).mean()), float((gain < 0).mean())
    return Paired(float(difference.mean()), float(low), float(high), *shares, len(difference), len(sums))


def _resampled_means(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(_RESAMPLES,) means of groups drawn with replacement, given their sums and sizes (M,); the same every time."""
    rng = np.random.default_rng(0)
    rounds = max(_CHUNK // len(sums), 1)
    means = []
    for start in range(0, _RESAMPLES, rounds):
        drawn = rng.integers(len(sums), size=(min(rounds, _RESAMPLES - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)
