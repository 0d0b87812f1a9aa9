"""Mesh graphs kept on disk, so that a mesh is coarsened once and not in every run."""

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from lib.files import atomic_write, read_arrays
from lib.graph.building import check_level_sizes
from lib.graph.mesh_graph import MeshGraph, default_levels
from lib.graph.topology import topology_hash
from lib.joints.joint_set import JointSet
from lib.messages import one_line

# raise it when the coarsening or the operators change: files of another version are not read
VERSION = 1


def cached_graph(
    faces: np.ndarray,
    joint_set: JointSet,
    levels: int | None = None,
    scaling: str = "legacy",
    mesh_name: str | None = None,
    folder: str | Path | None = None,
) -> MeshGraph:
    """``MeshGraph.build``, from a file where there is a good one.

    A file that is missing, damaged or of other contents is written anew; where that is impossible (a folder that may
    not be written to), the graph is built in each run.

    Args:
        faces, joint_set, levels, scaling, mesh_name: see ``MeshGraph.build``.
        folder: holds ``graph-<key>.npz``; the key covers topology, joint graph, levels and scaling. None: no file.

    Raises:
        ValueError: see ``MeshGraph.build``.
    """
    levels = default_levels(joint_set) if levels is None else levels
    path = None if folder is None else Path(folder) / f"graph-{_key(faces, joint_set, levels, scaling)}.npz"
    graph = None if path is None else _read(path, faces, joint_set, levels, scaling)
    if graph is None:
        graph = MeshGraph.build(faces, joint_set, levels, scaling, mesh_name)
        if path is not None:
            _write(path, graph)
    elif mesh_name is not None and levels == default_levels(joint_set):
        check_level_sizes(mesh_name, graph.sizes[:-1])
    return graph


def _key(faces: np.ndarray, joint_set: JointSet, levels: int, scaling: str) -> str:
    joints = [joint_set.joint_num, [*map(list, joint_set.bones)], [*map(list, joint_set.graph_links)]]
    material = json.dumps([VERSION, topology_hash(faces), joints, levels, scaling])
    return hashlib.sha256(material.encode()).hexdigest()[:16]


def _read(path: Path, faces: np.ndarray, joint_set: JointSet, levels: int, scaling: str) -> MeshGraph | None:
    """The graph of a file; None when there is none, or when it cannot be used, which is printed."""
    if not path.exists():
        return None
    try:
        stored = read_arrays(path)  # the archive's checksums show damage
        graph = MeshGraph.from_state({name: _from_array(array) for name, array in stored.items()})
        graph.check_topology(faces)
        if (graph.joint_num, graph.levels, graph.scaling) != (joint_set.joint_num, levels, scaling):
            raise ValueError("it holds another graph")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        print(f"Making the mesh graph again, its cache is damaged: {one_line(error, 300)} ({path})", flush=True)
        return None
    return graph


def _from_array(array: np.ndarray) -> torch.Tensor | int | str:
    return torch.from_numpy(array) if array.ndim else array.item()


def _write(path: Path, graph: MeshGraph) -> None:
    arrays = {name: np.asarray(value) for name, value in graph.to_state().items()}
    with contextlib.suppress(OSError), atomic_write(path, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # NumPy declares allow_pickle, a bool, among them
