"""Fitted and refined surfaces against bodies whose truth is known."""

import pytest
import torch

from lib.body.hand_prior import HandPosePrior
from lib.body.joint_prior import joint_prior
from lib.body.lbs import lbs
from lib.body.pose_prior import PosePrior
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.joints.lookup import get_joint_set
from lib.mesh.joint_points import joint_matrix, joint_points
from lib.mesh.mesh_model import load_mesh_model
from lib.mesh.refine import View
from lib.mesh.stature import betas_of_height, standing_height
from lib.mesh.surface import SurfaceFitter

BATCH = 12


class Truth:
    """Drawn bodies before a camera, and a lift of them that errs in depth: its limbs are turned a little."""

    def __init__(self, name: str):
        self.set = get_joint_set(name)
        self.model = load_mesh_model(self.set.body, "open_hand" if self.set.body == "hand" else "open_1723")
        self.fitter = SurfaceFitter(self.model, self.set)
        params, generator = self.model.params(), torch.Generator().manual_seed(3)
        prior = HandPosePrior.load() if self.model.kind == "hand" else PosePrior.load()
        pose = prior.sample(BATCH, generator)
        rotations = axis_angle_to_matrix(pose.unflatten(1, (-1, 3)))
        camera = axis_angle_to_matrix(torch.tensor([[-1.5708, 0.0, 0.0]]))  # z up to y down
        pose[:, :3] = matrix_to_axis_angle(camera @ rotations[:, 0])
        self.betas = torch.randn(BATCH, params.shape_num, generator=generator)
        size = float((params.v_template.amax(dim=0) - params.v_template.amin(dim=0)).max())
        self.place = size * torch.tensor([[0.4, -0.2, 3.0]]).expand(BATCH, 3)
        mesh, _ = lbs(params, pose, self.betas)
        points = self._points(mesh, pose)
        self.size, self.mesh = size, mesh
        self.rays = (points + self.place[:, None])[..., :2] / (points + self.place[:, None])[..., 2:]
        lifted = pose.unflatten(1, (-1, 3)) + 0.08 * torch.randn(BATCH, params.joint_num, 3, generator=generator)
        self.lifted, _ = lbs(params, lifted.flatten(1), 0 * self.betas)

    def _points(self, mesh, pose):
        rotations = axis_angle_to_matrix((pose + self.model.params().pose_mean).unflatten(1, (-1, 3)))
        return joint_points(self.model, self.set).pose(rotations, self.betas).points

    def error(self, mesh) -> torch.Tensor:
        """(B,) mean vertex distance about the meshes' middles, as shares of the model's size."""
        middle = mesh.mean(dim=1, keepdim=True) - self.mesh.mean(dim=1, keepdim=True)
        return (mesh - middle - self.mesh).norm(dim=-1).mean(dim=1) / self.size


@pytest.fixture(scope="module", params=["coco", "human36", "smpl", "mano"])
def truth(request):
    return Truth(request.param)


def in_range(fitter, fit) -> bool:
    prior = fitter.prior
    found = prior.features(fitter.rotations(fit))
    return bool(((found >= prior.lower - 1e-3) & (found <= prior.upper + 1e-3)).all())


def test_refined_surfaces_look_as_the_2d_pose_says(truth):
    fitted = truth.fitter.fitted(truth.lifted)
    seen = View.of(truth.rays, truth.set)
    refined = truth.fitter.refined(fitted.fit, seen)[0]
    before, after = truth.error(fitted.mesh), truth.error(refined.mesh)
    assert after.mean() < 0.75 * before.mean()
    assert refined.apart.mean() < 0.01 * truth.size
    assert in_range(truth.fitter, fitted.fit)
    assert in_range(truth.fitter, refined.fit)
    # mesh, parameters and camera say the same
    rebuilt = lbs(truth.model.params(), refined.fit.pose, refined.fit.betas)[0] + refined.fit.trans[:, None]
    torch.testing.assert_close(rebuilt, refined.mesh, atol=1e-5, rtol=0)
    matrix = joint_matrix(truth.model, truth.set)[: truth.set.keypoint_num, : truth.model.vertex_num]
    if (joint_matrix(truth.model, truth.set)[:, truth.model.vertex_num :] == 0).all():
        place = matrix @ refined.mesh + refined.translation[:, None]
        apart = (place[..., :2] / place[..., 2:] - truth.rays).norm(dim=-1).mean(dim=1) * place[..., 2].mean(dim=1)
        torch.testing.assert_close(apart, refined.apart, atol=1e-4, rtol=1e-3)
    assert (refined.translation[:, 2] / truth.place[:, 2]).log().abs().max() < 0.25


def test_missing_joints_are_not_even_read(truth):
    fit = truth.fitter.fitted(truth.lifted).fit
    weight = torch.ones(BATCH, truth.set.keypoint_num)
    weight[:, 5:9] = 0
    some = truth.fitter.refined(fit, View.of(truth.rays, truth.set, weight))[0]
    wrong = truth.rays.clone()
    wrong[:, 5:9] = torch.nan
    same = truth.fitter.refined(fit, View.of(wrong, truth.set, weight))[0]
    torch.testing.assert_close(same.mesh, some.mesh, atol=0, rtol=0)
    assert truth.error(some.mesh).mean() < truth.error(truth.lifted).mean()


def test_one_wrong_joint_does_not_bend_the_body(truth):
    fit = truth.fitter.fitted(truth.lifted).fit
    right = truth.fitter.refined(fit, View.of(truth.rays, truth.set))[0]
    rays = truth.rays.clone()
    rays[:, 7] += 0.3  # as far as the body is large
    wrong = truth.fitter.refined(fit, View.of(rays, truth.set))[0]
    assert truth.error(wrong.mesh).mean() < truth.error(right.mesh).mean() + 0.02


def test_known_shape_and_rows_of_their_own():
    truth = Truth("coco")
    fit = truth.fitter.fitted(truth.lifted, betas=truth.betas).fit
    view = View.of(truth.rays, truth.set)
    refined = truth.fitter.refined(fit, view, keep_shape=True)[0]
    assert torch.equal(refined.fit.betas, truth.betas)
    one = truth.fitter.refined(fit[4:5], View(view.rays[4:5], view.weight[4:5]), keep_shape=True)[0]
    torch.testing.assert_close(one.mesh, refined.mesh[4:5], atol=1e-4, rtol=0)
    free = truth.fitter.refined(truth.fitter.fitted(truth.lifted).fit, view)[0]
    assert truth.error(refined.mesh).mean() < truth.error(free.mesh).mean()


def test_a_film_shakes_less():
    truth = Truth("coco")
    generator = torch.Generator().manual_seed(1)
    fit = truth.fitter.fitted(truth.lifted[:1]).fit
    steps = {True: [], False: []}
    for followed in steps:
        before, last = None, None
        for _ in range(8):  # a person who stands still, seen by a detector that shakes
            rays = truth.rays[:1] + 0.004 * torch.randn(truth.rays[:1].shape, generator=generator)
            known = None if before is None else torch.tensor([followed])
            surface, state = truth.fitter.refined(fit, View.of(rays, truth.set), False, before, known)
            place = surface.mesh + surface.translation[:, None]
            steps[followed] += [] if last is None else [(place - last).norm(dim=-1).mean()]
            before, last = state, place
    assert torch.stack(steps[True]).mean() < 0.7 * torch.stack(steps[False]).mean()


def test_fits_with_a_prior_stay_in_range_and_near():
    truth = Truth("coco")
    generator = torch.Generator().manual_seed(2)
    shaken = truth.mesh + 0.02 * torch.randn(truth.mesh.shape, generator=generator)
    twisted = shaken.clone()
    feet = truth.model.params().weights[:, [7, 8, 10, 11]].sum(dim=1) > 0.5
    twisted[:, feet] = twisted[:, feet].mean(dim=1, keepdim=True)  # feet that collapsed to a point
    for mesh, most in ((shaken, 0.035), (twisted, 0.05)):
        fitted = truth.fitter.fitted(mesh)
        assert in_range(truth.fitter, fitted.fit)
        assert fitted.fit.residual.mean() < most


def test_heights():
    model = load_mesh_model("body", "open_1723")
    for height in (1.55, 1.78, 1.95):
        betas = torch.from_numpy(betas_of_height(model, height))[None]
        assert float(standing_height(model.params(), betas)) == pytest.approx(height, abs=1e-3)
    with pytest.raises(ValueError, match=r"3 m: the shapes of open_1723 are 1\.\d+ to 2\.\d+ m tall"):
        betas_of_height(model, 3.0)
    with pytest.raises(ValueError, match="a height is of a body"):
        betas_of_height(load_mesh_model("hand", "open_hand"), 0.2)


def test_the_priors_are_of_the_models():
    for kind, name in (("body", "open_1723"), ("hand", "open_hand")):
        assert len(joint_prior(kind).mean) == load_mesh_model(kind, name).params().joint_num - 1
