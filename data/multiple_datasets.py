"""Mixing several training sets: each drawn sample comes from one of them with equal chance.

The law of the original: with n sets, the largest of N samples, an epoch has n·N draws. A draw picks a set uniformly;
the index modulo N picks the sample, wrapping around smaller sets, and a smaller set's incomplete last round is drawn at
random. Here the draws come from the batch's own random stream, so they do not depend on workers or resumes.
"""

import numpy as np
import torch


class MultipleDatasets:
    """Several data sets as one.

    Args:
        datasets: at least one; the first supplies the mesh model.
        make_same_len: mix as above; False concatenates.
    """

    def __init__(self, datasets: list, make_same_len: bool = True):
        if not datasets:
            raise ValueError("no data set to mix: DATASET.train_list is empty")
        self.datasets = datasets
        self.make_same_len = make_same_len
        self.lengths = [len(dataset) for dataset in datasets]
        self.longest = max(self.lengths)

    @property
    def mesh_model(self):
        return self.datasets[0].mesh_model

    def __len__(self) -> int:
        return self.longest * len(self.datasets) if self.make_same_len else sum(self.lengths)

    def assign(self, indices: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Which data set and which of its samples each index stands for: two int arrays (B,)."""
        if not self.make_same_len:
            starts = np.cumsum([0, *self.lengths])
            which = np.searchsorted(starts, indices, side="right") - 1
            return which, indices - starts[which]
        count = len(indices)
        which = torch.randint(len(self.datasets), (count,), generator=generator).numpy()
        uniform = torch.rand(count, generator=generator, dtype=torch.float64).numpy()
        length = np.asarray(self.lengths)[which]
        position = indices % self.longest
        whole_rounds = length * (self.longest // length)
        random_sample = np.minimum((uniform * length).astype(np.int64), length - 1)
        return which, np.where(position >= whole_rounds, random_sample, position % length)

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> list:
        """Rows per data set: ``[(positions in the batch, rows), ...]``."""
        which, samples = self.assign(np.asarray(indices), generator)
        parts = []
        for number, dataset in enumerate(self.datasets):
            positions = np.flatnonzero(which == number)
            if len(positions):
                parts.append((number, positions, dataset.rows(samples[positions], generator)))
        return parts

    def finish(self, rows: list, generator: torch.Generator, device="cpu"):
        """One batch, samples in the order of the indices."""
        batches = [self.datasets[number].finish(part, generator, device) for number, _, part in rows]
        order = torch.from_numpy(np.argsort(np.concatenate([positions for _, positions, _ in rows]), kind="stable"))
        return tuple(_merge(parts, order) for parts in zip(*batches, strict=True))


def _merge(parts, order: torch.Tensor):
    if isinstance(parts[0], dict):
        return {key: _merge([part[key] for part in parts], order) for key in parts[0]}
    return torch.cat(parts)[order.to(parts[0].device)]
