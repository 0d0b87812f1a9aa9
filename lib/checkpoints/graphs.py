"""Graphs of networks that are built: as settings ask for it, or in the row order of other weights."""

import dataclasses
from pathlib import Path

from lib.graph.cache import cached_graph
from lib.graph.mesh_graph import MeshGraph, default_levels
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel
from lib.settings.config import Config


def configured_graph(cfg: Config, mesh_model: MeshModel, cache: Path | None = None, name: str = "") -> MeshGraph:
    """The graph that settings ask for on a mesh.

    Args:
        cfg: reads the input joint set, MODEL.graph_levels and laplacian_scaling.
        mesh_model: the mesh.
        cache, name: ``folder`` and ``mesh_name`` of ``cached_graph``; the name is the mesh model's when empty.
    """
    joint_set, model = get_joint_set(cfg.DATASET.input_joint_set), cfg.MODEL
    levels, scaling = model.graph_levels or None, model.laplacian_scaling
    return cached_graph(mesh_model.faces, joint_set, levels, scaling, name or mesh_model.name, cache)


def unlike(graph: MeshGraph, cfg: Config) -> str:
    """How a graph differs from what settings ask for; empty when it does not."""
    joint_set, model = get_joint_set(cfg.DATASET.input_joint_set), cfg.MODEL
    found = f"{graph.joint_num} joints, {graph.levels} levels, {graph.scaling} scaling"
    levels = model.graph_levels or default_levels(joint_set)
    wanted = f"{joint_set.joint_num} joints, {levels} levels, {model.laplacian_scaling} scaling"
    keys = "DATASET.input_joint_set, MODEL.graph_levels, laplacian_scaling"
    return "" if found == wanted else f"a graph of {found}; the settings ask for {wanted} ({keys})"


def with_rows_of(graph: MeshGraph, other: MeshGraph | None) -> MeshGraph:
    """``graph`` with the mesh levels of another one where both divide one mesh alike.

    Two coarsenings of one mesh may order its rows differently. Weights that are taken from a network with ``other``
    mean rows of that. The joint graph stays that of ``graph``.
    """
    alike = ("vertex_num", "levels", "scaling", "topology_hash")
    if other is None or any(getattr(graph, key) != getattr(other, key) for key in alike):
        return graph
    laplacians = (*other.laplacians[:-1], graph.laplacians[-1])
    return dataclasses.replace(graph, laplacians=laplacians, reverse=other.reverse)
