"""A share of the flips that ``python -m tests.support.bit_flips`` tries; none may go unnoticed."""

import random

import numpy as np
import pytest

from lib.files import read_array, read_arrays
from tests.support.bit_flips import flip, inputs, try_file

SMALL = ("checkpoint posenet", "checkpoint pose2mesh_net", "original release", "graph cache", "record cache pose.npy")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return inputs(tmp_path_factory.mktemp("flips"))


@pytest.mark.parametrize("name", [*SMALL, "record cache meta.json", "asset/open_body/open_hand_right.npz"])
def test_flips_are_refused_or_change_nothing(files, name):
    counts = try_file(*files[name], 8, random.Random(1))
    assert counts["refused"] > 0
    assert set(counts) <= {"refused", "harmless"}


def test_an_array_that_lost_rows_to_its_header_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((699, 3)))
    np.save(tmp_path / "a.npy", np.zeros((699, 3)))
    for path, read in ((tmp_path / "a.npz", read_arrays), (tmp_path / "a.npy", read_array)):
        flip(path, 8 * (path.read_bytes().index(b"(699") + 3))  # 698 rows
        with pytest.raises(ValueError, match=r"a\.np[yz] cannot be read \(.*(header says|CRC)"):
            read(path)
