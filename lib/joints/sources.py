"""Where the joints of a user's joint set are on a mesh."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VertexWeights:
    """A weighted sum of vertices of the mesh model with a name (``MeshModel.name``)."""

    mesh: str
    vertices: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class JointSource:
    """Where one joint is on the mesh; one of the two is given.

    Attributes:
        mean: joints whose mean it is: names within the set, or ``set.joint`` of a built-in set.
        vertices: vertices, one entry per mesh that is provided for.
    """

    mean: tuple[str, ...] = ()
    vertices: tuple[VertexWeights, ...] = ()


def find_cycle(sources: Mapping[str, JointSource]) -> list[str]:
    """Joints that are means of each other, the first one repeated at the end; empty when there are none."""
    free: set[str] = set()

    def follow(joint: str, path: list[str]) -> list[str]:
        if joint in free:
            return []
        if joint in path:
            return [*path[path.index(joint) :], joint]
        inner = sources[joint].mean if joint in sources else ()
        cycle = next((found for name in inner if (found := follow(name, [*path, joint]))), [])
        free.add(joint)
        return cycle

    return next((found for joint in sources if (found := follow(joint, []))), [])
