"""Turntables: framed from all sides, and loops that close."""

import numpy as np
import pytest
import trimesh

from lib.render.mesh_renderer import MeshRenderer
from lib.render.turntable import Moment, Stage, playing_angles, still_frames


@pytest.fixture
def moment():
    """A long and a round body that stand apart."""
    box, sphere = trimesh.creation.box((0.3, 1.8, 0.5)), trimesh.creation.icosphere(2, 0.4)
    meshes = [np.asarray(box.vertices) + np.array([0, 0, 4]), np.asarray(sphere.vertices) + np.array([1.5, 0.2, 5])]
    return Moment(meshes, [np.asarray(box.faces), np.asarray(sphere.faces)], [(1.0, 0.2, 0.2), (0.2, 0.2, 1.0)])


def test_nothing_leaves_the_picture_and_the_picture_is_filled(moment):
    stage = Stage(lambda: [moment])
    width, height = stage.size
    assert width % 2 == height % 2 == 0
    rows, columns = [], []
    with MeshRenderer("software") as renderer:
        for angle in np.linspace(0, 2 * np.pi, 7):
            picture = stage.draw(moment, angle, renderer)
            assert picture.shape == (height, width, 3)
            inked = (picture != 255).any(axis=2)
            assert not inked[[0, -1]].any()
            assert not inked[:, [0, -1]].any()
            rows += np.flatnonzero(inked.any(axis=1)).tolist()
            columns += np.flatnonzero(inked.any(axis=0)).tolist()
    assert max((max(rows) - min(rows)) / height, (max(columns) - min(columns)) / width) > 0.8


def test_a_full_turn_ends_where_it_began(moment):
    frames = still_frames(moment, 12.0)
    assert len(frames) == 60
    angles = np.array([angle for _, angle in frames])
    np.testing.assert_allclose(np.diff([*angles, 2 * np.pi]), 2 * np.pi / 60)
    stage = Stage(lambda: [moment])
    points = moment.meshes[0]
    np.testing.assert_allclose(stage.project(points, 2 * np.pi), stage.project(points, 0.0), atol=1e-12)
    # the axis is vertical: what is on it only goes up and down in the picture, and stays put
    axis = stage.centre + np.array([[0, -1, 0], [0, 1, 0]])
    for angle in (0.3, 2.0):
        np.testing.assert_allclose(stage.project(axis, angle), stage.project(axis, 0.0), atol=1e-12)


@pytest.mark.parametrize(
    ("count", "fps", "times", "turns"), [(150, 30, 1, 1), (30, 30, 4, 1), (600, 30, 1, 4), (1, 10, 40, 1)]
)
def test_sequences_turn_in_whole_turns(count, fps, times, turns):
    found, angles = playing_angles(count, fps)
    assert (found, len(angles)) == (times, times * count)
    np.testing.assert_allclose(np.diff([*angles, 2 * np.pi * turns]), 2 * np.pi * turns / len(angles))


def test_nobody_cannot_be_turned():
    with pytest.raises(ValueError, match="nobody to turn"):
        Stage(lambda: [Moment([], [], [])])
