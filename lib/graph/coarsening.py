"""Coarsening of mesh graphs by heavy-edge matching, and the operators on the resulting hierarchy.

Source: M. Defferrard et al., "Convolutional Neural Networks on Graphs with Fast Localized Spectral Filtering" (NIPS
2016), section 2.2, as used by Pose2Mesh (ECCV 2020, section 4.2). A graph is halved ``levels`` times by pairing nodes;
nodes without a partner get a fake one, so that rows 2k and 2k+1 of a level are the children of row k of the next
coarser level and upsampling is a plain repetition.

Trained weights fix the meaning of every row. The matching below therefore keeps the original's oddities (each is
named where it happens), evaluates its float64 expressions in the original's order, and sorts with `legacy_argsort`,
so that a mesh has one hierarchy on every machine.

All matrices are SciPy CSR, float64.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lib.graph.laplacian import column_sums, laplacian
from lib.graph.legacy_sort import legacy_argsort


def coarsen(
    A: sparse.spmatrix, levels: int
) -> tuple[list[sparse.csr_matrix], list[sparse.csr_matrix], list[list[int]]]:
    """Coarsen a graph and put every level into the order in which siblings are neighbours.

    Args:
        A: (N, N) symmetric non-negative adjacency.
        levels: number of halvings, at least 1.

    Returns:
        ``(adjacencies, laplacians, perms)``, each with ``levels + 1`` entries, finest first. Levels before the last are
        padded with fake nodes (empty rows) and permuted, sizes M * 2**levels ... 2 * M; the last is as the matching
        left it, with M nodes. Laplacians are normalised, not rescaled. ``perms[l][row]`` is the node of level l in that
        row; numbers beyond the level's node count are fake nodes.

    Raises:
        ValueError: as `HEM`.
    """
    graphs, parents = HEM(A, levels)
    perms = compute_perm(parents)
    adjacencies = [perm_adjacency(graph, perm) for graph, perm in zip(graphs[:-1], perms[:-1])]
    adjacencies.append(graphs[-1])
    return adjacencies, [laplacian(graph) for graph in adjacencies], perms


def HEM(W: sparse.spmatrix, levels: int) -> tuple[list[sparse.csr_matrix], list[np.ndarray]]:
    """Heavy-edge matching, ``levels`` times.

    Any graph will do: boundaries and several components need no care. Nodes without any edge (vertices that no face
    uses) are paired among themselves, because each would otherwise cost 2**levels rows of the finest level.

    Args:
        W: (N, N) symmetric non-negative adjacency.
        levels: number of halvings, at least 1.

    Returns:
        ``(graphs, parents)``: ``levels + 1`` CSR matrices and ``levels`` int32 arrays; ``parents[l][i]`` is the node of
        level l+1 that node i of level l belongs to.

    Raises:
        ValueError: W is not square, symmetric, finite and non-negative; levels < 1; or the graph cannot be halved that
            often (it shrinks to one node, or every component does).
    """
    W = _checked_adjacency(W, levels)
    degrees = column_sums(W)
    order = legacy_argsort(degrees)
    # Degrees leave out self-loops here, and include them on all later levels: part of the original's matching.
    degrees = degrees - W.diagonal()

    graphs, parents = [W], []
    for level in range(levels):
        node_num = W.shape[0]
        rows, columns, values = _entries(W)
        parent = HEM_one_level(rows, columns, values, order, degrees)
        count = int(parent.max()) + 1
        if count < 2 or count == node_num:
            raise ValueError(
                f"the graph has too few vertices for {levels} levels of coarsening: {graphs[0].shape[0]} vertices "
                f"shrink to {count} at level {level + 1} and no further; use fewer levels or a finer mesh"
            )
        # Edges inside a pair become a self-loop of twice their weight, which dominates the coarse levels.
        W = sparse.csr_matrix((values, (parent[rows], parent[columns])), shape=(count, count))
        W.sum_duplicates()
        degrees = column_sums(W)
        order = legacy_argsort(degrees)
        graphs.append(W)
        parents.append(parent)
    return graphs, parents


def HEM_one_level(rr: np.ndarray, cc: np.ndarray, vv: np.ndarray, rid: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One round of matching: every node is paired with its best unmatched neighbour, or stays alone.

    The score of a pair is (2 w_ij + w_ii + w_jj) / (d_i + d_j + 1e-9); the first of equal scores wins.

    Args:
        rr, cc, vv: (nnz,) row, column and weight of all entries, sorted by row, then column.
        rid: (N,) order in which nodes are visited.
        weights: (N,) degrees d.

    Returns:
        (N,) int32 cluster of each node, numbered in the order of creation.
    """
    node_num = len(weights)
    starts = np.searchsorted(rr, np.arange(node_num + 1))
    is_empty = starts[1:] == starts[:-1]
    # The original takes the first stored entry of a row for its self-weight, although it is the diagonal entry only
    # where no smaller neighbour exists.
    self_weight = np.where(is_empty, 0.0, vv[np.minimum(starts[:-1], len(vv) - 1)])

    # The original counts one entry too many for row 0 (the first of the next row) and one too few for the last row.
    end = starts[1]
    if 0 < end < len(rr):
        rr, cc, vv = np.insert(rr, end, 0), np.insert(cc, end, cc[end]), np.insert(vv, end, vv[end])
    rr, cc, vv = rr[:-1], cc[:-1], vv[:-1]

    scores = (2.0 * vv + self_weight[rr] + self_weight[cc]) / (weights[rr] + weights[cc] + 1e-9)
    starts = np.searchsorted(rr, np.arange(node_num + 1)).tolist()
    scores, neighbours, empty = scores.tolist(), cc.tolist(), is_empty.tolist()

    cluster = [-1] * node_num
    count = 0
    lone_cluster = -1
    for node in rid.tolist():
        if cluster[node] >= 0:
            continue
        if empty[node] and lone_cluster >= 0:
            cluster[node], lone_cluster = lone_cluster, -1
            continue
        cluster[node] = count
        best, best_score = -1, 0.0
        for entry in range(starts[node], starts[node + 1]):
            if scores[entry] > best_score and cluster[neighbours[entry]] < 0:
                best, best_score = neighbours[entry], scores[entry]
        if best >= 0:
            cluster[best] = count
        elif empty[node]:
            lone_cluster = count
        count += 1
    return np.array(cluster, dtype=np.int32)


def compute_perm(parents: Sequence[Sequence[int] | np.ndarray]) -> list[list[int]]:
    """Orders of all levels in which rows 2k and 2k+1 are the children of row k of the next level.

    Missing children are filled with fake nodes, numbered from the level's node count on in order of appearance. For
    parents ``[4,1,1,2,2,3,0,0,3], [2,1,0,1,0]`` the result is
    ``[[3,4,0,9,1,2,5,8,6,7,10,11], [2,4,1,3,0,5], [0,1,2]]``.

    Args:
        parents: as `HEM` returns them.

    Returns:
        ``len(parents) + 1`` lists, finest first; list l is a permutation of range(M * 2**(levels - l)).

    Raises:
        ValueError: no levels, or a node has more than two children.
    """
    if len(parents) == 0:
        raise ValueError("no parents given: a hierarchy needs at least one level of coarsening")
    order = np.arange(int(np.max(parents[-1])) + 1)
    perms = [order.tolist()]
    for parent in reversed([np.asarray(p, dtype=np.int64) for p in parents]):
        child_num = np.bincount(parent, minlength=len(order))
        if len(child_num) > len(order) or child_num.max() > 2:
            raise ValueError("parents do not describe a pairing: a node has more than two children or is out of range")
        children = np.full((len(order), 2), -1)
        by_parent = np.argsort(parent, kind="stable")
        is_second = np.concatenate([[False], parent[by_parent][1:] == parent[by_parent][:-1]])
        children[parent[by_parent], is_second.astype(np.int64)] = by_parent
        order = children[order].reshape(-1)
        is_fake = order < 0
        order[is_fake] = len(parent) + np.arange(np.count_nonzero(is_fake))
        perms.append(order.tolist())
    return perms[::-1]


def perm_adjacency(A: sparse.spmatrix, indices: Sequence[int]) -> sparse.csr_matrix:
    """Pad a graph with isolated fake nodes and reorder it.

    Args:
        A: (N, N) adjacency.
        indices: permutation of range(M), M >= N; row r of the result is node ``indices[r]``.

    Returns:
        (M, M) CSR adjacency in canonical form.

    Raises:
        ValueError: fewer indices than nodes.
    """
    if len(indices) < A.shape[0]:
        raise ValueError(f"{len(indices)} indices cannot order a graph of {A.shape[0]} nodes")
    row_of = perm_index_reverse(indices)
    rows, columns, values = _entries(sparse.csr_matrix(A))
    permuted = sparse.csr_matrix((values, (row_of[rows], row_of[columns])), shape=(len(indices), len(indices)))
    permuted.eliminate_zeros()
    return permuted


def perm_index_reverse(indices: Sequence[int]) -> np.ndarray:
    """Inverse permutation: int64 ``(M,)``, the row of each node."""
    order = np.asarray(indices, dtype=np.int64)
    if not np.array_equal(np.bincount(order, minlength=len(order)), np.ones(len(order))):
        raise ValueError(f"not a permutation of range({len(order)})")
    reverse = np.empty_like(order)
    reverse[indices] = np.arange(len(indices))
    return reverse


def _checked_adjacency(W: sparse.spmatrix, levels: int) -> sparse.csr_matrix:
    if levels < 1:
        raise ValueError(f"levels of coarsening must be at least 1, got {levels}")
    if W.ndim != 2 or W.shape[0] != W.shape[1] or W.shape[0] == 0:
        raise ValueError(f"adjacency must be a non-empty square matrix, got shape {W.shape}")
    W = sparse.csr_matrix(W, dtype=np.float64, copy=True)
    W.sum_duplicates()
    if not np.isfinite(W.data).all() or (W.data < 0).any():
        raise ValueError("adjacency has NaN, infinite or negative weights")
    W.eliminate_zeros()
    if W.nnz == 0:
        raise ValueError("adjacency has no edges")
    if (W != W.T).nnz:
        raise ValueError("adjacency must be symmetric")
    return W


def _entries(W: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values in storage order."""
    rows = np.repeat(np.arange(W.shape[0], dtype=np.int32), np.diff(W.indptr))
    return rows, W.indices, W.data
