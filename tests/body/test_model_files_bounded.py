"""Model files whose few bytes stand for gigabytes or for hours are refused, or read, at once."""

import time
import tracemalloc

import pytest

from lib.body.model_file import read_model_file
from tests.support.made_inputs import write_models

REFUSED = ("bytes_1e12", "deep", "encode_number", "key_laugh", "laugh")
READ = ("frame_1e12", "memo_4e9")  # nothing in them is wrong but a number that nobody needs


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


def test_every_made_file_is_tested(models):
    assert sorted(path.stem for path in models.iterdir()) == sorted((*REFUSED, *READ))


@pytest.mark.parametrize("name", [*REFUSED, *READ])
def test_time_and_memory_are_bounded(models, name):
    tracemalloc.start()
    start = time.process_time()
    try:
        if name in REFUSED:
            with pytest.raises(ValueError, match=rf"{name}\.pkl: ") as refused:
                read_model_file(models / f"{name}.pkl")
            assert len(str(refused.value)) < 400
        else:
            assert read_model_file(models / f"{name}.pkl") == {}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert time.process_time() - start < 20
