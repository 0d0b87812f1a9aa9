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

from lib.graph.mesh_graph import MeshGraph


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
        is_real.append(is_real[-1][::2] | is_real[-1][1::2])

    for laplacian, real in zip(mesh_laplacians, is_real):
        _check_isolated(laplacian, ~real)

    levels = [_coarsest_rows(is_real[-1])]
    for real in is_real[-2::-1]:
        levels.append(_finer_rows(levels[-1], real))
    return levels


def _coarsest_rows(real: np.ndarray) -> LevelRows:
    """Every row has values of its own: they come out of the fully connected layer."""
    position = np.concatenate([np.flatnonzero(real), np.flatnonzero(~real)])
    return LevelRows(
        position=position,
        real=int(real.sum()),
        multiplicity=np.ones(len(real), dtype=np.int64),
        representative=np.argsort(position),
        parent=None,
    )


def _finer_rows(coarse: LevelRows, real: np.ndarray) -> LevelRows:
    """A real vertex has its own row, as has a fake child of a real vertex; a fake's two children share one."""
    parent = coarse.representative[np.arange(len(real)) // 2]
    inherited = parent >= coarse.real
    born = ~real & ~inherited
    real_num, born_num = int(real.sum()), int(born.sum())
    position = np.concatenate([np.flatnonzero(real), np.flatnonzero(born), 2 * coarse.position[coarse.real :]])
    representative = np.empty(len(real), dtype=np.int64)
    representative[position] = np.arange(len(position))
    representative[inherited] = real_num + born_num + parent[inherited] - coarse.real
    single = np.ones(real_num + born_num, dtype=np.int64)
    return LevelRows(
        position=position,
        real=real_num,
        multiplicity=np.concatenate([single, 2 * coarse.multiplicity[coarse.real :]]),
        representative=representative,
        parent=parent[position],
    )


def _check_isolated(laplacian: sparse.csr_matrix, fake: np.ndarray) -> None:
    rows = laplacian[fake]
    diagonal = laplacian.diagonal()[fake]
    if rows.count_nonzero() != np.count_nonzero(diagonal):
        raise ValueError("a fake vertex of the graph has neighbours; the row order does not belong to these Laplacians")
    if len(diagonal) and np.ptp(diagonal) > 1e-6:
        raise ValueError("fake vertices of one graph level have different Laplacian entries")


class SparseOperator(nn.Module):
    """A constant sparse matrix that moves with its network.

    Held as three dense buffers, which unlike a sparse tensor can be copied, pickled and broadcast; they are not part of
    the state dict. Calling the module gives the CSR tensor, with int32 indices: what sparse libraries take as it is.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor

    def __init__(self, matrix: sparse.spmatrix):
        super().__init__()
        matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        matrix.sort_indices()
        self.size = matrix.shape
        self.register_buffer("starts", torch.from_numpy(matrix.indptr.astype(np.int32)), persistent=False)
        self.register_buffer("columns", torch.from_numpy(matrix.indices.astype(np.int32)), persistent=False)
        self.register_buffer("values", torch.tensor(matrix.data, dtype=torch.get_default_dtype()), persistent=False)
        with warnings.catch_warnings():  # torch says once per process that the format is in beta
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support", category=UserWarning)
            self()

    def forward(self) -> Tensor:
        return torch.sparse_csr_tensor(self.starts, self.columns, self.values, size=self.size, check_invariants=False)


class MeshLevel(nn.Module):
    """Operators of one mesh level as buffers that are not part of the state dict.

    Attributes:
        laplacian, laplacian_real: operator among all representatives, and among real vertices.
        parent: gather index from the coarser level; parent_real: the same among real vertices (None when coarsest).
        extra: multiplicity minus one of the last representatives; all earlier ones stand for themselves only.
        real, padded_size: numbers of real vertices, which come first, and of rows of the padded level.
    """

    extra: Tensor
    parent: Tensor | None
    parent_real: Tensor | None

    def __init__(self, rows: LevelRows, laplacian: sparse.csr_matrix):
        super().__init__()
        self.real, self.padded_size = rows.real, len(rows.representative)
        index = rows.position
        self.laplacian = SparseOperator(laplacian[index][:, index])
        index = index[: rows.real]
        self.laplacian_real = SparseOperator(laplacian[index][:, index])
        self._constant(
            "extra", torch.from_numpy(rows.multiplicity[rows.multiplicity > 1] - 1).to(torch.get_default_dtype())
        )
        parent = None if rows.parent is None else torch.from_numpy(rows.parent)
        self._constant("parent", parent)
        self._constant("parent_real", None if parent is None else parent[: rows.real].clone())

    def operator(self, fakes: bool) -> Tensor:
        """The Laplacian among all representatives, or without ``fakes`` among real vertices."""
        return self.laplacian() if fakes else self.laplacian_real()

    def upsample(self, x: Tensor, fakes: bool) -> Tensor:
        """Rows of the coarser level (V', B, F) copied to their children (V, B, F); the coarsest level's own as are."""
        parent = self.parent if fakes else self.parent_real
        return x if parent is None else x.index_select(0, parent)

    def _constant(self, name: str, value: Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)
