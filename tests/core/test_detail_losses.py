"""Losses beyond the published ones: shape of parts, relative edges, weights of details, distances of joints."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

import lib.core.loss as loss_module
from lib.core import surface_loss
from lib.core.loss import LOSS_NAMES, PART_LOSS, Pose2MeshLoss, PoseNetLoss, coord_loss, distance_loss
from lib.core.part_loss import PartLoss, rigidly_moved
from lib.core.stages import STAGES
from lib.evaluation.surface_metrics import SurfaceRegions
from lib.mesh.mesh_model import load_mesh_model
from lib.settings.config import Config
from tests.helpers import assert_close

PARTS = [torch.arange(0, 30), torch.arange(30, 50), torch.arange(55, 60)]


def meshes(seed=0, batch=3, vertices=60):
    """In metres, of the size of a hand."""
    points = torch.randn(batch, vertices, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.05 * points * torch.tensor([1.0, 2.0, 0.5])


def turned(mesh, seed=0):
    """Every part of every sample moved by a rotation and a shift of its own."""
    moved = mesh.clone()
    turns = torch.from_numpy(Rotation.random(len(mesh) * len(PARTS), random_state=seed).as_matrix())
    for part, turn in zip(PARTS, turns.view(len(PARTS), len(mesh), 3, 3)):
        moved[:, part] = mesh[:, part] @ turn.transpose(1, 2) + turn[:, None, 0]
    return moved


def ones(batch=3):
    return torch.ones(batch, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------------- shape of parts


def test_parts_that_move_as_rigid_bodies_cost_nothing():
    true = meshes()
    assert PartLoss(PARTS)(turned(true), true, ones()) < 1e-12
    single = PartLoss(PARTS)(turned(true).float(), true.float(), ones().float())
    assert single < 1e-6
    between = true.clone()
    between[:, 50:55] += 1  # in no part
    assert PartLoss(PARTS)(between, true, ones()) < 1e-12


def test_the_position_of_a_predicted_part_does_not_matter():
    loss, true = PartLoss(PARTS), meshes()
    pred = true + 0.01 * meshes(1)
    expected = loss(pred, true, ones())
    assert expected > 1e-4
    for seed in range(4):
        assert_close(loss(turned(pred, seed), true, ones()), expected, 1e-9)


def test_size_and_mirroring_cost():
    loss, true = PartLoss(PARTS), meshes()
    sizes = torch.stack([(true[:, part] - true[:, part].mean(1, keepdim=True)).abs().sum((1, 2)) for part in PARTS])
    expected = 0.1 * sizes.sum(0).mean() / (3 * 55)
    assert_close(loss(1.1 * true, true, ones()), expected, 1e-9)
    assert loss(true * torch.tensor([-1.0, 1, 1]), true, ones()) > expected


def test_parts_count_by_their_vertices_and_rejected_samples_add_nothing():
    true, pred = meshes(), meshes(1)
    alone = [PartLoss([part])(pred, true, ones()) for part in PARTS]
    expected = sum(len(part) * value for part, value in zip(PARTS, alone)) / 55
    assert_close(PartLoss(PARTS)(pred, true, ones()), expected, 1e-12)
    valid = torch.tensor([1.0, 0, 1])
    single = [PartLoss(PARTS)(pred[i : i + 1], true[i : i + 1], ones(1)) for i in (0, 2)]
    assert_close(PartLoss(PARTS)(pred, true, valid), sum(single) / 3, 1e-12)


def test_alignment_is_the_best_one():
    true, pred = meshes(), meshes(1)
    (moved,) = rigidly_moved([pred], [true])
    for sample in range(3):
        centred = [points[sample] - points[sample].mean(0) for points in (true, pred)]
        turn = Rotation.align_vectors(*(points.numpy() for points in centred))[0]
        expected = turn.apply(centred[1].numpy()) + true[sample].mean(0).numpy()
        assert_close(moved[sample], expected, 1e-6)


def test_gradient_is_finite_and_moves_no_part():
    true = meshes()
    for start in (meshes(1), true.clone(), turned(true), torch.zeros_like(true), true * torch.tensor([1.0, 1, 0])):
        pred = start.requires_grad_()
        PartLoss(PARTS)(pred, true, ones()).backward()
        assert pred.grad.isfinite().all()
        for part in PARTS:
            assert pred.grad[:, part].sum(1).abs().max() < 1e-12
        assert pred.grad[:, 50:55].abs().max() == 0


def test_following_the_gradient_mends_the_shape():
    true = meshes()
    pred = turned(true + 0.01 * meshes(1)).requires_grad_()
    loss = PartLoss(PARTS)
    before = loss(pred, true, ones())
    before.backward()
    assert loss(pred - 0.05 * pred.grad, true, ones()) < 0.99 * before


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_diverged_predictions_give_a_loss_that_says_so(number):
    """The trainer stops at a loss that is not finite; an error of linear algebra would not tell why."""
    pred = meshes(1)
    pred[1, 3, 0] = number
    assert not PartLoss(PARTS)(pred, meshes(), ones()).isfinite()


# ------------------------------------------------------------------------------------------------------- mesh criterion


def criterion(weights=None, parts=(), **changes):
    cfg = Config()
    for name, value in ({"joint_loss_weight": 0.0} | changes).items():
        cfg = cfg.changed(**{"MODEL" if hasattr(cfg.MODEL, name) else "TRAIN": {name: value}})
    ring = torch.arange(60)
    faces = torch.stack([ring, ring.roll(1), ring.roll(2)], 1)
    return Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, faces, torch.full((2, 60), 1 / 60), weights, parts)


def terms(loss, pred, true, epoch=99, valid=None):
    """Total and values of one batch, without joints."""
    batch, joints = len(pred), torch.zeros(len(pred), 2, 3)
    valid = torch.ones(batch, 60, 1) if valid is None else valid
    targets = {"mesh": true, "lift_pose3d": joints, "reg_pose3d": joints}
    meta = {"mesh_valid": valid, "lift_pose3d_valid": joints[..., :1] + 1, "reg_pose3d_valid": joints[..., :1] + 1}
    return loss((pred, joints), targets, meta, epoch)


def test_relative_edges_do_not_depend_on_size():
    true, pred = meshes().float(), meshes(1).float()
    relative, absolute = (criterion(edge_loss=kind, normal_loss_weight=0.0) for kind in ("relative", "absolute"))
    for loss, factor in ((relative, 1), (absolute, 3)):
        once, scaled = (terms(loss, size * pred, size * true)[1]["edge loss"] for size in (1, 3))
        assert_close(scaled, factor * once)
    longer = terms(relative, 1.1 * true, true)[1]["edge loss"]
    assert longer.item() == pytest.approx(20 * 0.1, rel=1e-4)  # the weight of this loss, a tenth too long


def test_relative_edges_of_no_length_stay_finite():
    true, pred = torch.zeros(1, 60, 3), torch.zeros(1, 60, 3).requires_grad_()
    total, values = terms(criterion(edge_loss="relative"), pred, true)
    total.backward()
    assert values["edge loss"].isfinite()
    assert pred.grad.isfinite().all()


def test_vertex_weights_count_as_often_as_they_say():
    true, pred = meshes().float(), meshes(1).float()
    weights = torch.rand(60, generator=torch.Generator().manual_seed(2)) + 0.5
    weights /= weights.mean()
    loss = criterion(weights)
    values = terms(loss, pred, true)[1]
    assert_close(values["vertice loss"], ((pred - true).abs().mean((0, 2)) * weights).mean())
    plain = criterion(torch.ones(60))
    for name in LOSS_NAMES:
        assert_close(terms(plain, pred, true)[1][name], terms(criterion(), pred, true)[1][name])
    lengths = [torch.stack([(mesh - mesh.roll(by, 1)).norm(dim=2) for by in (1, 2)]) for mesh in (pred, true)]
    errors = (lengths[0] - lengths[1]).abs().mean(1)  # (2, 60) edges to the neighbour and to the one after it
    faces = (weights + weights.roll(1) + weights.roll(2)) / 3
    edges = (faces * (errors[0] + errors[1] + errors[0].roll(1))).mean() / 3
    assert_close(values["edge loss"], 20 * edges)
    masked = criterion(weights, mask_mesh_losses=True)
    valid = torch.ones(3, 60, 1)
    valid[1] = 0
    kept = terms(masked, pred, true, valid=valid)[1]["edge loss"]
    assert_close(3 * kept, 2 * terms(masked, pred[[0, 2]], true[[0, 2]])[1]["edge loss"])


COMPUTED = [(surface_loss, "_normals", "_planes"), (loss_module, "_face_normals", "_edges")]  # on a CPU, elsewhere


@pytest.mark.parametrize("module, normals, edges", COMPUTED)
def test_losses_without_weight_are_zero_and_not_computed(monkeypatch, module, normals, edges):
    if module is loss_module:
        monkeypatch.setattr(surface_loss, "takes_fast_path", lambda _: False)
    true, pred = meshes().float(), meshes(1).float().requires_grad_()
    expected = torch.autograd.grad(coord_loss(pred, true), pred)[0]

    def fail(*_):
        raise AssertionError("computed in vain")

    monkeypatch.setattr(module, normals, fail)
    total, values = terms(criterion(normal_loss_weight=0.0), pred, true)
    assert values["normal loss"] == 0
    assert values["edge loss"] > 0
    monkeypatch.setattr(module, edges, fail)
    for loss, epoch in ((criterion(normal_loss_weight=0.0, edge_loss_weight=0.0), 99),
                        (criterion(normal_loss_weight=0.0), 15)):  # fmt: skip
        total, values = terms(loss, pred, true, epoch)
        assert [values[name].item() for name in LOSS_NAMES[1:]] == [0, 0, 0, 0]
        assert_close(torch.autograd.grad(total, pred)[0], expected)
    assert tuple(values) == LOSS_NAMES


def test_normals_alone_are_those_beside_edges():
    true, pred = meshes().float(), meshes(1).float()
    alone, both = (terms(criterion(edge_loss_weight=weight), pred, true)[1] for weight in (0.0, 20.0))
    assert alone["edge loss"] == 0
    assert torch.equal(alone["normal loss"], both["normal loss"])


# ----------------------------------------------------------------------------------------------------------- the stages


@pytest.fixture
def stage(small_config, body):
    """``stage(joint_set, **sections)``: the mesh stage of an open model."""

    def make(joint_set="human36", **sections):
        sections.setdefault("MODEL", {}).update(graph_levels=6)
        model = load_mesh_model("hand", "open_hand") if joint_set == "mano" else body
        return STAGES["pose2mesh_net"](small_config("pose2mesh_net", joint_set, **sections), model)

    return make


def test_hands_feet_and_head_count_more(stage, body):
    weights = stage(TRAIN={"detail_weight": 3.0}).criterion.vertex_weights
    regions = SurfaceRegions.of(body).parts
    fine = torch.cat([part.vertices for name in ("Hands", "Feet", "Head") for part in regions[name]])
    other = torch.ones(1723, dtype=torch.bool)
    other[fine] = False
    assert weights.mean().item() == pytest.approx(1, abs=1e-6)
    assert 0 < len(fine) < 1723
    assert weights[fine].unique().numel() == weights[other].unique().numel() == 1
    assert (weights[fine][0] / weights[other][0]).item() == pytest.approx(3)
    assert stage(TRAIN={"detail_weight": 0.0}).criterion.vertex_weights[fine].abs().max() == 0
    assert stage().criterion.vertex_weights is None


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_a_hand_is_all_detail(stage, weight):
    assert stage("mano", TRAIN={"detail_weight": weight}).criterion.vertex_weights is None


@pytest.mark.parametrize("joint_set, parts", [("human36", 5), ("mano", 6)])
def test_part_loss_of_a_stage(stage, joint_set, parts):
    with_parts, without = (stage(joint_set, MODEL={"part_loss_weight": value}).criterion for value in (0.5, 0.0))
    assert without.part_loss is None
    assert len(with_parts.part_loss.sizes) == parts
    assert not with_parts.state_dict()
    vertices, joints = with_parts.joint_regressor.shape[1], len(with_parts.joint_regressor)
    true, zeros = torch.randn(2, vertices, 3), torch.zeros(2, joints, 3)
    targets = {"mesh": true, "lift_pose3d": zeros, "reg_pose3d": zeros}
    meta = dict.fromkeys(("lift_pose3d_valid", "reg_pose3d_valid"), torch.ones(2, joints, 1))
    meta["mesh_valid"] = torch.ones(2, vertices, 1)
    pred = 1.1 * true
    totals = [loss((pred, zeros), targets, meta, 1) for loss in (with_parts, without)]
    assert list(totals[0][1]) == [*LOSS_NAMES, PART_LOSS]
    assert_close(totals[0][0] - totals[1][0], totals[0][1][PART_LOSS], 1e-4)
    assert_close(totals[0][1][PART_LOSS], 0.5 * with_parts.part_loss(pred, true, torch.ones(2)))


def test_distances_by_hand():
    pred = torch.tensor([[[0.0, 0, 0], [1, 2, 2]], [[3, 0, 4], [0, 0, 2]]])
    target = torch.zeros(2, 2, 3)
    assert distance_loss(pred, target).item() == pytest.approx((0 + 3 + 5 + 2) / 4, abs=1e-6)
    valid = torch.tensor([[[1.0], [1]], [[0], [1]]])
    assert distance_loss(pred, target, valid).item() == pytest.approx((0 + 3 + 2) / 4, abs=1e-5)
    pred.requires_grad_()
    distance_loss(pred, target, valid).backward()
    assert pred.grad[0, 0].abs().max() == 0
    assert pred.grad[1, 0].abs().max() == 0
    assert_close(pred.grad[0, 1], torch.tensor([1.0, 2, 2]) / 3 / 4)


def test_lifting_loss_is_a_setting(small_config, body):
    pred, target, valid = torch.ones(2, 4, 3), torch.zeros(2, 4, 3), torch.ones(2, 4, 1)
    for kind, expected in (("coordinate", 1), ("distance", math.sqrt(3))):
        stage = STAGES["posenet"](small_config("posenet", "coco", TRAIN={"lift_loss": kind}), body)
        total, values = stage.criterion(pred, target, valid)
        assert total.item() == pytest.approx(expected)
        assert values == {"total loss": total}
    assert PoseNetLoss().loss is coord_loss
