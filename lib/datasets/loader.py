"""Batches of indices and the loop over them: the same order and random numbers for any number of workers."""

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

MAX_SEED = 2**62  # of the errors that a GPU draws
MIXING = 0  # key of the stream that mixes data sets, beside seed and epoch


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
    """Keys of its random stream and indices of a batch -> batch (or its rows and a seed, when a GPU does the rest).

    Both come from the main process, so that loading processes hold nothing that grows with the data set and live on
    from one epoch to the next.
    """

    def __init__(self, dataset: PoseDataset | MultipleDatasets, rows_only: bool):
        self.dataset, self.rows_only = dataset, rows_only

    def __getitem__(self, batch: tuple[tuple[int, ...], np.ndarray]):
        keys, indices = batch
        generator = stream(*keys)
        try:
            rows: Any = self.dataset.rows(indices, generator)  # each kind of data set finishes its own
            if self.rows_only:
                return rows, int(torch.randint(MAX_SEED, (), generator=generator))
            return self.dataset.finish(rows, generator)
        except ValueError as error:
            return error  # raised by the main process; from a loading process torch would wrap it in a traceback


class _Order:
    """The sampler: what ``_Batches`` takes, of one epoch."""

    def __init__(self) -> None:
        self.batches: list[tuple[tuple[int, ...], np.ndarray]] = []

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


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
        workers: loading processes, at most as many as there are cores; 0 computes batches in this one. They start in
            the first epoch and stay until the loader goes.
        seed: base of the random streams; batches depend on (seed, epoch, number) only. Which samples a batch holds is
            the same for any number of processes; their noise is drawn by each process from a stream of its own.
        device: where batches are wanted. On a GPU the body layer and all that follows run there, and it draws the 2D
            errors, so that they are others than on a CPU. Rows reach it through pinned memory, while it computes.
        rank, world_size: this process's share of every batch; shares differ by one sample at most. A last batch of less
            than two samples for each process joins the one before it.

    Raises:
        ValueError: a batch size that cannot be shared among the processes or the mixed data sets.
    """

    def __init__(
        self, dataset, batch_size, *, shuffle=False, join_single=False, workers=0, seed=0, device="cpu", rank=0,
        world_size=1,
    ):  # fmt: skip
        if batch_size < 1:
            raise ValueError(f"batch size must be at least 1, got {batch_size}")
        if batch_size % world_size:
            raise ValueError(f"batch size {batch_size} cannot be divided among {world_size} processes")
        self.mixed = isinstance(dataset, MultipleDatasets)
        self.batch_size = dataset.batch_size(batch_size) if self.mixed else batch_size
        if world_size > 1 and self.batch_size < 2 * world_size:
            raise ValueError(f"batch size {batch_size} leaves less than two samples to each of {world_size} processes")
        self.dataset, self.shuffle = dataset, shuffle
        self.join_single = join_single
        self.workers, self.seed, self.device = workers, seed, torch.device(device)
        self.rank, self.world_size = rank, world_size
        self.rows_only, self._order = self.device.type != "cpu", _Order()

    def _epoch_batches(self, epoch: int, shuffle: bool) -> list[np.ndarray]:
        batches = index_batches(len(self.dataset), self.batch_size, shuffle, (self.seed, epoch), self.join_single)
        if self.mixed:
            drawn = self.dataset.draw(np.concatenate(batches), stream(self.seed, epoch, MIXING))
            batches = np.split(drawn, np.cumsum([len(batch) for batch in batches])[:-1])
        if self.world_size == 1:
            return batches
        # all processes must make the same number of steps, and batch normalisation needs two samples in each
        if len(batches) > 1 and len(batches[-1]) < 2 * self.world_size:
            batches[-2:] = [np.concatenate(batches[-2:])]
        if len(batches[-1]) < 2 * self.world_size:
            raise ValueError(f"{len(batches[-1])} samples are less than two for each of {self.world_size} processes")
        return [np.array_split(batch, self.world_size)[self.rank] for batch in batches]

    @cached_property
    def _length(self) -> int:
        return len(self._epoch_batches(0, shuffle=False))

    def __len__(self) -> int:
        return self._length

    @cached_property
    def _loader(self) -> DataLoader:
        workers = min(self.workers, len(self), available_cores())
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
        batches = self._epoch_batches(epoch, self.shuffle)
        self._order.batches = [
            ((self.seed, epoch, self.rank, number), indices) for number, indices in enumerate(batches)
        ]
        generator = torch.Generator(self.device)
        for item in self._loader:
            if isinstance(item, ValueError):
                raise item
            if self.rows_only:
                rows, seed = item
                item = self.dataset.finish(rows, generator.manual_seed(seed), self.device)
            yield item
