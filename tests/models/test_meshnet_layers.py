"""MeshNet's layers, and the claim that skipping fake vertices changes nothing."""

import copy
import gc
import itertools
import pickle

import numpy as np
import pytest
import torch
import torch.distributed as dist
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from lib.graph.mesh_graph import MeshGraph
from lib.models.backbones.batch_norm import batch_norm_relu, conv_norm_relu
from lib.models.backbones.cheby_graph_conv import ChebyGraphConv
from lib.models.backbones.mesh_levels import SparseOperator, level_rows
from lib.models.backbones.resize import resize_channels
from lib.models.cpu.switch import fast_paths
from lib.models.meshnet import MeshNet, MeshNetPlan
from lib.models.pose2mesh_net import Pose2Mesh
from lib.models.posenet import PoseNet
from lib.plain.networks import PlainMeshNet
from tests.helpers import assert_close, golden
from tests.support.named_weights import filled

PLAN = MeshNetPlan(((5, 6, 8), (8, 7, 12), (12, 9, 6), (6, 10, 3)))


def meshnet(graph, plan=PLAN, **options):
    return filled(MeshNet(graph, plan, **options), seed=5)


def random_symmetric(size, generator):
    matrix = torch.rand(size, size, generator=generator) * (torch.rand(size, size, generator=generator) < 0.2)
    return sparse.csr_matrix((matrix + matrix.T).numpy())


# ------------------------------------------------------------------------------------------- graph convolution


def test_weight_columns_are_feature_major():
    conv = ChebyGraphConv(2, 1)
    conv.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    laplacian = SparseOperator([[-0.5, -0.25, 0], [-0.25, -0.5, -0.25], [0, -0.25, -0.5]])()
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[:, None]
    assert conv(x, laplacian).flatten().tolist() == [13.75, 17.75, 1.75]


def test_convolution_against_original():
    z = golden("nets_small")
    laplacian = SparseOperator(z["cheby_L"])()
    x = torch.from_numpy(z["cheby_x"]).transpose(0, 1)
    for order, name in ((1, "K1"), (3, "nobn")):
        conv = ChebyGraphConv(5, 7, order)
        conv.weight.data, conv.bias.data = (
            torch.from_numpy(z["cheby_w"][:, : 5 * order]),
            torch.from_numpy(z["cheby_b"]),
        )
        assert_close(conv(x, laplacian).transpose(0, 1).detach(), z[f"cheby_out_{name}"])
    norm = nn.BatchNorm1d(7)
    for mode in ("train", "eval"):  # in evaluation with the statistics of that one step
        norm.train(mode == "train")
        output = conv_norm_relu(x, laplacian, conv, norm).transpose(0, 1).detach()
        assert_close(output, z[f"cheby_out_bn{mode}"].clip(min=0))


@pytest.mark.parametrize("width_in, width_out", [(3, 5), (5, 3), (4, 4)])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_convolution_is_the_chebyshev_sum(width_in, width_out, order):
    """Both evaluation orders, value and all gradients, against the recurrence on a dense matrix in float64."""
    generator = torch.Generator().manual_seed(order)
    matrix = random_symmetric(11, generator)
    dense = torch.from_numpy(matrix.toarray()).double()
    sparse_matrix = SparseOperator(matrix).double()()
    conv = ChebyGraphConv(width_in, width_out, order).double()
    x = torch.randn(11, 2, width_in, generator=generator, dtype=torch.float64, requires_grad=True)
    terms = [x, torch.einsum("vw,wbf->vbf", dense, x)]
    for _ in range(order - 2):
        terms.append(2 * torch.einsum("vw,wbf->vbf", dense, terms[-1]) - terms[-2])
    expected = F.linear(torch.stack(terms[:order], dim=-1).flatten(2), conv.weight, conv.bias)
    weighting = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    inputs = (x, conv.weight, conv.bias)
    actual = conv(x, sparse_matrix)
    assert_close(actual.detach(), expected.detach(), 1e-12)
    for got, wanted in zip(
        torch.autograd.grad((actual * weighting).sum(), inputs),
        torch.autograd.grad((expected * weighting).sum(), inputs),
    ):
        assert_close(got, wanted, 1e-12)


def test_initialisation_range():
    conv = ChebyGraphConv(64, 32)
    bound = (2 / (3 * 64 + 32)) ** 0.5
    assert 0.98 * bound < conv.weight.abs().max() <= bound
    assert abs(conv.weight.mean().item()) < 0.05 * bound
    assert not conv.bias.any()


@pytest.mark.parametrize("width, channels", [(64, 256), (256, 128), (12, 9), (8, 8)])
def test_channel_resize_is_linear_interpolation(width, channels):
    x = torch.randn(3, 2, width)
    assert_close(resize_channels(x, channels), F.interpolate(x, size=channels, mode="linear"), 1e-6)


def test_channel_resize_of_a_ramp():
    ramp = torch.arange(8.0)
    assert resize_channels(ramp, 4).tolist() == [0.5, 2.5, 4.5, 6.5]
    up = resize_channels(ramp, 16)
    assert_close(up[:4], [0, 0.25, 0.75, 1.25])
    assert_close(up[-2:], [6.75, 7])


# ------------------------------------------------------------------------------------------------ fake vertices


def test_weighted_batchnorm_equals_batchnorm_of_the_copies():
    generator = torch.Generator().manual_seed(0)
    extra = torch.tensor([1.0, 1.0, 3.0, 7.0], dtype=torch.float64)
    copies = torch.cat([torch.ones(5), 1 + extra]).long()
    x = (3 + torch.randn(9, 4, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    norm, plain = (nn.BatchNorm1d(6).double() for _ in range(2))
    for module in (norm, plain):
        filled(module, seed=1)
    total = int(copies.sum())
    y = batch_norm_relu(x, norm, extra, total)
    padded = x.repeat_interleave(copies, dim=0)
    expected = F.relu(plain(padded.reshape(-1, 6))).view(total, 4, 6)
    assert_close(y.repeat_interleave(copies, dim=0).detach(), expected.detach(), 1e-12)
    assert_close(norm.running_mean, plain.running_mean, 1e-12)
    assert_close(norm.running_var, plain.running_var, 1e-12)
    assert norm.num_batches_tracked == plain.num_batches_tracked == 1

    # every copy may act on the loss in its own way; a representative receives the sum
    weighting = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    owner = torch.arange(9).repeat_interleave(copies)
    summed = torch.zeros(y.shape, dtype=torch.float64).index_add_(0, owner, weighting)
    actual = torch.autograd.grad((y * summed).sum(), (x, norm.weight, norm.bias))
    wanted = torch.autograd.grad((expected * weighting).sum(), (x, plain.weight, plain.bias))
    for a, b in zip(actual, wanted):
        assert_close(a, b, 1e-12)


def test_copies_of_a_fake_vertex_are_found(graph):
    levels = level_rows(graph)
    assert levels[-1].multiplicity.max() == 2 ** (len(levels) - 1)
    for coarse, fine in itertools.pairwise(levels):
        padded_parent = coarse.representative[np.arange(len(fine.representative)) // 2]
        assert (fine.parent[fine.representative] == padded_parent).all()
        assert (np.bincount(fine.representative) == fine.multiplicity).all()
        assert (np.diff(fine.multiplicity) >= 0).all()
        assert (fine.multiplicity[: fine.real] == 1).all()
    real = np.sort(graph.reverse)
    assert (levels[-1].position[: levels[-1].real] == real).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_network_equals_the_padded_computation(graph, training, padded):
    """Output, all gradients and running statistics, float64."""
    torch.set_default_dtype(torch.float64)  # operators are made in it, from float64
    try:
        model = meshnet(graph, padded=padded).train(training)
    finally:
        torch.set_default_dtype(torch.float32)
    plain = PlainMeshNet(graph.laplacians, PLAN.channels).double().train(training)
    plain.load_state_dict(model.state_dict())
    joints = torch.randn(3, 17, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)

    expected = plain(joints)
    if not padded:
        expected = expected[:, graph.reverse]
    actual = model(joints)
    assert_close(actual.detach(), expected.detach(), 1e-11)

    weighting = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    actual = torch.autograd.grad((actual * weighting).sum(), [joints, *model.parameters()])
    wanted = torch.autograd.grad((expected * weighting).sum(), [joints, *plain.parameters()])
    scale = max(float(w.abs().max()) for w in wanted)
    names = [name for name, _ in model.named_parameters()]
    assert names == [name for name, _ in plain.named_parameters()]
    for name, a, b in zip(["joints", *names], actual, wanted):
        assert float((a - b).abs().max()) <= 1e-10 * scale, name
    for name, buffer in model.state_dict().items():
        if "running" in name:
            assert_close(buffer, plain.state_dict()[name], 1e-11, name)


def test_evaluation_does_not_depend_on_fakes(graph):
    """A change of the fakes' rows of fc reaches no real vertex."""
    model = meshnet(graph).eval()
    joints = torch.randn(2, 17, 5)
    before = model(joints)
    rows = level_rows(graph)[0]
    fakes = torch.from_numpy(rows.position[rows.real :])
    assert len(fakes) > 0
    with torch.no_grad():
        model.fc.bias.view(model.coarse_size, -1)[fakes] += 10
    assert torch.equal(model(joints), before)


def test_rows_of_another_graph_are_refused(graph):
    wrong = MeshGraph(
        laplacians=graph.laplacians,
        reverse=np.arange(graph.vertex_num),
        **{key: getattr(graph, key) for key in ("vertex_num", "joint_num", "levels", "scaling", "topology_hash")},
    )
    with pytest.raises(ValueError, match="fake vertex of the graph has neighbours"):
        MeshNet(wrong, PLAN)


# --------------------------------------------------------------------------------------------------- as a module


def test_graph_operators_follow_the_model_but_are_not_saved(graph):
    model = meshnet(graph)
    assert {key.split(".")[0] for key in model.state_dict()} == {"fc", "cl", "bn"}
    double = copy.deepcopy(model).double()
    assert double.levels[-1].laplacian().dtype == double.joint_laplacian().dtype == torch.float64
    joints = torch.randn(2, 17, 5)
    assert torch.equal(pickle.loads(pickle.dumps(model)).eval()(joints), model.eval()(joints))
    assert_close(double.eval()(joints.double()).detach(), model.eval()(joints).detach(), 1e-5)


def test_vertices_and_batch_items_are_independent_in_evaluation(graph):
    model = meshnet(graph).eval()
    joints = torch.randn(4, 17, 5)
    together = model(joints).detach()
    assert_close(torch.cat([model(joint[None]) for joint in joints]).detach(), together, 1e-5)


def test_bfloat16_products_under_autocast(graph):
    model = meshnet(graph).train()
    joints = torch.randn(8, 17, 5)
    exact = model(joints)
    exact_grad = torch.autograd.grad(exact.square().mean(), model.cl[2].weight)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16), fast_paths(False):
        rounded = model(joints)
    assert rounded.dtype == torch.float32
    assert 0 < ((rounded - exact).norm() / exact.norm()).item() < 0.05
    grad = torch.autograd.grad(rounded.square().mean(), model.cl[2].weight)[0]
    assert ((grad - exact_grad).norm() / exact_grad.norm()).item() < 0.2


@pytest.mark.parametrize("freeze", [False, True])
def test_data_parallel_needs_no_search_for_unused_parameters(graph, tmp_path, freeze):
    """Sparse operators are not broadcast, and nobody waits for the gradient of PoseNet's unused BatchNorm."""
    model = Pose2Mesh(PoseNet(17, width=8), meshnet(graph), freeze=freeze).train()

    def train() -> None:  # the wrapper has to be gone before the group, see lib.runtime.distributed
        parallel = nn.parallel.DistributedDataParallel(model)
        for _ in range(3):
            mesh, pose3d = parallel(torch.randn(4, 17, 2))
            (mesh.mean() + pose3d.mean()).backward()

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        train()
        gc.collect()
        assert all(p.grad is not None for p in model.pose2mesh.parameters())
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    "channels, message",
    [
        ([[5, 8], [8, 3]], "at least 3 blocks"),
        ([[5, 8], [8], [8, 3]], "block 1 needs two or more"),
        ([[5, 8], [8, 0], [0, 3]], "block 1 needs two or more positive"),
        ([[5, 8], [9, 8], [8, 3]], "block 1 starts with 9 channels, but block 0 ends with 8"),
    ],
)
def test_bad_plans_are_refused(channels, message):
    with pytest.raises(ValueError, match=message):
        MeshNetPlan.from_config(channels, "body")


def test_plans(graph):
    assert MeshNetPlan.from_config([], "hand") == MeshNetPlan.paper("hand")
    assert MeshNetPlan.from_config([list(block) for block in PLAN.channels], "body") == PLAN
    with pytest.raises(ValueError, match="body and hand"):
        MeshNetPlan.paper("foot")
    with pytest.raises(ValueError, match="maps 5 to 3 channels, wanted 5 to 6"):
        MeshNet(graph, PLAN, out_channels=6)
