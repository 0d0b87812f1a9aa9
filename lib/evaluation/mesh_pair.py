"""Predicted and true meshes, compared: each is read from main memory once, whatever is asked about it.

A pair of meshes of 6,890 vertices takes 165 kB: a batch does not fit a core's cache, and passing over it once per
figure would cost more than the figures. On a CPU, meshes (B, V, 3) are therefore copied to planes (B, 4, V) of x, y, z
and ones, a few samples at a time, and everything else that needs the vertices is done on them: joints, moments for the
alignment, distances. Loops over a last axis of three numbers could not use vector instructions. The row of ones makes
one matrix product give sums and second moments, and another one rotation, scale and translation.

Parts of a batch go to threads of this process; arrays of this size are too small for threads inside every operation.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from lib.geometry.procrustes import rotation_and_stretch, scale_of, similarity_from_moments
from lib.mesh.joint_regressor import JointRegressor

_BLOCK = 2**16  # vertices at a time: with all that is computed from them 4 MB
_SHARE = 2**17  # vertices that are worth a thread
_FAR = 10.0  # squared distance from the origin, relative to the variance, from which moments lose digits


def compare(pred: Tensor, target: Tensor, regressor: JointRegressor | None = None, align: bool = False) -> "MeshPair":
    """Two batches of meshes, ready to be asked for joints and distances. Results carry no gradients.

    Args:
        pred, target: (B, V, 3), of any unit; the axes may be side by side in memory or not.
        regressor: of all joints that will be asked for.
        align: distances after alignment will be asked for.
    """
    kind = PlanesPair if pred.device.type == "cpu" else MeshPair
    return kind(pred.detach(), target.detach(), regressor, align)


class MeshPair:
    """Any device, whole batches. See ``compare``."""

    def __init__(self, pred: Tensor, target: Tensor, regressor: JointRegressor | None, align: bool):
        self.align = align
        self._sides = pred.transpose(1, 2), target.transpose(1, 2)
        self._joints: tuple[Tensor, Tensor] | None = None
        if regressor is not None:
            self._row_sums, self._joints = regressor.row_sums, (regressor @ pred, regressor @ target)

    def joints(self, part: slice, about: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Joints of both meshes, (B, J, 3) each.

        Args:
            part: which of the regressor's joints.
            about: two origins (B, 3): the joints of meshes that were moved there. Not the same as moved joints, where
                rows of the regressor do not sum to 1.
        """
        assert self._joints is not None  # a pair without regressor is not asked
        pred, target = (joints[:, part] for joints in self._joints)
        if about is not None:
            sums = self._row_sums[part, None]
            pred, target = (found - sums * origin[:, None] for found, origin in zip((pred, target), about))
        return pred, target

    def distances(self, *shifts: Tensor) -> list[Tensor]:
        """Mean distances of corresponding vertices, (B,) each.

        Args:
            shifts: (B, 3) each, added to ``pred - target``.

        Returns:
            one entry per shift; with ``align`` also the distance after the best similarity of each sample.
        """
        pred, target = self._sides
        found = [_mean_length(pred - target + shift[..., None]) for shift in shifts]
        if self.align:
            mean_p, mean_t = pred.mean(-1, keepdim=True), target.mean(-1, keepdim=True)
            centred = pred - mean_p
            covariance = (centred @ (target - mean_t).transpose(1, 2)).double() / pred.shape[-1]
            rotation, stretch = rotation_and_stretch(covariance)
            scale = scale_of(stretch, centred.square().mean(-1).sum(-1).double())
            turn = (scale[:, None, None] * rotation).to(pred)
            found.append(_mean_length(turn @ centred + mean_t - target))
        return found


class PlanesPair(MeshPair):
    """On a CPU. See ``compare`` and the head of this file."""

    def __init__(self, pred: Tensor, target: Tensor, regressor: JointRegressor | None, align: bool):
        self.align = align
        self._meshes = pred.numpy(), target.numpy()
        dtype, (self._count, self._vertices) = np.result_type(*self._meshes), pred.shape[:2]
        self._block = max(1, _BLOCK // max(self._vertices, 1))
        self._planes = np.empty((2, self._count, 4, self._vertices), dtype)
        self._centres = np.zeros((2, self._count, 3), dtype)  # what has been taken off the planes
        self._moments = np.empty((self._count, 4, 4), dtype)
        self._squares = np.empty(self._count, dtype)
        self._found: np.ndarray | None = None
        self._joints = None
        if regressor is not None:
            regressor.check(pred)
            self._row_sums = regressor.row_sums
            self._numbers, self._weights = regressor.reader()
            self._found = np.empty((2, self._count, 3, self._weights.shape[1]), dtype)
            pred_joints, target_joints = torch.from_numpy(self._found.swapaxes(2, 3))
            self._joints = pred_joints, target_joints
        self._in_parts(self._read)

    def _read(self, low: int, high: int) -> None:
        """Planes, joints and moments of some samples."""
        for start in range(low, high, self._block):
            block = slice(start, min(start + self._block, high))
            for side, mesh in enumerate(self._meshes):
                planes = self._planes[side, block]
                np.copyto(planes[:, :3], mesh[block].swapaxes(1, 2))
                planes[:, 3] = 1
                if self._found is not None:
                    read = np.take(planes.reshape(len(planes), -1), self._numbers, axis=1, mode="clip")
                    np.matmul(read.reshape(len(planes), 3, -1), self._weights, out=self._found[side, block])
            if self.align:
                self._take_moments(block)
        if self.align:
            self._move_far_ones(slice(low, high))

    def _take_moments(self, part: slice) -> None:
        pred, target = self._planes[0, part], self._planes[1, part]
        np.matmul(pred, target.swapaxes(1, 2), out=self._moments[part])
        np.einsum("bcv,bcv->b", pred[:, :3], pred[:, :3], out=self._squares[part])

    def _move_far_ones(self, part: slice) -> None:
        """Far from the origin, variances are small differences of large numbers: there, start from the means."""
        means = np.stack([self._moments[part, :3, 3], self._moments[part, 3, :3]]) / self._vertices
        distances = np.square(means).sum(-1)
        variance = self._squares[part] / self._vertices - distances[0]
        if not (distances > _FAR * variance).any():
            return
        self._centres[:, part] = means
        self._planes[:, part, :3] -= means[..., None]
        self._take_moments(part)

    def distances(self, *shifts: Tensor) -> list[Tensor]:
        moved = [shift.detach().numpy() + self._centres[0] - self._centres[1] for shift in shifts]
        sums = np.empty((len(shifts) + self.align, self._count), self._planes.dtype)

        def measure(low: int, high: int) -> None:
            self._measure(low, high, moved, sums)

        self._in_parts(measure)
        return list(torch.from_numpy(sums / self._vertices))

    def _measure(self, low: int, high: int, shifts: list[np.ndarray], sums: np.ndarray) -> None:
        """Sums of lengths of some samples into ``sums`` (distances, B)."""
        differences = np.empty((self._block, 3, self._vertices), self._planes.dtype)
        lengths = np.empty((self._block, self._vertices), self._planes.dtype)
        steps = [shift - before for shift, before in zip(shifts, [0, *shifts])]
        if self.align:
            part = slice(low, high)
            turns = similarity_from_moments(self._moments[part], self._squares[part]).astype(self._planes.dtype)
        for start in range(low, high, self._block):
            block = slice(start, min(start + self._block, high))
            pred, target = self._planes[0, block], self._planes[1, block, :3]
            apart, length = differences[: len(pred)], lengths[: len(pred)]
            if steps:
                np.subtract(pred[:, :3], target, out=apart)
            for step, found in zip(steps, sums):
                np.add(apart, step[block, :, None], out=apart)
                _sum_of_lengths(apart, length, found[block])
            if self.align:
                np.matmul(turns[start - low : start - low + len(pred)], pred, out=apart)
                np.subtract(apart, target, out=apart)
                _sum_of_lengths(apart, length, sums[-1, block])

    def _in_parts(self, work: Callable[[int, int], None]) -> None:
        """Call ``work(low, high)`` for parts of the batch at the same time."""
        parts = max(1, min(torch.get_num_threads(), self._count * self._vertices // _SHARE))
        bounds = [self._count * part // parts for part in range(parts + 1)]
        if parts == 1:
            work(0, self._count)
            return
        with ThreadPoolExecutor(parts - 1) as pool:
            others = [pool.submit(work, *pair) for pair in itertools.pairwise(bounds[1:])]
            work(*bounds[:2])
            for other in others:
                other.result()


def _sum_of_lengths(planes: np.ndarray, lengths: np.ndarray, sums: np.ndarray) -> None:
    np.einsum("bcv,bcv->bv", planes, planes, out=lengths)
    np.sqrt(lengths, out=lengths)
    np.add.reduce(lengths, axis=-1, out=sums)


def _mean_length(planes: Tensor) -> Tensor:
    """Mean length (B,) of the vectors in planes (B, 3, N)."""
    return planes.square().sum(1).sqrt().mean(-1)
