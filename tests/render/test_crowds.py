"""Crowds: pictures to which people are added one by one, at a cost and in memory that grow no faster than they do."""

import tracemalloc
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lib.demo.picture_files import PictureResults
from lib.export import png
from lib.joints.lookup import get_joint_set
from lib.poses import Selection
from lib.render import software
from lib.render.mesh_renderer import MeshRenderer
from tests.support.meshes import sphere


def crowd(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list, np.ndarray]:
    """Meshes, faces, cameras, colours and depths of balls that cover each other, some beyond the picture's edges."""
    generator = np.random.default_rng(0)
    vertices, faces = sphere(0.25, (0, 0, 0), rings=6)
    cameras = np.column_stack([np.tile([0.75, 1.0], (count, 1)), generator.uniform(-1.3, 1.3, (count, 2))])
    colours = [tuple(colour) for colour in generator.uniform(0.2, 1, (count, 3))]
    return np.repeat(vertices[None], count, 0), faces, cameras, colours, generator.uniform(3, 6, count)


@pytest.mark.parametrize("in_depth", [True, False])
def test_each_picture_of_a_series_is_that_of_its_people(renderer, in_depth):
    meshes, faces, cameras, colours, depths = crowd(8)
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    last, depths = image, depths if in_depth else None
    for row, (picture, changed) in enumerate(renderer.render_series(meshes, faces, image, cameras, colours, depths)):
        some = slice(row + 1)
        alone = depths[some] if in_depth else None
        whole = renderer.render_people(meshes[some], faces, image, cameras[some], colours[some], alone)
        difference = cv2.absdiff(picture, whole)
        assert difference.max() <= (0 if renderer.backend == "software" else 40)  # OpenGL's edges depend on the window
        assert (difference > 2).mean() < 1e-3
        same = np.delete(picture == last, np.arange(len(picture))[changed], axis=0)
        assert same.all()
        last = picture.copy()


def test_each_person_of_a_crowd_is_drawn_once_and_memory_is_that_of_the_picture(monkeypatch):
    drawn, facing = [], software._facing
    monkeypatch.setattr(software, "_facing", lambda *given: drawn.append(given) or facing(*given))
    image, peaks = np.zeros((240, 320, 3), np.uint8), {}
    for count in (5, 60):
        drawn.clear()
        people = crowd(count)
        tracemalloc.start()
        for _ in MeshRenderer("software").render_series(*people[:2], image, *people[2:]):
            pass
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count / 2 < len(drawn) <= count  # some are outside the picture
    assert peaks[60] < 1.5 * peaks[5]


def test_pictures_of_a_crowd_are_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.demo.picture_files.draw_views", lambda image, *_: image)
    results = PictureResults(MeshRenderer("software"), get_joint_set("human36"), None, (), 0)
    image, peaks = np.zeros((240, 320, 3), np.uint8), {}
    for count in (4, 40):
        meshes, faces, cameras, _, depths = crowd(count)
        places = np.column_stack([np.zeros((count, 2)), depths])
        people = SimpleNamespace(
            vertices=meshes,
            drawn=meshes,
            hands=None,
            risk=np.zeros(count),
            row_faces=[faces] * count,
            camera_image=cameras,
            translation=places,
        )
        poses, rows = np.random.default_rng(0).uniform(0, 240, (count, 17, 2)), np.arange(count)
        chosen = Selection(poses, np.ones((count, 17)), np.zeros((count, 17), bool), rows, rows)
        tracemalloc.start()
        names = list(results.write(tmp_path, image, people, chosen, "crowd", single=False))
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(names) == 2 * count + 1
    assert peaks[40] - peaks[4] < 10 * image.nbytes  # 72 pictures more


def test_a_series_of_png_files_packs_what_has_changed(tmp_path, monkeypatch):
    packed, pack = [], png._packed
    monkeypatch.setattr(png, "_STRIP", 1000)
    monkeypatch.setattr(png, "_packed", lambda rows: packed.append(len(rows)) or pack(rows))
    generator = np.random.default_rng(0)
    picture, series = generator.integers(0, 256, (95, 33, 3), dtype=np.uint8), png.PngSeries()
    for changed, strips in ((slice(0, 0), 10), (slice(15, 30), 2), (slice(94, 95), 1), (slice(50, 50), 0)):
        picture[changed] = generator.integers(0, 256, picture[changed].shape)
        packed.clear()
        series.save(tmp_path / "a.png", picture, changed)
        assert len(packed) == strips
        assert np.array_equal(cv2.imread(str(tmp_path / "a.png")), picture)
