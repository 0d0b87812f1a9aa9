"""Small operations on face arrays: boundary loops, triangulation, filling holes, counts that prove a mesh closed."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


def directed_edges(faces: np.ndarray) -> np.ndarray:
    """(F * corners, 2) edges of (F, corners) faces, in the faces' direction."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


def undirected_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct edges (E, 2), lower vertex first, and the number of faces (E,) at each."""
    return np.unique(np.sort(directed_edges(faces), axis=1), axis=0, return_counts=True)


def components(faces: np.ndarray, vertex_num: int) -> np.ndarray:
    """(vertex_num,) label of the connected component of each vertex."""
    a, b = directed_edges(faces).T
    graph = sp.coo_matrix((np.ones(len(a)), (a, b)), shape=(vertex_num, vertex_num))
    return connected_components(graph, directed=False)[1]


def surface_counts(faces: np.ndarray) -> dict[str, int]:
    """Counts that characterise a surface.

    A closed, consistently oriented manifold has no boundary edges, no irregular edges and no pinched vertices;
    a sphere-like one has Euler characteristic 2, a disk 1.

    Args:
        faces: (F, 3), using every vertex from 0 to the largest.

    Returns:
        vertices, faces, euler, components, boundary_edges (one face), irregular_edges (more than two faces, or two
        that run along it in the same direction), pinched_vertices (faces around it form more than one fan).
    """
    edges, count = undirected_edges(faces)
    directed = directed_edges(faces)
    repeated = len(directed) - len(np.unique(directed, axis=0))
    vertex_num = int(faces.max()) + 1
    # link each corner with the corner at the same vertex across its edge: the corners at a vertex must form one group
    start, end = directed.T
    key, reverse = start * vertex_num + end, end * vertex_num + start
    order = np.argsort(key)
    twin = order[np.minimum(np.searchsorted(key, reverse, sorter=order), len(key) - 1)]
    corner = np.flatnonzero(key[twin] == reverse)
    across = twin[corner] // 3 * 3 + (twin[corner] + 1) % 3
    links = sp.coo_matrix((np.ones(len(corner)), (corner, across)), shape=(faces.size, faces.size))
    fan = connected_components(links, directed=False)[1]
    fans = np.unique(np.stack([faces.ravel(), fan], axis=1), axis=0)[:, 0]
    return {
        "vertices": vertex_num,
        "faces": len(faces),
        "euler": vertex_num - len(edges) + len(faces),
        "components": int(components(faces, vertex_num).max()) + 1,
        "boundary_edges": int((count == 1).sum()),
        "irregular_edges": int((count > 2).sum()) + repeated,
        "pinched_vertices": int((np.bincount(fans, minlength=vertex_num) != 1).sum()),
    }


def boundary_loops(faces: np.ndarray) -> list[list[int]]:
    """Vertex loops along the open edges of (F, corners) faces, in the direction of the faces' edges."""
    edges = set(map(tuple, directed_edges(faces).tolist()))
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        loop = list(following.popitem())
        while loop[-1] in following:
            loop.append(following.pop(loop[-1]))
        loops.append(loop[:-1])
    return loops


def triangle_quality(corners: np.ndarray) -> np.ndarray:
    """Shape of triangles (..., 3, 3): 1 for equilateral ones, 0 for degenerate ones; shape (...)."""
    sides = [corners[..., (i + 1) % 3, :] - corners[..., i, :] for i in range(3)]
    double_area = np.linalg.norm(np.cross(sides[0], -sides[2]), axis=-1)
    return 2 * np.sqrt(3) * double_area / (sum((side * side).sum(-1) for side in sides) + 1e-20)


def triangulate(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(2Q, 3) triangles of (Q, 4) quads, each cut along the diagonal whose worse triangle is better."""
    one = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1)
    other = np.stack([quads[:, [1, 2, 3]], quads[:, [1, 3, 0]]], axis=1)
    better = triangle_quality(vertices[one]).min(1) >= triangle_quality(vertices[other]).min(1)
    return np.where(better[:, None, None], one, other).reshape(-1, 3)


def zip_chains(upper: list[int], lower: list[int], vertices: np.ndarray) -> list[tuple[int, int, int]]:
    """Triangles that close the gap between two vertex chains that start at one vertex and end at two.

    Args:
        upper: chain whose edges run with the hole's boundary.
        lower: chain whose edges run against it.
        vertices: (V, 3); the shorter of the two possible cross edges is taken at every step.
    """
    triangles = [(upper[1], upper[0], lower[1])]
    i = j = 1
    while i < len(upper) - 1 or j < len(lower) - 1:
        advance_upper = j == len(lower) - 1
        if not advance_upper and i < len(upper) - 1:
            along_upper = np.linalg.norm(vertices[upper[i + 1]] - vertices[lower[j]])
            along_lower = np.linalg.norm(vertices[upper[i]] - vertices[lower[j + 1]])
            advance_upper = along_upper <= along_lower
        if advance_upper:
            triangles.append((upper[i + 1], upper[i], lower[j]))
            i += 1
        else:
            triangles.append((upper[i], lower[j], lower[j + 1]))
            j += 1
    return triangles


def compact(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces renumbered over the vertices that they use, and those vertices' old indices in ascending order."""
    ids, renumbered = np.unique(faces, return_inverse=True)
    return renumbered.reshape(faces.shape), ids
