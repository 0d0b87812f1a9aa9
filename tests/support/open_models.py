"""Shipped arrays of the open models, and random poses for them."""

import numpy as np

from tests.helpers import ROOT

FLIP_X = np.array([-1.0, 1, 1])


def shipped_arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of ``asset/open_body/<name>.npz``."""
    with np.load(ROOT / "asset/open_body" / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def random_pose(joint_num: int, batch: int, seed: int = 0, scale: float = 0.5):
    """Axis-angles (batch, 3 * joint_num) in radians and betas (batch, 10)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, 3 * joint_num)) * scale, rng.normal(size=(batch, 10))
