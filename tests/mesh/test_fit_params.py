import numpy as np
import pytest
import torch

from lib.body.lbs import lbs
from lib.body.rotation import axis_angle_to_matrix
from lib.checkpoints.files import load_checkpoint
from lib.datasets.registry import dataset_class
from lib.mesh.fit_params import fit_params
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.predictor import Pose2MeshPredictor
from tests.helpers import ROOT
from tests.support.open_models import random_pose, shipped_arrays

MODELS = {"open_1723": "body", "open_6890": "body", "open_hand": "hand"}


def posed(model, batch, seed=0, betas=None):
    """Vertices, pose, betas, translation of random poses in any orientation and place."""
    params = model.params()
    pose, shape = random_pose(params.joint_num, batch, seed, scale=0.4 if model.kind == "body" else 0.2)
    generator = torch.Generator().manual_seed(seed)
    pose, shape = torch.from_numpy(pose).float(), torch.from_numpy(shape).float()
    shape = shape if betas is None else betas.expand(batch, -1)
    pose[:, :3] = 2 * torch.randn(batch, 3, generator=generator)
    trans = 3 * torch.randn(batch, 3, generator=generator)
    vertices, _ = lbs(params, pose, shape)
    return vertices + trans[:, None], pose, shape, trans


def rotations(model, pose):
    return axis_angle_to_matrix((pose + model.params().pose_mean).unflatten(1, (-1, 3)))


def rebuilt(model, fit):
    return lbs(model.params(), fit.pose, fit.betas)[0] + fit.trans[:, None]


@pytest.mark.parametrize("name", MODELS)
def test_exact_meshes_give_their_parameters_back(name):
    model = load_mesh_model(MODELS[name], name)
    vertices, pose, betas, trans = posed(model, 4)
    fit = fit_params(vertices, model)
    assert fit.pose.shape == pose.shape
    assert fit.residual.max() < 5e-5
    # any axis-angle of the same rotation will do
    torch.testing.assert_close(rotations(model, fit.pose), rotations(model, pose), atol=0.01, rtol=0)
    torch.testing.assert_close(fit.trans, trans, atol=5e-4, rtol=0)
    torch.testing.assert_close(fit.betas, betas, atol=0.2, rtol=0)
    torch.testing.assert_close((rebuilt(model, fit) - vertices).norm(dim=-1).mean(1), fit.residual, atol=2e-6, rtol=0)


def test_hand_pose_is_relative_to_the_mean_pose():
    model = load_mesh_model("hand", "open_hand")
    vertices, _ = lbs(model.params(), torch.zeros(1, 48), torch.zeros(1, 10))
    fit = fit_params(vertices, model)
    assert fit.pose.abs().max() < 0.01
    assert model.params().pose_mean.abs().max() > 0.1


def test_file_in_smpl_layout(tmp_path):
    arrays = shipped_arrays("open_body_1723")
    arrays = {
        k: arrays[k] for k in ("v_template", "f", "shapedirs", "posedirs", "weights", "J_regressor", "kintree_table")
    }
    np.savez(tmp_path / "mine.npz", **arrays)
    model = load_mesh_model("body", str(tmp_path / "mine.npz"))
    vertices, *_ = posed(model, 2)
    assert fit_params(vertices.numpy(), model).residual.max() < 5e-5


def test_rows_do_not_depend_on_each_other():
    model = load_mesh_model("body", "open_1723")
    vertices, *_ = posed(model, 5)
    together, alone = fit_params(vertices, model), fit_params(vertices[3:4], model)
    torch.testing.assert_close(together.betas[3:4], alone.betas, atol=0.02, rtol=0)
    torch.testing.assert_close(rebuilt(model, together[3:4]), rebuilt(model, alone), atol=1e-4, rtol=0)


def test_batches_keep_the_order(monkeypatch):
    model = load_mesh_model("body", "open_1723")
    vertices, *_ = posed(model, 6, betas=torch.linspace(-1, 1, 10))
    tracks = torch.tensor([2, 0, 1, 0, 2, 1])
    for groups, size in ((None, 4), (tracks, 3)):
        whole = fit_params(vertices, model, groups=groups)
        monkeypatch.setattr("lib.mesh.fit_params._BATCH", size)
        parts = fit_params(vertices, model, groups=groups)
        monkeypatch.undo()
        torch.testing.assert_close(rebuilt(model, parts), vertices, atol=1e-4, rtol=0)
        torch.testing.assert_close(parts.betas, whole.betas, atol=0.05, rtol=0)


def test_one_shape_for_each_group():
    model = load_mesh_model("body", "open_1723")
    shapes = torch.stack([torch.linspace(-1.5, 1.5, 10), torch.linspace(1.0, -1.0, 10)])
    tracks = torch.tensor([7, 3, 7, 3, 7, 7])
    vertices, *_ = posed(model, 6, betas=shapes[(tracks == 3).long()])
    noisy = vertices + 0.01 * torch.randn(vertices.shape, generator=torch.Generator().manual_seed(1))
    shared, single = fit_params(noisy, model, groups=tracks), fit_params(noisy, model)
    for number, shape in zip((7, 3), shapes):
        rows = tracks == number
        assert (shared.betas[rows] == shared.betas[rows][0]).all()
        # what the frames have in common is better known than what one shows
        assert (shared.betas[rows][0] - shape).norm() < (single.betas[rows] - shape).norm(dim=1).mean()
    assert shared.residual.max() < 0.0175  # the noise itself is 10 mm * sqrt(8 / pi) = 16 mm long


def test_known_shape_is_kept():
    model = load_mesh_model("body", "open_1723")
    shape = torch.linspace(-1, 1, 10)
    vertices, *_ = posed(model, 3, betas=shape)
    fit = fit_params(vertices, model, betas=shape)
    assert (fit.betas == shape).all()
    assert fit.residual.max() < 2e-5


def test_noise_does_not_make_an_unlikely_shape():
    model = load_mesh_model("hand", "open_hand")
    vertices, *_ = posed(model, 4, betas=torch.zeros(10))
    noisy = vertices + 0.004 * torch.randn(vertices.shape, generator=torch.Generator().manual_seed(1))
    fit = fit_params(noisy, model)
    assert fit.betas.abs().max() < 2  # without the prior it is beyond 20
    assert fit.residual.mean() < 0.0066  # the noise is 6.4 mm long


def test_joint_without_vertices(tmp_path):
    arrays = shipped_arrays("open_body_1723")
    weights = arrays["weights"].astype(np.float32)
    for hand, wrist in ((22, 20), (23, 21)):
        weights[:, wrist] += weights[:, hand]
        weights[:, hand] = 0
    np.savez(tmp_path / "handless.npz", **{**arrays, "weights": weights})
    model = load_mesh_model("body", str(tmp_path / "handless.npz"))
    vertices, *_ = posed(model, 2)
    fit = fit_params(vertices, model)
    assert torch.isfinite(fit.pose).all()
    assert fit.residual.max() < 1e-3


def test_predictions_on_the_open_benchmark():
    predictor = Pose2MeshPredictor("coco", ROOT / "experiment/pose2mesh_cocoJ_open", device="cpu")
    cfg = load_checkpoint(predictor.weights).trained.changed(SYNTHETIC={"test_samples": 1000, "any_view_share": 0.0})
    items = dataset_class("Synthetic")("test", cfg).batch(np.arange(0, 960, 40), torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mesh, _ = predictor.network(items.inputs["pose2d"].float())
    fit = fit_params(mesh, predictor.mesh_model)
    assert fit.residual.mean() < 0.015
    assert fit.betas.abs().max() < 5
    standing = axis_angle_to_matrix(fit.pose[:, :3])[:, 1, 1]
    assert standing.median() < -0.8  # y of the picture points down, the model's up


def test_unusable_arguments():
    model: MeshModel = load_mesh_model("body", "open_1723")
    good = torch.zeros(2, 1723, 3)
    for vertices in (good[0], good[:, :100], good[:0]):
        with pytest.raises(ValueError, match="1723"):
            fit_params(vertices, model)
    with pytest.raises(ValueError, match="NaN"):
        fit_params(good * float("nan"), model)
    with pytest.raises(ValueError, match="not both"):
        fit_params(good, model, groups=torch.zeros(2, dtype=torch.long), betas=torch.zeros(10))
    with pytest.raises(ValueError, match="groups"):
        fit_params(good, model, groups=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="betas"):
        fit_params(good, model, betas=torch.zeros(4))
