"""A Chebyshev graph convolution as one dense and one sparse product, for activations of one sample at a time.

sum_k T_k(L) x W_k needs K dense products and the recurrence T_k = 2 L T_(k-1) - T_(k-2). Here all dense products are
one, x [W_0 ... W_(K-1)], whose rows are read as K rows of F' numbers each: a table of K*N rows. The Chebyshev matrices
are multiplied out beforehand, so that each output row is a weighted sum of table rows: 28 of them on a triangle mesh.

Such a sum is what an embedding bag computes, and PyTorch's is several times faster than a product with a CSR tensor as
long as the table stays in the processor's cache. The table of one sample does, that of a batch does not.
"""

import numpy as np
import torch
from numpy.polynomial.chebyshev import cheb2poly
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F


class RowSums(nn.Module):
    """Weighted sums of table rows: a constant sparse matrix S times a dense table, as an embedding bag.

    Args:
        matrix: (R, N) sparse matrix S.
        leading: how many of the first R rows ``forward`` can be told to stop at.

    Held as buffers that follow ``.to()`` but are not part of the state dict.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor

    def __init__(self, matrix: sparse.spmatrix, leading: int = 0):
        super().__init__()
        matrix = sparse.csr_matrix(matrix)
        matrix.sort_indices()
        (self.rows, self.inputs), self.leading = matrix.shape, leading
        self.leading_terms = int(matrix.indptr[leading])
        self.register_buffer("starts", torch.from_numpy(matrix.indptr.astype(np.int32)), persistent=False)
        self.register_buffer("columns", torch.from_numpy(matrix.indices.astype(np.int32)), persistent=False)
        self.register_buffer("values", torch.tensor(matrix.data, dtype=torch.get_default_dtype()), persistent=False)

    def forward(self, table: Tensor, leading: bool = False) -> Tensor:
        """(N, F) to (R, F), or with ``leading`` to the first rows only."""
        starts, columns, values = self.starts, self.columns, self.values
        if leading:
            starts = starts[: self.leading + 1]
            columns, values = columns[: self.leading_terms], values[: self.leading_terms]
        return F.embedding_bag(columns, table, starts, mode="sum", per_sample_weights=values, include_last_offset=True)


def upsampling(parent: np.ndarray) -> sparse.csr_matrix:
    """The matrix (V, N) that copies row ``parent[v]`` to row v; every row of the input has a copy."""
    shape = len(parent), int(parent.max()) + 1
    return sparse.csr_matrix((np.ones(len(parent)), parent, np.arange(len(parent) + 1)), shape)


class ChebyshevMixer(nn.Module):
    """The sparse half of a Chebyshev convolution: [T_0(L) ... T_(K-1)(L)], optionally behind an upsampling.

    Args:
        laplacian: (V, V) symmetric L.
        order: number of polynomials K.
        parent: (V,) row of the input that each vertex copies (upsampling); None: the input has the V rows themselves.
            Rows that are copied several times go through the dense product once.
        rows: vertices to compute, in this order; None: all.
        leading: as in `RowSums`.
        side_by_side: hold ``beside`` and ``beside_adjoint`` too, the same for tables whose row k*N + n is x_n W_k: of
            samples that lie side by side, which one product for each k makes.

    ``forward`` maps a table (K*N, F'), whose row n*K + k is x_n W_k, to the (R, F') convolution; ``adjoint`` is its
    transpose, (R, F') to (K*N, F').
    """

    def __init__(
        self,
        laplacian: sparse.csr_matrix,
        order: int,
        parent: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        leading: int = 0,
        side_by_side: bool = False,
    ):
        super().__init__()
        laplacian = sparse.csr_matrix(laplacian, dtype=np.float64)
        vertices = laplacian.shape[0]
        powers = [sparse.identity(vertices, format="csr")]
        for _ in range(order - 1):
            powers.append(laplacian @ powers[-1])
        terms = []
        for k in range(order):
            term = sum(c * power for c, power in zip(cheb2poly([0] * k + [1]), powers))
            if parent is not None:
                term = term @ upsampling(parent)
            terms.append(sparse.coo_matrix(term if rows is None else term.tocsr()[rows]))
        index = (
            np.concatenate([term.row for term in terms]),
            np.concatenate([order * term.col + k for k, term in enumerate(terms)]),
        )
        data = np.concatenate([term.data for term in terms])
        matrix = sparse.csr_matrix((data, index), shape=(terms[0].shape[0], order * terms[0].shape[1]))
        self.order = order
        self.mix = RowSums(matrix, leading)
        self.adjoint = RowSums(matrix.T)
        if side_by_side:
            by_term = matrix[:, np.arange(matrix.shape[1]).reshape(-1, order).T.ravel()]
            self.beside, self.beside_adjoint = RowSums(by_term), RowSums(by_term.T)

    def forward(self, table: Tensor, leading: bool = False) -> Tensor:
        return self.mix(table, leading)
