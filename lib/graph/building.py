"""Graphs of the joints and of the mesh, and the hierarchy that MeshNet runs on."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import sparse

from lib.graph.coarsening import coarsen, perm_index_reverse
from lib.graph.laplacian import laplacian, lmax_L, rescale_L
from lib.graph.topology import checked_faces

Pairs = Iterable[Sequence[int]]

# Sizes of all padded levels, finest first, that the released weights were trained with.
RELEASED_LEVEL_SIZES = {
    "smpl": (12288, 6144, 3072, 1536, 768, 384, 192, 96, 48, 24),
    "mano": (1088, 544, 272, 136, 68, 34, 17),
}


def build_adj(joint_num: int, skeleton: Pairs, flip_pairs: Pairs) -> np.ndarray:
    """Adjacency of the joint graph: bones, links between left and right joints, and self-loops, all of weight 1.

    Args:
        joint_num: number of joints J.
        skeleton: bones as pairs of joint indices.
        flip_pairs: further edges: left/right pairs, or (hand) links between neighbouring fingers.

    Returns:
        (J, J) float64, symmetric.

    Raises:
        ValueError: an index is not in range(J).
    """
    adjacency = np.eye(joint_num)
    for a, b in [*skeleton, *flip_pairs]:
        if not (0 <= a < joint_num and 0 <= b < joint_num):
            raise ValueError(f"edge ({a}, {b}) of the joint graph is out of range for {joint_num} joints")
        adjacency[a, b] = adjacency[b, a] = 1.0
    return adjacency


def build_graph(faces: np.ndarray, vertex_num: int | None = None) -> sparse.csr_matrix:
    """Adjacency of a triangle mesh.

    On a manifold mesh, with or without boundary, every edge has weight 1 and there are no self-loops. An edge that
    three or more faces share may weigh more. Vertices that no face uses have empty rows.

    Args:
        faces: (F, 3) vertex indices.
        vertex_num: number of vertices V; by default the largest index plus 1.

    Returns:
        (V, V) float64 CSR, symmetric.

    Raises:
        ValueError: faces are not (F, 3) whole numbers in range(V).
    """
    faces = checked_faces(faces)
    used = int(faces.max()) + 1
    vertex_num = used if vertex_num is None else vertex_num
    if vertex_num < used:
        raise ValueError(f"faces use vertex {used - 1}, but the mesh has {vertex_num} vertices")
    tails = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 0]])
    heads = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 2]])
    is_edge = tails != heads  # a face that repeats a vertex adds no edge from the vertex to itself
    tails, heads = tails[is_edge], heads[is_edge]
    directed = sparse.csr_matrix((np.ones(len(tails)), (tails, heads)), shape=(vertex_num, vertex_num))
    directed.sum_duplicates()
    # An edge that two faces list in the same direction counts once; as in the original, one listed k times counts k-1.
    directed.data[directed.data > 1] -= 1
    return sparse.csr_matrix(directed.maximum(directed.T))


def build_coarse_graphs(
    mesh_face: np.ndarray,
    joint_num: int,
    skeleton: Pairs,
    flip_pairs: Pairs,
    levels: int = 9,
    scaling: str = "legacy",
) -> tuple[list[sparse.csr_matrix], list[sparse.csr_matrix], list[list[int]], np.ndarray]:
    """Hierarchy of a mesh, with the joint graph in the place of its coarsest level.

    The joint graph's Laplacian keeps its spectrum in [0, 2]; only mesh levels are rescaled (trained weights rely on
    it).

    Args:
        mesh_face: (F, 3) triangles; the mesh has V = max + 1 vertices, boundaries and several components are allowed.
        joint_num, skeleton, flip_pairs: the joint graph, see `build_adj`.
        levels: halvings of the mesh; 9 for the body, 6 for the hand.
        scaling: of the mesh Laplacians, see `lib.graph.laplacian.rescale_L`.

    Returns:
        ``(graph_Adj, graph_L, graph_perm, graph_perm_reverse)``: lists of ``levels + 1`` float64 CSR matrices (padded
        and permuted, finest first, joint graph last), ``levels + 1`` lists of row orders (see `coarsening.coarsen`;
        the last is that of the mesh level which the joint graph replaces), and int64 (M,) rows of the finest level's
        vertices. A network output (B, M, C) is the mesh after ``output[:, graph_perm_reverse[:V]]``.

    Raises:
        ValueError: bad faces, bad joint indices, or too few vertices for so many levels.
    """
    joint_adjacency = sparse.csr_matrix(build_adj(joint_num, skeleton, flip_pairs))
    adjacencies, laplacians, perms = coarsen(build_graph(mesh_face), levels)
    adjacencies[-1] = joint_adjacency
    mesh_laplacians = [rescale_L(L, lmax_L(L), scaling) for L in laplacians[:-1]]
    return adjacencies, [*mesh_laplacians, laplacian(joint_adjacency)], perms, perm_index_reverse(perms[0])


def check_level_sizes(mesh_name: str, sizes: Sequence[int]) -> None:
    """Warn when a mesh with a licensed name has other level sizes than released weights were trained with.

    Only a warning, because a network for such a mesh trains and tests like any other: generated stand-ins and models
    with re-triangulated faces are legitimate. It is the weights of the original release that cannot serve them. Those
    carry no graph; of their tensors, ``fc`` alone depends on the level sizes (its rows are the padded vertices of the
    coarsest level in use, times channels), so `Checkpoint.load_into` refuses them by its shape.

    Args:
        mesh_name: ``smpl`` and ``mano`` are checked, other names pass.
        sizes: padded sizes of mesh levels, finest first; the coarsest ones may be missing.
    """
    expected = RELEASED_LEVEL_SIZES.get(mesh_name)
    if expected is not None and tuple(sizes) != expected[: len(sizes)]:
        warnings.warn(
            f"the faces of the {mesh_name.upper()} file are not the official ones: the mesh coarsens to levels of "
            f"{', '.join(map(str, sizes))} rows, the official one to {', '.join(map(str, expected[: len(sizes)]))}; "
            "weights of the original release do not fit it",
            stacklevel=3,
        )


def released_mesh(coarse_size: int) -> str:
    """``SMPL`` or ``MANO`` when released weights start from so many rows (coarsest level in use), else empty."""
    # the two coarsest levels are not in use: one gives its place to the joints, one is skipped
    return next((name.upper() for name, sizes in RELEASED_LEVEL_SIZES.items() if sizes[-3] == coarse_size), "")
