"""Errors of pose sequences: several videos of different length at once."""

import numpy as np
import torch

from lib.evaluation.metrics import mpjpe, pa_mpjpe
from lib.geometry.one_euro import smooth_pose

# One-Euro filter of the published 3DPW evaluation, millimetres and frames
MIN_CUTOFF, BETA = 0.004, 0.005


def accel_error(difference: np.ndarray) -> np.ndarray:
    """Norm of the second difference, mean over joints.

    ``difference`` of prediction and truth in consecutive frames, (T, J, 3) mm -> (T - 2,) mm per frame squared.
    """
    return np.linalg.norm(difference[:-2] - 2 * difference[1:-1] + difference[2:], axis=-1).mean(-1)


class Videos:
    """Which rows of a table are which video; a video's frames are its rows in the order of the table.

    Args:
        index: (N,) number of each row's video.
    """

    def __init__(self, index: np.ndarray):
        _, self._video, counts = np.unique(index, return_inverse=True, return_counts=True)
        self._counts = counts
        self._order = np.argsort(self._video, kind="stable")
        starts = np.cumsum(counts) - counts
        self._frame = np.arange(len(index)) - np.repeat(starts, counts)

    def acceleration_error(self, pred: np.ndarray, target: np.ndarray) -> np.ndarray:
        """`accel_error` of each frame.

        Args:
            pred, target: (N, J, 3) mm.

        Returns:
            (N,) mm per frame squared at the middle one of three frames; NaN at the first and last frame of a video.
        """
        difference = (pred - target)[self._order].astype(np.float64)
        errors = np.full(len(difference), np.nan)
        inside = (self._video[self._order][2:] == self._video[self._order][:-2]).nonzero()[0]
        errors[self._order[inside + 1]] = accel_error(difference)[inside]
        return errors

    def steps(self, values: np.ndarray) -> np.ndarray:
        """Change of (N, ...) since the frame before, float64; NaN at the first frame of a video."""
        ordered, video = values[self._order].astype(np.float64), self._video[self._order]
        steps = np.full(values.shape, np.nan)
        inside = (video[1:] == video[:-1]).nonzero()[0] + 1
        steps[self._order[inside]] = ordered[inside] - ordered[inside - 1]
        return steps

    def smooth(self, poses: np.ndarray, min_cutoff: float = MIN_CUTOFF, beta: float = BETA) -> np.ndarray:
        """One-Euro filter along each video: (N, ...) -> (N, ...)."""
        rows, videos = self._order, self._video[self._order]
        # The filter works element by element: all videos run side by side, short ones repeat their last frame.
        last = np.cumsum(self._counts) - 1
        grid = np.broadcast_to(rows[last], (self._counts.max(), len(self._counts))).copy()
        grid[self._frame, videos] = rows
        smoothed = smooth_pose(poses[grid], min_cutoff, beta)
        result = np.empty_like(poses, dtype=smoothed.dtype)
        result[rows] = smoothed[self._frame, videos]
        return result


def smoothed_errors(videos: Videos, pred: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Errors of each frame after One-Euro smoothing of the prediction.

    Args:
        pred, target: (N, J, 3) mm, root-aligned, only the joints that are scored.

    Returns:
        ``smoothed MPJPE``, ``smoothed PA-MPJPE``, ``smoothed acceleration error``: (N,), see
        ``Videos.acceleration_error`` for the last.
    """
    smoothed = videos.smooth(pred)
    a, b = torch.from_numpy(np.ascontiguousarray(smoothed)), torch.from_numpy(target).to(torch.float32)
    a = a.to(torch.float32)
    return {
        "smoothed MPJPE": mpjpe(a, b).double().numpy(),
        "smoothed PA-MPJPE": pa_mpjpe(a, b).double().numpy(),
        "smoothed acceleration error": videos.acceleration_error(smoothed, target),
    }


def compute_error_accel(joints_gt: np.ndarray, joints_pred: np.ndarray, vis: np.ndarray | None = None) -> np.ndarray:
    """Acceleration error of a sequence, under the original release's name.

    Args:
        joints_gt, joints_pred: (N, J, 3) consecutive frames, mm.
        vis: (N,) bool; windows of three frames that hold an invisible one are left out.

    Returns:
        (N - 2,) mm per frame squared, or fewer with ``vis``.
    """
    errors = accel_error(np.subtract(joints_pred, joints_gt))
    vis = np.ones(len(joints_pred), dtype=bool) if vis is None else np.asarray(vis, dtype=bool)
    return errors[vis[:-2] & vis[1:-1] & vis[2:]]
