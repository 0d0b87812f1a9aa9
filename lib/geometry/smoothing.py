"""One-Euro filters for people in films, with the settings of ``demo/run.py --smooth``; and the mean over frames."""

import numpy as np

from lib.geometry.one_euro import OneEuroFilter

# At 30 frames/s and detector noise of 0.6 % of the person's size these take away half of the jitter; joints at rest
# lose 45 % of their error, limbs that swing by a tenth of the person's size once per second gain and lose as much.
MIN_CUTOFF = 1.5  # Hz, of what stands still
SPEED_CUTOFF = 3.0  # Hz, of the speed
BETA_POSE = 20.0  # Hz per (longer side of the person's box / s)
BETA_MESH = 12.0  # Hz per (m / s)


def motion_filter(time: float, values: np.ndarray, beta: float) -> OneEuroFilter:
    """The filter of a signal whose first values, of any shape, are those at a time in seconds.

    Args:
        beta: growth of the cutoff with speed, in the signal's unit: ``BETA_POSE`` or ``BETA_MESH``.
    """
    return OneEuroFilter(time, values, min_cutoff=MIN_CUTOFF, beta=beta, d_cutoff=SPEED_CUTOFF)


def pose_size(pose: np.ndarray) -> float:
    """Longer side of the box of a 2D pose (J, 2), the unit that people's 2D poses are smoothed in."""
    return float(np.ptp(pose, axis=0).max())


def smooth_pose2d(poses: np.ndarray, fps: float = 30.0) -> np.ndarray:
    """2D poses (T, J, 2) of one person in every frame of a clip, pixels, as ``--smooth input`` smooths them.

    The filter knows no later frames; the first one stays as it is.
    """
    size = pose_size(poses[0])
    return _filtered(poses / size, BETA_POSE, fps) * size


def smooth_points(points: np.ndarray, fps: float = 30.0) -> np.ndarray:
    """Points (T, ..., 3) in metres - joints, vertices, a root - as ``--smooth output`` smooths meshes."""
    return _filtered(points, BETA_MESH, fps)


def _filtered(signal: np.ndarray, beta: float, fps: float) -> np.ndarray:
    follow = motion_filter(0.0, signal[0], beta)
    return np.stack([follow.x, *(follow(number / fps, values) for number, values in enumerate(signal[1:], 1))])


def mean_over_frames(values: np.ndarray, frames: int = 9) -> np.ndarray:
    """Values (T, ...) as means over an odd number of frames around each, of a clip.

    Near the ends as many frames as there are on both sides: steady motion stays as it is.

    Raises:
        ValueError: an even number of frames.
    """
    if frames < 1 or frames % 2 == 0:
        raise ValueError(f"a mean over the frames around one takes an odd number of them, got {frames}")
    time = np.arange(len(values))
    reach = np.minimum(np.minimum(time, time[::-1]), frames // 2)
    sums = np.concatenate([np.zeros_like(values[:1], np.float64), np.cumsum(values, axis=0, dtype=np.float64)])
    counts = (2 * reach + 1).reshape(-1, *[1] * (values.ndim - 1))
    return ((sums[time + reach + 1] - sums[time - reach]) / counts).astype(np.result_type(values.dtype, np.float32))
