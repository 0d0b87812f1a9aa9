"""One-Euro filter (Casiez et al., CHI 2012) to smooth pose sequences."""

import math

import numpy as np


class OneEuroFilter:
    """Low-pass filter whose cutoff frequency rises with speed: little jitter at rest, little lag in motion.

    Every element of the signal is filtered on its own. Only the last frame is kept, so a stream may be of any length.

    Args:
        t0: time of the first frame, any unit (cutoffs are in cycles per that unit).
        x0: first frame, scalar or array of any shape; returned unfiltered by definition.
        dx0: derivative at the first frame.
        min_cutoff: cutoff at rest; lower values remove more jitter.
        beta: growth of the cutoff with speed; higher values lag less.
        d_cutoff: cutoff of the derivative.
    """

    def __init__(self, t0, x0, dx0=0.0, min_cutoff: float = 1.0, beta: float = 0.0, d_cutoff: float = 1.0):
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.d_cutoff = d_cutoff
        self.t = t0
        self.x = np.array(x0, dtype=np.result_type(np.asarray(x0).dtype, np.float32))
        self.dx = np.broadcast_to(np.asarray(dx0, dtype=self.x.dtype), self.x.shape)

    def __call__(self, t, x) -> np.ndarray:
        """Filter the frame x, of the shape of ``x0``, at time t.

        Raises:
            ValueError: time does not advance, or the shape differs.
        """
        step = t - self.t
        if not step > 0:
            raise ValueError(f"frames must come in order of time: got {t} after {self.t}")
        if np.shape(x) != self.x.shape:
            raise ValueError(f"frame of shape {np.shape(x)}, expected {self.x.shape}")
        # the speed is taken from the last *filtered* frame
        self.dx = _blend(self.d_cutoff, step, (x - self.x) / step, self.dx)
        self.x = _blend(self.min_cutoff + self.beta * np.abs(self.dx), step, x, self.x)
        self.t = t
        return self.x


def smooth_pose(pose: np.ndarray, min_cutoff: float = 0.004, beta: float = 0.7) -> np.ndarray:
    """Smooth a sequence of poses or meshes with `OneEuroFilter` at one frame per unit of time.

    Args:
        pose: (N, ...) frames, any unit; the defaults suit axis-angle and other quantities of order 1.
        min_cutoff, beta: see `OneEuroFilter`; lower both for smoother results.

    Returns:
        New array of the same shape, floating point; the first frame is unchanged.

    Raises:
        ValueError: no frames.
    """
    if len(pose) == 0:
        raise ValueError("cannot smooth a sequence without frames")
    filtered = OneEuroFilter(0, pose[0], min_cutoff=min_cutoff, beta=beta)
    return np.stack([filtered.x, *(filtered(k, frame) for k, frame in enumerate(pose[1:], start=1))])


def _blend(cutoff, step, new, old):
    """First-order low-pass step: weight r / (r + 1) for the new value, with r = 2 pi * cutoff * step."""
    r = 2 * math.pi * cutoff * step
    weight = r / (r + 1)
    return weight * new + (1 - weight) * old
