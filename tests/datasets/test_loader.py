"""The loader: the same batches for any number of workers, shares of processes, random streams."""

import multiprocessing

import numpy as np
import pytest
import torch

from data.Synthetic.dataset import Synthetic
from lib.datasets.batch import Batch
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


def all_equal(first, second):
    assert list(first.inputs) + list(first.targets) == ["pose2d", "lift_pose3d"]
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("samples", [24, 26, 29])  # a last batch of 12, of 2 (too few to share) and of 5
def test_processes_share_the_very_samples_of_one(small_config, processes, samples):
    """Poses mixed within a batch, mirrored and turned, with 2D errors; in order."""
    changes = {"DATASET": {"use_gt_input": False}, "AUG": {"flip": True, "rotate_factor": 30}}
    settings = {"samples_per_epoch": samples, "mix_limbs": 0.5}
    dataset = Synthetic("train", small_config("posenet", "coco", "coco", **changes, SYNTHETIC=settings))
    options = {"shuffle": True, "join_single": True, "seed": 1}
    alone = list(BatchLoader(dataset, 12, **options).epoch(3))
    loaders = [BatchLoader(dataset, 12, **options, rank=rank, world_size=processes) for rank in range(processes)]
    together = [Batch.joined(parts) for parts in zip(*(loader.epoch(3) for loader in loaders), strict=True)]
    all_equal(Batch.joined(together), Batch.joined(alone))
    all_equal(together[0], alone[0])
    undivided = next(loaders[-1].undivided().epoch(3))
    all_equal(undivided, alone[0])


def test_a_batch_is_cut_evenly(dataset):
    with pytest.raises(ValueError, match="cannot be divided among 3"):
        BatchLoader(dataset, 16, world_size=3)
    with pytest.raises(ValueError, match="less than two samples"):
        BatchLoader(dataset, 4, world_size=4)
