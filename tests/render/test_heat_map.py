"""Errors as colours, on meshes, in files and beside a scale."""

import numpy as np
import pytest
import trimesh

from lib.export import save_mesh
from lib.render.heat_map import add_legend, draw_mesh, error_colours, scale_end, vertex_errors
from lib.render.mesh_renderer import MeshRenderer

VIRIDIS = {0.0: (68, 1, 84), 0.5: (33, 145, 140), 1.0: (253, 231, 37)}  # as matplotlib has it


def test_known_errors_have_the_colours_of_viridis():
    errors = np.array([*(40 * share for share in VIRIDIS), 400.0])
    colours = 255 * error_colours(errors, 40.0)
    np.testing.assert_allclose(colours[:3], list(VIRIDIS.values()), atol=2)
    np.testing.assert_array_equal(colours[3], colours[2])  # beyond the scale
    with pytest.raises(ValueError, match="finite errors"):
        error_colours(np.array([np.nan]), 1.0)
    with pytest.raises(ValueError, match="positive end"):
        error_colours(errors, 0.0)


def test_scales_end_at_round_numbers_that_few_errors_exceed():
    for largest, end in ((0.0, 1), (9.9, 10), (10.0, 10), (37, 40), (120, 150), (0.21, 0.25)):
        assert scale_end(np.full(10, float(largest))) == pytest.approx(end)
    errors = np.concatenate([np.full(990, 20.0), np.full(10, 500.0)])
    assert scale_end(errors) == 20


def test_errors_of_vertices():
    truth = np.zeros((2, 3, 3))
    pred = truth + np.array([3.0, 0.0, 4.0])
    np.testing.assert_array_equal(vertex_errors(pred, truth), np.full((2, 3), 5.0))


def test_a_drawn_mesh_has_the_colours_of_its_errors():
    sphere = trimesh.creation.icosphere(3)
    mesh, faces = 100 * np.asarray(sphere.vertices), np.asarray(sphere.faces)
    errors = np.where(mesh[:, 0] < 0, 0.0, 50.0)
    picture = draw_mesh(mesh, faces, (np.zeros(2), 0.8), (200, 200), MeshRenderer("software"), errors, 50.0)
    left, right = (picture[100, column, ::-1].astype(float) for column in (60, 140))
    for seen, wanted in ((left, VIRIDIS[0.0]), (right, VIRIDIS[1.0])):
        # light takes up to a third of a colour, of all three channels alike
        share = seen @ wanted / np.dot(wanted, wanted)
        assert 0.65 <= share <= 1.0
        np.testing.assert_allclose(seen, share * np.array(wanted), atol=4)
    np.testing.assert_array_equal(picture[2, 2], [255] * 3)
    with_scale = add_legend(picture, 50.0)
    bar = with_scale[200 + 10, 20:180, ::-1]
    np.testing.assert_allclose(bar[[0, -1]], [VIRIDIS[0.0], VIRIDIS[1.0]], atol=3)


def test_ply_files_have_colours_of_vertices(tmp_path):
    sphere = trimesh.creation.icosphere(1)
    vertices, faces = np.asarray(sphere.vertices), np.asarray(sphere.faces)
    colours = error_colours(np.linspace(0, 1, len(vertices)), 1.0)
    save_mesh(tmp_path / "a.ply", vertices, faces, [colours])
    found = trimesh.load(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(found.visual.vertex_colors[:, :3], 255 * colours, atol=0.51)
    for name, wrong in (("a.glb", colours), ("a.ply", colours[1:])):
        with pytest.raises(ValueError, match=r"only \.ply files have them"):
            save_mesh(tmp_path / name, vertices, faces, [wrong])
