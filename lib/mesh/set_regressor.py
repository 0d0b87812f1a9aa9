"""The joint regressor of a user's joint set, from where its joints are on a mesh."""

from collections.abc import Callable
from functools import cache

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.sources import JointSource
from lib.joints.tables import JOINT_SETS


def mesh_regressor(
    joint_set: JointSet, mesh: str, vertex_num: int, built_in: Callable[[str], np.ndarray]
) -> np.ndarray:
    """The matrix that takes vertices to the joints of a user's set.

    Args:
        joint_set: with ``sources``.
        mesh: name of the mesh model (``MeshModel.name``); vertex_num: V.
        built_in: regressor (keypoint_num, V) of a built-in joint set of the mesh, by name.

    Returns:
        (keypoint_num, V) float32; derived joints follow by ``JointSet.add_derived``.

    Raises:
        ValueError: a joint is not described for this mesh, or by vertices that it does not have.
        FileNotFoundError: a regressor of the licensed models is not there.
    """
    sources = dict(zip(joint_set.joints, joint_set.sources))
    known: dict[str, np.ndarray] = {}

    @cache
    def row(name: str) -> np.ndarray:
        if "." in name:
            set_name, _, joint = name.partition(".")
            if set_name not in known:
                regressor = built_in(set_name)
                known[set_name] = JOINT_SETS[set_name].add_derived(regressor.astype(np.float64))
            return known[set_name][JOINT_SETS[set_name].index(joint)]
        source = sources.get(name)
        if source is None:  # a derived joint
            parents = dict(joint_set.derived)[joint_set.index(name)]
            return np.mean([row(joint_set.joints[parent]) for parent in parents], axis=0)
        if source.mean:
            return np.mean([row(other) for other in source.mean], axis=0)
        return _weighted_vertices(source, name, joint_set, mesh, vertex_num)

    return np.stack([row(name) for name in sources]).astype(np.float32)


def _weighted_vertices(source: JointSource, joint: str, joint_set: JointSet, mesh: str, vertex_num: int) -> np.ndarray:
    entry = next((entry for entry in source.vertices if entry.mesh == mesh), None)
    if entry is None:
        meshes = ", ".join(entry.mesh for entry in source.vertices)
        raise ValueError(
            f"joint set {joint_set.name!r} says where {joint!r} is on {meshes}, not on {mesh}: add its "
            f"vertices (or a regressor) for {mesh}, or set MODEL.body to {meshes}"
        )
    if max(entry.vertices) >= vertex_num:
        raise ValueError(
            f"joint set {joint_set.name!r}: joint {joint!r} is at vertex {max(entry.vertices)} of {mesh}, "
            f"which has {vertex_num} vertices"
        )
    weights = np.zeros(vertex_num)
    weights[list(entry.vertices)] = entry.weights
    return weights
