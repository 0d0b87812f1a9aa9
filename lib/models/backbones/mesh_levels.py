"""Which rows of a padded mesh graph have to be computed, and the operators between them.

Coarsening pads every level with fake vertices, so that row p always has the children 2p and 2p + 1. A fake vertex has
no neighbours: the graph convolution sees only the vertex itself, and real vertices never see it. Therefore

* with fixed BatchNorm statistics the fakes cannot influence any real vertex and need not be computed;
* all descendants of a fake vertex carry the same values as long as the network treats all fakes of a level alike. One
  representative, counted with its multiplicity in the BatchNorm statistics, stands for all of them.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from lib.mesh_graph import MeshGraph


@dataclass(frozen=True)
class LevelRows:
    """Representatives of one mesh level, real vertices first, sorted by position.

    Attributes:
        position: (R,) padded position of each representative.
        real: number of real vertices; the first ones.
        multiplicity: (R,) how many padded rows a representative stands for, never falling along the rows.
        representative: (padded size,) representative of each padded position.
        parent: (R,) representative of the coarser level that upsampling copies; None at the coarsest level.
    """

    position: np.ndarray
    real: int
    multiplicity: np.ndarray
    representative: np.ndarray
    parent: np.ndarray | None


def level_rows(graph: MeshGraph) -> list[LevelRows]:
    """Representatives of every mesh level of a graph, coarsest first.

    Raises:
        ValueError: a fake vertex has neighbours, or fakes of one level have different Laplacian entries.
    """
    mesh_laplacians = graph.laplacians[:-1]
    is_real = [np.zeros(mesh_laplacians[0].shape[0], dtype=bool)]
    is_real[0][graph.reverse] = True
    for _ in mesh_laplacians[1:]:
        is_real.append(is_real[-1].reshape(-1, 2).any(axis=1))

    levels: list[LevelRows] = []
    for laplacian, real in zip(mesh_laplacians[::-1], is_real[::-1]):
        _check_isolated(laplacian, ~real)
        positions = np.arange(len(real))
        if not levels:
            fakes, fake_multiplicity = positions[~real], np.ones(int((~real).sum()), dtype=np.int64)
            inherited = np.zeros(len(real), dtype=bool)
            offset = 0
        else:
            coarse = levels[-1]
            parent_of = coarse.representative[positions // 2]
            inherited = parent_of >= coarse.real
            born = positions[~real & ~inherited]
            fakes = np.concatenate([born, 2 * coarse.position[coarse.real :]])
            doubled = 2 * coarse.multiplicity[coarse.real :]
            fake_multiplicity = np.concatenate([np.ones(len(born), dtype=np.int64), doubled])
            offset = len(born) - coarse.real
        position = np.concatenate([positions[real], fakes])
        representative = np.empty(len(real), dtype=np.int64)
        representative[position] = np.arange(len(position))
        if levels:
            representative[inherited] = int(real.sum()) + offset + parent_of[inherited]
        levels.append(
            LevelRows(
                position=position,
                real=int(real.sum()),
                multiplicity=np.concatenate([np.ones(int(real.sum()), dtype=np.int64), fake_multiplicity]),
                representative=representative,
                parent=levels[-1].representative[position // 2] if levels else None,
            )
        )
    return levels


def _check_isolated(laplacian: sparse.csr_matrix, fake: np.ndarray) -> None:
    rows = laplacian[fake]
    diagonal = laplacian.diagonal()[fake]
    if rows.count_nonzero() != np.count_nonzero(diagonal):
        raise ValueError("a fake vertex of the graph has neighbours; the row order does not belong to these Laplacians")
    if len(diagonal) and np.ptp(diagonal) > 1e-6:
        raise ValueError("fake vertices of one graph level have different Laplacian entries")


def torch_csr(matrix: sparse.spmatrix) -> Tensor:
    """Float32 sparse CSR tensor with int32 indices, which the CPU and GPU sparse libraries take as they are."""
    matrix = sparse.csr_matrix(matrix, dtype=np.float32)
    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)),
            torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            check_invariants=True,
        )


class MeshLevel(nn.Module):
    """Operators of one mesh level as buffers that are not part of the state dict.

    Attributes:
        laplacian: among all representatives; laplacian_real: among real vertices.
        parent: gather index from the coarser level; parent_real: the same among real vertices (None when coarsest).
        extra: multiplicity minus one of the last representatives; all earlier ones stand for themselves only.
        padded_size: rows of the padded level.
    """

    def __init__(self, rows: LevelRows, laplacian: sparse.csr_matrix):
        super().__init__()
        self.real, self.padded_size = rows.real, len(rows.representative)
        index = rows.position
        self._constant("laplacian", torch_csr(laplacian[index][:, index]))
        index = index[: rows.real]
        self._constant("laplacian_real", torch_csr(laplacian[index][:, index]))
        self._constant("extra", torch.from_numpy(rows.multiplicity[rows.multiplicity > 1] - 1).float())
        parent = None if rows.parent is None else torch.from_numpy(rows.parent)
        self._constant("parent", parent)
        self._constant("parent_real", None if parent is None else parent[: rows.real].clone())

    def _constant(self, name: str, value: Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)
