"""Products with a sparse matrix as products of small dense blocks, which every inference engine is fast at.

A block of neighbouring rows reads about twice as many rows as it has, so a gather copies two rows for each where one
per neighbour would be seven. All blocks are one batched dense product, or a few where some read many more than others.
"""

from itertools import combinations, pairwise

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor, nn

# Rows of a block, a multiple of those that kernels of products take at a time; rows up to which all are one block
# (measured with onnxruntime on a CPU).
BLOCK_ROWS = 12
DENSE_ROWS = 128
_GROUPS = 3


class NeighbourSum(nn.Module):
    """A constant sparse matrix S times the rows of each sample, (N*B, F) to (R*B, F), samples fastest.

    Args:
        matrix: (R, N); R is a multiple of ``BLOCK_ROWS`` where it is larger than ``dense_rows``.
        dense_rows: up to how many rows all are one block, which reads the rows as they are.
    """

    def __init__(self, matrix: sparse.spmatrix, dense_rows: int = DENSE_ROWS):
        super().__init__()
        matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        self.inputs = matrix.shape[1]
        self.dense = matrix.shape[0] <= dense_rows
        if self.dense:
            self.groups = 0
            self.register_buffer("blocks0", torch.from_numpy(matrix.toarray()))
            return
        parts = [matrix[start : start + BLOCK_ROWS] for start in range(0, matrix.shape[0], BLOCK_ROWS)]
        read = [np.unique(part.indices) for part in parts]
        cuts = _cuts([len(places) for places in read])
        self.groups = len(cuts) - 1
        for group, (start, stop) in enumerate(pairwise(cuts)):
            columns, blocks = _packed(parts[start:stop], read[start:stop])
            self.register_buffer(f"columns{group}", torch.from_numpy(columns))
            self.register_buffer(f"blocks{group}", torch.from_numpy(blocks))

    def forward(self, x: Tensor) -> Tensor:
        table = x.view(self.inputs, -1)
        if self.dense:
            return (self.get_buffer("blocks0") @ table).view(-1, x.shape[1])
        found = []
        for group in range(self.groups):
            blocks, columns = self.get_buffer(f"blocks{group}"), self.get_buffer(f"columns{group}")
            read = table.index_select(0, columns).view(*blocks.shape[::2], -1)
            found.append((blocks @ read).view(-1, x.shape[1]))
        return torch.cat(found)


def _packed(parts: list[sparse.csr_matrix], read: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Columns (n*c,) that n blocks read and their entries (n, BLOCK_ROWS, c); missing ones: column 0, weight 0."""
    columns = np.zeros((len(parts), max(map(len, read))), dtype=np.int64)
    blocks = np.zeros((len(parts), BLOCK_ROWS, columns.shape[1]), dtype=np.float32)
    for number, (part, places) in enumerate(zip(parts, read)):
        columns[number, : len(places)] = places
        blocks[number, : part.shape[0], : len(places)] = part[:, places].toarray()
    return columns.ravel(), blocks


def _cuts(sizes: list[int]) -> tuple[int, ...]:
    """Where successive blocks are cut into groups, whose blocks are filled up to the largest of each."""
    step = -(-len(sizes) // 24)
    places = range(step, len(sizes), step)
    candidates = [(0, *chosen, len(sizes)) for k in range(_GROUPS) for chosen in combinations(places, k)]
    return min(candidates, key=lambda cuts: sum((b - a) * max(sizes[a:b]) for a, b in pairwise(cuts)))


class RowCopies(nn.Module):
    """Rows of each sample copied, (N*B, F) to (V*B, F), samples fastest.

    Args:
        rows: (V,) which one is copied.
        inputs: N.
    """

    rows: Tensor

    def __init__(self, rows: np.ndarray, inputs: int):
        super().__init__()
        self.inputs = inputs
        self.register_buffer("rows", torch.from_numpy(rows))

    def forward(self, x: Tensor) -> Tensor:
        return x.view(self.inputs, -1).index_select(0, self.rows).view(-1, x.shape[1])


def compact_order(matrix: sparse.csr_matrix, dense_rows: int) -> np.ndarray:
    """An order of a graph's nodes in which the rows of a block are close to each other.

    Args:
        matrix: (R, R), entries are edges.
        dense_rows: up to how many rows the order stays.

    Returns:
        (R,) nodes, cut in two again and again half-way between the ends of what is left. Blocks that read few rows
        come first, and one that is not full last.
    """
    nodes = np.arange(matrix.shape[0])
    if len(nodes) <= dense_rows:
        return nodes
    edges = abs(matrix)
    blocks = _halved(edges, nodes)
    blocks.sort(key=lambda block: (len(block) < BLOCK_ROWS, len(np.unique(edges[block].indices))))
    return np.concatenate(blocks)


def _halved(edges: sparse.csr_matrix, nodes: np.ndarray) -> list[np.ndarray]:
    if len(nodes) <= BLOCK_ROWS:
        return [nodes]
    own = edges[nodes][:, nodes]
    start = int(_distances(own, 0).argmax())
    one = _distances(own, start)
    other = _distances(own, int(one.argmax()))
    order = nodes[np.argsort(one - other, kind="stable")]
    half = -(-len(nodes) // BLOCK_ROWS) // 2 * BLOCK_ROWS
    return _halved(edges, order[:half]) + _halved(edges, order[half:])


def _distances(edges: sparse.csr_matrix, node: int) -> np.ndarray:
    """Edges to each node from one of them; those that it does not reach are as far as no other."""
    steps = csgraph.dijkstra(edges, unweighted=True, indices=node)
    return np.where(np.isfinite(steps), steps, len(steps))
