"""Weak-perspective camera: projection, exact L1 fit, crop-to-image conversion."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from lib.geometry.camera_fit import (
    CROP_SIZE,
    MIN_SCALE_RATIO,
    crop_to_image_camera,
    fit_weak_perspective,
    image_to_crop_camera,
    project,
    project_to_image,
)
from tests.helpers import assert_close, golden


def random_problem(n: int, outliers: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    joints = torch.randn(1, n, 3, generator=generator, dtype=torch.float64) * 0.4
    cam = torch.tensor([[0.9, 0.1, -0.2]], dtype=torch.float64)
    target = project(cam, joints) + 8 * torch.randn(1, n, 2, generator=generator, dtype=torch.float64)
    target[:, :outliers] += 150 * torch.randn(1, outliers, 2, generator=generator, dtype=torch.float64)
    return joints, target


def linprog_residual(joints: torch.Tensor, target: torch.Tensor) -> float:
    """Optimal mean absolute error in crop pixels, by linear programming in (s, s·tx, s·ty, residual bounds)."""
    half = CROP_SIZE / 2
    spread = [(p - p.mean(1, keepdim=True)).abs().mean().item() for p in (joints[..., :2], target / half)]
    lower = MIN_SCALE_RATIO * spread[1] / spread[0]
    xy, goal = joints[0, :, :2].numpy(), (target[0].numpy() - half) / half
    n = len(xy)
    design = np.zeros((2 * n, 3))
    design[:, 0] = xy.T.ravel()
    design[:n, 1] = design[n:, 2] = 1
    eye = np.eye(2 * n)
    constraints = np.block([[design, -eye], [-design, -eye]])
    limits = np.concatenate([goal.T.ravel(), -goal.T.ravel()])
    cost = np.concatenate([np.zeros(3), np.full(2 * n, half / (2 * n))])
    bounds = [(lower, None), (None, None), (None, None)] + [(0, None)] * (2 * n)
    result = linprog(cost, A_ub=constraints, b_ub=limits, bounds=bounds, method="highs")
    assert result.success
    return result.fun


@pytest.mark.parametrize("n", [2, 3, 17, 19, 21, 24])
@pytest.mark.parametrize("outliers", [0, 1])
def test_fit_reaches_the_optimum_of_linear_programming(n, outliers):
    joints, target = random_problem(n, outliers, seed=n + 100 * outliers)
    cam, residual = fit_weak_perspective(joints, target)
    assert residual.item() == pytest.approx(linprog_residual(joints, target), abs=1e-6)
    assert (project(cam, joints) - target).abs().mean().item() == pytest.approx(residual.item(), abs=1e-9)


def test_integer_coordinates_with_many_ties():
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        joints = torch.randint(-2, 3, (1, 12, 3), generator=generator).double()
        target = torch.randint(100, 104, (1, 12, 2), generator=generator).double() * 3
        _, residual = fit_weak_perspective(joints, target)
        assert residual.item() == pytest.approx(linprog_residual(joints, target), abs=1e-6)


def test_exact_pose_gives_the_exact_camera():
    joints = torch.randn(5, 24, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cam = torch.tensor([[0.5, 0.1, -0.2]], dtype=torch.float64) * torch.arange(1, 6)[:, None]
    fitted, residual = fit_weak_perspective(joints, project(cam, joints))
    assert_close(fitted, cam, 1e-9)
    assert residual.max() < 1e-9


def test_a_wild_joint_does_not_move_the_camera():
    joints, _ = random_problem(19, 0, seed=5)
    cam = torch.tensor([[0.8, 0.0, 0.1]], dtype=torch.float64)
    target = project(cam, joints)
    target[:, 4] = 5000
    assert_close(fit_weak_perspective(joints, target)[0], cam, 1e-9)


def test_batch_equals_single_samples():
    problems = [random_problem(17, 1, seed) for seed in range(8)]
    joints, target = (torch.cat(parts) for parts in zip(*problems))
    cam, residual = fit_weak_perspective(joints, target)
    for k, (joint, goal) in enumerate(problems):
        single_cam, single_residual = fit_weak_perspective(joint, goal)
        assert torch.equal(cam[k], single_cam[0])
        assert torch.equal(residual[k], single_residual[0])


def test_scale_stays_positive_for_a_mirrored_pose():
    joints, _ = random_problem(17, 0, seed=1)
    target = project(torch.tensor([[-0.9, 0.0, 0.0]], dtype=torch.float64), joints)
    cam, residual = fit_weak_perspective(joints, target)
    assert cam[0, 0] > 0
    assert residual.item() == pytest.approx(linprog_residual(joints, target), abs=1e-6)


@pytest.mark.parametrize(
    "joints, target, message",
    [
        (torch.zeros(1, 17, 3), torch.rand(1, 17, 2), "one point"),
        (torch.rand(1, 17, 3), torch.full((1, 17, 2), 7.0), "one point"),
        (torch.full((1, 17, 3), torch.nan), torch.rand(1, 17, 2), "NaN"),
        (torch.rand(1, 17, 3), torch.rand(1, 19, 2), r"\(1, 19, 2\)"),
        (torch.rand(1, 1, 3), torch.rand(1, 1, 2), "n >= 2"),
    ],
)
def test_degenerate_input_is_refused(joints, target, message):
    with pytest.raises(ValueError, match=message):
        fit_weak_perspective(joints, target)


def test_projection_and_image_camera_match_the_original():
    values = golden("demo")
    out = project(torch.from_numpy(values["project_cam"]), torch.from_numpy(values["project_in"]))
    assert_close(out, values["project_out"])
    cam, box = torch.from_numpy(values["crop2orig_cam"]), torch.from_numpy(values["crop2orig_bbox"])
    width, height = values["crop2orig_wh"].tolist()
    assert_close(crop_to_image_camera(cam, box, (width, height)), values["crop2orig_out"])


@pytest.mark.parametrize("kind", ["float32", "int64"])
def test_fit_is_the_optimum_and_at_least_as_good_as_the_original(kind):
    values = golden("demo")
    joints = torch.from_numpy(values[f"demo_{kind}_joints3d"]).double()[None]
    target = torch.from_numpy(values[f"demo_{kind}_target"]).double()[None]
    cam, residual = fit_weak_perspective(joints, target)
    original = values[f"demo_{kind}_final_l1"].item()
    # the joints come from a random network and fit badly: the optimum is flat, so only residuals can be compared
    assert residual.item() == pytest.approx(linprog_residual(joints, target), abs=1e-6)
    assert residual.item() <= original
    assert cam[0, 0] > 0
    original_cam = torch.from_numpy(values[f"demo_{kind}_cam"])[None]
    assert (project(original_cam, joints) - target).abs().mean().item() == pytest.approx(original, abs=1e-2)


def test_image_camera_puts_points_where_the_crop_camera_does():
    generator = torch.Generator().manual_seed(0)
    cam = torch.tensor([[0.9, 0.2, -0.1]], dtype=torch.float64)
    box = torch.tensor([[55.0, 78.0, 651.0, 651.0]], dtype=torch.float64)
    points = torch.randn(1, 9, 3, generator=generator, dtype=torch.float64)
    expected = project(cam, points) / CROP_SIZE * box[:, None, 2:] + box[:, None, :2]
    camera = crop_to_image_camera(cam, box, (800, 600))
    image = project_to_image(camera, points, (800, 600))
    assert_close(image, expected, 1e-12)
    assert_close(image_to_crop_camera(camera, box, (800, 600)), cam, 1e-12)
