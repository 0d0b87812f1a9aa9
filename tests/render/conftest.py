import pytest

from lib.render.mesh_renderer import MeshRenderer


@pytest.fixture(scope="module", params=["egl", "osmesa", "software"])
def renderer(request):
    """Every backend that works on this machine; a module shares one, whose context takes long to make and close."""
    try:
        with MeshRenderer(request.param) as made:
            yield made
    except RuntimeError as error:
        pytest.skip(str(error))
