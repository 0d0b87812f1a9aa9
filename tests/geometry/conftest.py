import pytest

from tests.helpers import golden


@pytest.fixture(scope="package")
def reference():
    """Inputs and outputs of the original's geometry functions."""
    return golden("utils")
