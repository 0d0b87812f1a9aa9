"""Coarsening, permutations and Laplacians: golden numbers, published test vectors and invariants."""

import hashlib
import warnings

import numpy as np
import pytest
from scipy import sparse

from lib.graph.building import (
    build_adj,
    build_coarse_graphs,
    build_graph,
    check_level_sizes,
    released_mesh,
)
from lib.graph.coarsening import (
    HEM,
    coarsen,
    compute_perm,
    perm_index_reverse,
)
from lib.graph.laplacian import laplacian, lmax_L
from lib.joints.lookup import get_joint_set
from lib.joints.tables import HUMAN36, JOINT_SETS
from tests.helpers import assert_close, golden
from tests.support.meshes import grid, joint_graph

ORDER_MESHES = ("smpl2020", "sphere6890_s1", "mano", "sphere300", "ico4", "torus64x40")
GRAPH_MESHES = ("smpl2020", "mano", "sphere300", "ico4", "torus64x40")


@pytest.fixture(scope="module")
def expected():
    return golden("coarsening")


def md5(indices):
    return hashlib.md5(np.asarray(indices).astype("<i8").tobytes()).hexdigest()


def dense(arrays, key):
    matrix = np.zeros(arrays[f"{key}_shape"])
    matrix[arrays[f"{key}_row"], arrays[f"{key}_col"]] = arrays[f"{key}_val"]
    return matrix


# ---- published vectors on regular grids


def test_grid_9x7():
    arrays, faces = golden("graph_grids"), grid(9, 7)
    graphs, parents = HEM(build_graph(faces), 3)
    assert (len(faces), graphs[0].nnz // 2) == (96, 158)
    assert [graph.diagonal().sum() for graph in graphs] == [0, 62, 134, 186]
    for level, parent in enumerate(parents):
        np.testing.assert_array_equal(parent, arrays[f"grid9x7.parent{level}"])

    _, laplacians, perms, reverse = build_coarse_graphs(faces, *joint_graph(HUMAN36), levels=3)
    for level, perm in enumerate(perms):
        np.testing.assert_array_equal(perm, arrays[f"grid9x7.perm{level}"])
    assert md5(reverse[:63]) == "b040a6326e45b3751f4d6ec3679d71e4"
    assert_close([lmax_L(L) for L in coarsen(graphs[0], 3)[1][:-1]], [1.539721, 1.335177, 1.136185], 1e-6)
    assert_close([L.sum() for L in laplacians], [-63.47292, -31.87696, -15.98292, 0.08620], 1e-6)
    assert_close(laplacians[0].diagonal(), np.full(64, -0.675266), 1e-6)
    corner = [[-0.75035, -0.1081, 0, -0.04413], [-0.1081, -0.71914, -0.04187, -0.11466]]
    corner += [[0, -0.04187, -0.70041, -0.06837], [-0.04413, -0.11466, -0.06837, -0.68793]]
    assert_close(laplacians[1][:4, :4].toarray(), corner, 1e-5)


@pytest.mark.parametrize(
    "width, height, lmax, coarsest, digest",
    [
        (28, 28, [1.539108, 1.359727, 1.227057, 1, 1, 1], 18, "d2fb87349af0665323e0c0830b4783fd"),
        (106, 65, [1.539108, 1.36796, 1.282439, 1, 1, 1, 1, 1, 1], 22, "be633feea814b579e93d34538108cdb3"),
    ],
)
def test_larger_grids(width, height, lmax, coarsest, digest):
    levels = len(lmax)
    _, laplacians, perms = coarsen(build_graph(grid(width, height)), levels)
    assert [len(perm) for perm in perms] == [coarsest * 2**level for level in range(levels, -1, -1)]
    assert_close([lmax_L(L) for L in laplacians[:-1]], lmax, 1e-6)
    reverse, start = perm_index_reverse(perms[0]), golden("graph_grids")[f"grid{width}x{height}.reverse"]
    np.testing.assert_array_equal(reverse[: len(start)], start)
    assert md5(reverse[: width * height]) == digest


# ---- golden numbers of whole hierarchies


@pytest.mark.parametrize("mesh", ORDER_MESHES)
def test_permutation_and_sizes_match_original(order, mesh):
    graphs, parents = HEM(build_graph(order[f"{mesh}.faces"]), len(order[f"{mesh}.sizes"]) - 1)
    perms = compute_perm(parents)
    assert [graph.shape[0] for graph in graphs] == order[f"{mesh}.real"].tolist()
    assert [len(perm) for perm in perms] == order[f"{mesh}.sizes"].tolist()
    for level, graph in enumerate(graphs):
        np.testing.assert_array_equal(np.asarray(graph.sum(axis=0)).ravel(), order[f"{mesh}.ss{level}"])
    np.testing.assert_array_equal(perms[0], order[f"{mesh}.perm"])


@pytest.mark.parametrize("mesh", GRAPH_MESHES)
def test_hierarchy_matches_original(order, expected, mesh):
    levels = int(expected[f"{mesh}.levels"])
    joint_set = get_joint_set(str(expected[f"{mesh}.joint_set"]))
    faces = order[f"{mesh}.faces"]
    adjacencies, laplacians, perms, reverse = build_coarse_graphs(faces, *joint_graph(joint_set), levels=levels)

    assert [type(perm) for perm in perms] == [list] * (levels + 1)
    assert (reverse.dtype, {L.dtype for L in laplacians + adjacencies}) == (np.int64, {np.dtype(np.float64)})
    np.testing.assert_array_equal(reverse, expected[f"{mesh}.graph_perm_reverse"])
    parents = HEM(build_graph(faces), levels)[1]
    for level in range(levels):
        np.testing.assert_array_equal(parents[level], expected[f"{mesh}.parent{level}"])
    for level in range(1, levels + 1):
        np.testing.assert_array_equal(perms[level], expected[f"{mesh}.perm{level}"])

    plain = coarsen(build_graph(faces), levels)[1]
    assert_close([lmax_L(L) for L in plain[:-1]], expected[f"{mesh}.lmax"])
    for level, (A, L) in enumerate(zip(adjacencies, laplacians)):
        size, entries, *sums = expected[f"{mesh}.L_stats"][level][:7]
        assert (L.shape, L.nnz) == ((size, size), entries)
        found = [L.sum(), abs(L).sum(), L.diagonal().sum(), L.data.min(), L.data.max()]
        np.testing.assert_allclose(found, sums, rtol=1e-9, atol=1e-9 * size)
        if f"{mesh}.L{level}_row" in expected:
            assert_close(L.toarray(), dense(expected, f"{mesh}.L{level}"), what=f"Laplacian {level}")
        if f"{mesh}.A{level}_row" in expected:
            np.testing.assert_array_equal(A.toarray(), dense(expected, f"{mesh}.A{level}"))


@pytest.mark.parametrize(
    "name, lmax", [("human36", 1.381881), ("coco", 1.381881), ("smpl", 1.445846), ("mano", 1.511454)]
)
def test_joint_graphs(expected, name, lmax):
    joint_set = get_joint_set(name)
    adjacency = build_adj(*joint_graph(joint_set))
    np.testing.assert_array_equal(adjacency, expected[f"joint_{joint_set.name}_adj"])
    L = laplacian(sparse.csr_matrix(adjacency))
    assert_close(L.toarray(), expected[f"joint_{joint_set.name}_L"], 1e-12)
    assert lmax_L(L) == pytest.approx(lmax, abs=1e-6)


def test_joint_degrees():
    degrees = {name: build_adj(*joint_graph(joint_set)).sum(axis=0).tolist() for name, joint_set in JOINT_SETS.items()}
    assert degrees["human36"] == [4, 4, 4, 3, 4, 4, 3, 3, 5, 3, 2, 4, 4, 3, 4, 4, 3]
    assert degrees["coco"] == [4, 4, 4, 3, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4, 4, 3, 3, 4, 5]
    assert degrees["smpl"] == [4, 4, 4, 3, 4, 4, 3, 4, 4, 5, 3, 3, 3, 4, 4, 2, 4, 4, 4, 4, 4, 4, 3, 3]
    assert degrees["mano"] == [6, 4, 4, 4, 3, 5, 5, 5, 4, 5, 5, 5, 4, 5, 5, 5, 4, 4, 4, 4, 3]


# ---- any mesh


def test_adjacency_of_meshes():
    square = build_graph(np.array([[0, 1, 2], [0, 2, 3]]))
    assert square.toarray().tolist() == [[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0]]
    fan = build_graph(np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))
    assert fan[0, 1] == fan[1, 0] == 2, "an edge listed three times in one direction weighs 2"
    degenerate = build_graph(np.array([[0, 1, 2], [0, 0, 1]]))
    assert degenerate.diagonal().tolist() == [0, 0, 0]
    assert build_graph(np.array([[0, 1, 2]]), vertex_num=5).shape == (5, 5)


def test_several_components_and_unused_vertices():
    """Two sheets, and five vertices that no face uses: a valid hierarchy in which the lone ones share their rows."""
    sheet = grid(10, 8)
    faces = np.concatenate([sheet + 3, sheet + 85])
    W = build_graph(faces)
    assert np.flatnonzero(np.diff(W.indptr) == 0).tolist() == [0, 1, 2, 83, 84]
    _, parents = HEM(W, 4)
    lone = parents[2][parents[1][parents[0][[0, 1, 2, 83, 84]]]]
    assert len(set(lone.tolist())) == 1
    component = np.repeat([0, 1, 0, 2], [3, 80, 2, 80])
    for parent in parents:
        merged = np.full(parent.max() + 1, -1)
        merged[parent] = component
        np.testing.assert_array_equal(merged[parent], component, err_msg="clusters mix components")
        component = merged
    adjacencies, laplacians, perms, reverse = build_coarse_graphs(faces, *joint_graph(HUMAN36), levels=4)
    assert sorted(reverse.tolist()) == list(range(len(perms[0])))
    assert adjacencies[0].sum() == W.sum()
    assert all(np.isfinite(L.data).all() for L in laplacians)


@pytest.mark.parametrize(
    "faces, levels, message",
    [
        (grid(3, 3), 9, "too few vertices for 9 levels of coarsening: 9 vertices"),
        (np.array([[0, 1, 2]]), 2, "too few vertices"),
        (np.concatenate([grid(3, 3) + 9 * i for i in range(3)]), 6, "shrink to 2 at level 6 and no further"),
        (grid(9, 7), 0, "at least 1, got 0"),
        (grid(9, 7)[:, :2], 2, r"shape \(96, 2\)"),
        (np.zeros((0, 3), int), 2, r"shape \(0, 3\)"),
        (grid(9, 7) - 1, 2, "from 0 on, found -1"),
        (np.array([[0.0, 1.0, np.nan]]), 2, "whole numbers"),
        (np.array([[0.0, 1.0, 2.5]]), 2, "whole numbers"),
        (np.array([[1, 1, 1]]), 2, "no edges"),
    ],
)
def test_bad_meshes(faces, levels, message):
    with pytest.raises(ValueError, match=message):
        build_coarse_graphs(faces, *joint_graph(HUMAN36), levels=levels)


def test_bad_graphs():
    with pytest.raises(ValueError, match="out of range for 3 joints"):
        build_adj(3, [(0, 1), (1, 3)], [])
    with pytest.raises(ValueError, match="has 2 vertices"):
        build_graph(np.array([[0, 1, 2]]), vertex_num=2)
    with pytest.raises(ValueError, match="symmetric"):
        HEM(sparse.csr_matrix(np.triu(np.ones((6, 6)), 1)), 1)
    with pytest.raises(ValueError, match="square"):
        HEM(sparse.csr_matrix(np.ones((3, 4))), 1)
    with pytest.raises(ValueError, match="NaN"):
        HEM(sparse.csr_matrix(np.full((6, 6), np.nan)), 1)


def test_level_sizes_of_licensed_meshes(order):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_level_sizes("smpl", order["smpl2020.sizes"])
        check_level_sizes("smpl", [12288, 6144, 3072])
        check_level_sizes("open_6890", [11776, 5888])
        check_level_sizes("mano", [1088, 544, 272, 136, 68, 34, 17])
    with pytest.warns(UserWarning, match=r"MANO file are not the official ones.*of 1152, 576.*to 1088, 544"):
        check_level_sizes("mano", order["mano.sizes"])
    assert [released_mesh(rows) for rows in (96, 68, 92)] == ["SMPL", "MANO", ""]
