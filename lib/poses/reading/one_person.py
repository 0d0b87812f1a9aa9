"""Whether poses in a row are frames of one person or the people of one picture."""

import numpy as np

_SHARED = 0.25  # of a person's size: consecutive poses as near are one person's in consecutive frames


def is_one_person(poses: np.ndarray) -> bool:
    """N poses (N, J, C) where each is nearly where the one before was: people of one picture stand apart."""
    points = poses[..., :2].astype(np.float64)
    known = points[np.any(np.all(np.isfinite(points), axis=2), axis=1)]
    if len(points) < 2 or not len(known):
        return False
    with np.errstate(invalid="ignore"):
        size = np.nanmax(np.nanmax(known, axis=1) - np.nanmin(known, axis=1))
        moved = np.linalg.norm(np.diff(points, axis=0), axis=2)
    seen = np.isfinite(moved).any(axis=1)
    return bool(seen.any()) and bool(np.nanmax(np.nanmean(moved[seen], axis=1)) < _SHARED * size)
