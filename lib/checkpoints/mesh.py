"""The mesh model that weights belong to."""

from pathlib import Path

from lib import ROOT
from lib.graph.mesh_graph import MeshGraph
from lib.mesh.mesh_model import OPEN_MODELS, MeshModel, load_mesh_model


def mesh_of_graph(graph: MeshGraph, kind: str, which: str = "auto", root: str | Path = ROOT) -> MeshModel:
    """The mesh model that weights were trained for.

    Args:
        graph: of the weights.
        kind: ``body`` or ``hand``.
        which: the only mesh model to try; ``auto`` tries what ``load_mesh_model`` takes for it, then the open ones.
        root: see ``load_mesh_model``.

    Raises:
        FileNotFoundError: the model file is not there.
        ValueError: none fits.
    """
    mismatch = None
    for name in (which, *OPEN_MODELS[kind]) if which == "auto" else (which,):
        mesh_model = load_mesh_model(kind, name, root)
        try:
            graph.check_topology(mesh_model.faces)
        except ValueError as error:
            mismatch = mismatch or error
        else:
            return mesh_model
    raise mismatch
