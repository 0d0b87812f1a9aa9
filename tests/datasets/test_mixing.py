"""Mixing data sets: the original's law, and the same samples for any number of workers and processes."""

import itertools
import random

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from lib.datasets.batch import Batch
from lib.datasets.loader import BatchLoader
from lib.datasets.mixing import MultipleDatasets, sample_of
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from tests.helpers import shared_path

LENGTHS = (7, 3, 5)
# (data set, sample) that the original's dataset gave for indices 0 to 20 after Python's random.seed(3)
ORIGINAL = [
    (0, 0), (2, 1), (2, 2), (0, 3), (1, 1), (2, 3), (2, 4), (0, 0), (2, 1), (0, 2), (1, 0),
    (1, 1), (2, 1), (0, 6), (2, 0), (1, 1), (2, 2), (2, 3), (1, 1), (1, 2), (2, 1),
]  # fmt: skip


class Numbers:
    """A data set of the numbers 0..n-1 with its own tag and one noise value per sample."""

    def __init__(self, tag, count):
        self.name, self.tag, self.count = f"numbers {tag}", tag, count

    def __len__(self):
        return self.count

    def rows(self, indices, generator):
        assert ((indices >= 0) & (indices < self.count)).all()
        return torch.as_tensor(indices), torch.rand(len(indices), generator=generator)

    def finish(self, rows, generator, device="cpu"):
        values, noise = rows
        return Batch({"tag": torch.full_like(values, self.tag)}, {"value": values, "noise": noise}, {})


def mixed(lengths=LENGTHS, **options):
    return MultipleDatasets([Numbers(tag, count) for tag, count in enumerate(lengths)], **options)


def epoch_of(dataset, batch_size=6, epoch=2, **options):
    return list(BatchLoader(dataset, batch_size, seed=4, **options).epoch(epoch))


def pairs(batches):
    """(data set, sample) of each row, batch by batch."""
    return [list(zip(batch.inputs["tag"].tolist(), batch.targets["value"].tolist())) for batch in batches]


def flat(batches):
    return list(itertools.chain.from_iterable(batches))


def test_the_rule_gives_the_original_samples_for_the_original_draws():
    random.seed(3)
    longest = max(LENGTHS)
    which, uniform = [], []
    for index in range(longest * len(LENGTHS)):
        which.append(random.randint(0, len(LENGTHS) - 1))
        length = LENGTHS[which[-1]]
        in_whole_rounds = index % longest < length * (longest // length)
        uniform.append(0.0 if in_whole_rounds else (random.randint(0, length - 1) + 0.5) / length)
    samples = sample_of(np.array(which), np.arange(len(which)), LENGTHS, np.array(uniform))
    assert list(zip(which, samples.tolist())) == ORIGINAL


def test_the_original_samples_are_those_of_the_golden_file():
    with np.load(shared_path("golden/multiple_datasets.npz")) as arrays:
        assert arrays["sameTrue_items_pyseed3"].tolist() == [list(pair) for pair in ORIGINAL]
        assert int(arrays["sameTrue_len"]) == len(mixed())
        plain = mixed(make_same_len=False)
        assert int(arrays["sameFalse_len"]) == len(plain)
        which, samples = plain.assign(np.arange(len(plain)), stream(0))
        assert np.stack([which, samples], axis=1).tolist() == arrays["sameFalse_items_pyseed3"].tolist()


def test_concatenation_takes_every_sample_once_in_order():
    plain = mixed(make_same_len=False)
    assert flat(pairs(epoch_of(plain))) == [(tag, value) for tag, count in enumerate(LENGTHS) for value in range(count)]


def test_samples_follow_the_index_given_the_data_set():
    """Two draws of the same index and data set agree, but for a smaller set's incomplete last round."""
    sets = mixed()
    indices = np.tile(np.arange(len(sets)), 300)
    which, samples = sets.assign(indices, stream(5))
    place = indices % 7
    for tag, whole in enumerate((7, 6, 5)):
        chosen = (which == tag) & (place < whole)
        assert (samples[chosen] == place[chosen] % LENGTHS[tag]).all()
    for tag, whole in ((1, 6), (2, 5)):
        drawn = np.bincount(samples[(which == tag) & (place >= whole)], minlength=LENGTHS[tag])
        assert drawn.sum() > 200
        assert chisquare(drawn).pvalue > 1e-3


def test_a_uniform_number_next_to_one_stays_inside_the_data_set():
    nearly = np.nextafter(1.0, 0.0)
    assert sample_of(np.array([1]), np.array([6]), LENGTHS, np.array([nearly])).tolist() == [2]


def test_each_data_set_has_an_equal_share_of_an_epoch_and_a_random_share_of_a_batch():
    sets = mixed((4000, 1000, 10))
    batches = epoch_of(sets, batch_size=63, shuffle=True)
    tags = [batch.inputs["tag"] for batch in batches]
    total = torch.bincount(torch.cat(tags), minlength=3)
    assert total.sum() == len(sets) == 12000
    assert chisquare(total.numpy()).pvalue > 1e-3
    # binomial within a batch: 63 · 1/3 · 2/3 = 14
    share = torch.stack([torch.bincount(part, minlength=3) for part in tags[:-1]])[:, 0].double()
    assert share.mean() == pytest.approx(21, abs=1.0)
    assert share.var() == pytest.approx(14, rel=0.3)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_change_batches(workers):
    alone, loaded = (epoch_of(mixed(), shuffle=True, workers=count) for count in (0, workers))
    assert pairs(alone) == pairs(loaded)
    for a, b in zip(alone, loaded):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("lengths", [LENGTHS, (50, 20), (97, 50, 3)])
def test_processes_share_the_samples_of_one(processes, lengths):
    alone = epoch_of(mixed(lengths), batch_size=12, shuffle=True)
    shares = [
        epoch_of(mixed(lengths), batch_size=12, shuffle=True, rank=rank, world_size=processes)
        for rank in range(processes)
    ]
    together = [flat(parts) for parts in zip(*(pairs(share) for share in shares), strict=True)]
    assert flat(together) == flat(pairs(alone))
    assert together[:-1] == pairs(alone)[: len(together) - 1]  # a small last batch may have joined the one before
    noise = torch.cat([batch.targets["noise"] for step in zip(*shares) for batch in step])
    assert torch.equal(noise, torch.cat([batch.targets["noise"] for batch in alone]))
    assert len(noise.unique()) == len(noise)  # no process repeats another's


def test_a_batch_that_cannot_be_halved_is_used_whole():
    shares = [epoch_of(mixed((9, 9, 9)), batch_size=10, rank=rank, world_size=2) for rank in range(2)]
    assert [[len(batch.inputs["tag"]) for batch in share] for share in shares] == [[5, 5, 5], [4, 4, 4]]


def test_a_last_batch_too_small_for_the_processes_joins_the_one_before():
    shares = [epoch_of(Numbers(0, 19), batch_size=8, rank=rank, world_size=2) for rank in range(2)]
    assert [[len(batch.inputs["tag"]) for batch in share] for share in shares] == [[4, 6], [4, 5]]
    with pytest.raises(ValueError, match="3 samples are less than two for each of 2 processes"):
        epoch_of(Numbers(0, 3), batch_size=8, world_size=2)


def test_epochs_and_seeds_draw_anew():
    sets = mixed((40, 30))
    first = pairs(BatchLoader(sets, 8, seed=1).epoch(1))
    assert first == pairs(BatchLoader(sets, 8, seed=1).epoch(1))
    for seed, epoch in ((1, 2), (2, 1)):
        assert first != pairs(BatchLoader(sets, 8, seed=seed).epoch(epoch))


def test_batches_have_whole_shares_as_in_the_original():
    assert [mixed().batch_size(wanted) for wanted in (64, 63, 3)] == [63, 63, 3]
    assert mixed((4, 4)).batch_size(64) == 64
    assert BatchLoader(mixed(), 20).batch_size == 18
    with pytest.raises(ValueError, match="batch size 2 is less than one sample for each of 3"):
        BatchLoader(mixed(), 2)


def test_an_empty_data_set_is_named():
    with pytest.raises(ValueError, match="numbers 1 is empty"):
        mixed((5, 0, 3))


def test_a_batch_keeps_its_order_and_the_entries_that_all_have():
    sets = mixed(make_same_len=False)
    finish = sets.datasets[1].finish
    sets.datasets[1].finish = lambda *arguments: finish(*arguments)._replace(targets={"value": arguments[0][0]})
    batch = sets.finish(sets.rows(np.array([8, 0, 12, 7]), stream(0)), stream(0))
    assert batch.inputs["tag"].tolist() == [1, 0, 2, 1]
    assert {key: value.tolist() for key, value in batch.targets.items()} == {"value": [1, 0, 2, 0]}


def test_real_batches_are_the_same_for_any_number_of_workers(small_config):
    """Noise, flips and body layer of two data sets, not only the choice of samples."""
    cfg = small_config("posenet", "coco", "coco")
    sets = MultipleDatasets([dataset_class("Synthetic")(mode, cfg) for mode in ("train", "test")])
    for a, b in zip(epoch_of(sets, 32, shuffle=True), epoch_of(sets, 32, shuffle=True, workers=2), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_one_data_set_has_the_batches_it_always_had():
    """Figures that were published with one data set stay reproducible."""
    batch = epoch_of(Numbers(0, 20), batch_size=5, shuffle=True)[3]
    assert batch.inputs["tag"].tolist() == [0] * 5
    order = torch.randperm(20, generator=stream(4, 2))
    assert batch.targets["value"].tolist() == order[15:].tolist()
    torch.testing.assert_close(batch.targets["noise"], torch.rand(5, generator=stream(4, 2, 0, 3)), rtol=0, atol=0)
