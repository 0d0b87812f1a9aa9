"""Graph Laplacians and their scaling for Chebyshev polynomials. All matrices are SciPy CSR, float64."""

import numpy as np
from scipy import sparse
from scipy.linalg import eigh_tridiagonal

_LMAX_DECIMALS = 10
_RITZ_RESIDUAL = 1e-7
_RITZ_INTERVAL = 20


def laplacian(W: sparse.spmatrix, normalized: bool = True) -> sparse.csr_matrix:
    """Graph Laplacian: I - D^-1/2 W D^-1/2, or D - W.

    Degrees D are column sums including self-loops. A node without any entry has 1 (normalised) or 0 on its diagonal.

    Args:
        W: (N, N) symmetric adjacency.
        normalized: which of the two.

    Returns:
        (N, N) CSR, exactly symmetric.
    """
    degrees = column_sums(W)
    if not normalized:
        return sparse.csr_matrix(sparse.diags(degrees) - W)
    inverse_root = np.zeros_like(degrees)
    np.divide(1.0, np.sqrt(degrees), out=inverse_root, where=degrees > 0)
    W = sparse.coo_matrix(W)
    values = W.data * (inverse_root[W.row] * inverse_root[W.col])
    return sparse.csr_matrix(sparse.identity(W.shape[0]) - sparse.csr_matrix((values, (W.row, W.col)), shape=W.shape))


def lmax_L(L: sparse.spmatrix) -> float:
    """Largest eigenvalue of a symmetric matrix with non-negative eigenvalues, to 10 decimals.

    The start vector of the iteration is fixed and the result rounded, so that the digits which depend on the linear
    algebra library do not reach the operators.

    Raises:
        ValueError: L is empty.
    """
    if L.shape[0] == 0:
        raise ValueError("an empty graph has no eigenvalues")
    L = sparse.csr_matrix(L)
    # A row with nothing but a diagonal entry (a fake node) is an eigenvector by itself; without those rows the
    # iteration is shorter and never meets an eigenvalue of high multiplicity.
    diagonal = L.diagonal()
    off_diagonal = L - sparse.diags(diagonal)
    off_diagonal.eliminate_zeros()
    is_alone = np.diff(off_diagonal.tocsr().indptr) == 0
    candidates = [diagonal[is_alone].max()] if is_alone.any() else []
    connected = np.flatnonzero(~is_alone)
    if len(connected):
        candidates.append(_largest_ritz_value(L[connected][:, connected]))
    return round(float(max(candidates)), _LMAX_DECIMALS)


def _largest_ritz_value(L: sparse.csr_matrix) -> float:
    """Largest eigenvalue by the Lanczos recurrence without reorthogonalisation.

    Lost orthogonality only repeats Ritz values that have converged, which does no harm to the largest. On a body mesh
    this takes a tenth of the time of ARPACK, which would spend it on keeping its basis orthogonal. The eigenvalue's
    error is about the square of the residual that ends the iteration.
    """
    vector = np.random.default_rng(0).uniform(-1.0, 1.0, L.shape[0])
    vector /= np.linalg.norm(vector)
    previous = np.zeros_like(vector)
    diagonal, off_diagonal = [], [0.0]
    while True:
        image = L @ vector
        image -= off_diagonal[-1] * previous
        diagonal.append(float(vector @ image))
        image -= diagonal[-1] * vector
        norm = float(np.linalg.norm(image))
        steps = len(diagonal)
        if steps % _RITZ_INTERVAL == 0 or norm < _RITZ_RESIDUAL:
            last = (steps - 1, steps - 1)
            values, vectors = eigh_tridiagonal(diagonal, off_diagonal[1:], select="i", select_range=last)
            if norm * abs(vectors[-1, 0]) < _RITZ_RESIDUAL:
                return float(values[0])
        off_diagonal.append(norm)
        previous, vector = vector, image / norm


SCALINGS = {"legacy": 0.5, "textbook": 2.0}  # factors of L / lmax


def rescale_L(L: sparse.spmatrix, lmax: float = 2.0, scaling: str = "legacy") -> sparse.csr_matrix:
    """Shift and scale a Laplacian's spectrum for Chebyshev polynomials.

    Args:
        L: (N, N) Laplacian with eigenvalues in [0, lmax].
        lmax: its largest eigenvalue.
        scaling: ``legacy`` gives L / (2 lmax) - I, with eigenvalues in [-1, -0.5]: what all published weights were
            trained with. ``textbook`` gives 2 L / lmax - I, with eigenvalues in [-1, 1].

    Raises:
        ValueError: unknown scaling, or lmax is not positive.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"unknown Laplacian scaling {scaling!r}; choose one of {', '.join(SCALINGS)}")
    if not lmax > 0:
        raise ValueError(f"largest eigenvalue must be positive, got {lmax}")
    return sparse.csr_matrix(L * (SCALINGS[scaling] / lmax) - sparse.identity(L.shape[0]))


def column_sums(W: sparse.spmatrix) -> np.ndarray:
    """Degrees of all nodes: (N,) float64."""
    return np.asarray(W.sum(axis=0), dtype=np.float64).reshape(-1)
