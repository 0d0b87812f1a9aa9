"""Losses against the original's values and gradients, and properties that any rewrite must keep."""

import numpy as np
import pytest
import torch

from lib.core.loss import LOSS_NAMES, Pose2MeshLoss, PoseNetLoss, coord_loss, edge_length_loss, get_loss
from lib.core.loss import normal_vector_loss as normal_loss
from lib.settings.config import Config, ModelConfig, TrainConfig
from tests.helpers import assert_close, golden
from tests.support.rotations import random_rotation


@pytest.fixture(scope="module")
def data():
    arrays = {key: torch.from_numpy(value) for key, value in golden("losses").items()}
    arrays["faces"] = arrays["faces"].long()
    return arrays


CASES = {
    "coord": lambda d: lambda p: coord_loss(p, d["gt"], d["valid"]),
    "coord_novalid": lambda d: lambda p: coord_loss(p, d["gt"]),
    "normal": lambda d: lambda p: normal_loss(p, d["gt"], d["faces"]),
    "edge": lambda d: lambda p: edge_length_loss(p, d["gt"], d["faces"]),
    "joint": lambda d: lambda p: coord_loss(p, d["joint_gt"], d["joint_valid"]),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_equal_the_original(data, name):
    pred = data["joint_pred" if name == "joint" else "pred"].clone().requires_grad_()
    loss = CASES[name](data)(pred)
    loss.backward()
    assert_close(loss.detach(), data[name], what=name)
    assert_close(pred.grad, data[f"{name}_grad"], what=f"gradient of {name}")


@pytest.mark.parametrize("loss, name", [(normal_loss, "degenerate_normal"), (edge_length_loss, "degenerate_edge")])
def test_coincident_vertices_keep_the_value_and_a_finite_gradient(data, loss, name):
    pred = data["degenerate_pred"].clone().requires_grad_()
    value = loss(pred, data["gt"], data["faces"])
    value.backward()
    assert_close(value.detach(), data[name], what=name)
    assert pred.grad.isfinite().all()
    assert abs(value.item() - float(data[name])) < 1e-7


def test_all_vertices_in_one_point():
    pred = torch.zeros(1, 3, 3, requires_grad=True)
    gt = torch.eye(3)[None]
    faces = torch.tensor([[0, 1, 2]])
    (edge_length_loss(pred, gt, faces) + normal_loss(pred, gt, faces)).backward()
    assert torch.equal(pred.grad, torch.zeros(1, 3, 3))
    assert edge_length_loss(pred, gt, faces).item() == pytest.approx(2**0.5)


def test_published_hand_example():
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    gt = torch.tensor([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.5]]])
    pred = torch.tensor([[[0, 0, 0.1], [1, 0, 0], [0, 1.2, 0], [1, 1, 0.7]]])
    valid = torch.tensor([[[1.0], [1.0], [0.0], [1.0]]])
    vertex, normal, edge, mesh_joint, lift_joint = get_loss(faces.numpy())
    assert normal(pred, gt).item() == pytest.approx(0.0944383, abs=1e-6)
    assert edge(pred, gt).item() == pytest.approx(0.1210565, abs=1e-6)
    for coordinate in (vertex, mesh_joint, lift_joint):
        assert coordinate(pred, gt, valid).item() == pytest.approx(0.025, abs=1e-7)


def test_mesh_losses_do_not_change_under_a_common_motion(data):
    generator = torch.Generator().manual_seed(0)
    rotation, shift = random_rotation(generator), torch.randn(3, generator=generator)
    moved = [data[key] @ rotation.T + shift for key in ("pred", "gt")]
    for loss in (normal_loss, edge_length_loss):
        assert_close(loss(*moved, data["faces"]), loss(data["pred"], data["gt"], data["faces"]), 1e-5)


def test_perfect_prediction_costs_nothing(data):
    gt, faces = data["gt"], data["faces"]
    assert coord_loss(gt, gt).item() == 0
    assert edge_length_loss(gt, gt, faces).item() == 0
    assert normal_loss(gt, gt, faces).item() < 1e-6


def test_masked_entries_stay_in_the_denominator():
    pred, target = torch.ones(2, 4, 3), torch.zeros(2, 4, 3)
    valid = torch.ones(2, 4, 1)
    valid[0] = 0
    assert coord_loss(pred, target, valid).item() == 0.5


def mesh_batch(data):
    generator = torch.Generator().manual_seed(1)
    regressor = torch.rand(17, 300, generator=generator)
    regressor /= regressor.sum(1, keepdim=True)
    outputs = data["pred"].clone().requires_grad_(), data["joint_pred"].clone().requires_grad_()
    reg_valid = torch.ones(4, 17, 1)
    reg_valid[0, 3:] = 0  # unlike the lifted joints that count
    targets = {
        "mesh": data["gt"],
        "lift_pose3d": data["joint_gt"],
        "reg_pose3d": 100 * torch.randn(4, 17, 3, generator=generator),
    }
    meta = {"mesh_valid": data["valid"], "lift_pose3d_valid": data["joint_valid"], "reg_pose3d_valid": reg_valid}
    return regressor, outputs, targets, meta


def test_total_of_the_mesh_stage(data):
    regressor, outputs, targets, meta = mesh_batch(data)
    cfg = Config()
    cfg = cfg.changed(TRAIN={"edge_loss_start": 7})
    criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, data["faces"].numpy(), regressor.numpy())
    mesh, pose3d = outputs
    joints = torch.einsum("jv,bvc->bjc", regressor, mesh * 1000)
    expected = {
        "vertice loss": coord_loss(mesh, targets["mesh"], meta["mesh_valid"]),
        "normal loss": 0.1 * normal_loss(mesh, targets["mesh"], data["faces"]),
        "edge loss": 20 * edge_length_loss(mesh, targets["mesh"], data["faces"]),
        "mesh->3d joint loss": 1e-3 * coord_loss(joints, targets["reg_pose3d"], meta["reg_pose3d_valid"]),
        "2d->3d joint loss": 1e-3 * coord_loss(pose3d, targets["lift_pose3d"], meta["lift_pose3d_valid"]),
    }
    total, parts = criterion(outputs, targets, meta, epoch=8)
    assert tuple(parts) == LOSS_NAMES
    for name, value in expected.items():
        assert_close(parts[name], value.detach(), what=name)
        assert not parts[name].requires_grad
    assert_close(total.detach(), sum(expected.values()).detach())
    gradients = torch.autograd.grad(total, outputs)
    for actual, wanted in zip(gradients, torch.autograd.grad(sum(expected.values()), outputs)):
        assert_close(actual, wanted, 1e-4)


def test_edge_loss_starts_after_its_epoch(data):
    regressor, outputs, targets, meta = mesh_batch(data)
    cfg = Config()
    cfg = cfg.changed(TRAIN={"edge_loss_start": 7})
    criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, data["faces"], regressor)
    before, parts = criterion(outputs, targets, meta, epoch=7)
    after, later = criterion(outputs, targets, meta, epoch=8)
    assert parts["edge loss"].item() == 0
    assert later["edge loss"].item() > 0
    assert_close((after - before).detach(), later["edge loss"], 1e-4)


def test_rejected_fits_shape_the_mesh_unless_masked(data):
    regressor, (mesh, pose3d), targets, meta = mesh_batch(data)
    meta["mesh_valid"] = torch.ones_like(meta["mesh_valid"])
    meta["mesh_valid"][1] = 0
    cfg = Config()
    cfg = cfg.changed(MODEL={"joint_loss_weight": 0.0})
    kept = [0, 2, 3]
    for masked in (False, True):
        cfg = cfg.changed(TRAIN={"mask_mesh_losses": masked})
        total, parts = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, data["faces"], regressor)(
            (mesh, pose3d), targets, meta, epoch=16
        )
        (gradient,) = torch.autograd.grad(total, mesh)
        assert (gradient[1] == 0).all() == masked
        # the rejected sample stays in the denominator, as in the coordinate losses
        chosen, share = (kept, 0.75) if masked else ([0, 1, 2, 3], 1.0)
        for name, weight, loss in (("normal loss", 0.1, normal_loss), ("edge loss", 20, edge_length_loss)):
            expected = share * weight * loss(mesh[chosen], targets["mesh"][chosen], data["faces"])
            assert_close(parts[name], expected.detach(), what=name)


def test_criterion_has_no_state_and_follows_the_dtype_of_the_model(data):
    regressor, *_ = mesh_batch(data)
    criterion = Pose2MeshLoss(ModelConfig(), TrainConfig(), data["faces"].numpy(), regressor)
    assert not criterion.state_dict()
    assert not list(criterion.parameters())
    assert criterion.to(torch.float64).joint_regressor.dtype == torch.float64
    assert criterion.faces.dtype == torch.int64


def test_lifting_loss(data):
    total, parts = PoseNetLoss()(data["joint_pred"], data["joint_gt"], data["joint_valid"])
    assert_close(total, data["joint"])
    assert list(parts) == ["total loss"]
    assert np.isclose(parts["total loss"].item(), total.item())
