"""What all evaluators share: figures and their protocol, one number per sample, groups, the printed lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lib.evaluation.metrics import MetricAccumulator
from lib.runtime import distributed

START = "Evaluation start..."  # the original's line before published figures
_JOINTS = "errors of joints"  # name of what is kept of them


@dataclass(frozen=True)
class Figure:
    """One reported number.

    Attributes:
        name: key in ``metrics.json`` and ``metrics.csv``.
        protocol: how it is measured, in words.
        unit: ``mm``; ``mm/frame``; ``mm/frame^2``; ``%``; empty for shares from 0 to 1.
        line: printed line with one ``%`` place, as the original release prints it; empty: of this project's own form.
        per_group: print the value of each group below.
        over_groups: the mean of group means instead of the mean over all samples.
        over_known: the mean over the samples that have a value, as not all do.
    """

    name: str
    protocol: str
    unit: str = "mm"
    line: str = ""
    per_group: bool = False
    over_groups: bool = False
    over_known: bool = False

    def text(self, value: float) -> str:
        """The printed line or lines."""
        if self.line:
            return self.line % value
        unit, digits = (f" ({self.unit})", 2) if self.unit else ("", 3)
        return f"{self.name}{unit} >> tot: {value:.{digits}f}"


@dataclass(frozen=True)
class JointErrors:
    """Errors of single joints, whose mean is a figure.

    Attributes:
        figure: its name.
        names: (J,) of the joints.
        values: (N, J) float32 mm.
    """

    figure: str
    names: tuple[str, ...]
    values: np.ndarray

    @property
    def means(self) -> dict[str, float]:
        """Joint -> mean over the samples, mm."""
        return dict(zip(self.names, self.values.mean(axis=0, dtype=np.float64).tolist()))


@dataclass(frozen=True)
class Groups:
    """A partition of the samples.

    Attributes:
        kind: what a group is, e.g. ``action``.
        names: (M,) group names.
        index: (N,) group of each sample.
    """

    kind: str
    names: tuple[str, ...]
    index: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(M,) samples of each group."""
        return np.bincount(self.index, minlength=len(self.names))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean of each group: (N,), NaN where a sample has no value -> (M,), NaN for groups without any."""
        known = np.isfinite(values)
        sums = np.bincount(self.index[known], values[known], minlength=len(self.names))
        counts = np.bincount(self.index[known], minlength=len(self.names))
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


class GrowingArray:
    """Rows that come block by block, side by side in memory.

    Thousands of small tensors would do as well, but each would pin the freed memory of large ones around it.
    """

    def __init__(self) -> None:
        self._buffer: np.ndarray | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, block: np.ndarray) -> None:
        """Add rows (B, ...)."""
        end = self._length + len(block)
        if self._buffer is None or end > len(self._buffer):
            grown = np.empty((max(2 * end, 1024), *block.shape[1:]), block.dtype)
            grown[: self._length] = self.rows() if self._length else 0
            self._buffer = grown
        self._buffer[self._length : end] = block
        self._length = end

    def rows(self) -> np.ndarray:
        """(N, ...) all rows so far, as a view."""
        assert self._buffer is not None  # there is a first block
        return self._buffer[: self._length]


class SampleTable:
    """One number per sample and metric, and further arrays of samples where an evaluation needs them to the end.

    All that an evaluator keeps of samples is here, so that processes can share a test.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._indices = GrowingArray()
        self._values = GrowingArray()
        self._further: dict[str, GrowingArray] = {}

    def __len__(self) -> int:
        return len(self._indices)

    def add(self, errors: dict[str, torch.Tensor], indices: np.ndarray) -> None:
        """Metric -> (B,) errors of the samples ``indices`` (B,); the same metrics every time."""
        if errors:
            self._names = tuple(errors)
            # one transfer from the device for all metrics
            self._values.append(torch.stack([values.double() for values in errors.values()], dim=1).cpu().numpy())
        self._indices.append(np.asarray(indices))

    def keep(self, name: str, rows: torch.Tensor) -> None:
        """Keep (B, ...) of the samples that ``add`` gets too, as an array under a name."""
        self._further.setdefault(name, GrowingArray()).append(rows.cpu().numpy())

    def kept(self, name: str) -> np.ndarray | None:
        """(N, ...) in the order of sample indices; None where nothing was kept."""
        return self._further[name].rows()[self.order] if name in self._further else None

    def take(self, tables: "Sequence[SampleTable]") -> None:
        """Add what other tables hold; each of them has other samples."""
        for other in tables:
            if len(other):
                self._names = other._names
                self._indices.append(other._indices.rows())
                if len(other._values):
                    self._values.append(other._values.rows())
                for name, array in other._further.items():
                    self._further.setdefault(name, GrowingArray()).append(array.rows())

    @property
    def order(self) -> np.ndarray:
        """(N,) rows in the order of sample indices.

        Raises:
            ValueError: a sample is missing or came twice.
        """
        indices = self._indices.rows()
        order = np.argsort(indices, kind="stable")
        if not np.array_equal(indices[order], np.arange(len(indices))):
            raise ValueError("every sample must be evaluated once: some are missing or came twice")
        return order

    def columns(self) -> dict[str, np.ndarray]:
        """Metric -> (N,) float64 in the order of sample indices; see ``order``."""
        if not self._names:
            return {}
        values = self._values.rows()[self.order]
        return {name: values[:, column] for column, name in enumerate(self._names)}


class Evaluator:
    """Base of all evaluators: batches in, figures out, nothing but numbers per sample kept.

    Args:
        figures: what is reported, in order.
        full: compute the figures; False only those of the log line after each epoch.
        groups: partition of the samples, reported beside the total.

    Attributes:
        start: line printed before the figures.
        setting: which samples these are and what holds for all figures, in words.
        metrics: running errors of the log line, ``MPJPE`` and ``MPVPE``.
        printed: figures with a printed line of their own: all, unless a sub-class prints some together.
        optional: predictions that some figures need and others do without: name -> number of points.
    """

    start = ""
    setting = ""

    def __init__(self, figures: tuple[Figure, ...], full: bool = True, groups: Groups | None = None):
        self.figures = self.printed = figures
        self.full = full
        self.groups = groups
        self.metrics = MetricAccumulator()
        self.samples = SampleTable()
        self.optional: dict[str, int] = {}
        self._joints: tuple[str, tuple[str, ...]] = ("", ())

    def described(self, setting: str, start: str = START) -> "Evaluator":
        """This evaluator, with a ``setting`` and a ``start``."""
        self.setting, self.start = setting, start
        return self

    def protocols(self) -> list[str]:
        """One line per figure that says how it is measured."""
        return [f"{figure.name}: {figure.protocol}" for figure in self.printed]

    def next_indices(self, count: int, indices) -> np.ndarray:
        """The samples of a batch: those given, or the ones that follow."""
        return np.arange(len(self.samples), len(self.samples) + count) if indices is None else np.asarray(indices)

    def keep_joints(self, figure: str, names: Sequence[str], errors: torch.Tensor) -> None:
        """Keep errors (B, J) of single joints, mm, whose mean over J is a figure, of the samples added with it."""
        self._joints = figure, tuple(names)
        self.samples.keep(_JOINTS, errors.float())

    @property
    def joint_errors(self) -> JointErrors | None:
        """Errors of single joints; None where none are scored."""
        values = self.samples.kept(_JOINTS)
        return None if values is None else JointErrors(*self._joints, values)

    def placed(
        self, pred: torch.Tensor, target: torch.Tensor, indices: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Predictions and truth as the figures compare them, point by point.

        Args:
            pred, target: (B, n, 3) mm joints (``LiftEvaluator``) or meshes, as a stage predicts them.
            indices: (B,) sample numbers.

        Returns:
            (B, n, 3) mm each; None where the truth is not known.
        """
        raise NotImplementedError

    def gather(self) -> None:
        """Bring what all processes have evaluated to the first one; each of them must call it.

        Process r of n has had the batches r, r + n, ... of the test.
        """
        shares = distributed.gather((self.metrics.batch_means(), self.samples))
        if shares is not None and len(shares) > 1:
            means, tables = zip(*shares)
            self.metrics.take(means)
            self.samples.take(tables[1:])

    def log_errors(self) -> tuple[float, float | None]:
        """Joint and surface error of the log line: means of batch means, as released. None without a mesh."""
        surface = self.metrics.mean_of_batch_means("MPVPE") if self.metrics.count("MPVPE") else None
        return self.metrics.mean_of_batch_means("MPJPE"), surface

    def columns(self) -> dict[str, np.ndarray]:
        """Figure name -> (N,) per-sample values, NaN where a sample has none."""
        return self.samples.columns()

    def results(self) -> dict[str, tuple[float, np.ndarray | None]]:
        """Figure name -> value over the data set, and values of the groups (M,) or None."""
        columns = self.columns()
        found = {}
        for figure in self.figures:
            if figure.name not in columns:
                continue
            values = columns[figure.name]
            groups = self.groups.means(values) if self.groups else None
            counted = groups if figure.over_groups and groups is not None else values
            if figure.over_groups or figure.over_known:
                counted = counted[np.isfinite(counted)]
            found[figure.name] = (float(counted.mean()) if len(counted) else np.nan, groups)
        return found

    def lines(self, results: dict[str, tuple[float, np.ndarray | None]]) -> list[str]:
        """The printed summary of ``results()``."""
        lines = [self.start] if self.start else []
        for figure in self.printed:
            if figure.name not in results:
                continue
            total, groups = results[figure.name]
            lines.append(figure.text(total))
            if figure.per_group:
                assert self.groups is not None  # such figures come with groups
                assert groups is not None
                lines.append("".join(f"{name}: {value:.2f} " for name, value in zip(self.groups.names, groups)))
        return lines
