import re

import numpy as np
import pytest
import torch
import trimesh

from lib.export import default_focal, full_perspective, place_people, project_perspective, save_mesh
from lib.export.obj import save_obj
from lib.geometry.camera_fit import crop_to_image_camera, project, project_to_image
from lib.mesh.mesh_model import load_mesh_model
from lib.render.mesh_renderer import vertex_normals

SIZE = (640, 480)


@pytest.fixture(scope="module")
def pair():
    """Two people in the frame of the camera: upright bodies, metres, y down."""
    model = load_mesh_model("body", "open_1723")
    template = model.params().v_template.numpy() * np.array([1, -1, -1], np.float32)
    return np.stack([template + np.float32([-0.6, 0, 3]), template + np.float32([0.7, 0.1, 4])]), model.faces


def is_body(vertices, faces):
    """Closed, outward, of a person's height."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    outward = (vertex_normals(vertices, faces) * (vertices - vertices.mean(0))).sum() > 0
    return outward and mesh.volume > 0.03 and 1.4 < np.ptp(vertices[:, 1]) < 2.1


def test_one_person_as_obj_is_the_original_format(pair, tmp_path):
    people, faces = pair
    save_mesh(tmp_path / "a.obj", people[0], faces)
    save_obj(people[0], faces, tmp_path / "b.obj")
    assert (tmp_path / "a.obj").read_bytes() == (tmp_path / "b.obj").read_bytes()


def test_several_people_as_obj_are_groups(pair, tmp_path):
    people, faces = pair
    save_mesh(tmp_path / "new" / "a.obj", people, faces, names=["anna", "ben"])
    text = (tmp_path / "new" / "a.obj").read_text()
    assert re.findall(r"^g (.*)$", text, re.M) == ["anna", "ben"]
    mesh = trimesh.load_mesh(tmp_path / "new" / "a.obj", process=False, maintain_order=True)
    parts = sorted(mesh.split(only_watertight=False), key=lambda part: part.vertices[:, 0].mean())
    assert len(mesh.faces) == 2 * len(faces)
    both = np.loadtxt([line[2:] for line in text.splitlines() if line.startswith("v ")], dtype=np.float32)
    np.testing.assert_array_equal(both, people.reshape(-1, 3))
    written = np.loadtxt([line[2:] for line in text.splitlines() if line.startswith("f ")], dtype=int) - 1
    np.testing.assert_array_equal(written, np.concatenate([faces, faces + people.shape[1]]))
    assert all(part.volume > 0.03 for part in parts)


def test_ply_keeps_frame_units_faces_and_colours(pair, tmp_path):
    people, faces = pair
    save_mesh(tmp_path / "a.ply", people, faces, colours=[(1, 0, 0), (0, 0.5, 1)])
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(mesh.vertices, people.reshape(-1, 3), atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, np.concatenate([faces, faces + people.shape[1]]))
    assert mesh.visual.vertex_colors[0].tolist() == [255, 0, 0, 255]
    assert mesh.visual.vertex_colors[-1].tolist() == [0, 128, 255, 255]
    assert is_body(mesh.vertices[: people.shape[1]], faces)


def test_glb_is_upright_with_a_node_for_each_person(pair, tmp_path):
    people, faces = pair
    save_mesh(tmp_path / "a.glb", people, faces, colours=[(1, 0, 0), (0, 0.5, 1)], names=["anna", "ben"])
    scene = trimesh.load_scene(tmp_path / "a.glb", process=False)
    assert set(scene.geometry) == {"anna", "ben"}
    for person, name, colour in zip(people, ("anna", "ben"), ((255, 0, 0), (0, 128, 255))):
        mesh = scene.geometry[name]
        np.testing.assert_allclose(mesh.vertices, person * [1, -1, -1], atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, faces)
        assert tuple(mesh.visual.material.baseColorFactor[:3]) == colour
        assert is_body(np.asarray(mesh.vertices), faces)
        expected = trimesh.Trimesh(mesh.vertices, faces, process=False).vertex_normals
        alike = (mesh.vertex_normals * expected).sum(axis=1)  # weighted by area, by angle
        assert (alike.min() > 0, alike.mean() > 0.98) == (True, True)
        # the head is up and in y
        assert mesh.vertices[:, 1].argmax() == person[:, 1].argmin()


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
def test_refused_meshes_leave_older_files(pair, tmp_path, suffix):
    people, faces = pair
    path = tmp_path / f"a.{suffix}"
    path.write_text("old")
    for vertices, indices in (
        (people * np.nan, faces),
        (people[:, :, :2], faces),
        (people[:0], faces),
        (people, faces + 1),
        (people, faces.astype(float)),
        (people.astype(int), faces),
    ):
        with pytest.raises(ValueError, match="vertices|faces"):
            save_mesh(path, vertices, indices)
    with pytest.raises(ValueError, match="as many colours"):
        save_mesh(path, people, faces, colours=[(1, 1, 1)])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "old"


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb"])
def test_meshes_of_different_sizes(pair, tmp_path, suffix):
    """Each keeps its own vertices and faces."""
    people, faces = pair
    small = trimesh.creation.icosphere(1)
    meshes, each = [people[0], small.vertices.astype(np.float32), people[1]], [faces, np.array(small.faces), faces]
    path = tmp_path / f"a.{suffix}"
    save_mesh(path, meshes, each, names=["anna", "ball", "ben"])
    if suffix == "glb":
        found = trimesh.load_scene(path, process=False).geometry
        read = [(found[name].vertices * [1, -1, -1], found[name].faces) for name in ("anna", "ball", "ben")]
    else:
        mesh = trimesh.load_mesh(path, process=False, maintain_order=True)
        ends, counts = np.cumsum([0, *map(len, meshes)]), np.cumsum([0, *map(len, each)])
        read = [
            (mesh.vertices[ends[n] : ends[n + 1]], mesh.faces[counts[n] : counts[n + 1]] - ends[n]) for n in range(3)
        ]
    for (vertices, own), mesh, given in zip(read, meshes, each):
        np.testing.assert_allclose(vertices, mesh, atol=1e-6)
        np.testing.assert_array_equal(own, given)
    with pytest.raises(ValueError, match="faces of 2"):
        save_mesh(path, meshes, each[:2])
    with pytest.raises(ValueError, match="faces use indices"):
        save_mesh(path, meshes, faces)


def test_unknown_format(pair, tmp_path):
    with pytest.raises(ValueError, match="obj, glb, ply"):
        save_mesh(tmp_path / "a.fbx", *pair)


# --------------------------------------------------------------------------------------------------------- cameras


@pytest.mark.parametrize("focal", [None, 1500.0])
def test_perspective_camera_agrees_with_the_weak_one(focal):
    generator = torch.Generator().manual_seed(0)
    crop = torch.tensor([[0.9, 0.05, -0.1], [0.7, 0.2, 0.3]])
    box = torch.tensor([[50.0, 20, 300, 300], [400, 100, 180, 180]])
    points = 0.5 * torch.randn(2, 30, 3, generator=generator)
    camera = crop_to_image_camera(crop, box, SIZE)
    weak = project_to_image(camera, points, SIZE).numpy()
    # the crop's own camera gives the same pixels
    in_crop = project(crop, points, 1.0) * box[:, None, 2:] + box[:, None, :2]
    np.testing.assert_allclose(in_crop, weak, atol=1e-3)

    flat = points.numpy() * np.array([1, 1, 0])
    placed = place_people(flat, camera.numpy(), SIZE, focal)
    np.testing.assert_allclose(project_perspective(placed, SIZE, focal), weak, atol=2e-3)
    # the smaller picture is farther away, in proportion
    shift = full_perspective(camera.numpy(), SIZE, focal)
    size = (crop[:, 0] * box[:, 2]).numpy()
    np.testing.assert_allclose(shift[0, 2] / shift[1, 2], size[1] / size[0], rtol=1e-5)
    np.testing.assert_allclose(shift[0, 2], (focal or default_focal(SIZE)) / (size[0] / 2), rtol=1e-5)


def test_default_focal_is_the_diagonal():
    assert default_focal(SIZE) == 800


def test_unusable_cameras():
    good = np.array([[1.0, 1, 0, 0]])
    for camera, focal in ((good[0], None), (-good, None), (good, 0), (good, np.nan)):
        with pytest.raises(ValueError, match="camera|focal"):
            full_perspective(camera, SIZE, focal)
