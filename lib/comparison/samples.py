"""Samples of a comparison: which ones are shown, and what was given, true and predicted of them."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.comparison.results import Result
from lib.core.tester import Options, Tester
from lib.evaluation.predictions import Predictions
from lib.settings.config import Config
from lib.units import MM_PER_M

_APART = 200  # neighbours in time look alike: no two chosen samples within this fraction of a data set


@dataclass(frozen=True)
class Sample:
    """One sample with what results say of it.

    Attributes:
        number: in the data set.
        pose2d: (J, 2) without unit, x right, y down.
        truth: (n, 3) mm joints or vertices, as the figures compare them.
        found: of each result, its (n, 3) mm moved onto the truth as the figures have it; None without predictions.
    """

    number: int
    pose2d: np.ndarray
    truth: np.ndarray
    found: tuple[np.ndarray | None, ...]


class SampleSource:
    """Reads samples of a test set and their saved predictions.

    Args:
        results: at least one of them with predictions.
        cfg: settings of the test.
        options: of the test.

    Attributes:
        joint_set: of the 2D poses.
        faces: (F, 3) of meshes; None of poses.
        names: (N,) image names; None where the data set has none.

    Raises:
        ValueError, FileNotFoundError: no data set, or predictions of another one.
    """

    def __init__(self, results: Sequence[Result], cfg: Config, options: Options):
        with contextlib.redirect_stdout(io.StringIO()):
            self._tester = Tester(cfg, options)
        dataset, self.joint_set = self._tester.dataset, self._tester.stage.joint_set
        self._evaluator = self._tester.stage.evaluator(dataset, full=True)
        self._array: str
        self._array, points = next(iter(self._tester.stage.evaluated.items()))
        self.faces = dataset.mesh_model.faces if self._array == "mesh" else None
        self._arrays = [self._read(result, points) for result in results]
        records = dataset.records
        self.names = np.asarray(records["image"]) if records is not None and "image" in records else None

    def _read(self, result: Result, points: int) -> np.ndarray | None:
        if result.predictions is None:
            return None
        array = Predictions(result.predictions).arrays.get(self._array)
        shape = (len(self._tester.dataset), points, 3)
        if array is None or array.shape != shape:
            found = "no such array" if array is None else str(array.shape)
            raise ValueError(f"{result.predictions}: expected {self._array} {shape} to draw, found {found}")
        return array

    def __getitem__(self, number: int) -> Sample | None:
        """A sample; None where its truth is not known."""
        batch_number, row = divmod(number, self._tester.loader.batch_size)
        batch = self._tester.loader.batch(batch_number)
        targets, index = batch.targets, np.array([number])
        true = MM_PER_M * targets["mesh"] if self._array == "mesh" else targets["lift_pose3d"]
        truth: np.ndarray | None = None
        found: list[np.ndarray | None] = []
        for array in self._arrays:
            if array is None:
                found.append(None)
                continue
            pred = torch.from_numpy(np.array(array[index], dtype=np.float32))
            placed = self._evaluator.placed(pred, true[row : row + 1], index)
            if placed is None or not np.isfinite(array[number]).all():
                return None
            found.append(placed[0][0].numpy())
            truth = placed[1][0].numpy()
        return None if truth is None else Sample(number, batch.inputs["pose2d"][row].numpy(), truth, tuple(found))


def chosen_samples(results: Sequence[Result], figure: str, count: int) -> dict[str, list[int]]:
    """Which samples are shown: of each result the worst, where two differ most, and median ones of the first.

    Args:
        results: with ``errors`` of the figure.
        figure: that decides; of scores the smallest are the worst.
        count: samples of each kind; neighbours (within half a percent of the data set) stand for each other.

    Returns:
        title -> numbers of samples.
    """
    sign = -1.0 if results[0].figures[figure].larger_is_better else 1.0
    errors = [sign * result.errors[figure] for result in results]
    chosen = {f"worst of {result.name}": _first(-own, count) for result, own in zip(results, errors)}
    for result, own in zip(results[1:], errors[1:]):
        if not np.array_equal(own, errors[0], equal_nan=True):
            title = f"largest difference of {results[0].name} and {result.name}"
            chosen[title] = _first(-np.abs(own - errors[0]), count)
    median = np.abs(errors[0] - np.nanmedian(errors[0]))
    return {**chosen, f"median of {results[0].name}": _first(median, count)}


def _first(order_by: np.ndarray, count: int) -> list[int]:
    """Samples with the smallest values, in this order, none close to another."""
    order = np.argsort(order_by, kind="stable")
    order = order[np.isfinite(order_by[order])]
    apart = len(order_by) // _APART
    found: list[int] = []
    for number in order.tolist():
        if len(found) == count:
            break
        if all(abs(number - other) > apart for other in found):
            found.append(number)
    return found
