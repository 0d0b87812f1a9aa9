"""MeshGraph: the levels that MeshNet uses, saving and loading, refusal of other meshes."""

import copy
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.graph.building import build_coarse_graphs
from lib.graph.mesh_graph import MeshGraph, default_levels
from lib.graph.topology import topology_hash
from lib.joints.tables import (
    COCO,
    HUMAN36,
    JOINT_SETS,
    MANO,
)
from tests.helpers import golden


@pytest.fixture(scope="module")
def hand_faces():
    return golden("legacy_order")["mano.faces"]


@pytest.fixture(scope="module")
def hand(hand_faces):
    return MeshGraph.build(hand_faces, MANO)


def lists(faces, joint_set, levels):
    return build_coarse_graphs(faces, joint_set.joint_num, joint_set.bones, joint_set.graph_links, levels)


def assert_same(a: MeshGraph, b: MeshGraph):
    for name in ("vertex_num", "joint_num", "levels", "scaling", "topology_hash"):
        assert getattr(a, name) == getattr(b, name)
    assert a.reverse.dtype == b.reverse.dtype == np.int64
    np.testing.assert_array_equal(a.reverse, b.reverse)
    for x, y in zip(a.laplacians, b.laplacians, strict=True):
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(x, name), getattr(y, name))
            assert getattr(x, name).dtype == getattr(y, name).dtype


def test_body_levels():
    faces = golden("legacy_order")["smpl2020.faces"]
    graph = MeshGraph.build(faces, HUMAN36, mesh_name="smpl")
    assert graph.sizes == (12288, 6144, 3072, 1536, 768, 384, 192, 96, 17)
    assert (graph.vertex_num, graph.joint_num, graph.levels, graph.scaling) == (6890, 17, 9, "legacy")


def test_hand_levels(hand, hand_faces):
    assert hand.sizes == (1152, 576, 288, 144, 72, 21)
    assert (hand.vertex_num, hand.joint_num, hand.levels) == (778, 21, 6)
    with pytest.warns(UserWarning, match="MANO file are not the official ones"):
        assert_same(MeshGraph.build(hand_faces, MANO, mesh_name="mano"), hand)


def test_laplacians_are_those_of_the_hierarchy(hand, hand_faces):
    _, laplacians, _, reverse = lists(hand_faces, MANO, 6)
    np.testing.assert_array_equal(hand.reverse, reverse[:778])
    for L, full in zip(hand.laplacians, laplacians[:5] + laplacians[6:], strict=True):
        assert (L.dtype, L.has_canonical_format) == (np.float32, True)
        np.testing.assert_array_equal(L.toarray(), full.toarray().astype(np.float32))
        np.testing.assert_array_equal(L.toarray(), L.toarray().T)
        assert (np.diff(L.indptr) >= 1).all()


def test_two_graphs_from_the_same_lists(hand, hand_faces):
    """The original deleted a level from, and converted, the list it was given: a second network could not be built."""
    _, laplacians, _, reverse = lists(hand_faces, MANO, 6)
    before = copy.deepcopy(laplacians)
    first, second = (MeshGraph.from_lists(laplacians, reverse, faces=hand_faces) for _ in range(2))
    assert_same(first, second)
    assert_same(first, hand)
    assert len(laplacians) == 7
    for a, b in zip(before, laplacians):
        assert (a != b).nnz == 0


@pytest.mark.parametrize("scaling", ["legacy", "textbook"])
def test_state_round_trip(hand_faces, scaling):
    graph = MeshGraph.build(hand_faces, MANO, scaling=scaling)
    file = io.BytesIO()
    torch.save({"graph": graph.to_state()}, file)
    assert file.tell() < 80_000
    file.seek(0)
    state = torch.load(file, weights_only=True)["graph"]
    assert {type(value) for value in state.values()} == {torch.Tensor, int, str}
    loaded = MeshGraph.from_state(state)
    assert_same(loaded, graph)
    assert loaded.scaling == scaling
    loaded.check_topology(hand_faces)


def test_textbook_scaling_spans_the_whole_interval(hand, hand_faces):
    textbook = MeshGraph.build(hand_faces, MANO, scaling="textbook")
    for a, b in zip(hand.laplacians[:-1], textbook.laplacians[:-1]):
        np.testing.assert_allclose(4 * a.toarray() + 3 * np.eye(a.shape[0]), b.toarray(), atol=1e-6)
    assert (hand.laplacians[-1] != textbook.laplacians[-1]).nnz == 0


def test_topology_hash(hand_faces):
    assert topology_hash(np.array([[0, 1, 2]])) == "ab25350e3e65efeb"
    assert len(topology_hash(hand_faces)) == 16
    assert topology_hash(hand_faces) == topology_hash(np.asfortranarray(hand_faces.astype(np.uint32)))
    assert topology_hash(hand_faces) != topology_hash(hand_faces[::-1])


def test_other_meshes_are_refused(hand, hand_faces):
    hand.check_topology(hand_faces)
    with pytest.raises(ValueError, match=f"778 vertices and topology {hand.topology_hash}.*778 vertices and topology"):
        hand.check_topology(hand_faces[::-1])
    with pytest.raises(ValueError, match=r"778 vertices .* 300 vertices"):
        hand.check_topology(golden("legacy_order")["sphere300.faces"])


def test_lists_without_faces(hand_faces):
    _, laplacians, _, reverse = lists(hand_faces, MANO, 6)
    graph = MeshGraph.from_lists(laplacians, reverse, vertex_num=778)
    assert graph.topology_hash == ""
    graph.check_topology(hand_faces[::-1])
    with pytest.raises(ValueError, match="give faces or vertex_num"):
        MeshGraph.from_lists(laplacians, reverse)
    with pytest.raises(ValueError, match="at least 2 levels"):
        MeshGraph.from_lists(laplacians[-2:], reverse, vertex_num=778)
    with pytest.raises(ValueError, match="must halve"):
        MeshGraph.from_lists(laplacians[:2] + laplacians[3:], reverse, vertex_num=778)


def test_inconsistent_graphs_are_refused(hand):
    for change in ({"vertex_num": 777}, {"joint_num": 17}, {"levels": 5}, {"reverse": hand.reverse + 1000}):
        with pytest.raises(ValueError, match=r"joints|rows"):
            replace(hand, **change)
    with pytest.raises(ValueError, match="share a row"):
        replace(hand, reverse=np.zeros(778, np.int64))


def test_damaged_states_are_refused(hand):
    def damaged(**changes):
        return MeshGraph.from_state({**hand.to_state(), **changes})

    with pytest.raises(ValueError, match="version 7"):
        damaged(version=7)
    with pytest.raises(ValueError, match="inconsistent lengths"):
        damaged(**{"laplacian.0.values": torch.zeros(3)})
    with pytest.raises(ValueError, match="upper triangle"):
        damaged(**{"laplacian.5.columns": torch.zeros_like(hand.to_state()["laplacian.5.columns"])})
    state = hand.to_state()
    del state["laplacian.2.starts"]
    with pytest.raises(ValueError, match=r"no entry 'laplacian.2.starts'"):
        MeshGraph.from_state(state)


def test_default_levels():
    assert {name: default_levels(joint_set) for name, joint_set in JOINT_SETS.items()} == {
        "human36": 9,
        "coco": 9,
        "smpl": 9,
        "mano": 6,
    }
    with pytest.raises(ValueError, match="too few vertices for 9 levels"):
        MeshGraph.build(golden("legacy_order")["sphere300.faces"], COCO)
