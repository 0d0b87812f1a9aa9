"""What MoveNet's models return: y, x and score in fractions of the image."""

import numpy as np

_JOINTS = 17
_ROW = 3 * _JOINTS + 5  # joints, box and score of one of six people in MoveNet MultiPose
_MOST = 2.0  # of fractions of an image, and of scores
_LEAST = 0.1  # score of a person of MultiPose; it always returns six


def of_movenet(values) -> np.ndarray | None:
    """(T, N, 17, 3) x, y, score of the outputs (1, 1, 17, 3) or (1, 6, 56) of T frames, people that are not there NaN;
    None for anything else."""
    try:
        output: np.ndarray = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    people: np.ndarray
    if output.shape[-3:] == (1, _JOINTS, 3) and output.ndim in (4, 5) and output.shape[-4] == 1:
        people = output.reshape(-1, 1, _JOINTS, 3)
    elif output.shape[-2:] == (6, _ROW) and output.ndim in (3, 4):
        rows = output.reshape(-1, 6, _ROW)
        people = np.where(rows[..., -1:, None] < _LEAST, np.nan, rows[..., : 3 * _JOINTS].reshape(-1, 6, _JOINTS, 3))
    else:
        return None
    seen = people[np.isfinite(people)]
    if not len(seen) or np.abs(seen).max() > _MOST:
        return None
    there = np.isfinite(people).any(axis=(0, 2, 3))
    return people[:, there][..., [1, 0, 2]]
