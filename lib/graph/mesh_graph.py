"""The graph operators that MeshNet needs, as one immutable value that travels with the weights.

Rows of the network's output get their meaning from the coarsening of one particular mesh. A checkpoint therefore stores
its `MeshGraph`, and refuses meshes of another topology.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import sparse

from lib.graph.building import build_coarse_graphs, check_level_sizes
from lib.graph.laplacian import SCALINGS
from lib.graph.topology import checked_faces, topology_hash
from lib.joints.joint_set import JointSet
from lib.messages import shown

_STATE_VERSION = 1
_LEVELS = {"body": 9, "hand": 6}


def default_levels(joint_set: JointSet) -> int:
    """Halvings of the mesh that a joint set's network is built on: 9 for a body, 6 for a hand."""
    return _LEVELS[joint_set.body]


@dataclass(frozen=True, eq=False)
class MeshGraph:
    """Laplacians of the levels that MeshNet uses, and the rows of the real vertices.

    Attributes:
        laplacians: float32 CSR matrices, exactly symmetric, every diagonal entry stored: mesh levels from the finest
            (padded) to the coarsest one in use, then the joint graph. The second coarsest mesh level is left out, the
            coarsest is replaced by the joints: the network goes from J joints straight to 4 times the coarsest size.
        reverse: (V,) int64, row of each real vertex in the finest level; all other rows are fake vertices.
        vertex_num: V, real vertices of the mesh.
        joint_num: J, nodes of the joint graph.
        levels: halvings of the mesh; ``len(laplacians) == levels``.
        scaling: ``legacy`` or ``textbook``, see `lib.graph.laplacian.rescale_L`.
        topology_hash: `topology_hash` of the faces; empty when the faces were not known.
    """

    laplacians: tuple[sparse.csr_matrix, ...]
    reverse: np.ndarray
    vertex_num: int
    joint_num: int
    levels: int
    scaling: str
    topology_hash: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each level, finest first, joint graph last."""
        return tuple(L.shape[0] for L in self.laplacians)

    @classmethod
    def build(
        cls,
        faces: np.ndarray,
        joint_set: JointSet,
        levels: int | None = None,
        scaling: str = "legacy",
        mesh_name: str | None = None,
    ) -> "MeshGraph":
        """Coarsen a mesh.

        Args:
            faces: (F, 3) triangles.
            joint_set: gives the joint graph.
            levels: halvings, at least 2; by default `default_levels` of the joint set.
            scaling: ``legacy`` (what released weights need) or ``textbook``.
            mesh_name: when ``smpl`` or ``mano``, level sizes other than those of released weights are warned of, see
                `lib.graph.building.check_level_sizes`.

        Raises:
            ValueError: bad faces, or too few vertices for the levels.
        """
        levels = default_levels(joint_set) if levels is None else levels
        _, laplacians, _, reverse = build_coarse_graphs(
            faces, joint_set.joint_num, joint_set.bones, joint_set.graph_links, levels, scaling
        )
        # with another number of levels nobody expects released weights to fit
        if mesh_name is not None and levels == default_levels(joint_set):
            check_level_sizes(mesh_name, [L.shape[0] for L in laplacians[:-1]])
        return cls.from_lists(laplacians, reverse, faces=faces, scaling=scaling)

    @classmethod
    def from_lists(
        cls,
        graph_L: Sequence[sparse.spmatrix],
        graph_perm_reverse: np.ndarray,
        faces: np.ndarray | None = None,
        vertex_num: int | None = None,
        scaling: str = "legacy",
    ) -> "MeshGraph":
        """Take the results of `lib.graph.building.build_coarse_graphs`, which are left unchanged.

        Args:
            graph_L: ``levels + 1`` Laplacians.
            graph_perm_reverse: row of each vertex, real ones first.
            faces: (F, 3), gives vertex_num and the topology hash.
            vertex_num: V; needed only without faces.
            scaling: how the mesh Laplacians were rescaled.

        Raises:
            ValueError: fewer than 2 levels, neither faces nor vertex_num, sizes that do not halve, or a matrix that is
                not symmetric.
        """
        levels = len(graph_L) - 1
        if levels < 2:
            raise ValueError(f"MeshNet needs at least 2 levels of coarsening, got {levels}")
        if faces is not None:
            vertex_num = int(checked_faces(faces).max()) + 1
        if vertex_num is None:
            raise ValueError("the number of real vertices is unknown: give faces or vertex_num")
        used = [*graph_L[: levels - 1], graph_L[-1]]
        return cls(
            laplacians=tuple(_unpack(_pack(L)) for L in used),
            reverse=np.array(graph_perm_reverse[:vertex_num], dtype=np.int64),
            vertex_num=vertex_num,
            joint_num=graph_L[-1].shape[0],
            levels=levels,
            scaling=scaling,
            topology_hash="" if faces is None else topology_hash(faces),
        )

    def __post_init__(self):
        mesh_sizes = self.sizes[:-1]
        if any(fine != 2 * coarse for fine, coarse in pairwise(mesh_sizes)):
            raise ValueError(f"sizes of mesh levels must halve, got {', '.join(map(str, mesh_sizes))}")
        if len(self.laplacians) != self.levels or self.sizes[-1] != self.joint_num:
            raise ValueError(f"{self.levels} levels and {self.joint_num} joints do not fit level sizes {self.sizes}")
        rows = self.reverse
        if rows.shape != (self.vertex_num,) or rows.min() < 0 or rows.max() >= self.sizes[0]:
            raise ValueError(f"rows of {self.vertex_num} vertices are not {len(rows)} numbers below {self.sizes[0]}")
        if len(np.unique(rows)) != len(rows):
            raise ValueError("two vertices share a row of the finest level")

    def check_topology(self, faces: np.ndarray) -> None:
        """Make sure that this graph belongs to a mesh.

        Raises:
            ValueError: the mesh has another topology; the message names both.
        """
        faces = checked_faces(faces)
        vertex_num, found = int(faces.max()) + 1, topology_hash(faces)
        if vertex_num != self.vertex_num or self.topology_hash not in ("", found):
            raise ValueError(
                f"the weights were trained for another mesh: theirs has {self.vertex_num} vertices and topology "
                f"{self.topology_hash or 'unknown'}, the body model in use has {vertex_num} vertices and topology "
                f"{found}; use the weights' own body model, or weights trained for this one"
            )

    def to_state(self) -> dict[str, torch.Tensor | int | str]:
        """Flat dict of tensors, ints and strs for a checkpoint; ``torch.load(weights_only=True)`` reads it."""
        state: dict[str, torch.Tensor | int | str] = {
            "version": _STATE_VERSION,
            "vertex_num": self.vertex_num,
            "joint_num": self.joint_num,
            "levels": self.levels,
            "scaling": self.scaling,
            "topology_hash": self.topology_hash,
            "reverse": torch.from_numpy(_shrunk(self.reverse)),
        }
        for level, L in enumerate(self.laplacians):
            for name, array in _pack(L).items():
                state[f"laplacian.{level}.{name}"] = torch.from_numpy(array)
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "MeshGraph":
        """Inverse of `to_state`, exact.

        Raises:
            ValueError: the state is of an unknown version, incomplete or inconsistent.
        """
        if not isinstance(state, dict):
            raise ValueError(f"the checkpoint's graph is a {type(state).__name__}, expected a dict; it is damaged")
        if type(state.get("version")) is not int or state["version"] != _STATE_VERSION:
            raise ValueError(f"graph state has version {shown(state.get('version'))}, this code reads {_STATE_VERSION}")
        try:
            for key, kind in {
                "levels": int,
                "vertex_num": int,
                "joint_num": int,
                "scaling": str,
                "topology_hash": str,
            }.items():
                if type(state[key]) is not kind or not (kind is str or 0 < state[key] < _MOST_ROWS):
                    raise ValueError(f"graph state has {key} {shown(state[key])}; the checkpoint is damaged")
            if state["scaling"] not in SCALINGS:
                raise ValueError(f"graph state has scaling {shown(state['scaling'])}, known are {', '.join(SCALINGS)}")
            packed = [
                {name: _vector(state, f"laplacian.{level}.{name}", kind) for name, kind in _PACKED.items()}
                for level in range(state["levels"])
            ]
            return cls(
                laplacians=tuple(_unpack(arrays) for arrays in packed),
                reverse=_vector(state, "reverse", "i").astype(np.int64),
                **{key: state[key] for key in ("vertex_num", "joint_num", "levels", "scaling", "topology_hash")},
            )
        except KeyError as error:
            raise ValueError(f"graph state has no entry {error}; the checkpoint is damaged") from error


_PACKED = {"diagonal": "f", "starts": "i", "columns": "i", "values": "f"}
_MOST_ROWS = 1 << 31


def _vector(state: dict[str, Any], key: str, kind: str) -> np.ndarray:
    """The array of an entry of a state, of finite real (``f``) or whole (``i``) numbers."""
    tensor = state[key]
    array = tensor.cpu().numpy() if isinstance(tensor, torch.Tensor) else np.zeros(())
    with np.errstate(over="ignore"):
        sound = array.ndim == 1 and array.dtype.kind == kind and np.isfinite(array.astype(np.float32)).all()
    if not sound:
        raise ValueError(f"graph state: {key} is no vector of finite numbers; the checkpoint is damaged")
    return array


def _pack(L: sparse.spmatrix) -> dict[str, np.ndarray]:
    """Diagonal and strict upper triangle of a symmetric matrix, in the smallest index types that fit."""
    if (abs(L - L.T) > 1e-6).nnz:
        raise ValueError("a graph Laplacian must be symmetric")
    upper = sparse.csr_matrix(sparse.triu(L, k=1, format="csr"), dtype=np.float32)
    upper.sum_duplicates()
    upper.eliminate_zeros()
    return {
        "diagonal": L.diagonal().astype(np.float32),
        "starts": _shrunk(upper.indptr),
        "columns": _shrunk(upper.indices),
        "values": upper.data,
    }


def _unpack(arrays: dict[str, np.ndarray]) -> sparse.csr_matrix:
    """Symmetric float32 CSR matrix in canonical form, with every diagonal entry stored."""
    diagonal, starts, columns, values = (arrays[name] for name in _PACKED)
    size = len(diagonal)
    counts, columns = np.diff(starts.astype(np.int64)), columns.astype(np.int64)
    # before rows are made of them
    good = len(counts) == size and starts[0] == 0 and (counts >= 0).all() and starts[-1] == len(columns) == len(values)
    if not good:
        raise ValueError("the arrays of a graph Laplacian have inconsistent lengths; the checkpoint is damaged")
    rows = np.repeat(np.arange(size), counts)
    if len(columns) and (columns.max() >= size or (columns <= rows).any()):
        raise ValueError("a graph Laplacian has entries outside its upper triangle; the checkpoint is damaged")
    every = np.arange(size)
    data = np.concatenate([values, values, diagonal]).astype(np.float32)
    index = (np.concatenate([rows, columns, every]), np.concatenate([columns, rows, every]))
    L = sparse.csr_matrix((data, index), shape=(size, size))
    L.sum_duplicates()
    return L


def _shrunk(indices: np.ndarray) -> np.ndarray:
    small = len(indices) == 0 or int(indices.max()) <= np.iinfo(np.int16).max
    return indices.astype(np.int16 if small else np.int32)
