"""Batches of indices and the loop over them: the same order and random numbers for any number of workers."""

import copy
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from lib.datasets.batch import Batch
from lib.datasets.mixing import MultipleDatasets
from lib.datasets.pose_dataset import PoseDataset, stream
from lib.runtime import distributed

MAX_SEED = 2**62  # of the errors that a GPU draws
MIXING = 0  # key of the stream that mixes data sets, beside seed and epoch
STREAM = 0  # key of the batches' streams, between epoch and number

Step = list[tuple[int, np.ndarray]]  # numbers and indices of the batches that one step takes together: one, rarely two


def index_batches(
    length: int, batch_size: int, shuffle: bool, keys: tuple[int, ...], join_single: bool = False
) -> list[np.ndarray]:
    """All indices cut into batches.

    Args:
        join_single: a last batch of one sample joins the one before it, as training needs: batch normalisation cannot
            work on a single sample.
        keys: random stream of the shuffle, e.g. (seed, epoch).

    Raises:
        ValueError: empty data set.
    """
    if length == 0:
        raise ValueError(
            "the data set is empty: no sample passed its filters (see data/README.md for the expected files)"
        )
    order = np.arange(length)
    if shuffle:
        order = torch.randperm(length, generator=stream(*keys)).numpy()
    batches = [order[i : i + batch_size] for i in range(0, length, batch_size)]
    if join_single and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


class _Batches(TorchDataset):
    """Keys of its random streams and a step -> batches (or their rows and seeds, when a GPU does the rest).

    A step may have several. Both come from the main process, so that loading processes hold nothing that grows with the
    data set and live on from one epoch to the next.
    """

    def __init__(self, dataset: PoseDataset | MultipleDatasets, rows_only: bool):
        self.dataset, self.rows_only = dataset, rows_only

    def __getitem__(self, step: tuple[tuple[int, ...], Step]):
        keys, parts = step
        try:
            return [self.made((*keys, number), indices) for number, indices in parts]
        except ValueError as error:
            return error  # raised by the main process; from a loading process torch would wrap it in a traceback

    def made(self, keys: tuple[int, ...], indices: np.ndarray):
        generator = stream(*keys)
        rows: Any = self.dataset.rows(indices, generator)  # each kind of data set finishes its own
        if self.rows_only:
            return rows, int(torch.randint(MAX_SEED, (), generator=generator))
        return self.dataset.finish(rows, generator)


class _Order:
    """The sampler: what ``_Batches`` takes, of one epoch."""

    def __init__(self) -> None:
        self.steps: list[tuple[tuple[int, ...], Step]] = []

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Step]]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)


def available_cores() -> int:
    """Processor cores that this process may use; published settings ask for 16 loading processes on any machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BatchLoader:
    """Iterates over a data set's batches, one epoch at a time.

    Args:
        dataset: data set, or several mixed.
        batch_size: samples per batch, over all processes; mixed sets round it to a multiple of their number.
        shuffle: draw a new order each epoch.
        join_single: see ``index_batches``.
        workers: loading processes, at most as many as there are cores for each process of the job on this machine; 0
            computes batches in this one. They start in the first epoch and stay until the loader goes.
        seed: base of the random streams; batches depend on (seed, epoch, number) only. Each process therefore draws
            whole batches, as samples may depend on their neighbours, and takes its share of them.
        device: where batches are wanted. On a GPU the body layer and all that follows run there, and it draws the 2D
            errors, so that they are others than on a CPU. Rows reach it through pinned memory, while it computes.
        rank, world_size: this process's share of every batch; shares differ by one sample at most. A last batch of less
            than two samples for each process joins the one before it.
        whole: share out batches instead of samples: this process gets number rank, rank + world_size, ... of them.

    Raises:
        ValueError: a batch size that cannot be shared among the processes or the mixed data sets.
    """

    def __init__(
        self, dataset, batch_size, *, shuffle=False, join_single=False, workers=0, seed=0, device="cpu", rank=0,
        world_size=1, whole=False,
    ):  # fmt: skip
        if batch_size < 1:
            raise ValueError(f"batch size must be at least 1, got {batch_size}")
        sharers = 1 if whole else world_size
        if batch_size % sharers:
            raise ValueError(f"batch size {batch_size} cannot be divided among {world_size} processes")
        self.mixed = isinstance(dataset, MultipleDatasets)
        self.batch_size = dataset.batch_size(batch_size) if self.mixed else batch_size
        if sharers > 1 and self.batch_size < 2 * sharers:
            raise ValueError(f"batch size {batch_size} leaves less than two samples to each of {world_size} processes")
        self.dataset, self.shuffle = dataset, shuffle
        self.join_single = join_single
        self.workers, self.seed, self.device = workers, seed, torch.device(device)
        self.rank, self.world_size, self.whole = rank, world_size, whole
        self.rows_only, self._order = self.device.type != "cpu", _Order()

    def undivided(self) -> "BatchLoader":
        """The same batches, not shared out."""
        other = copy.copy(self)
        other.rank, other.world_size = 0, 1
        other._order = _Order()
        for made in ("_length", "_loader"):
            other.__dict__.pop(made, None)
        return other

    def _steps(self, epoch: int, shuffle: bool) -> list[Step]:
        batches = index_batches(len(self.dataset), self.batch_size, shuffle, (self.seed, epoch), self.join_single)
        if self.mixed:
            drawn = self.dataset.draw(np.concatenate(batches), stream(self.seed, epoch, MIXING))
            batches = np.split(drawn, np.cumsum([len(batch) for batch in batches])[:-1])
        steps = [[batch] for batch in enumerate(batches)]
        if self.whole:
            return steps[self.rank :: self.world_size]
        if self.world_size == 1:
            return steps
        # all processes must make the same number of steps, and batch normalisation needs two samples in each
        if len(steps) > 1 and len(batches[-1]) < 2 * self.world_size:
            steps[-2:] = [steps[-2] + steps[-1]]
        last = sum(len(indices) for _, indices in steps[-1])
        if last < 2 * self.world_size:
            raise ValueError(f"{last} samples are less than two for each of {self.world_size} processes")
        return steps

    def batches(self) -> int:
        """Number of batches of all processes together, where they are shared out whole."""
        return len(self.undivided())

    @cached_property
    def _length(self) -> int:
        return len(self._steps(0, shuffle=False))

    def __len__(self) -> int:
        return self._length

    @cached_property
    def _loader(self) -> DataLoader:
        workers = min(self.workers, len(self), max(1, available_cores() // distributed.local_world_size()))
        return DataLoader(
            _Batches(self.dataset, self.rows_only),
            batch_size=None,
            sampler=self._order,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),
        )

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch on the device; ends an epoch that was left before its end."""
        # one draw per epoch of the random numbers that a checkpoint keeps, as a loader of this epoch alone makes:
        # dropout must not depend on when loading processes started
        torch.empty((), dtype=torch.int64).random_()
        keys = (self.seed, epoch, STREAM)
        self._order.steps = [(keys, step) for step in self._steps(epoch, self.shuffle)]
        generator = torch.Generator(self.device)
        for items in self._loader:
            if isinstance(items, ValueError):
                del self._loader  # its processes end now; the garbage collector would wait five seconds for each
                raise items
            if self.rows_only:
                items = [self.dataset.finish(rows, generator.manual_seed(seed), self.device) for rows, seed in items]
            yield self._share(items[0] if len(items) == 1 else Batch.joined(items))

    def batch(self, number: int) -> Batch:
        """One batch of epoch 0, as ``epoch`` yields it on a CPU; of a single data set, not shared out."""
        batches = dict(self._steps(0, self.shuffle)[number])
        return _Batches(self.dataset, rows_only=False).made((self.seed, 0, STREAM, number), batches[number])

    def _share(self, batch: Batch) -> Batch:
        if self.whole or self.world_size == 1:
            return batch
        count = len(next(iter(batch.inputs.values())))
        mine = np.array_split(np.arange(count), self.world_size)[self.rank]
        return batch.samples(slice(int(mine[0]), int(mine[-1]) + 1))
