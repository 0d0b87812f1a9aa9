import pytest

from tests.support.files.damaged_files import Damaged


@pytest.fixture
def damaged(tiny_root, tmp_path):
    """``damaged(name, mode, **settings)``: a copy of a data set of the tiny set, to be damaged."""
    return lambda name, mode="", **settings: Damaged(tiny_root, tmp_path, name, mode, **settings)
