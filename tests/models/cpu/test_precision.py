"""Predictions with rounded factors: how far they are from float32, and what undoes them."""

import itertools

import pytest
import torch

from lib.core import base
from lib.models import precision
from lib.models.cpu import meshnet as cpu
from lib.models.cpu import side_by_side
from lib.models.cpu.dense import FEW_ROWS, Linear
from lib.models.cpu.folded import FoldedLayer, folded, narrowed
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.posenet import PoseNet
from lib.models.prepare import prepare
from lib.settings.config import Config
from lib.settings.setting import BF16, FLOAT32, HALF
from tests.helpers import assert_close

PLAN = MeshNetPlan(((5, 6, 8), (8, 24, 32), (32, 24, 16), (16, 10, 3)))
PAIRS = [pair for block in PLAN.channels for pair in itertools.pairwise(block)]


@pytest.fixture
def narrow_processor(monkeypatch):
    """A processor with all that the precisions need; torch computes the same on others, only more slowly."""
    monkeypatch.setattr(precision, "_capabilities", lambda: {"avx512_bf16": True, "f16c": True})


def joints(batch, seed=1):
    return torch.randn(batch, 17, 5, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model(graph):
    torch.manual_seed(0)
    model = MeshNet(graph, PLAN)
    model(joints(16))  # running statistics
    return model.eval()


@torch.no_grad()
def test_prepared_float32_is_the_same_to_the_bit(model):
    expected = model(joints(3))
    prepare(model)
    assert model.prepared is not None
    assert torch.equal(model(joints(3)), expected)


@torch.no_grad()
def test_bf16_rounds_large_levels_only(model, narrow_processor, monkeypatch):
    expected = model(joints(3))
    prepare(model, BF16)
    assert torch.equal(model(joints(3)), expected)  # all levels are small
    monkeypatch.setattr(cpu, "NARROW_ROWS", 1)
    monkeypatch.setattr(cpu, "NARROW_CHANNELS", 1)
    prepare(model, BF16)
    types = [layer.weights.dtype for layer in model.prepared]
    joint_layers, output_layers = 2, 2
    inner = len(types) - joint_layers - output_layers
    assert types == [torch.float32] * joint_layers + [torch.bfloat16] * inner + [torch.float32] * output_layers
    away = (model(joints(3)) - expected).norm(dim=2).mean() / expected.norm(dim=2).mean()
    assert 0 < away < 0.01


@torch.no_grad()
def test_corrected_biases_give_each_layer_its_mean_back(model):
    """On the input that they come from every layer's output has the mean that it has in float32."""
    layers, chosen, joint = folded(model.cl, model.bn), range(2, len(PAIRS) - 2), torch.zeros(1, 17, 5)
    means: list[torch.Tensor] = []

    class Spy(FoldedLayer):
        def __call__(self, *arguments):
            y = super().__call__(*arguments)
            means.append(y.mean((0, 1)))
            return y

    corrected = narrowed(layers, chosen, torch.bfloat16, lambda replaced: cpu.run(model, joint, replaced))
    rounded = [FoldedLayer(layer.weights, layers[k].bias) for k, layer in enumerate(corrected)]
    for each in (layers, corrected, rounded):
        cpu.run(model, joint, [Spy(layer.weights, layer.bias) for layer in each])
    wanted, found, without = (means[k * len(layers) : (k + 1) * len(layers)] for k in range(3))
    for k, (a, b) in enumerate(zip(wanted, found)):
        if k in chosen:
            assert_close(b, a, 1e-6)
    assert max(float((a - b).abs().max()) for a, b in zip(wanted, without)) > 1e-5


@pytest.mark.parametrize("rows", [1, FEW_ROWS, FEW_ROWS + 1, 40])
@torch.no_grad()
def test_half_weights_of_a_large_layer(narrow_processor, rows):
    torch.manual_seed(0)
    layer, x = Linear(1024, 1100), torch.randn(rows, 1024)
    expected = layer(x)
    prepare(layer, HALF)
    assert layer.prepared.dtype == torch.float16
    assert_close(layer(x), expected, 2e-3 * float(expected.abs().max()))
    assert not torch.equal(layer(x), expected)
    prepare(layer, FLOAT32)
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("change", ["train", "load", "move"])
@torch.no_grad()
def test_what_may_change_weights_undoes_it(model, narrow_processor, change):
    network = torch.nn.ModuleDict({"lifter": PoseNet(17, width=1024), "mesh": model})
    prepare(network, HALF)
    inner = network["lifter"].linear_stages[0].w1
    assert inner.prepared is not None
    if change == "train":
        network.train()
    elif change == "load":
        network.load_state_dict({name: 0.5 * value for name, value in network.state_dict().items()})
    else:
        network.double()
    assert inner.prepared is None
    assert model.prepared is None


def test_a_training_step_after_a_prepared_test_counts(model, narrow_processor):
    prepare(model, BF16)
    with torch.no_grad():
        before = model(joints(2))
    model.train()
    model(joints(4)).square().sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
        model.eval()
        assert not torch.equal(model(joints(2)), before)


@pytest.mark.parametrize(("name", "known", "error"), [
    ("fp8", {}, "unknown precision 'fp8'; choose one of float32, bf16, half"),
    (BF16, {"avx2": True, "f16c": True}, "precision bf16: this processor has no AVX512-BF16 or AMX-BF16"),
    (HALF, {}, "precision half: this processor has no F16C and would be slower than in float32; leave it out"),
])  # fmt: skip
def test_refused_where_it_would_be_slower(model, monkeypatch, name, known, error):
    monkeypatch.setattr(precision, "_capabilities", lambda: known)
    with pytest.raises(ValueError, match=error):
        prepare(model, name)


def test_precisions_of_a_gpu(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert precision.rounding(HALF, gpu).meshnet == torch.float16
    with pytest.raises(ValueError, match="this GPU has no bfloat16"):
        precision.rounding(BF16, gpu)


@pytest.mark.parametrize("wide", [True, False])
def test_bf16_training_step(graph, monkeypatch, wide):
    """Wide layers round, forwards and backwards, and stay near float32; narrow ones have nothing to gain and do not."""
    monkeypatch.setattr(cpu, "NARROW_ROWS", 1)
    monkeypatch.setattr(cpu, "NARROW_CHANNELS", 1)
    monkeypatch.setattr(side_by_side, "GROUP_SIZE", 2**14 if wide else 2**20)
    torch.manual_seed(0)
    model = MeshNet(graph, PLAN).train()
    assert (model.mixers.samples > 1) != wide
    weighting = torch.randn(5, model.vertex_num, 3)

    def step(rounded):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rounded):
            output = model(joints(5))
        gradients = torch.autograd.grad((output * weighting).sum(), list(model.parameters()))
        assert {tensor.dtype for tensor in (output, *gradients)} == {torch.float32}
        return [output.detach(), *gradients]

    expected, found = step(False), step(True)
    apart = [float((a - b).norm() / a.norm().clamp(min=1e-9)) for a, b in zip(expected, found)]
    if wide:
        assert 0 < apart[0] < 0.02
        assert 0.01 < max(apart) < 0.3  # gradients also differ where a ReLU's input changes its sign
    else:
        assert max(apart) == 0


def test_a_test_refuses_before_it_reads_data(monkeypatch, tmp_path):
    """A training's first test would be after an epoch."""
    monkeypatch.setattr(precision, "_capabilities", lambda: {})
    cfg = Config().changed(TEST={"precision": BF16}, DATASET={"test_list": ["absent"]})
    with pytest.raises(ValueError, match="precision bf16: this processor"):
        base.Tester(cfg, base.Options(root=tmp_path))
