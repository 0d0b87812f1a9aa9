"""Mixing several training sets: each drawn sample comes from one of them with equal chance.

The law of the original: with n sets, the largest of N samples, an epoch has n·N draws. A draw picks a set uniformly;
the index modulo N picks the sample, wrapping around smaller sets, and a smaller set's incomplete last round is drawn at
random. The draws of an epoch are made at once from a stream of their own, before batches are cut and shared out, so
that they do not depend on workers, processes or resumes.
"""

import numpy as np
import torch

from lib.datasets.batch import Batch


def sample_of(which: np.ndarray, index: np.ndarray, lengths: np.ndarray | list[int], uniform: np.ndarray) -> np.ndarray:
    """The sample that a draw takes from its data set.

    Args:
        which: (B,) number of the data set.
        index: (B,) place in the epoch, from 0.
        lengths: (n,) samples of each data set.
        uniform: (B,) numbers in [0, 1) that choose the sample in a data set's incomplete last round.

    Returns:
        (B,) samples within their data sets.
    """
    lengths = np.asarray(lengths)
    longest, length = lengths.max(), lengths[which]
    place = np.asarray(index) % longest
    in_whole_rounds = place < length * (longest // length)
    drawn = np.minimum((np.asarray(uniform) * length).astype(np.int64), length - 1)
    return np.where(in_whole_rounds, place % length, drawn)


class MultipleDatasets:
    """Several data sets as one; ``rows`` takes positions in their concatenation.

    Args:
        datasets: at least one, none empty; the first supplies the mesh model.
        make_same_len: mix as above; False concatenates.
    """

    def __init__(self, datasets: list, make_same_len: bool = True):
        if not datasets:
            raise ValueError("no data set to mix: DATASET.train_list is empty")
        self.datasets = datasets
        self.make_same_len = make_same_len
        self.lengths = [len(dataset) for dataset in datasets]
        for dataset, length in zip(datasets, self.lengths):
            if length == 0:
                raise ValueError(f"{dataset.name} is empty: no sample passed its filters, nothing can be drawn from it")
        self.starts = np.cumsum([0, *self.lengths])

    @property
    def mesh_model(self):
        return self.datasets[0].mesh_model

    def __len__(self) -> int:
        return max(self.lengths) * len(self.datasets) if self.make_same_len else sum(self.lengths)

    def batch_size(self, wanted: int) -> int:
        """Batch size of the original: an equal whole number of samples for each data set, e.g. 63 of 64 with three.

        Raises:
            ValueError: less than one sample for each.
        """
        each = wanted // len(self.datasets)
        if each == 0:
            raise ValueError(f"batch size {wanted} is less than one sample for each of {len(self.datasets)} data sets")
        return each * len(self.datasets)

    def assign(self, indices: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Which data set and which of its samples each index stands for: two int arrays (B,)."""
        if not self.make_same_len:
            which = np.searchsorted(self.starts, indices, side="right") - 1
            return which, indices - self.starts[which]
        which = torch.randint(len(self.datasets), (len(indices),), generator=generator).numpy()
        uniform = torch.rand(len(indices), generator=generator, dtype=torch.float64).numpy()
        return which, sample_of(which, indices, self.lengths, uniform)

    def draw(self, indices: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Positions (B,) in the concatenation of the data sets that indices of an epoch stand for."""
        which, samples = self.assign(indices, generator)
        return self.starts[which] + samples

    def rows(self, positions: np.ndarray, generator: torch.Generator) -> list:
        """Rows per data set: ``[(data set, places in the batch, rows), ...]``."""
        which = np.searchsorted(self.starts, positions, side="right") - 1
        parts = []
        for number, dataset in enumerate(self.datasets):
            places = np.flatnonzero(which == number)
            if len(places):
                samples = positions[places] - self.starts[number]
                parts.append((number, places, dataset.rows(samples, generator)))
        return parts

    def finish(self, rows: list, generator: torch.Generator, device="cpu") -> Batch:
        """One batch, samples in the order of the positions; entries that only some data sets have are left out."""
        batches = [self.datasets[number].finish(part, generator, device) for number, _, part in rows]
        places = np.concatenate([places for _, places, _ in rows])
        order = torch.from_numpy(np.argsort(places, kind="stable")).to(device)
        return Batch.joined(batches).samples(order)
