"""Where the joints of a user's joint set are on a mesh, and the regressor that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lib.joint_sets import JointSet
    from lib.mesh_model import MeshModel


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

    def follow(joint: str, path: list[str]) -> list[str]:
        if joint in path:
            return [*path[path.index(joint) :], joint]
        inner = sources[joint].mean if joint in sources else ()
        return next((found for name in inner if (found := follow(name, [*path, joint]))), [])

    return next((found for joint in sources if (found := follow(joint, []))), [])


def mesh_regressor(joint_set: "JointSet", mesh_model: "MeshModel") -> np.ndarray:
    """The matrix that takes vertices to the joints of a user's set.

    Args:
        joint_set: with ``sources``.
        mesh_model: the mesh.

    Returns:
        (keypoint_num, V) float32; derived joints follow by ``JointSet.add_derived``.

    Raises:
        ValueError: a joint is not described for this mesh, or by vertices that it does not have.
        FileNotFoundError: a regressor of the licensed models is not there.
    """
    from lib.joint_sets import JOINT_SETS

    sources = dict(zip(joint_set.joints, joint_set.sources))
    known: dict[str, np.ndarray] = {}

    def row(name: str) -> np.ndarray:
        if "." in name:
            set_name, _, joint = name.partition(".")
            if set_name not in known:
                regressor = mesh_model.joint_regressor(set_name)
                known[set_name] = JOINT_SETS[set_name].add_derived(regressor.astype(np.float64))
            return known[set_name][JOINT_SETS[set_name].index(joint)]
        source = sources.get(name)
        if source is None:  # a derived joint
            parents = dict(joint_set.derived)[joint_set.index(name)]
            return np.mean([row(joint_set.joints[parent]) for parent in parents], axis=0)
        if source.mean:
            return np.mean([row(other) for other in source.mean], axis=0)
        return _weighted_vertices(source, name, joint_set, mesh_model)

    return np.stack([row(name) for name in sources]).astype(np.float32)


def _weighted_vertices(source: JointSource, joint: str, joint_set: "JointSet", mesh_model: "MeshModel") -> np.ndarray:
    entry = next((entry for entry in source.vertices if entry.mesh == mesh_model.name), None)
    if entry is None:
        meshes = ", ".join(entry.mesh for entry in source.vertices)
        raise ValueError(
            f"joint set {joint_set.name!r} says where {joint!r} is on {meshes}, not on {mesh_model.name}: add its "
            f"vertices (or a regressor) for {mesh_model.name}, or set MODEL.body to {meshes}"
        )
    if max(entry.vertices) >= mesh_model.vertex_num:
        raise ValueError(
            f"joint set {joint_set.name!r}: joint {joint!r} is at vertex {max(entry.vertices)} of {mesh_model.name}, "
            f"which has {mesh_model.vertex_num} vertices"
        )
    weights = np.zeros(mesh_model.vertex_num)
    weights[list(entry.vertices)] = entry.weights
    return weights
