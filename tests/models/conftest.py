import pytest

from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import JOINT_SETS
from tests.support.meshes import grid


@pytest.fixture(scope="module")
def graph():
    """30 x 7 vertices, 3 levels of which 2 are in use; has fakes of every kind."""
    return MeshGraph.build(grid(30, 7), JOINT_SETS["human36"], levels=3)
