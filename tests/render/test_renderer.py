"""Mesh pictures of one person: all backends, camera, colours, fallback."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from lib.geometry.camera_fit import crop_to_image_camera, project_to_image
from lib.mesh.mesh_model import load_mesh_model
from lib.render import opengl
from lib.render.mesh_renderer import (
    MeshRenderer,
    person_colour,
    render_mesh,
    rotate_view,
    vertex_normals,
)
from tests.helpers import ROOT
from tests.support.meshes import sphere
from tests.support.pictures import SIZE, black


def camera(scale: float = 0.5, tx: float = 0.0, ty: float = 0.0) -> np.ndarray:
    """Isotropic camera: one metre is ``scale`` half heights."""
    return np.array([scale * SIZE[1] / SIZE[0], scale, tx, ty])


def mask(picture: np.ndarray) -> np.ndarray:
    return picture.max(axis=2) > 40


def coverage(renderer: MeshRenderer, vertices: np.ndarray, faces: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Share of each pixel that the mesh covers, from pictures over black and over white."""
    over = [renderer.render(vertices, faces, np.full_like(black(), shade), cam).astype(float) for shade in (0, 255)]
    return 1 - (over[1] - over[0]).mean(axis=2) / 255


def test_silhouettes_of_the_backends_agree():
    reference = MeshRenderer("software")
    try:
        opengl = MeshRenderer("egl")
    except RuntimeError as error:
        pytest.skip(str(error))
    body, faces = sphere(0.6, (0.2, 0.1, 0.0))
    arm, arm_faces = sphere(0.25, (-0.6, -0.5, -0.5))
    vertices, faces = np.concatenate([body, arm * [1, 0.5, 1]]), np.concatenate([faces, arm_faces + len(body)])
    masks = [coverage(r, vertices, faces, camera(1.1)) > 0.5 for r in (reference, opengl)]
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.95
    assert masks[0].sum() > 2000
    pictures = [r.render(vertices, faces, black(), camera(1.1)).astype(float) for r in (reference, opengl)]
    inside = cv2.erode((masks[0] & masks[1]).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(pictures[0] - pictures[1])[inside].mean() < 4


def test_silhouettes_of_a_thin_limbed_body_agree():
    model = load_mesh_model("body", "open_1723")
    vertices = model.params().v_template.numpy() * [1, -1, -1]
    try:
        renderers = MeshRenderer("software"), MeshRenderer("egl")
    except RuntimeError as error:
        pytest.skip(str(error))
    masks = [coverage(r, vertices, model.faces, camera(0.9, ty=-0.25)) > 0.5 for r in renderers]
    assert masks[0].sum() > 1000
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.95


def test_mesh_lands_where_the_camera_projects_it(renderer):
    vertices, faces = sphere(0.5, (0.3, -0.2, 0.4))
    cam = crop_to_image_camera(torch.tensor([[0.8, 0.1, 0.2]]), torch.tensor([[30.0, 5.0, 100.0, 100.0]]), SIZE)
    rows, columns = np.nonzero(mask(renderer.render(vertices, faces, black(), cam[0].numpy())))
    pixels = project_to_image(cam.double(), torch.from_numpy(vertices)[None], SIZE)[0].numpy()
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(drawn, [*pixels.min(axis=0), *pixels.max(axis=0)], atol=1.5)


def test_colour_is_red_green_blue_on_a_blue_green_red_picture(renderer):
    vertices, faces = sphere(0.6, (0, 0, 0))
    picture = renderer.render(vertices, faces, black(), camera(), colour=(1.0, 0.3, 0.0))
    blue, green, red = picture[SIZE[1] // 2, SIZE[0] // 2]
    assert red > green > blue


def test_nearer_surface_hides_the_farther_one(renderer):
    near, faces = sphere(0.3, (0, 0, -2.5))
    far, _ = sphere(0.6, (0, 0, 2.5))
    both = renderer.render(np.concatenate([far, near]), np.concatenate([faces, faces + len(far)]), black(), camera())
    alone = renderer.render(near, faces, black(), camera())
    middle = (slice(55, 65), slice(75, 85))
    assert np.abs(both[middle].astype(int) - alone[middle]).max() <= 3
    # also: 5 m of depth are not clipped (the original cut everything beyond 1 m from the root)
    assert mask(both).sum() > 3 * mask(alone).sum()


def test_light_comes_from_the_upper_left_and_faces_point_outward(renderer):
    vertices, faces = sphere(0.9, (0, 0, 0))
    np.testing.assert_allclose(vertex_normals(vertices, faces)[48:-48], vertices[48:-48] / 0.9, atol=0.03)
    picture = renderer.render(vertices, faces, black(), camera()).astype(int).sum(axis=2)
    assert picture[45, 65] > picture[75, 95] + 60


def test_picture_outside_the_mesh_is_untouched(renderer):
    image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    before = image.copy()
    vertices, faces = sphere(0.4, (0.5, 0, 0))
    picture = renderer.render(vertices, faces, image, camera())
    assert np.array_equal(image, before)
    assert np.array_equal(picture[:, :60], image[:, :60])
    off_screen = renderer.render(vertices + np.array([50, 0, 0]), faces, image, camera())
    assert np.array_equal(off_screen, image)


def test_two_pictures_in_one_process_are_equal(renderer):
    vertices, faces = sphere(0.4, (0.1, 0, 0))
    first, second = (renderer.render(vertices, faces, black(), camera()) for _ in range(2))
    assert np.array_equal(first, second)


def test_fallback_says_why(monkeypatch):
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    monkeypatch.setattr(opengl, "egl_problem", lambda: "no EGL library")
    monkeypatch.setattr(opengl, "osmesa_problem", lambda: "no OSMesa library")
    chosen = MeshRenderer(pictures=100)
    assert chosen.backend == "software"
    assert "no EGL library" in chosen.note
    assert "no OSMesa library" in chosen.note
    with pytest.raises(RuntimeError, match="no EGL library"):
        MeshRenderer("egl")


def test_failing_driver_falls_back(monkeypatch):
    def fail(*_):
        raise AssertionError("eglMakeCurrent")

    monkeypatch.setattr(opengl, "egl_problem", lambda: None)
    monkeypatch.setattr(opengl.GLContext, "draw", fail)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    chosen = MeshRenderer(pictures=100)
    vertices, faces = sphere(0.4, (0, 0, 0))
    assert mask(chosen.render(vertices, faces, black(), camera())).any()
    assert chosen.backend == "software"
    assert "eglMakeCurrent" in chosen.note


def test_bad_input_is_refused():
    vertices, faces = sphere(0.4, (0, 0, 0))
    with pytest.raises(ValueError, match="finite vertices"):
        render_mesh(vertices * np.nan, faces, black(), camera(), backend="software")
    with pytest.raises(ValueError, match="uint8"):
        render_mesh(vertices, faces, black().astype(float), camera(), backend="software")
    with pytest.raises(ValueError, match="unknown render backend 'vulkan'"):
        MeshRenderer("vulkan")


def test_demo_of_one_pose_imports_no_gl_library_and_nothing_slow(tmp_path):
    code = (
        "import os, runpy, sys; assert not runpy.run_path('demo/run.py')['main'](['--output', sys.argv[1]])\n"
        "slow = ['OpenGL', 'pyrender', 'matplotlib', 'av', 'sympy']\n"
        "slow += ['lib.core', 'lib.datasets', 'lib.evaluation']\n"
        "found = [name for name in slow if name in sys.modules]\n"
        "sys.exit(f'{found}' if found or 'PYOPENGL_PLATFORM' in os.environ else 0)"
    )
    env = {key: value for key, value in os.environ.items() if key != "PYOPENGL_PLATFORM"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo_mesh.glb").is_file()


def test_person_colours_are_stable_and_distinct():
    colours = np.array([person_colour(i) for i in range(6)])
    assert person_colour(2) == pytest.approx((0.918204, 0.5, 1.0), abs=1e-6)  # whatever was drawn before
    assert person_colour(0, seed=5) == pytest.approx((0.5, 0.631295, 1.0), abs=1e-6)
    distance = np.abs(colours[:, None] - colours[None]).max(axis=2)
    assert distance[~np.eye(6, dtype=bool)].min() > 0.1


def test_side_view_keeps_place_and_height():
    vertices = np.random.default_rng(1).normal((3, 1, -2), size=(50, 3))
    side = rotate_view(vertices, 90)
    np.testing.assert_allclose(side[:, 1], vertices[:, 1], atol=1e-12)
    np.testing.assert_allclose(side.max(0) + side.min(0), vertices.max(0) + vertices.min(0), atol=1e-9)
    right_most = vertices[:, 0].argmax()
    assert side[:, 2].argmin() == right_most
    np.testing.assert_allclose(rotate_view(vertices, 360), vertices, atol=1e-9)
