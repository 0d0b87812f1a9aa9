"""The predictor's fitted and refined meshes, their cameras and risks, with the shipped weights."""

import numpy as np
import pytest
import torch

from lib.body.lbs import lbs
from lib.demo.inputs import sample_pose_path
from lib.export.cameras import project_perspective
from lib.export.people import PeopleArrays
from lib.geometry.camera_fit import project_to_image
from lib.predictor import Circumstances, Film, Pose2MeshPredictor
from lib.predictor.surfaces import chosen_surface
from tests.helpers import ROOT

SIZE = (900, 700)
WEIGHTS = ROOT / "experiment/pose2mesh_cocoJ_open"


@pytest.fixture(scope="module")
def predictors():
    return {mesh: Pose2MeshPredictor("coco", WEIGHTS, "cpu", mesh=mesh) for mesh in ("network", "fitted", "refined")}


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """(3, 17, 2): the sample pose, smaller and beside the middle, and mirrored there."""
    pose = np.load(sample_pose_path("coco"))[:17, :2].astype(np.float64)
    left, right, big = np.array([20, 300]), np.array([880, 300]), np.array([200, 0])
    return np.stack([pose + big, 0.5 * pose + left, 0.5 * pose * np.array([-1, 1]) + right])


def test_refined_meshes_fit_the_poses_and_their_cameras(predictors, poses):
    known = Circumstances(SIZE, 800.0)
    found = {name: predictor.predict(poses, known=known) for name, predictor in predictors.items()}
    refined = found["refined"]
    assert (refined.residual < 0.6 * found["network"].residual).all()
    torch.testing.assert_close(refined.lift_residual, found["network"].residual)
    torch.testing.assert_close(refined.pose3d, found["network"].pose3d)
    people = PeopleArrays.from_prediction(refined, predictors["refined"].mesh_model.faces, SIZE, tuple("j" * 19), 800.0)
    np.testing.assert_array_equal(people.lens, people.translation)
    # joints by the perspective camera, in pixels of the image, are the pose as far as the residual says
    joints = people.joints / 1000 + people.translation[:, None]
    apart = np.abs(project_perspective(joints[:, :17], SIZE, 800.0) - poses).mean(axis=(1, 2)) * 500 / people.box[:, 2]
    np.testing.assert_allclose(apart, people.residual, rtol=1e-3)
    # what is drawn by the weak camera is what the perspective one sees
    drawn = project_to_image(torch.from_numpy(people.camera_image), torch.from_numpy(people.drawn), SIZE).numpy()
    np.testing.assert_allclose(drawn, project_perspective(people.placed, SIZE, 800.0), atol=0.05)
    origin = torch.zeros(3, 1, 3)
    middle = project_to_image(torch.from_numpy(people.camera_image), origin, SIZE).numpy()[:, 0]
    np.testing.assert_allclose(middle, project_perspective(people.translation, SIZE, 800.0), atol=0.05)


def test_parameters_are_those_of_the_mesh(predictors, poses):
    for name in ("fitted", "refined"):
        result = predictors[name].predict(poses)
        mesh = lbs(predictors[name].mesh_model.params(), result.pose, result.betas)[0] + result.trans[:, None]
        torch.testing.assert_close(mesh, result.mesh, atol=1e-5, rtol=0)
    network = predictors["network"].predict(poses)
    assert network.pose.shape == (3, 0)
    assert network.focal.isnan().all()
    assert len(predictors["refined"].predict(np.zeros((0, 17, 2)))) == 0


def test_risks_tell_a_person_from_nonsense(predictors, poses):
    shuffled = poses[:, np.random.default_rng(0).permutation(17)]
    known = Circumstances(SIZE)
    good, bad = (predictors["refined"].predict(points, known=known).risk for points in (poses, shuffled))
    assert (good < 0.1).all()
    assert (bad > 0.1).all()
    assert predictors["fitted"].predict(poses).risk.isnan().all()


def test_known_shapes_scores_and_their_errors(predictors, poses):
    refined = predictors["refined"]
    betas = np.linspace(-1, 1, 10).astype(np.float32)
    scores = np.ones((3, 19))
    scores[:, 9] = 0
    moved = poses.copy()
    moved[:, 9] += 40  # a joint without a score is filled by whoever has it; where it lies does not pull
    first = refined.predict(poses, known=Circumstances(SIZE, betas=betas, scores=scores))
    assert torch.equal(first.betas, torch.from_numpy(betas).expand(3, -1))
    for wrong, words in (
        (Circumstances(scores=scores[:2]), "have scores"),
        (Circumstances(betas=betas[:4]), "expected betas"),
        (Circumstances(focal=-1.0), "focal length"),
    ):
        with pytest.raises(ValueError, match=words):
            refined.predict(poses, known=wrong)
    with pytest.raises(ValueError, match="choose auto, network"):
        chosen_surface("best", refined.mesh_model)


def test_3d_joints_are_trusted(predictors, poses):
    joints = predictors["network"].predict(poses).pose3d
    fitted = predictors["refined"].predict_pose3d(joints)
    assert fitted.focal.isnan().all()
    torch.testing.assert_close(fitted.mesh, predictors["fitted"].predict_pose3d(joints).mesh, atol=1e-5, rtol=0)


def test_people_of_a_film_are_followed(predictors, poses):
    refined, rng = predictors["refined"], np.random.default_rng(0)
    frames = np.repeat(np.arange(6), 2)
    shaken = np.tile(poses[:2], (6, 1, 1)) + rng.normal(0, 4, (12, 17, 2))
    tracks = np.tile([5, 9], 6)
    alone = refined.predict(shaken, known=Circumstances(SIZE))
    film = Circumstances(SIZE, film=Film(), frames=frames, tracks=tracks)
    whole = refined.predict(shaken, known=film)
    kept = Film()  # batch by batch it is the same
    parts = [
        refined.predict(shaken[rows], known=Circumstances(SIZE, film=kept, frames=frames[rows], tracks=tracks[rows]))
        for rows in (slice(0, 4), slice(4, 12))
    ]
    torch.testing.assert_close(torch.cat([part.mesh for part in parts]), whole.mesh, atol=1e-3, rtol=0)

    def steps(prediction):
        place = (prediction.mesh + prediction.translation[:, None]).unflatten(0, (6, 2))
        return place.diff(dim=0).norm(dim=-1).mean()

    assert steps(whole) < 0.8 * steps(alone)
