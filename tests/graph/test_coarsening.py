"""Heavy-edge matching, permutations and Laplacians: kept oddities and invariants."""

import numpy as np
import pytest
from scipy import sparse

from lib.graph.building import build_coarse_graphs, build_graph
from lib.graph.coarsening import (
    HEM,
    HEM_one_level,
    coarsen,
    compute_perm,
    perm_adjacency,
    perm_index_reverse,
)
from lib.graph.laplacian import laplacian, lmax_L, rescale_L
from lib.joints.tables import COCO, MANO, SMPL
from tests.helpers import assert_close
from tests.support.meshes import grid, joint_graph

# ---- oddities that trained weights depend on


def match(edges, node_num, visits, degrees=None):
    """Clusters of a graph given as {(a, b): weight}."""
    W = np.zeros((node_num, node_num))
    for (a, b), weight in edges.items():
        W[a, b] = W[b, a] = weight
    W = sparse.csr_matrix(W)
    rows = np.repeat(np.arange(node_num), np.diff(W.indptr))
    return HEM_one_level(rows, W.indices, W.data, np.array(visits), np.ones(node_num) if degrees is None else degrees)


def test_first_row_reads_one_entry_too_many():
    # Node 0's only neighbour is taken when it is visited; it then pairs with node 2, the first entry of row 1.
    assert match({(0, 3): 1, (1, 2): 1, (1, 3): 1}, 4, [1, 0, 2, 3], np.array([1, 2, 9, 0.1])).tolist() == [1, 0, 1, 0]


def test_last_row_misses_its_last_entry():
    assert match({(0, 1): 1, (1, 2): 1, (2, 3): 1}, 4, [3, 2, 0, 1]).tolist() == [2, 1, 1, 0]
    assert match({(0, 1): 1, (1, 2): 1, (2, 3): 1, (1, 3): 1}, 4, [3, 2, 0, 1]).tolist() == [2, 0, 1, 0]


def test_first_of_equal_scores_wins():
    assert match({(2, 3): 1, (2, 4): 1, (1, 4): 1, (0, 5): 1}, 6, [2, 3, 4, 1, 0, 5])[[2, 3]].tolist() == [0, 0]


def test_first_entry_of_a_row_counts_as_self_weight():
    # As above, but the edge 1-4, first entry of row 4, makes node 4 look as if it had a self-loop of weight 5.
    assert match({(2, 3): 1, (2, 4): 1, (1, 4): 5, (0, 5): 1}, 6, [2, 3, 4, 1, 0, 5])[[2, 4]].tolist() == [0, 0]


def test_degrees_include_self_loops_only_on_coarse_levels():
    ring = build_graph(np.array([[i, (i + 1) % 12, 12] for i in range(12)]))
    graphs, _ = HEM(ring, 2)
    assert graphs[0].diagonal().sum() == 0
    assert graphs[1].diagonal().sum() > 0
    assert graphs[0].sum() == graphs[1].sum() == graphs[2].sum()


# ---- invariants


def test_compute_perm_example():
    perms = compute_perm([[4, 1, 1, 2, 2, 3, 0, 0, 3], [2, 1, 0, 1, 0]])
    assert perms == [[3, 4, 0, 9, 1, 2, 5, 8, 6, 7, 10, 11], [2, 4, 1, 3, 0, 5], [0, 1, 2]]


def test_compute_perm_rejects_what_is_no_pairing():
    with pytest.raises(ValueError, match="more than two children"):
        compute_perm([[0, 0, 0, 1]])
    with pytest.raises(ValueError, match="out of range"):
        compute_perm([[0, 5, 1], [0, 1]])
    with pytest.raises(ValueError, match="at least one level"):
        compute_perm([])


@pytest.mark.parametrize("mesh", ["sphere300", "mano"])
def test_siblings_are_children_of_their_row(order, mesh):
    levels = len(order[f"{mesh}.sizes"]) - 1
    graphs, parents = HEM(build_graph(order[f"{mesh}.faces"]), levels)
    adjacencies, _, perms = coarsen(graphs[0], levels)
    for level, parent in enumerate(parents):
        assert sorted(perms[level]) == list(range(len(perms[level])))
        assert len(perms[level]) == 2 * len(perms[level + 1])
        for row, node in enumerate(perms[level]):
            if node < len(parent):
                assert parent[node] == perms[level + 1][row // 2]
        # Pooling pairs of rows of the finer graph gives the coarser graph.
        size = len(perms[level])
        pool = sparse.csr_matrix((np.ones(size), (np.arange(size) // 2, np.arange(size))))
        assert (pool @ adjacencies[level] @ pool.T != adjacencies[level + 1]).nnz == 0


def test_fake_rows_are_isolated(order):
    _, laplacians, perms, reverse = build_coarse_graphs(order["mano.faces"], *joint_graph(MANO), levels=6)
    fake = np.flatnonzero(np.array(perms[0]) >= 778)
    np.testing.assert_array_equal(np.array(perms[0])[reverse], np.arange(len(reverse)))
    assert np.diff(laplacians[0].indptr)[fake].tolist() == [1] * len(fake)
    assert np.diff(laplacians[0].indptr)[reverse[:778]].min() > 1


def test_spectra(order):
    arguments = (order["sphere300.faces"], *joint_graph(SMPL), 3)
    legacy, textbook = (build_coarse_graphs(*arguments, scaling=name)[1] for name in ("legacy", "textbook"))
    for L in legacy[:-1]:
        eigenvalues = np.linalg.eigvalsh(L.toarray())
        assert_close(eigenvalues[[0, -1]], [-1.0, -0.5], 1e-9)
        assert abs(L - L.T).max() == 0
    for L in textbook[:-1]:
        assert_close(np.linalg.eigvalsh(L.toarray())[[0, -1]], [-1.0, 1.0], 1e-9)
    # The joint graph is rescaled in neither.
    assert (legacy[-1] != textbook[-1]).nnz == 0
    eigenvalues = np.linalg.eigvalsh(legacy[-1].toarray())
    assert eigenvalues[0] == pytest.approx(0, abs=1e-12)
    assert eigenvalues[-1] == pytest.approx(1.445846, abs=1e-6)


def test_relabelled_joint_graph():
    """Renaming the joints permutes the joint Laplacian and leaves the mesh levels alone."""
    faces, new = grid(12, 9), np.random.default_rng(3).permutation(19)
    original = build_coarse_graphs(faces, *joint_graph(COCO), levels=3)[1]
    relabelled = build_coarse_graphs(faces, 19, new[list(COCO.bones)], new[list(COCO.graph_links)], levels=3)[1]
    assert_close(relabelled[-1].toarray()[np.ix_(new, new)], original[-1].toarray(), 1e-15)
    for a, b in zip(original[:-1], relabelled[:-1]):
        assert (a != b).nnz == 0


def test_twice_the_same_and_inputs_unchanged(order):
    faces = order["mano.faces"]
    before = faces.copy()
    first, second = (build_coarse_graphs(faces, *joint_graph(MANO), levels=6) for _ in range(2))
    np.testing.assert_array_equal(faces, before)
    assert first[2] == second[2]
    for a, b in zip(first[1], second[1]):
        np.testing.assert_array_equal(a.data, b.data)
    graph = build_graph(faces)
    data = graph.data.copy()
    coarsen(graph, 6)
    np.testing.assert_array_equal(graph.data, data)


def test_face_order_and_rotation_do_not_matter(order):
    faces = order["sphere300.faces"].astype(np.int64)
    shuffled = np.roll(faces[np.random.default_rng(0).permutation(len(faces))], 1, axis=1)
    assert (build_graph(shuffled) != build_graph(faces)).nnz == 0


@pytest.mark.parametrize("size", [2, 3, 7, 40, 200])
@pytest.mark.parametrize("density", [0.05, 0.5])
def test_largest_eigenvalue(size, density):
    rng = np.random.default_rng(size)
    upper = np.triu(rng.random((size, size)) < density, k=1) * rng.integers(1, 5, (size, size))
    L = laplacian(sparse.csr_matrix((upper + upper.T).astype(float)))
    assert lmax_L(L) == pytest.approx(np.linalg.eigvalsh(L.toarray())[-1], abs=1e-9)


def test_largest_eigenvalue_of_rings():
    for size in (4, 100, 1000):
        ring = sparse.csr_matrix((np.ones(size), (np.arange(size), np.roll(np.arange(size), 1))))
        assert lmax_L(laplacian(ring + ring.T)) == pytest.approx(2.0, abs=1e-9)
    assert lmax_L(sparse.identity(5)) == 1.0


def test_laplacian_definitions():
    W = sparse.csr_matrix(np.array([[2.0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]))
    assert laplacian(W, normalized=False).toarray().tolist() == [[2, -2, 0, 0], [-2, 3, -1, 0], [0, -1, 1, 0], [0] * 4]
    normal = laplacian(W).toarray()
    assert normal.diagonal().tolist() == pytest.approx([0.5, 1, 1, 1])
    assert normal[0, 1] == pytest.approx(-2 / np.sqrt(4 * 3))
    assert rescale_L(sparse.identity(3) * 2, 2.0).diagonal().tolist() == [-0.5] * 3
    assert rescale_L(sparse.identity(3) * 2, 2.0, "textbook").diagonal().tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="legacy, textbook"):
        rescale_L(sparse.identity(3), 2.0, "paper")
    with pytest.raises(ValueError, match="positive"):
        rescale_L(sparse.identity(3), 0.0)


def test_permutation_helpers_reject_bad_indices():
    with pytest.raises(ValueError, match="not a permutation"):
        perm_index_reverse([0, 2, 2])
    with pytest.raises(ValueError, match="cannot order"):
        perm_adjacency(sparse.identity(4), [0, 1])
