import pytest

from lib.render.mesh_renderer import MeshRenderer


@pytest.fixture(params=["egl", "osmesa", "software"])
def renderer(request):
    """Every backend that works on this machine."""
    try:
        with MeshRenderer(request.param) as made:
            yield made
    except RuntimeError as error:
        pytest.skip(str(error))
