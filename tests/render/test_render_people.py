"""Pictures of several people: who covers whom; the NumPy rasteriser; kept OpenGL contexts; views side by side."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model
from lib.render import opengl, software
from lib.render.marks import mark_carried, mark_risks
from lib.render.mesh_renderer import MeshRenderer
from lib.render.views import draw_people, draw_views
from tests.support.meshes import sphere
from tests.support.pictures import SIZE, black

CAMERA = np.array([SIZE[1] / SIZE[0], 1.0, 0.0, 0.0])
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
# closed, faces turn counter-clockwise seen from outside
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
OCTAHEDRON_FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)  # fmt: skip


def two_spheres() -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = sphere(0.6, (0, 0, 0), rings=12)
    return vertices + np.array([[[-0.2, 0, 0]], [[0.2, 0, 0]]]), faces


def is_red(pixel: np.ndarray) -> bool:
    return int(pixel[2]) > int(pixel[1]) + 20


@pytest.mark.parametrize(("depths", "red_wins"), [([3.0, 6.0], True), ([6.0, 3.0], False), (None, False)])
def test_nearer_people_cover_farther_ones_else_later_ones_earlier(renderer, depths, red_wins):
    meshes, faces = two_spheres()
    picture = renderer.render_people(meshes, faces, black(), [CAMERA] * 2, [RED, GREEN], depths)
    row = picture[SIZE[1] // 2]
    assert is_red(row[50])
    assert not is_red(row[110])
    assert all(is_red(pixel) == red_wins for pixel in row[70:90])


def test_people_at_one_distance_are_sorted_pixel_by_pixel(renderer):
    meshes, faces = two_spheres()
    row = renderer.render_people(meshes, faces, black(), [CAMERA] * 2, [RED, GREEN], [4.0, 4.0])[SIZE[1] // 2]
    assert all(is_red(pixel) for pixel in row[50:78])
    assert not any(is_red(pixel) for pixel in row[82:110])


def test_many_people_far_apart_are_drawn_like_each_alone(renderer):
    vertices, faces = sphere(0.12, (0, 0, 0), rings=6)
    places = np.stack(np.meshgrid(np.linspace(-1.1, 1.1, 8), np.linspace(-0.8, 0.8, 5)), axis=-1).reshape(-1, 2)
    cameras = np.concatenate([np.tile(CAMERA[:2], (40, 1)), places], axis=1)
    colours = [(0.5 + 0.01 * k, 1 - 0.01 * k, 0.6) for k in range(40)]
    together = renderer.render_people(np.stack([vertices] * 40), faces, black(), cameras, colours)
    apart = black()
    for camera, colour in zip(cameras, colours):
        apart = renderer.render(vertices, faces, apart, camera, colour)
    assert np.abs(together.astype(int) - apart).max() <= 6
    assert (together.max(axis=2) > 0).mean() > 0.1


def test_meshes_of_different_sizes_are_drawn_as_alone(renderer):
    (fine, fine_faces), (coarse, coarse_faces) = sphere(0.5, (-0.6, 0, 0), rings=16), sphere(0.4, (0.6, 0, 0), rings=6)
    meshes, faces, colours = [fine, coarse], [fine_faces, coarse_faces], [RED, GREEN]
    together = renderer.render_people(meshes, faces, black(), [CAMERA] * 2, colours, [4.0, 4.0])
    alone = black()
    for mesh, own, colour in zip(meshes, faces, colours):
        alone = renderer.render(mesh, own, alone, CAMERA, colour)
    assert np.abs(together.astype(int) - alone).max() <= 6
    assert (together.max(axis=2) > 0).mean() > 0.1
    for picture, _ in renderer.render_series(meshes, faces, black(), [CAMERA] * 2, colours, [4.0, 4.0]):
        last = picture
    assert np.abs(together.astype(int) - last).max() <= 6


def test_nobody_leaves_the_picture_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    picture = MeshRenderer().render_people(np.zeros((0, 4, 3)), np.array([[0, 1, 2]]), image, np.zeros((0, 4)))
    assert np.array_equal(picture, image)
    assert picture is not image


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cameras": np.zeros((1, 4))}, r"cameras \(2, 4\)"),
        ({"colours": [RED]}, "2 meshes have 1 colours"),
        ({"depths": [1.0]}, r"depths \(2,\)"),
        ({"depths": [1.0, np.nan]}, "finite depths"),
        ({"meshes": np.zeros((3, 3))}, r"vertices \(N, V, 3\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    meshes, faces = two_spheres()
    arguments = {"meshes": meshes, "faces": faces, "image": black(), "cameras": [CAMERA] * 2, **change}
    with pytest.raises(ValueError, match=message):
        MeshRenderer().render_people(**arguments)


def test_pictures_of_changing_size_share_one_context(renderer):
    vertices, faces = sphere(0.6, (0, 0, 0), rings=12)
    pictures, contexts = {}, set()
    for size in ((160, 120), (64, 48), (200, 100), (160, 120)):
        picture = renderer.render(vertices, faces, black(*size), CAMERA)
        assert picture.shape == (size[1], size[0], 3)
        assert picture[size[1] // 2, size[0] // 2].max() > 40
        assert np.array_equal(pictures.setdefault(size, picture), picture)
        contexts.add(id(renderer._context))
    assert len(contexts) == 1
    renderer.close()
    assert np.array_equal(renderer.render(vertices, faces, black(), CAMERA), pictures[SIZE])


def test_auto_starts_opengl_only_for_many_pictures(monkeypatch):
    monkeypatch.setattr(opengl, "problem", lambda platform: None if platform == "osmesa" else "no EGL")
    assert MeshRenderer().backend == "software"
    assert MeshRenderer(pictures=3).backend == "software"
    assert MeshRenderer(pictures=300).backend == "osmesa"
    assert "OpenGL" not in MeshRenderer().note


def test_triangles_that_share_edges_cover_each_sample_once():
    generator = np.random.default_rng(0)
    for size in (3, 20):
        # a fan of random points around the picture's middle and a ring outside the picture
        angle = np.sort(generator.uniform(0, 2 * np.pi, 40))
        middle, ring = generator.uniform(-1, 1, 2), 4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.concatenate([np.vstack([middle, ring]), np.zeros((41, 1))], axis=1)
        faces = np.stack([np.zeros(40, int), 1 + np.arange(40), 1 + np.roll(np.arange(40), -1)], axis=1)
        values = np.concatenate([((points[:, :2] + 1) * size / 2 - 0.5).T, points.T[2:], np.zeros((3, 41))])
        spans = software._cut(values, faces, size, 0, size)
        samples = np.concatenate([np.arange(a, a + n) for a, n in zip(spans.first, spans.length)])
        assert np.array_equal(np.sort(samples), np.arange(size * size))


def test_large_pictures_are_drawn_in_bands_without_seams(monkeypatch):
    vertices, faces = sphere(0.8, (0.1, 0, 0), rings=12)
    whole = MeshRenderer("software").render(vertices, faces, black(), CAMERA)
    monkeypatch.setattr(software, "_BAND", 5000)
    monkeypatch.setattr(software, "_CHUNK", 700)
    assert np.array_equal(MeshRenderer("software").render(vertices, faces, black(), CAMERA), whole)


def test_back_of_closed_meshes_is_left_out_and_the_inside_of_open_ones_seen():
    points = OCTAHEDRON * 0.7
    assert software._is_closed(OCTAHEDRON_FACES, 6)
    assert len(software._facing(points[None], OCTAHEDRON_FACES)) == 4
    assert len(software._facing(points[None], OCTAHEDRON_FACES[:, ::-1])) == 4  # inside out
    front = OCTAHEDRON_FACES[4:]  # towards the viewer
    assert np.array_equal(np.sort(software._facing(points[None], OCTAHEDRON_FACES), axis=None), np.sort(front, None))
    assert len(software._facing(points[None], OCTAHEDRON_FACES[:7])) == 7
    colours = np.ones((1, 6, 3))
    closed, opened = (software.draw(points[None], f, colours, SIZE) for f in (OCTAHEDRON_FACES, OCTAHEDRON_FACES[:7]))
    assert np.array_equal(closed, opened)  # the back wall shows through the hole
    # half of the diamond's box, as far as samples can tell
    assert closed[..., 3].mean() / 255 == pytest.approx(0.7**2 / 2, abs=2e-3)


def test_open_body_is_closed_and_the_hand_is_not():
    body, hand = load_mesh_model("body", "open_1723"), load_mesh_model("hand", "open_hand")
    assert software._is_closed(body.faces, body.vertex_num)
    assert not software._is_closed(hand.faces, hand.vertex_num)


def test_people_are_drawn_over_their_picture_with_a_mark_over_doubtful_ones():
    vertices, faces = sphere(0.3, (0, 0, 0), rings=8)
    meshes = np.stack([vertices, vertices]).astype(np.float32)
    cameras = np.array([[0.4, 0.6, 0.0, 0.0]] * 2)
    people = SimpleNamespace(
        drawn=meshes, row_faces=[faces] * 2, camera_image=cameras, translation=np.array([[0, 0, 3.0], [0, 0, 5.0]]),
        risk=np.array([np.nan, 0.0]),
    )  # fmt: skip
    image = np.full((200, 300, 3), 90, dtype=np.uint8)
    picture = draw_people(image, people, [RED, GREEN])
    assert is_red(picture[100, 150])  # the nearer one
    assert (image == 90).all()
    people.risk = np.array([0.5, 0.0])
    assert (draw_people(image, people, [RED, GREEN]) == (0, 200, 255)).all(axis=2).any()


def test_views_show_pose_overlay_and_side_cut_to_the_people():
    renderer, joint_set = MeshRenderer("software"), get_joint_set("human36")
    vertices, faces = sphere(0.3, (0, 0, 0), rings=8)
    meshes = np.stack([vertices * [1, 1, 0.3], vertices])
    cameras = np.array([[0.15, 0.2, -2.0, 0.0], [0.15, 0.2, 2.0, 0.0]])
    meshes = meshes.astype(np.float32)
    places = np.array([[0, 0, 4.0]] * 2)
    each = [faces] * len(meshes)
    people = SimpleNamespace(
        whole=meshes, drawn=meshes, row_faces=each, hands=None, camera_image=cameras, translation=places
    )
    image = np.full((300, 400, 3), 90, dtype=np.uint8)
    overlay = renderer.render_people(meshes, faces, image, cameras, [RED, GREEN])
    # joints in the middles of the two spheres
    centres = (cameras[:, 2:] * cameras[:, :2] + 1) * [200, 150]
    poses = centres[:, None] + np.random.default_rng(0).uniform(-5, 5, (2, 17, 2))
    picture = draw_views(image, poses, joint_set, overlay, people, [RED, GREEN], renderer)
    assert picture.shape[0] < 720
    gaps = np.flatnonzero((picture == 255).all(axis=(0, 2)))
    assert len(gaps) == 12
    pose, mesh, side = picture[:, : gaps[0]], picture[:, gaps[5] + 1 : gaps[6]], picture[:, gaps[11] + 1 :]
    assert pose.shape == mesh.shape
    assert pose.shape[1] > 1200  # enlarged: two spheres of 18 pixels' radius, 120 pixels apart

    def width(panel, channel):
        green, red = np.moveaxis(panel.astype(int), 2, 0)[1:]
        difference = red - green if channel == 2 else green - red
        return int((difference > 60).any(axis=0).sum())

    assert width(mesh, 2) == pytest.approx(width(mesh, 1), rel=0.1)
    assert width(side, 2) == pytest.approx(0.3 * width(mesh, 2), rel=0.1)  # the flat one from its edge
    assert width(side, 1) == pytest.approx(width(mesh, 1), rel=0.1)
    assert cv2.absdiff(pose, np.full_like(pose, 90)).max() > 100
    assert (mesh[:, 0] == 90).all()


def test_people_who_were_not_seen_have_a_ring_beside_the_place_of_the_triangle():
    meshes, _ = two_spheres()
    people = SimpleNamespace(
        carried=np.array([False, True]), risk=np.array([np.nan, 0.5]), drawn=meshes, camera_image=np.stack([CAMERA] * 2)
    )
    ground = np.full_like(black(), 90)
    ring, both = mark_carried(ground, people), mark_carried(mark_risks(ground, people), people)
    changed = (ring != ground).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (ring[changed] > 240).all(axis=1).any()  # white
    assert columns.min() > SIZE[0] / 2  # over the one on the right
    middle = round(rows.mean()), round(columns.mean())
    assert not changed[middle]  # open
    assert ((both != ground).any(axis=2) & ~changed).any()
    np.testing.assert_array_equal(both[changed], ring[changed])
    assert (ground == 90).all()
    people.carried[:] = False
    assert mark_carried(ground, people) is ground
