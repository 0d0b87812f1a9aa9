import pytest

from tests.helpers import golden


@pytest.fixture(scope="package")
def order():
    """Faces of meshes and the order that NumPy's old sort gave their vertices."""
    return golden("legacy_order")
