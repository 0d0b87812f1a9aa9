"""Points on a posed body: where they are, and how they move."""

import pytest
import torch

from lib.body.lbs import skin
from lib.body.points import BodyPoints, surface_patches
from lib.body.rotation import axis_angle_to_matrix
from lib.mesh.mesh_model import load_mesh_model

MODELS = {"open_1723": "body", "open_hand": "hand"}


@pytest.fixture(params=MODELS)
def params(request):
    return load_mesh_model(MODELS[request.param], request.param).params().to(dtype=torch.float64)


def state(params, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    turns = 0.5 * torch.randn(batch, params.joint_num, 3, generator=generator, dtype=torch.float64)
    return axis_angle_to_matrix(turns), torch.randn(batch, params.shape_num, generator=generator, dtype=torch.float64)


def means(params, count=30):
    patches = surface_patches(params, count)
    return patches / patches.sum(dim=1, keepdim=True)


def test_points_are_means_of_posed_vertices(params):
    matrix = means(params)
    matrix[0] = torch.randn(params.vertex_num, generator=torch.Generator().manual_seed(1)).double()  # any weights
    rotations, betas = state(params)
    vertices, joints = skin(params, rotations, betas)
    posed = BodyPoints(params, matrix).pose(rotations, betas)
    torch.testing.assert_close(posed.points, matrix @ vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(posed.joints, joints)


def test_derivatives_are_those_of_small_steps(params):
    points, (rotations, betas) = BodyPoints(params, means(params)), state(params)
    posed, change = points.linearise(rotations, betas)
    approximate = points.linearise(rotations, betas, shape=False, pose_blend=False)[1]
    step, joint_num = 1e-4, params.joint_num
    for joint in range(0, joint_num, 5):
        for axis in range(3):
            turn = torch.zeros(len(betas), joint_num, 3, dtype=torch.float64)
            turn[:, joint, axis] = step
            moved = [
                points.pose(axis_angle_to_matrix(posed.local(sign * turn)) @ rotations, betas).points
                for sign in (1, -1)
            ]
            slope = (moved[0] - moved[1]) / (2 * step)
            torch.testing.assert_close(change[..., 3 * joint + axis], slope, atol=5e-4, rtol=0)
            # the pose blend shapes move the skin by little
            torch.testing.assert_close(approximate[..., 3 * joint + axis], slope, atol=0.05, rtol=0)
    for part in range(0, params.shape_num, 4):
        other = betas.clone()
        other[:, part] += step
        slope = (points.pose(rotations, other).points - posed.points) / step
        torch.testing.assert_close(change[..., 3 * joint_num + part], slope, atol=1e-6, rtol=0)


def test_patches_part_the_surface_and_keep_to_a_joint():
    params = load_mesh_model("body", "open_1723").params()
    patches = surface_patches(params, 120)
    assert patches.shape == (120, params.vertex_num)
    assert (patches.sum(dim=0) == 1).all()
    assert (patches.sum(dim=1) >= 1).all()
    share = (patches / patches.sum(dim=1, keepdim=True)) @ params.weights
    assert share.amax(dim=1).mean() > 0.7
    assert len(surface_patches(params, 10**6)) == params.vertex_num
