"""The loader: the same batches for any number of workers, shares of processes, random streams."""

import multiprocessing

import numpy as np
import pytest
import torch

from data.Synthetic.dataset import Synthetic
from lib.datasets.loader import BatchLoader, index_batches
from lib.datasets.pose_dataset import stream


@pytest.fixture
def dataset(small_config):
    return Synthetic("train", small_config("posenet", "coco", "coco"))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("shuffle", [True, False])
def test_loader_gives_the_same_batches_for_any_number_of_workers(dataset, workers, shuffle):
    plain = list(BatchLoader(dataset, 16, shuffle=shuffle, workers=0, seed=1).epoch(3))
    other = list(BatchLoader(dataset, 16, shuffle=shuffle, workers=workers, seed=1).epoch(3))
    assert len(plain) == len(other) == 4
    for a, b in zip(plain, other):
        torch.testing.assert_close(a.targets, b.targets, rtol=0, atol=0)


def test_loading_processes_live_on_and_change_no_random_numbers(dataset):
    def loader(workers):
        return BatchLoader(dataset, 16, shuffle=True, workers=workers, seed=1)

    found = []
    for workers in (0, 2):
        torch.manual_seed(7)
        kept = loader(workers)
        next(kept.epoch(1))  # left before its end
        found.append(
            (torch.cat([batch.inputs["pose2d"] for epoch in (2, 3) for batch in kept.epoch(epoch)]), torch.rand(3))
        )
    torch.testing.assert_close(*found, rtol=0, atol=0)
    processes = {process.pid for process in multiprocessing.active_children()}
    assert processes
    assert len(list(kept.epoch(4))) == 4
    assert {process.pid for process in multiprocessing.active_children()} == processes
    torch.manual_seed(7)
    for epoch in (1, 2, 3):  # each by a loader of its own, as after resuming
        next(loader(0).epoch(epoch))
    assert torch.equal(torch.rand(3), found[0][1])


def test_streams_differ_by_every_key_and_by_their_number():
    keys = [(1,), (1, 0), (1, 0, 0), (0, 1), (1, 1), (2,)]
    draws = {torch.rand(4, generator=stream(*key)).sum().item() for key in keys}
    assert len(draws) == len(keys)


def test_epochs_and_seeds_differ(dataset):
    batches = (next(BatchLoader(dataset, 16, seed=seed).epoch(epoch)) for seed, epoch in ((1, 1), (1, 2), (2, 1)))
    first, *others = (batch.targets["lift_pose3d"] for batch in batches)
    assert not any(torch.equal(first, other) for other in others)


def test_a_last_single_sample_joins_the_batch_before():
    assert [len(batch) for batch in index_batches(33, 16, False, (0,), join_single=True)] == [16, 17]
    assert [len(batch) for batch in index_batches(33, 16, False, (0,))] == [16, 16, 1]
    assert sorted(np.concatenate(index_batches(33, 16, True, (0, 1)))) == list(range(33))
    assert [len(batch) for batch in index_batches(1, 16, False, (0,))] == [1]


def test_processes_share_a_batch_without_overlap(dataset):
    loaders = [BatchLoader(dataset, 16, shuffle=True, seed=1, rank=rank, world_size=4) for rank in range(4)]
    shares = [np.concatenate(loader._epoch_batches(1, shuffle=True)) for loader in loaders]
    assert sorted(np.concatenate(shares)) == list(range(64))
    with pytest.raises(ValueError, match="cannot be divided among 3"):
        BatchLoader(dataset, 16, world_size=3)
    with pytest.raises(ValueError, match="less than two samples"):
        BatchLoader(dataset, 4, world_size=4)
