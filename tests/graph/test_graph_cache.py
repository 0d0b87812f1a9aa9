"""Graphs from files equal graphs that are built, and files that cannot be used are replaced."""

import os

import numpy as np
import pytest

from lib.graph import cache as graph_cache
from lib.graph.cache import cached_graph
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO, HUMAN36
from tests.support.meshes import grid


@pytest.fixture
def faces():
    return grid(24, 20)


@pytest.fixture
def builds(monkeypatch):
    """Counts calls of ``MeshGraph.build``."""
    calls, build = [], MeshGraph.build

    def counted(*args, **kwargs):
        calls.append(args)
        return build(*args, **kwargs)

    monkeypatch.setattr(MeshGraph, "build", counted)
    return calls


def assert_equal(found: MeshGraph, expected: MeshGraph) -> None:
    assert np.array_equal(found.reverse, expected.reverse)
    for name in ("vertex_num", "joint_num", "levels", "scaling", "topology_hash", "sizes"):
        assert getattr(found, name) == getattr(expected, name), name
    for a, b in zip(found.laplacians, expected.laplacians, strict=True):
        assert (a != b).nnz == 0
        assert a.dtype == b.dtype == np.float32


def test_the_second_run_reads_what_the_first_one_built(faces, tmp_path, builds):
    first = cached_graph(faces, HUMAN36, 4, folder=tmp_path)
    again = cached_graph(faces, HUMAN36, 4, folder=tmp_path)
    assert len(builds) == 1
    assert_equal(again, first)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_without_a_folder_nothing_is_written(faces, tmp_path, builds, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cached_graph(faces, HUMAN36, 4)
    cached_graph(faces, HUMAN36, 4)
    assert len(builds) == 2
    assert not list(tmp_path.iterdir())


def test_other_meshes_joints_levels_and_scalings_have_files_of_their_own(faces, tmp_path, builds):
    variants = [
        (faces, HUMAN36, 4, "legacy"),
        (faces, COCO, 4, "legacy"),
        (faces, HUMAN36, 3, "legacy"),
        (faces, HUMAN36, 4, "textbook"),
        (grid(17, 12), HUMAN36, 3, "legacy"),
        (faces[:, [1, 2, 0]], HUMAN36, 4, "legacy"),
    ]
    graphs = [cached_graph(*variant, folder=tmp_path) for variant in variants]
    assert len(builds) == len(list(tmp_path.iterdir())) == len(variants)
    for variant, graph in zip(variants, graphs, strict=True):
        assert_equal(cached_graph(*variant, folder=tmp_path), graph)
    assert len(builds) == len(variants)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "folder"])
def test_damaged_files_are_replaced(faces, tmp_path, builds, damage):
    expected = cached_graph(faces, HUMAN36, 4, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "flipped":
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(content)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"not an archive"}[damage])
    assert_equal(cached_graph(faces, HUMAN36, 4, folder=tmp_path), expected)
    assert len(builds) == 2
    if damage != "folder":
        assert_equal(cached_graph(faces, HUMAN36, 4, folder=tmp_path), expected)
        assert len(builds) == 2


def test_a_file_of_another_graph_is_not_believed(faces, tmp_path, builds):
    cached_graph(faces, HUMAN36, 3, folder=tmp_path)
    (other,) = tmp_path.iterdir()
    expected = cached_graph(faces, HUMAN36, 4, folder=tmp_path)
    (path,) = set(tmp_path.iterdir()) - {other}
    os.replace(other, path)
    assert_equal(cached_graph(faces, HUMAN36, 4, folder=tmp_path), expected)


def test_a_folder_that_cannot_be_made_does_no_harm(faces, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert cached_graph(faces, HUMAN36, 4, folder=tmp_path / "file" / "cache").levels == 4


def test_meshes_with_a_licensed_name_are_checked_each_time(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(graph_cache, "default_levels", lambda joint_set: 4)
    monkeypatch.setattr("lib.graph.mesh_graph.default_levels", lambda joint_set: 4)
    for _ in range(2):
        with pytest.warns(UserWarning, match="not the official ones"):
            cached_graph(faces, HUMAN36, mesh_name="smpl", folder=tmp_path)
