"""The open models' builder: mesh operations, skinning, fits."""

import numpy as np
import pytest
import torch

from asset.open_body.build import fitting, mesh_ops, skeleton, skinning
from asset.open_body.build.decimate import Decimator
from lib.body.lbs import BodyParams, lbs
from tests.support.open_models import FLIP_X, shipped_arrays

# ---------------------------------------------------------------------------------------------- mesh operations


def half_sphere(rings=8, segments=16):
    """Unit half sphere x >= 0 as (vertices, triangles, on the plane x = 0), open along that plane."""
    polar = np.linspace(0, np.pi / 2, rings + 1)[1:]
    around = np.arange(segments) * 2 * np.pi / segments
    x = np.repeat(np.cos(polar), segments)
    radius = np.repeat(np.sin(polar), segments)
    angle = np.tile(around, rings)
    vertices = np.stack([x, radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    vertices = np.concatenate([[[1, 0, 0]], vertices])
    ring = 1 + np.arange(rings * segments).reshape(rings, segments)
    following = np.roll(ring, -1, axis=1)
    quads = np.stack([ring[:-1], ring[1:], following[1:], following[:-1]], axis=-1).reshape(-1, 4)
    cap = np.stack([np.zeros(segments, int), ring[0], following[0]], axis=1)
    triangles = np.concatenate([cap, mesh_ops.triangulate(quads, vertices)])
    plane = np.arange(len(vertices)) >= ring[-1, 0]
    vertices[plane, 0] = 0
    return vertices, triangles, plane


def sphere(**size):
    """Closed unit sphere: the half sphere and its mirror image."""
    vertices, triangles, plane = half_sphere(**size)
    image = np.where(plane, np.arange(len(vertices)), len(vertices) + np.arange(len(vertices)))
    both = np.concatenate([vertices, vertices * FLIP_X])
    faces, ids = mesh_ops.compact(np.concatenate([triangles, image[triangles][:, ::-1]]))
    return both[ids], faces


def volume(vertices, faces):
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.einsum("fc,fc->", a, np.cross(b, c)) / 6


def assert_closed(faces):
    counts = mesh_ops.surface_counts(faces)
    assert (counts["euler"], counts["components"]) == (2, 1)
    assert counts["boundary_edges"] == counts["irregular_edges"] == counts["pinched_vertices"] == 0


def test_surface_counts_find_every_kind_of_defect():
    _, faces = sphere()
    assert_closed(faces)
    opened = mesh_ops.surface_counts(faces[1:])
    assert (opened["euler"], opened["boundary_edges"]) == (1, 3)
    flipped = faces.copy()
    flipped[5] = flipped[5, ::-1]
    assert mesh_ops.surface_counts(flipped)["irregular_edges"] > 0
    two = np.concatenate([faces, faces + faces.max() + 1])
    assert mesh_ops.surface_counts(two)["components"] == 2
    touching = np.concatenate([faces, np.where(faces == 0, 0, faces + faces.max())])
    counts = mesh_ops.surface_counts(touching)
    assert (counts["components"], counts["pinched_vertices"]) == (1, 1)


def test_boundary_loops_run_along_the_faces():
    _, triangles, plane = half_sphere()
    (loop,) = mesh_ops.boundary_loops(triangles)
    assert sorted(loop) == np.flatnonzero(plane).tolist()
    edges = set(map(tuple, mesh_ops.directed_edges(triangles).tolist()))
    assert all((a, b) in edges for a, b in zip(loop, loop[1:] + loop[:1]))


def test_zipped_chains_close_a_hole():
    vertices, triangles, _ = half_sphere()
    (loop,) = mesh_ops.boundary_loops(triangles)
    upper, lower = loop[:9], [loop[0], *loop[:8:-1]]
    closed = np.concatenate([triangles, mesh_ops.zip_chains(upper, lower, vertices)])
    assert_closed(closed)
    assert volume(vertices, closed) == pytest.approx(2 / 3 * np.pi, rel=0.06)


def test_triangulate_takes_the_better_diagonal():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [2.2, 1, 0], [0.2, 0.1, 0.0]])
    triangles = mesh_ops.triangulate(np.array([[0, 1, 2, 3]]), vertices)
    assert {frozenset(face) for face in triangles.tolist()} == {frozenset((1, 2, 3)), frozenset((0, 1, 3))}


def test_decimation_keeps_a_closed_surface_of_source_vertices():
    vertices, faces = sphere()
    decimator = Decimator(np.stack([vertices, vertices * [1, 1.5, 0.8]]), faces)
    decimator.run(80)
    left, ids = mesh_ops.compact(decimator.faces())
    assert len(ids) == decimator.count() == 80
    assert_closed(left)
    assert volume(vertices[ids], left) == pytest.approx(volume(vertices, faces), rel=0.1)


def test_symmetric_decimation_stops_at_the_exact_count():
    vertices, triangles, plane = half_sphere()
    decimator = Decimator(vertices[None], triangles, plane=plane)
    for target in (101, 60):
        decimator.run(target)
        left = decimator.faces()
        image = np.where(plane, np.arange(len(plane)), len(plane) + np.arange(len(plane)))
        full, ids = mesh_ops.compact(np.concatenate([left, image[left][:, ::-1]]))
        assert len(ids) == target
        assert_closed(full)


def test_rim_decimation_keeps_a_disk():
    vertices, triangles, _ = half_sphere()
    decimator = Decimator(vertices[None], triangles)
    decimator.run_rim(12)
    decimator.run(50, keep_rim=True)
    left, ids = mesh_ops.compact(decimator.faces())
    counts = mesh_ops.surface_counts(left)
    assert (len(ids), counts["euler"], counts["boundary_edges"]) == (50, 1, 12)


def test_decimation_says_when_it_is_stuck():
    vertices, faces = sphere(rings=4, segments=8)
    with pytest.raises(ValueError, match="wanted 3"):
        Decimator(vertices[None], faces).run(3)


# ---------------------------------------------------------------------------------------------- skinning and fits


def test_numpy_chain_equals_the_body_layer():
    hand = shipped_arrays("open_hand_right")
    params = BodyParams.from_arrays(hand, torch.float64)
    pose = np.random.default_rng(0).standard_normal((2, 16, 3)) * 0.4
    layer_pose = torch.from_numpy(pose.reshape(2, -1)) - params.pose_mean
    vertices, joints = lbs(params, layer_pose, torch.zeros(2, 10, dtype=torch.float64))
    skin = fitting.Skin(hand["weights"].astype(float), hand["kintree_table"][0].astype(np.int32), hand["posedirs"])
    template = np.repeat(hand["v_template"][None].astype(np.float64), 2, axis=0)
    rest_joints = np.repeat(params.J_template.numpy()[None], 2, axis=0)
    _, posed_joints, posed = skin.pose(template, rest_joints, skinning.rotation_matrices(pose))
    assert np.abs(posed - vertices.numpy()).max() < 1e-6
    assert np.abs(posed_joints - joints.numpy()).max() < 1e-6


def test_every_skinning_moves_a_rigid_body_rigidly():
    vertices, faces = sphere(rings=5, segments=10)
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), len(vertices))
    turn, shift = skinning.rotation_matrices([0.3, -2.0, 0.9]), np.array([0.1, 2, -3])
    transforms = np.tile(np.concatenate([turn, shift[:, None]], axis=1), (1, 3, 1, 1))
    mush = skinning.DeltaMush(faces, len(vertices), iterations=4)
    wanted = vertices @ turn.T + shift
    for skin in (skinning.linear_skin, skinning.dual_quaternion_skin):
        assert np.abs(skin(vertices[None], weights, transforms)[0] - wanted).max() < 1e-12
    assert np.abs(skinning.target_skin(vertices[None], weights, transforms, mush)[0] - wanted).max() < 1e-12


def test_dual_quaternions_keep_the_radius_of_a_twist():
    ring = np.array([[[0.0, 1, 0], [0, 0, 1], [0, -0.6, 0.8]]])
    weights = np.full((3, 2), 0.5)
    turns = skinning.rotation_matrices([[0, 0, 0], [np.deg2rad(150), 0, 0]])
    transforms = np.concatenate([turns, np.zeros((2, 3, 1))], axis=-1)[None]
    twisted = skinning.dual_quaternion_skin(ring, weights, transforms)[0]
    assert np.linalg.norm(twisted, axis=1) == pytest.approx([1, 1, 1], abs=1e-12)
    assert np.linalg.norm(skinning.linear_skin(ring, weights, transforms)[0], axis=1).max() < 0.3


def test_quantised_weights():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(24, 0.2), 500)
    quantised = skinning.quantise_weights(weights)
    assert np.all(quantised.sum(axis=1) == 1)
    assert np.all(quantised * 256 == np.round(quantised * 256))
    assert (quantised > 0).sum(axis=1).max() <= 4
    four = np.concatenate([rng.dirichlet(np.ones(4), 500), np.zeros((500, 20))], axis=1)
    assert np.abs(skinning.quantise_weights(four) - four).max() < 1 / 256


def test_principal_shapes_have_unit_variance_and_the_asked_sign():
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((400, 2)) * [3, 1]
    directions = rng.standard_normal((2, 30, 3))
    shapes = np.einsum("sn,nvc->svc", coefficients, directions) + 5
    mean, found, scores, variance = fitting.principal_shapes(shapes, [-coefficients[:, 0], coefficients[:, 1]])
    assert scores.std(axis=0, ddof=1) == pytest.approx([1, 1], abs=1e-6)
    assert np.corrcoef(scores[:, 0], coefficients[:, 0])[0, 1] < -0.9
    assert variance[:2].sum() == pytest.approx(1)
    assert np.abs(mean + np.einsum("sn,nvc->svc", scores, found) - shapes).max() < 1e-9


def test_fitted_row_is_convex_symmetric_and_hits_its_goal():
    rng = np.random.default_rng(0)
    left = rng.standard_normal((300, 20, 3))
    points = np.concatenate([left, left * FLIP_X], axis=1)
    flip = np.r_[20:40, 0:20]
    goals = points[:, [2, 22]].mean(axis=1) * 0.6 + points[:, [5, 25]].mean(axis=1) * 0.4
    row = fitting.fit_row([(points, goals, 1.0)], np.arange(10), flip)
    assert row.sum() == pytest.approx(1)
    assert row.min() >= 0
    assert np.array_equal(row, row[flip])
    assert row[[2, 22, 5, 25]] == pytest.approx([0.3, 0.3, 0.2, 0.2], abs=1e-3)


def test_posedirs_are_recovered_from_posed_meshes():
    rng = np.random.default_rng(0)
    vertex_num, joint_num, pose_num = 12, 3, 200
    rest, weights = rng.standard_normal((vertex_num, 3)), rng.dirichlet(np.ones(joint_num), vertex_num)
    rotations = skinning.rotation_matrices(rng.standard_normal((pose_num, joint_num, 3)) * 0.5)
    joints = np.tile(rng.standard_normal((1, joint_num, 3)), (pose_num, 1, 1))
    posedirs = rng.standard_normal((vertex_num, 3, 9 * (joint_num - 1))) * 0.01
    posedirs[:4] = 0
    skin = fitting.Skin(weights, np.array([-1, 0, 1]), posedirs)
    transforms, _, posed = skin.pose(np.tile(rest, (pose_num, 1, 1)), joints, rotations)
    features = fitting.pose_features(rotations)
    reach = np.ones((vertex_num, joint_num - 1), dtype=bool)
    reach[:6] = False
    found = fitting.fit_posedirs(rest, weights, transforms, features, posed, reach, ridge=1e-9)
    # R - I has redundant entries, so the corrections are compared, not their coefficients
    flat = features.reshape(pose_num, -1)
    assert np.abs(np.einsum("vcp,bp->bvc", found - posedirs, flat)[:, 6:]).max() < 1e-4
    assert not found[:6].any()


def test_random_poses_are_as_likely_as_their_mirror_images():
    poses = skeleton.random_poses(4000, np.random.default_rng(0))
    mirrored = poses[:, skeleton.MIRROR] * [1, -1, -1]
    assert np.abs(poses.mean(axis=0) - mirrored.mean(axis=0)).max() < 0.05
    assert np.abs(poses.min(axis=0) - mirrored.min(axis=0))[18:20, 1].max() < 1e-12  # both elbows stop at one angle
    assert not poses[:, 0].any()
