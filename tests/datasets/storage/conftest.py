import pytest

from tests.support.record_starts import Starts


@pytest.fixture
def start(tmp_path):
    """``start(parser)``: the records as one more start of a program finds them."""
    return Starts(tmp_path)
