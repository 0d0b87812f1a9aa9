"""Errors of parts of the surface: by hand and against plain loops."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.body.lbs import lbs
from lib.evaluation.surface_metrics import WHOLE, SurfaceRegions, surface_errors
from lib.joints.tables import SMPL
from lib.mesh.mesh_model import load_mesh_model

SQUARE = np.array([[0, 0, 0], [30, 0, 0], [30, 40, 0], [0, 40, 0]], dtype=np.float64)  # diagonal 50
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def led_by(*joints):
    """Skinning weights of vertices that are led by one joint each."""
    weights = np.full((len(joints), SMPL.joint_num), 0.01)
    weights[np.arange(len(joints)), [SMPL.index(joint) for joint in joints]] = 0.5
    return weights


def two_squares():
    """A square on the left hand and one on the head, with a triangle between: regions and mesh (1, 8, 3)."""
    weights = led_by("L_Wrist", "L_Wrist", "L_Hand", "L_Hand", *["Head"] * 4)
    faces = np.concatenate([TRIANGLES, TRIANGLES + 4, [[1, 2, 4]]])
    mesh = np.concatenate([SQUARE, SQUARE + np.array([130, 0, 0])])
    return SurfaceRegions(weights, faces, "body"), torch.from_numpy(mesh)[None]


def values(errors):
    """Region -> errors of the first sample."""
    return {region: [float(value[0]) for value in found] for region, found in errors.items()}


def posed(mesh_model, batch, seed=0):
    """Meshes (B, V, 3) mm in random poses and shapes, double precision."""
    params, generator = mesh_model.params().to(dtype=torch.float64), torch.Generator().manual_seed(seed)
    pose = 0.2 * torch.randn(batch, 3 * params.joint_num, generator=generator, dtype=torch.float64)
    betas = torch.randn(batch, params.shape_num, generator=generator, dtype=torch.float64)
    return 1000 * lbs(params, pose, betas)[0]


# ------------------------------------------------------------------------------------------------------- by hand


def test_a_larger_hand_by_hand():
    regions, true = two_squares()
    pred = true.clone()
    pred[:, :4] *= 1.1  # corners are 25 mm from the middle of the square
    found = values(surface_errors(pred, true, regions))
    assert found["Hands"] == pytest.approx([2.5, 10, 0])
    assert found["Head"] == pytest.approx([0, 0, 0], abs=1e-6)
    # triangle (1, 2, 4) has two edges between the parts: (33, 0) and (33, 44) to (130, 0)
    between = [abs(np.hypot(97, y) / np.hypot(100, z) - 1) for y, z in ((0, 0), (44, 40))]
    assert found[WHOLE] == pytest.approx([1.25, (5 * 10 + 100 * sum(between)) / 12, 0])
    assert list(found) == ["Hands", "Head", WHOLE]


def test_triangles_without_area_and_folded_ones_count():
    regions, true = two_squares()
    pred = true.clone()
    pred[0, 3] = pred[0, 0]  # the second triangle of the hand is a line, the first keeps its normal
    found = values(surface_errors(pred, true, regions))
    assert found["Hands"][2] == 50
    assert found[WHOLE][2] == 25
    pred = true.clone()
    pred[0, 7] = pred[0, 5]  # folded over its diagonal onto the other one
    assert values(surface_errors(pred, true, regions))["Head"][2] == 50
    pred[0, 4:] = 7.0  # all in one point: 25 mm from where they should be
    assert values(surface_errors(pred, true, regions))["Head"] == pytest.approx([25, 100, 100])


@pytest.mark.parametrize("angle, expected", [(59, 0), (61, 25), (119, 25)])
def test_a_triangle_counts_from_sixty_degrees_on(angle, expected):
    """A patch of four triangles; the last one is lifted about its edge, and too small to turn the patch."""
    points = np.array([[0, 0, 0], [900, 0, 0], [900, 900, 0], [0, 900, 0], [0, 450, 0], [-0.1, 450, 0]])
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [0, 4, 5]])
    regions = SurfaceRegions(led_by(*["Head"] * 6), faces, "body")
    pred = points.copy()
    pred[5] = [-0.1 * np.cos(np.radians(angle)), 450, 0.1 * np.sin(np.radians(angle))]
    found = surface_errors(torch.from_numpy(pred)[None], torch.from_numpy(points)[None], regions)
    assert values(found)["Head"][2] == expected


# ---------------------------------------------------------------------------------------------------- invariances


def test_parts_that_move_as_rigid_bodies_have_no_error(open_model):
    regions, true = SurfaceRegions.of(open_model), posed(open_model, 3)
    pred = torch.empty_like(true)
    for number, part in enumerate(part for parts in regions.parts.values() for part in parts):
        turn = torch.from_numpy(Rotation.random(random_state=number).as_matrix())
        pred[:, part.vertices] = true[:, part.vertices] @ turn.T + 100 * number
    found = surface_errors(pred, true, regions)
    for region in regions.parts:
        assert all(error.abs().max() < 1e-9 for error in found[region]), region
    assert found[WHOLE].distance.max() < 1e-9
    assert found[WHOLE].turned.max() == 0
    assert found[WHOLE].edges.min() > 1  # edges between parts tell that these came apart


def test_scaling_is_an_error_of_edges_alone(open_model):
    regions, true = SurfaceRegions.of(open_model), posed(open_model, 2)
    for errors in surface_errors(1.1 * true + 50, true, regions).values():
        np.testing.assert_allclose(errors.edges, 10, rtol=1e-9)
        assert errors.turned.max() == 0
        assert errors.distance.min() > 1


def test_mirrored_parts_are_turned_inside_out(open_model):
    regions, true = SurfaceRegions.of(open_model), posed(open_model, 2)
    for errors in surface_errors(true * torch.tensor([-1.0, 1, 1]), true, regions).values():
        assert errors.edges.max() < 1e-9
        assert errors.turned.min() > 35  # least at the palm, whose two sides are much alike


def test_the_order_of_vertices_and_triangles_does_not_matter(body):
    true, pred = posed(body, 2), posed(body, 2, seed=1)
    weights, rng = body.arrays()["weights"], np.random.default_rng(0)
    order = rng.permutation(len(weights))
    place = np.argsort(order)
    faces = rng.permutation(place[body.faces])[:, [1, 2, 0]]
    expected = surface_errors(pred, true, SurfaceRegions.of(body))
    found = surface_errors(pred[:, order], true[:, order], SurfaceRegions(weights[order], faces, "body"))
    for region, errors in expected.items():
        for error, again in zip(errors, found[region]):
            torch.testing.assert_close(again, error, rtol=1e-9, atol=1e-9)


def plain_errors(pred, true, vertices, faces):
    """Of one part of one sample: distances, relative edge errors, whether triangles are turned."""
    inside = np.isin(np.arange(len(pred)), vertices)
    faces = faces[inside[faces].all(1)]
    pred, true = pred - pred[vertices].mean(0), true - true[vertices].mean(0)
    pred = Rotation.align_vectors(true[vertices], pred[vertices])[0].apply(pred)
    normals = [
        np.cross(mesh[faces[:, 1]] - mesh[faces[:, 0]], mesh[faces[:, 2]] - mesh[faces[:, 0]]) for mesh in (pred, true)
    ]
    lengths = [np.linalg.norm(normal, axis=1) for normal in normals]
    angles = np.degrees(np.arccos((normals[0] * normals[1]).sum(1) / lengths[0] / lengths[1]))
    edges = np.array(sorted({tuple(sorted(face[[i, i - 1]])) for face in faces for i in range(3)}))
    lengths = [np.linalg.norm(mesh[edges[:, 0]] - mesh[edges[:, 1]], axis=1) for mesh in (pred, true)]
    return np.linalg.norm(pred - true, axis=1)[vertices], np.abs(lengths[0] / lengths[1] - 1), angles > 60


def test_errors_are_those_of_plain_loops(body):
    """In single precision, with noise that turns triangles."""
    true = posed(body, 3)
    generator = torch.Generator().manual_seed(2)
    pred = posed(body, 3, seed=1) + 8 * torch.randn(true.shape, generator=generator)
    found = surface_errors(pred.float(), true.float(), SurfaceRegions.of(body))
    leading = body.arrays()["weights"].argmax(1)
    for region, parts in {"Hands": ((20, 22), (21, 23)), "Trunk": ((0, 3, 6, 9, 13, 14),)}.items():
        for sample in range(3):
            pair = pred[sample].numpy(), true[sample].numpy()
            vertices = [np.flatnonzero(np.isin(leading, joints)) for joints in parts]
            plain = zip(*(plain_errors(*pair, ids, body.faces) for ids in vertices))
            expected = [scale * np.concatenate(part).mean() for part, scale in zip(plain, (1, 100, 100))]
            assert expected[2] > 1
            np.testing.assert_allclose([error[sample] for error in found[region]], expected, rtol=1e-4)


# --------------------------------------------------------------------------------------------------------- regions


def test_every_vertex_is_in_one_part(open_model):
    regions = SurfaceRegions.of(open_model)
    parts = [part for members in regions.parts.values() for part in members]
    vertices = torch.cat([part.vertices for part in parts])
    assert sorted(vertices.tolist()) == list(range(open_model.vertex_num))
    edges = {tuple(sorted(face[[i, i - 1]])) for face in open_model.faces for i in range(3)}
    assert sum(len(part.edges) for part in parts) + len(regions.between) == len(edges)
    assert sum(len(part.faces) for part in parts) > 0.85 * len(open_model.faces)
    assert all(min(part.counts) > 20 for part in parts)


@pytest.mark.parametrize("name", ["open_1723", "open_6890"])
def test_left_and_right_parts_are_alike(name):
    mesh_model = load_mesh_model("body", name)
    regions = SurfaceRegions.of(mesh_model)
    counts = {part.joints: part.counts for parts in regions.parts.values() for part in parts}
    left = {joints: count for joints, count in counts.items() if all(joint[:2] == "L_" for joint in joints)}
    assert len(left) == 6
    for joints, count in left.items():
        assert count == counts[tuple(f"R_{joint[2:]}" for joint in joints)], joints


@pytest.mark.parametrize("name", ["open_1723", "open_6890"])
def test_regions_of_a_body_are_where_they_should_be(name):
    mesh_model = load_mesh_model("body", name)
    regions = SurfaceRegions.of(mesh_model).parts
    assert {region: len(parts) for region, parts in regions.items()} == {
        "Hands": 2, "Feet": 2, "Head": 1, "Trunk": 1, "Limbs": 8,
    }  # fmt: skip
    rest = mesh_model.arrays()["v_template"]
    assert set(mesh_model.face_vertex_ids) <= set(regions["Head"][0].vertices.tolist())
    left, right = (part.vertices.tolist() for part in regions["Hands"])
    assert rest[:, 0].argmax() in left
    assert rest[:, 0].argmin() in right
    assert rest[:, 1].argmin() in torch.cat([part.vertices for part in regions["Feet"]])


def test_every_finger_is_a_part():
    mesh_model = load_mesh_model("hand", "open_hand")
    regions = SurfaceRegions.of(mesh_model).parts
    assert {region: len(parts) for region, parts in regions.items()} == {"Palm": 1, "Fingers": 5}
    for tip, finger in zip(mesh_model.fingertip_vertex_ids, regions["Fingers"]):
        assert tip in finger.vertices


def test_parts_without_a_triangle_are_left_out():
    weights = led_by("Head", "Head", "Head", "L_Hand", "L_Wrist")
    regions = SurfaceRegions(weights, np.array([[0, 1, 2], [2, 3, 4]]), "body")
    assert list(regions.parts) == ["Head"]
    assert sorted(regions.between.tolist()) == [[2, 3], [2, 4], [3, 4]]


def test_what_does_not_fit_is_refused(body):
    regions = SurfaceRegions.of(body)
    with pytest.raises(ValueError, match="regions of 1723 vertices got meshes of 9"):
        surface_errors(torch.zeros(1, 9, 3), torch.zeros(1, 9, 3), regions)
    with pytest.raises(ValueError, match="weights of 24 joints, a hand has 16"):
        SurfaceRegions(body.arrays()["weights"], body.faces, "hand")
    true = posed(body, 1)
    with pytest.raises(torch.linalg.LinAlgError):
        surface_errors(true * float("nan"), true, regions)
