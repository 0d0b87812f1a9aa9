"""The fast code equals the slow reference: networks, gradients, training, items, metrics, camera, graph, body."""

import copy
import re

import numpy as np
import pytest
import torch

from lib.benchmark.generated import GeneratedHuman36M
from lib.body.lbs import lbs
from lib.core.loss import Pose2MeshLoss
from lib.core.optim import build_optimizer
from lib.datasets.storage.records import PoseRecords
from lib.evaluation.evaluator import Figure
from lib.evaluation.mesh import BodyEvaluator
from lib.geometry.camera_fit import fit_weak_perspective, project
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO, HUMAN36, MANO
from lib.mesh.mesh_model import load_mesh_model
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.posenet import PoseNet
from lib.plain.body import PlainBodyLayer
from lib.plain.camera import fit_camera
from lib.plain.dataset import PlainHuman36M
from lib.plain.graph import levels_in_use, plain_coarse_graphs
from lib.plain.metrics import evaluate_meshes
from lib.plain.networks import PlainMeshNet, PlainPose2Mesh, PlainPoseNet
from lib.plain.training import PlainTrainer
from lib.settings.reading import merge
from tests.helpers import assert_close
from tests.support.meshes import joint_graph
from tests.support.open_models import random_pose

FIGURES = ("H36M MPJPE", "H36M PA-MPJPE", "SMPL MPJPE", "MPVPE", "PA-MPVPE")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Sums in one order: with several threads even one and the same program gives other last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def hand():
    return load_mesh_model("hand", "open_hand")


@pytest.fixture(scope="module")
def hand_graph(hand):
    return MeshGraph.build(hand.faces, MANO)


def same_networks(graph, channels, joint_num=21, width=64):
    """Fast and plain Pose2Mesh with equal weights, no dropout."""
    torch.manual_seed(3)
    fast = Pose2Mesh(PoseNet(joint_num, width, dropout=0.0), MeshNet(graph, MeshNetPlan(channels)))
    plain = PlainPose2Mesh(PlainPoseNet(joint_num, width, dropout=0.0), PlainMeshNet(graph.laplacians, channels))
    plain.load_state_dict(fast.state_dict())
    return fast, plain


def hand_batch(hand, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    template = torch.from_numpy(hand.arrays()["v_template"].astype(np.float32))
    mesh = template + 0.01 * torch.randn(batch, *template.shape, generator=generator)
    joints = 1000 * torch.from_numpy(hand.joint_regressor("mano")).to(mesh) @ mesh
    targets = {"mesh": mesh, "lift_pose3d": joints, "reg_pose3d": joints}
    meta = {f"{name}_valid": torch.ones_like(value[..., :1]) for name, value in targets.items()}
    meta["mesh_valid"][0] = 0
    return {"pose2d": torch.randn(batch, 21, 2, generator=generator)}, targets, meta


# -------------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("batch", [1, 3, 9])
def test_forward_pass(hand_graph, batch):
    fast, plain = same_networks(hand_graph, MeshNetPlan.paper("hand").channels)
    plain.train()(torch.randn(4, 21, 2))  # running statistics that are not the identity
    fast.load_state_dict(plain.state_dict())
    pose2d = torch.randn(batch, 21, 2)
    with torch.inference_mode():
        mesh, pose3d = fast.eval()(pose2d)
        padded, expected = plain.eval()(pose2d)
    assert_close(pose3d, expected)
    assert_close(mesh, padded[:, hand_graph.reverse])


def in_float64(*parts):
    return tuple({key: value.double() for key, value in part.items()} for part in parts)


def our_step(hand, model, lr=1e-3):
    """``step(batch)`` of the fast code: its total loss as a number, the gradients left in place."""
    cfg = merge({"TRAIN": {"edge_loss_start": 0, "lr": lr}})
    dtype = next(model.parameters()).dtype
    criterion = Pose2MeshLoss(cfg.MODEL, cfg.TRAIN, hand.faces, hand.joint_regressor("mano")).to(dtype)
    optimizer = build_optimizer(cfg.TRAIN, model.train().parameters())

    def step(batch):
        total, _ = criterion(model(batch[0]["pose2d"]), batch[1], batch[2], epoch=1)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.item()

    return step


NARROW = ((5, 8, 8), (8, 16), (16, 16), (16, 16), (16, 16), (16, 8), (8, 3))


@pytest.fixture
def double():
    """Operators made and kept in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def check_gradients(hand, fast, plain, graph, batch, tolerance):
    trainer = PlainTrainer(plain.train(), hand.faces, hand.joint_regressor("mano"), graph.reverse)
    expected = sum(trainer.losses(batch))
    expected.backward()
    assert our_step(hand, fast)(batch) == pytest.approx(expected.item(), rel=1e-5)
    wanted = dict(plain.named_parameters())
    largest = max(float(p.grad.abs().max()) for p in wanted.values() if p.grad is not None)
    last_bias = f"pose2mesh.cl.{len(fast.pose2mesh.cl) - 1}.bias"
    for name, parameter in fast.named_parameters():
        if wanted[name].grad is None:
            assert parameter.grad is None
            continue
        # the gradient of a bias in front of BatchNorm is nothing but rounding
        void = re.fullmatch(r"pose_lifter\.linear_stages\.\d\.w1\.bias|pose2mesh\.cl\.\d+\.bias", name)
        void = void and name != last_bias
        scale = largest if void else float(wanted[name].grad.abs().max())
        assert float((parameter.grad - wanted[name].grad).abs().max()) <= tolerance * scale, name
    for name, buffer in fast.named_buffers():
        if "running" in name:
            assert_close(buffer, plain.state_dict()[name], what=name)


def test_losses_and_gradients(hand, hand_graph):
    fast, plain = same_networks(hand_graph, NARROW, width=32)
    check_gradients(hand, fast, plain, hand_graph, hand_batch(hand, 2), 1e-4)


def test_losses_and_gradients_of_the_published_size(hand, hand_graph, double):
    """In float64: in float32 rounding switches one or two of millions of ReLUs, either here or there."""
    fast, plain = same_networks(hand_graph, MeshNetPlan.paper("hand").channels)
    check_gradients(hand, fast, plain, hand_graph, in_float64(*hand_batch(hand, 4)), 1e-8)


def test_training_curve(hand, hand_graph):
    """200 steps stay as near to plain's as plain itself does when its first weights are rounded differently.

    RMSprop makes full-size steps of the rounding noise of biases in front of BatchNorm, so any two curves part slowly.
    """
    fast, plain = same_networks(hand_graph, NARROW, width=32)
    rounded = copy.deepcopy(plain)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.mul_(1 + 2e-7 * torch.randn_like(parameter))
    arguments = hand.faces, hand.joint_regressor("mano"), hand_graph.reverse
    steps = [our_step(hand, fast), *(PlainTrainer(model.train(), *arguments).step for model in (plain, rounded))]
    batches = [hand_batch(hand, 2, seed) for seed in range(8)]
    curves = np.array([[step(batches[i % 8]) for step in steps] for i in range(200)])
    ours, expected, other = curves.T
    assert expected[-8:].mean() < 0.5 * expected[:8].mean()
    assert abs(ours[0] / expected[0] - 1) < 1e-5
    drift, allowed = (np.sqrt(np.square(np.log(curve / expected)).mean()) for curve in (ours, other))
    assert drift < 3 * allowed
    assert ours[-50:].mean() == pytest.approx(expected[-50:].mean(), rel=2e-2)


# ------------------------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize("input_set", ["coco", "human36"])
def test_items(body, input_set):
    cfg = merge(
        {
            "DATASET": {"input_joint_set": input_set, "target_joint_set": "human36", "cache": "", "use_gt_input": True},
            "MODEL": {"body": "open_1723"},
        }
    )
    dataset = GeneratedHuman36M(6, cfg, body)
    columns = {key: np.array(dataset.records[key]) for key in dataset.records}
    columns["joint_cam"][0] += 40 * np.arange(17)[:, None] ** 0.5  # a bad fit
    dataset.records = PoseRecords(columns, {})
    regressors = body.joint_regressor("human36"), body.joint_regressor("coco")
    plain = PlainHuman36M(columns, body.arrays(), *regressors, input_set=input_set, noise=False)
    for index in range(len(plain)):
        for part, expected in zip(dataset[index], plain[index]):
            assert list(part) == list(expected)
            for name, value in expected.items():
                assert part[name].numpy().dtype == value.dtype == np.float32
                assert_close(part[name], value, 2e-5, f"{index} {name}")
    assert plain[0][2]["mesh_valid"].max() == 0
    assert plain[1][2]["mesh_valid"].min() == 1


def test_noisy_items_differ_in_the_keypoints_alone(body):
    cfg = merge({"DATASET": {"input_joint_set": "coco", "target_joint_set": "human36", "cache": ""}})
    dataset = GeneratedHuman36M(2, cfg, body)
    regressors = body.joint_regressor("human36"), body.joint_regressor("coco")
    noisy, clean = (PlainHuman36M(dataset.records, body.arrays(), *regressors, noise=noise) for noise in (True, False))
    (inputs, targets, _), (clean_inputs, clean_targets, _) = noisy[1], clean[1]
    assert np.array_equal(targets["mesh"], clean_targets["mesh"])
    assert inputs["pose2d"].shape == (COCO.joint_num, 2)
    assert not np.allclose(inputs["pose2d"], clean_inputs["pose2d"], atol=1e-3)


def test_body_layer(body):
    pose, betas = (torch.from_numpy(values).float() for values in random_pose(24, 3))
    vertices, joints = lbs(body.params(), pose, betas)
    expected = PlainBodyLayer(body.arrays())(pose, betas)
    assert_close(vertices, expected[0])
    assert_close(joints, expected[1])


# -------------------------------------------------------------------------------------------- metrics, camera, graph


def test_metrics(body):
    generator = torch.Generator().manual_seed(0)
    target = 1000 * torch.from_numpy(body.arrays()["v_template"].astype(np.float32)).expand(20, -1, -1)
    pred = target @ (torch.eye(3) + 0.1 * torch.randn(20, 3, 3, generator=generator))
    pred = pred + 20 * torch.randn(pred.shape, generator=generator)
    smpl, human36 = (torch.from_numpy(body.joint_regressor(name)) for name in ("smpl", "human36"))
    evaluator = BodyEvaluator(HUMAN36, human36, tuple(Figure(name, "") for name in FIGURES), smpl, human36)
    for batch in range(0, 20, 8):
        evaluator.update(pred[batch : batch + 8], target[batch : batch + 8])
    expected = evaluate_meshes(pred.numpy(), target.numpy(), smpl.numpy(), human36.numpy(), HUMAN36.eval_joints)
    columns = evaluator.columns()
    for name in FIGURES:
        np.testing.assert_allclose(columns[name], expected[name], atol=1e-3, err_msg=name)


def test_camera_is_never_worse(body):
    joints = torch.from_numpy(body.joint_regressor("coco") @ body.arrays()["v_template"].astype(np.float32))
    target = project(torch.tensor([[0.8, 0.1, -0.2]]), joints[None])[0] + 6 * torch.randn(17, 2)
    _, residual = fit_weak_perspective(joints[None], target[None])
    _, slow = fit_camera(joints, target)
    assert residual.item() <= slow * (1 + 1e-6)
    assert slow == pytest.approx(residual.item(), rel=2e-2)


def test_graph(body):
    graph = MeshGraph.build(body.faces, HUMAN36, levels=7)
    _, laplacians, _, reverse = plain_coarse_graphs(body.faces, *joint_graph(HUMAN36), 7)
    assert np.array_equal(graph.reverse, reverse[: body.vertex_num])
    for ours, expected in zip(graph.laplacians, levels_in_use(laplacians)):
        assert abs(ours - expected).max() < 1e-6
