"""Mesh graph, heavy-edge matching and Laplacians in plain loops (slow reference of ``lib.graph.coarsening``)."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from lib.graph.legacy_sort import legacy_argsort


def joint_adjacency(joint_num: int, bones, links) -> np.ndarray:
    adjacency = np.zeros((joint_num, joint_num))
    for i, j in [*bones, *links]:
        adjacency[i, j] = adjacency[j, i] = 1
    return adjacency + np.eye(joint_num)


def mesh_adjacency(faces: np.ndarray) -> sparse.csr_matrix:
    vertex_num = int(faces.max()) + 1
    rows, columns = [], []
    for a, b, c in faces.tolist():
        rows += [a, b, a]
        columns += [b, c, c]
    directed = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(vertex_num, vertex_num))
    directed = directed - sparse.csr_matrix(directed > 1)
    return sparse.csr_matrix(directed.maximum(directed.T))


def match(rows, columns, values, order, degrees) -> np.ndarray:
    """Cluster of each node; entries are sorted by row, then column."""
    node_num, last = len(degrees), len(rows)
    start, length = [0] * node_num, [0] * node_num
    for entry in range(last):
        length[rows[entry]] += 1
    for node in range(1, node_num):
        start[node] = start[node - 1] + length[node - 1]
    self_weight = [values[start[node]] for node in range(node_num)]
    length[0] += 1
    length[-1] -= 1

    cluster, marked, count = [-1] * node_num, [False] * node_num, 0
    for node in order:
        if marked[node]:
            continue
        marked[node] = True
        best, best_score = -1, 0.0
        for entry in range(start[node], start[node] + length[node]):
            other = columns[entry]
            if marked[other]:
                score = 0.0
            else:
                weight = 2.0 * values[entry] + self_weight[node] + self_weight[other]
                score = weight * 1.0 / (degrees[node] + degrees[other] + 1e-9)
            if score > best_score:
                best, best_score = other, score
        cluster[node] = count
        if best >= 0:
            cluster[best] = count
            marked[best] = True
        count += 1
    return np.array(cluster, dtype=np.int32)


def coarse_graphs(adjacency: sparse.csr_matrix, levels: int):
    """Graphs of all levels and the parents between them."""
    sums = np.asarray(adjacency.sum(axis=0)).reshape(-1)
    order, degrees = legacy_argsort(sums), sums - adjacency.diagonal()
    graphs, parents = [adjacency], []
    for _ in range(levels):
        entries = sparse.coo_matrix(graphs[-1].sorted_indices())
        parent = match(
            entries.row.tolist(), entries.col.tolist(), entries.data.tolist(), order.tolist(), degrees.tolist()
        )
        count = int(parent.max()) + 1
        merged = sparse.csr_matrix((entries.data, (parent[entries.row], parent[entries.col])), shape=(count, count))
        merged.sum_duplicates()
        degrees = np.asarray(merged.sum(axis=0)).reshape(-1)
        order = legacy_argsort(degrees)
        graphs.append(merged)
        parents.append(parent)
    return graphs, parents


def permutations(parents) -> list[list[int]]:
    """Row orders of all levels, finest first, with fake nodes in the places of missing children."""
    orders = [list(range(int(max(parents[-1])) + 1))]
    for parent in parents[::-1]:
        next_fake, order = len(parent), []
        for node in orders[-1]:
            children = list(np.where(parent == node)[0])
            while len(children) < 2:
                children.append(next_fake)
                next_fake += 1
            order += [int(child) for child in children]
        orders.append(order)
    return orders[::-1]


def permuted(adjacency: sparse.csr_matrix, order: list[int]) -> sparse.csr_matrix:
    row_of = np.argsort(order)
    entries = sparse.coo_matrix(adjacency)
    size = len(order)
    matrix = sparse.csr_matrix((entries.data, (row_of[entries.row], row_of[entries.col])), shape=(size, size))
    matrix.eliminate_zeros()
    return matrix


def laplacian(adjacency: sparse.spmatrix) -> sparse.csr_matrix:
    degrees = np.asarray(adjacency.sum(axis=0)).reshape(-1) + np.spacing(np.array(0.0))
    scale = sparse.diags(1 / np.sqrt(degrees))
    result = sparse.identity(len(degrees)) - scale @ adjacency @ scale
    if np.abs(result - result.T).mean() >= 1e-9:
        raise ValueError("the Laplacian is not symmetric")
    return sparse.csr_matrix(result)


def plain_coarse_graphs(faces: np.ndarray, joint_num: int, bones, links, levels: int = 9):
    """Slow ``lib.graph.building.build_coarse_graphs``: (adjacencies, Laplacians, row orders, reverse order)."""
    graphs, parents = coarse_graphs(mesh_adjacency(faces), levels)
    orders = permutations(parents)
    adjacencies = [permuted(graph, order) for graph, order in zip(graphs[:-1], orders[:-1])]
    laplacians = [laplacian(adjacency) for adjacency in adjacencies]
    for level, matrix in enumerate(laplacians):
        lmax = eigsh(matrix, k=1, which="LM", return_eigenvectors=False)[0]
        laplacians[level] = sparse.csr_matrix(matrix / (2 * lmax) - sparse.identity(matrix.shape[0]))
    joints = sparse.csr_matrix(joint_adjacency(joint_num, bones, links))
    reverse = np.empty(len(orders[0]), dtype=np.int64)
    for row, node in enumerate(orders[0]):
        reverse[node] = row
    return [*adjacencies, joints], [*laplacians, laplacian(joints)], orders, reverse


def levels_in_use(laplacians) -> list[sparse.csr_matrix]:
    """The matrices that MeshNet works with: the second to last one is left out."""
    return [*laplacians[:-2], laplacians[-1]]
