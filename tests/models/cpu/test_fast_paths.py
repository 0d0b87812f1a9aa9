"""The fast paths on a CPU give what the networks give without them; so do torch's private operators."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lib.models import torch_operators
from lib.models.cpu import meshnet, sample_major, side_by_side
from lib.models.cpu.blocked_rmsprop import BLOCK_SIZE, BlockedRMSprop
from lib.models.cpu.chebyshev_mixer import ChebyshevMixer
from lib.models.cpu.dense import Linear
from lib.models.cpu.switch import fast_paths
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.posenet import PoseNet
from tests.helpers import assert_close

PLAN = MeshNetPlan(((5, 6, 8), (8, 7, 12), (12, 9, 6), (6, 10, 3)))
STEPS = [2**21, 4000, 1]  # all samples at once, a few, one


def build(graph, seed=0, **options):
    torch.manual_seed(seed)
    return MeshNet(graph, PLAN, **options)


def joints(batch, seed=1):
    return torch.randn(batch, 17, 5, generator=torch.Generator().manual_seed(seed))


def gradients(model, output):
    weighting = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    return torch.autograd.grad((output * weighting).sum(), list(model.parameters()))


@pytest.fixture(params=[True, False], ids=["operators", "without them"])
def operators(request, monkeypatch):
    """Torch's private operators, which the torch of ``requirements.txt`` has, and a torch without any."""
    if not request.param:
        monkeypatch.setattr(torch_operators, "_operator", lambda library, name: None)
    for name in ("batch_norm_update_stats", "threshold_backward", "native_batch_norm_backward"):
        assert (torch_operators._operator("aten", name) is None) != request.param


@pytest.mark.parametrize("size", STEPS)
@pytest.mark.parametrize("padded", [True, False])
def test_evaluation_equals_the_vertex_major_computation(graph, monkeypatch, size, padded):
    monkeypatch.setattr(sample_major, "TABLE_SIZE", size)
    model = build(graph, padded=padded)
    model(joints(9))  # running statistics
    model.eval()
    with torch.no_grad():
        output = model(joints(9))
        with fast_paths(False):
            assert_close(output, model(joints(9)), 1e-5)


@pytest.mark.parametrize("size", STEPS)
@pytest.mark.parametrize("padded", [True, False])
def test_training_equals_the_vertex_major_computation(graph, operators, monkeypatch, size, padded):
    """Sample by sample, as wide networks train."""
    monkeypatch.setattr(side_by_side, "GROUP_SIZE", 0)
    monkeypatch.setattr(sample_major, "TABLE_SIZE", size)
    model, other = build(graph, padded=padded), build(graph, padded=padded)
    assert not model.mixers.samples
    same_training(model, other)


@pytest.mark.parametrize("samples", [1, 2, 64])
@pytest.mark.parametrize("padded", [True, False])
def test_training_side_by_side_equals_the_vertex_major_computation(graph, operators, samples, padded):
    """As narrow networks train; groups of two leave a single sample."""
    model, other = build(graph, padded=padded), build(graph, padded=padded)
    assert model.mixers.samples > 5
    model.mixers.samples = model.mixers.joint_samples = samples
    same_training(model, other)


def same_training(model, other):
    inputs = joints(5), joints(5)
    for values in inputs:
        values.requires_grad_()
    output = model(inputs[0])
    with fast_paths(False):
        expected = other(inputs[1])
    assert_close(output.detach(), expected.detach(), 1e-5)
    for result, values in zip((output, expected), inputs):
        (values.grad,) = torch.autograd.grad(result.square().sum(), values, retain_graph=True)
    assert_close(inputs[0].grad, inputs[1].grad, 1e-5)
    wanted = gradients(other, expected)
    scale = max(float(gradient.abs().max()) for gradient in wanted)
    for (name, _), a, b in zip(model.named_parameters(), gradients(model, output), wanted):
        assert float((a - b).abs().max()) <= 1e-5 * scale, name
    for (name, a), b in zip(model.named_buffers(), other.buffers()):
        assert_close(a, b, 1e-5, name)


def test_which_path_is_taken(graph):
    """Fast ones for training, also under autocast, and for evaluation without gradients; none when switched off."""
    model = build(graph)

    def paths(training):
        model.train(training)
        with torch.no_grad():
            without = meshnet.path(model, joints(2))
        return meshnet.path(model, joints(2)), without

    assert [paths(True), paths(False)] == [(meshnet.train, meshnet.train), (None, meshnet.evaluate)]
    with fast_paths(False):
        assert [paths(True), paths(False)] == [(None, None)] * 2
    with torch.autocast("cpu"):
        assert [paths(True), paths(False)] == [(meshnet.train, meshnet.train), (None, None)]
    assert paths(True) == (meshnet.train, meshnet.train)


def test_bias_in_front_of_batch_statistics_has_no_gradient(graph):
    """It has none in theory; rounding noise in its place would be blown up to full steps by RMSprop."""
    model = build(graph)
    model(joints(4)).square().sum().backward()
    assert all(not conv.bias.grad.any() for conv in model.cl[:-1])
    assert model.cl[-1].bias.grad.all()


def test_same_bits_in_every_run(graph):
    model = build(graph)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    first = gradients(model, model(joints(5)))
    model.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(first, gradients(model, model(joints(5)))))


def test_input_gradient_when_evaluating(graph):
    model = build(graph).eval()
    inputs = joints(2).requires_grad_()
    model(inputs).sum().backward()
    assert inputs.grad.abs().sum() > 0


def test_partly_frozen_statistics(graph):
    model = build(graph)
    for norm in model.bn[:2]:
        norm.eval()
    before = [norm.running_mean.clone() for norm in model.bn]
    model(joints(4)).sum().backward()
    moved = [not torch.equal(norm.running_mean, old) for norm, old in zip(model.bn, before)]
    assert moved == [False, False] + [True] * (len(moved) - 2)


def test_mixer_and_its_adjoint():
    """[I, L, 2 L^2 - I] behind an upsampling, on a chain of three vertices."""
    laplacian = torch.tensor([[0.0, 1, 0], [1, 0, 2], [0, 2, 0]])
    mixer = ChebyshevMixer(laplacian.numpy(), 3, parent=torch.tensor([0, 1, 1]).numpy(), leading=2)
    table = torch.randn(6, 4)
    up = table.view(2, 3, 4)[torch.tensor([0, 1, 1])]
    second = 2 * laplacian @ laplacian - torch.eye(3)
    expected = up[:, 0] + laplacian @ up[:, 1] + second @ up[:, 2]
    assert_close(mixer(table), expected, 1e-6)
    assert_close(mixer(table, leading=True), expected[:2], 1e-6)
    rows = torch.randn(3, 4)
    assert_close((mixer.adjoint(rows) * table).sum(), (rows * expected).sum(), 1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_products(operators, transposed):
    x, weights = torch.randn(33, 20), torch.randn(20, 12)
    given = weights.t().contiguous().t() if transposed else weights
    assert_close(torch_operators.product(x, given), x.double() @ weights.double(), 1e-6)
    assert torch_operators.product(x.double(), weights.double()).dtype == torch.float64


def test_operators_of_batchnorm_and_relu(operators):
    """Against the gradients that torch derives, far from zero, where a careless variance loses its digits."""
    rows, norm = 1000 + torch.randn(50, 6, dtype=torch.float64), nn.BatchNorm1d(6).double()
    mean, variance = torch_operators.batch_statistics(rows)
    assert_close(mean, rows.mean(0), 1e-12)
    assert_close(variance, rows.var(0, correction=0), 1e-12)
    z = norm(rows)
    weighting = torch.randn(50, 6, dtype=torch.float64)
    (F.relu(z) * weighting).sum().backward()
    masked = torch_operators.relu_gradient(weighting, z.detach())
    of_weight, of_bias = torch_operators.norm_gradients(masked, rows, norm.weight.detach(), mean, variance, norm.eps)
    assert_close(of_weight, norm.weight.grad, 1e-10)
    assert_close(of_bias, norm.bias.grad, 1e-10)
    edge = torch.tensor([-1.0, 0.0, 1.0])
    assert torch_operators.relu_gradient(torch.full((3,), 5.0), edge).tolist() == [0, 0, 5]


def test_linear_layer_and_its_gradients(operators):
    layer, x = Linear(6, 4), torch.randn(5, 6, requires_grad=True)
    inputs = x, layer.weight, layer.bias
    weighting = torch.randn(5, 4)
    output = layer(x)
    with fast_paths(False):
        expected = layer(x)
    assert_close(output.detach(), expected.detach(), 1e-6)
    actual = torch.autograd.grad((output * weighting).sum(), inputs)
    for a, b in zip(actual, torch.autograd.grad((expected * weighting).sum(), inputs)):
        assert_close(a, b, 1e-6)
    with torch.no_grad():
        assert_close(layer(x), F.linear(*inputs), 1e-6)


def test_blocked_rmsprop_has_torchs_bits_and_state():
    """Blocks of a large parameter, a small one, one without gradient; a step of either continues the other's state."""

    def parameters():
        torch.manual_seed(0)
        return [nn.Parameter(torch.randn(shape)) for shape in ((BLOCK_SIZE + 7,), (3, 5), (2,))]

    ours, plain = parameters(), parameters()
    optimizers = BlockedRMSprop(ours, lr=0.01), BlockedRMSprop(plain, lr=0.01, foreach=False)
    for step in range(4):
        for a, b in zip(ours[:2], plain[:2]):
            a.grad = torch.randn(a.shape, generator=torch.Generator().manual_seed(step))
            b.grad = a.grad.clone()
        optimizers[0].step()
        with fast_paths(False):  # torch's own step
            optimizers[1].step()
        if step == 1:
            states = [optimizer.state_dict() for optimizer in optimizers]
            assert str(states[0]["state"]) == str(states[1]["state"])
            for optimizer, state in zip(optimizers, reversed(states)):
                optimizer.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(ours, plain))


def test_blocked_rmsprop_leaves_other_options_to_torch():
    torch.manual_seed(0)
    ours, plain = (nn.Parameter(torch.ones(4)) for _ in range(2))
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    for parameter, kind in ((ours, BlockedRMSprop), (plain, torch.optim.RMSprop)):
        parameter.grad = torch.tensor([1.0, -2.0, 0.5, 0.0])
        kind([parameter], **options).step()
    assert torch.equal(ours, plain)


def test_posenet_trains_alike_with_torchs_layers():
    pose2d = torch.randn(16, 34, generator=torch.Generator().manual_seed(0))
    outputs = []
    for enabled in (True, False):
        torch.manual_seed(3)
        model = PoseNet(17, width=32).train()
        torch.manual_seed(4)
        with fast_paths(enabled):
            output = model(pose2d)
        output.square().sum().backward()
        outputs.append([output.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    # the gradient of a bias in front of BatchNorm is nothing but rounding: all are measured against the largest
    scale = max(float(expected.abs().max()) for expected in outputs[1])
    assert all(float((a - b).abs().max()) <= 1e-5 * scale for a, b in zip(*outputs))
