"""The base that MeshNet corrects: principal components, its place in training, resuming, prediction and export."""

import pytest
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint, save_checkpoint
from lib.core.base import Options, Trainer
from lib.core.runs import create_run, seed_everything
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO
from lib.models.export.export_form import ExportForm
from lib.models.mesh_base import MeshBase
from lib.models.pose2mesh_net import build_pose2mesh
from lib.onnx.onnx_export import sample_keypoints
from lib.predictor import Pose2MeshPredictor
from tests.helpers import assert_close
from tests.support.networks import disturbed, standardised
from tests.support.runs import same_weights

pytestmark = pytest.mark.usefixtures("without_plots")

PLAN = {"graph_levels": 6, "mesh_channels": [[5, 8], *([[8, 8]] * 5), [8, 3]]}
BASE = {"base_components": 6, "base_width": 16, "base_stages": 2}
TRAIN = {"end_epoch": 1, "edge_loss_start": 0}
SHORT = {"samples_per_epoch": 32, "test_samples": 16}


@pytest.fixture
def settings(small_config):
    """``settings(model, **train)``: of a short training of a hand's mesh, or of a body's."""

    def make(model=BASE, joint_set="mano", **train):
        sections = {"MODEL": PLAN | model, "TRAIN": TRAIN | train, "SYNTHETIC": SHORT}
        return small_config("pose2mesh_net", joint_set, **sections)

    return make


@pytest.fixture(scope="module")
def body_graph(body):
    return MeshGraph.build(body.faces, COCO, 6)


@pytest.fixture
def network(settings, body_graph):
    """``network(model)``: a random Pose2Mesh on coco joints, with a base of a few random components."""

    def build(model):
        network = disturbed(build_pose2mesh(settings(model, "coco"), body_graph))
        network.mesh_base.set_basis(torch.randn(8, body_graph.vertex_num, 3))
        torch.nn.init.normal_(network.pose2mesh.cl[-1].weight)
        return network

    return build


def started(cfg, experiment):
    seed_everything(1)
    trainer = Trainer(cfg, Options(seed=1, experiment=experiment))
    trainer.begin()
    return trainer


def state(model, prefix):
    found = {key: value.clone() for key, value in model.state_dict().items() if key.startswith(prefix)}
    assert found
    return found


def changed(before, after):
    return {key for key, value in before.items() if not torch.equal(value, after[key])}


# ---------------------------------------------------------------------------------------------------------- components


@pytest.fixture(scope="module")
def meshes():
    """Two hundred hands (B, 778, 3), metres."""
    from lib.settings.reading import merge

    names = {"input_joint_set": "mano", "target_joint_set": "mano", "train_list": ["Synthetic"]}
    cfg = merge({"DATASET": names, "MODEL": {"name": "pose2mesh_net", "body": "open_hand"}})
    return dataset_class("Synthetic")("train", cfg).batch(range(200), stream(3)).targets["mesh"]


def rebuilt(part, meshes):
    """Meshes as near as the basis comes to them, and its coefficients."""
    mean = part.basis.bias.detach()
    rows = (meshes.flatten(1) - mean).double()
    weight = part.basis.weight.detach().double()
    coefficients = torch.linalg.lstsq(weight, rows.t(), driver="gelsd").solution  # columns may be zero
    return (coefficients.t() @ weight.t()).view_as(meshes) + mean.view(1, -1, 3), coefficients


def test_components_rebuild_the_meshes_that_they_are_of(meshes):
    errors = []
    for components in (3, 10, 30):
        part = MeshBase(21, meshes.shape[1], components, 0, 0)
        part.set_basis(meshes)
        near, coefficients = rebuilt(part, meshes)
        errors.append(1000 * (near - meshes).norm(dim=2).mean().item())
        torch.testing.assert_close(coefficients.std(1), torch.ones(components).double(), atol=1e-3, rtol=0)
        assert coefficients.mean(1).abs().max() < 1e-3
        gram = part.basis.weight.t() @ part.basis.weight
        assert (gram - gram.diag().diag()).abs().max() < 1e-4 * gram.max()
        assert (gram.diag().diff() < 0).all(), "largest first"
    mean = 1000 * (meshes - meshes.mean(0)).norm(dim=2).mean().item()
    random = MeshBase(21, meshes.shape[1], 30, 0, 0)
    random.set_basis(meshes)
    torch.nn.init.normal_(random.basis.weight)
    noise = 1000 * (rebuilt(random, meshes)[0] - meshes).norm(dim=2).mean().item()
    assert errors[2] < 3 < errors[1] < errors[0] < 0.7 * mean
    assert errors[2] < 0.2 * noise


def test_more_components_than_meshes():
    meshes = torch.randn(4, 50, 3)
    part = MeshBase(21, 50, 10, 0, 0)
    assert part.is_fresh
    part.set_basis(meshes)
    assert not part.is_fresh
    assert part.basis.weight[:, 4:].abs().max() == 0
    assert_close(rebuilt(part, meshes)[0], meshes, 1e-4)


def test_training_begins_with_the_components_of_drawn_meshes(settings, tmp_path):
    trainer = started(settings({"base_components": 40}), tmp_path)
    part = trainer.model.mesh_base
    drawn = torch.cat([batch.targets["mesh"] for batch in trainer.loader.epoch(1)])
    error = (rebuilt(part, drawn)[0] - drawn).norm(dim=2).mean()
    assert error < 0.2 * (drawn - drawn.mean(0)).norm(dim=2).mean()  # of other samples than it was made from
    expected = torch.cat([batch.targets["mesh"] for batch in trainer.loader.epoch(0)]).mean(0)
    assert_close(part.basis.bias.detach().view(-1, 3), expected)


def test_a_warm_start_keeps_components_that_fit_and_makes_others_anew(settings, tmp_path):
    trainer = started(settings(), tmp_path)
    path = tmp_path / "first.pth.tar"
    save_checkpoint(path, Checkpoint.of(trainer.model, settings=trainer.cfg))
    again = started(settings(init_path=str(path)), tmp_path)
    assert torch.equal(again.model.mesh_base.basis.weight, trainer.model.mesh_base.basis.weight)
    more = started(settings(BASE | {"base_components": 9}, init_path=str(path)), tmp_path)
    gram = more.model.mesh_base.basis.weight.t() @ more.model.mesh_base.basis.weight
    assert (gram - gram.diag().diag()).abs().max() < 1e-4 * gram.max(), "principal components, not random numbers"


# ------------------------------------------------------------------------------------------------------------ networks


def test_models_without_a_base_are_what_they_were(settings, body_graph):
    plain, based = (build_pose2mesh(settings(model, "coco"), body_graph) for model in ({}, BASE))
    assert plain.mesh_base is None
    keys = list(plain.state_dict())
    assert all(key.startswith(("pose_lifter.", "pose2mesh.")) for key in keys)
    assert [key for key in based.state_dict() if not key.startswith("mesh_base.")] == keys
    assert plain.pose2mesh.cl[-1].weight.abs().max() > 0
    joints = torch.randn(2, 19, 2)
    mesh, pose3d = plain.eval()(joints)
    assert_close(mesh.detach(), plain.pose2mesh(torch.cat([joints, pose3d / 1000], 2)).detach(), 1e-6)


@pytest.mark.parametrize("mode", [True, False])
def test_a_fresh_network_gives_the_base_alone(settings, body_graph, mode):
    network = build_pose2mesh(settings(BASE, "coco"), body_graph).train(mode)
    network.mesh_base.set_basis(torch.randn(8, body_graph.vertex_num, 3))
    joints = torch.randn(4, 19, 5)
    expected = network.mesh_base(joints).detach()
    assert expected.std(0).min() > 0
    assert_close(network.mesh(joints[..., :2], 1000 * joints[..., 2:]).detach(), expected, 1e-6)
    assert network.pose2mesh(joints).abs().max() == 0


def test_bfloat16_does_not_round_the_base(network):
    part, joints = network(BASE).mesh_base, torch.randn(4, 19, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mesh = part(joints)
    assert mesh.dtype == torch.float32
    assert len(mesh.flatten().unique()) > 0.9 * mesh.numel()  # bfloat16 has 256 numbers between 1 and 2 metres


@pytest.mark.parametrize("width", [0, 16])
def test_export_form_equals_the_network(network, body_graph, width):
    trained = network(BASE | {"base_width": width})
    form = ExportForm(trained, COCO, body_graph)
    keypoints = torch.from_numpy(sample_keypoints(COCO, 3))
    with torch.inference_mode():
        points = standardised(COCO, keypoints)
        mesh, pose3d = trained(points)
        found_pose, found_mesh = form(keypoints)
        alone = trained.pose2mesh(torch.cat([points, pose3d / 1000], 2))
    assert_close(found_pose, pose3d)
    assert_close(found_mesh, mesh)
    assert (alone - mesh).abs().max() > 0.1 * mesh.abs().max()
    assert all(parameter.requires_grad for parameter in trained.parameters()), "the trained network stays as it is"


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*jit.trace:DeprecationWarning")
def test_exporters_can_trace_the_base(network, body_graph):
    form = ExportForm(network(BASE), COCO, body_graph)
    keypoints = torch.from_numpy(sample_keypoints(COCO, 5))
    traced = torch.jit.trace(form, (keypoints[:2],), check_trace=False)
    for found, expected in zip(traced(keypoints), form(keypoints)):
        assert_close(found, expected)


# ------------------------------------------------------------------------------------------------------------ training


def test_the_base_learns_alone(settings, tmp_path):
    cfg = settings(mesh_part="base", lr=0.01)
    cfg = cfg.changed(MODEL={"posenet_freeze": True})
    trainer = started(cfg, tmp_path)
    model = trainer.model
    before = {prefix: state(model, prefix) for prefix in ("mesh_base.", "pose2mesh.", "pose_lifter.")}
    run = create_run(tmp_path, cfg)
    trainer.fit(run)
    assert changed(before["mesh_base."], model.state_dict()) == set(before["mesh_base."])
    for prefix in ("pose2mesh.", "pose_lifter."):
        assert not changed(before[prefix], model.state_dict())
    saved = load_checkpoint(run)
    assert len(saved.optimizer["state"]) == len(list(model.mesh_base.parameters()))
    # then all of it: starts where the base ended
    following = Trainer(settings(init_path=str(run)), Options(seed=1, experiment=tmp_path))
    following.begin()
    assert not changed(model.state_dict(), following.model.state_dict())
    following.tester.test(0, following.model)
    assert following.tester.surface_error == pytest.approx(trainer.test_log["surface"][-1], abs=1e-3)


def test_base_alone_needs_a_base_and_an_untrained_meshnet(settings, tmp_path):
    with pytest.raises(ValueError, match=r"TRAIN.mesh_part: base needs a base: set MODEL.base_components"):
        Trainer(settings({}, mesh_part="base"), Options(experiment=tmp_path))
    trainer = started(settings(), tmp_path)
    torch.nn.init.normal_(trainer.model.pose2mesh.cl[-1].weight)
    path = tmp_path / "trained.pth.tar"
    save_checkpoint(path, Checkpoint.of(trainer.model, settings=trainer.cfg))
    with pytest.raises(ValueError, match=r"MeshNet in TRAIN.init_path is trained already"):
        Trainer(settings(mesh_part="base", init_path=str(path)), Options(experiment=tmp_path))


@pytest.mark.parametrize("part", ["all", "base"])
def test_resumed_training_ends_with_the_same_bits(settings, tmp_path, part):
    cfg = settings(mesh_part=part, end_epoch=2, optimizer="rmsprop")
    runs = [create_run(tmp_path / name, cfg) for name in ("whole", "broken")]
    whole = started(cfg, tmp_path)
    whole.fit(runs[0])
    seed_everything(5)
    first = load_checkpoint(runs[0] / "checkpoint" / "checkpoint1.pth.tar")
    broken = Trainer(cfg, Options(seed=1, experiment=tmp_path), first)
    broken.begin()
    broken.fit(runs[1])
    same_weights(*runs)


# ---------------------------------------------------------------------------------------------------------- prediction


def test_predictor_adds_the_base_to_lifted_and_given_joints(network, settings, body_graph, tmp_path):
    trained, path = network(BASE), tmp_path / "final.pth.tar"
    cfg = settings(BASE, "coco")
    save_checkpoint(path, Checkpoint.of(trained, graph=body_graph, settings=cfg))
    predictor = Pose2MeshPredictor("coco", path, "cpu", mesh="network")
    joints = predictor.template_joints * [1000, -1000, -1000]
    prediction = predictor.predict_pose3d(joints)
    points = joints[:, :2] - joints[:, :2].mean(0)
    points = torch.from_numpy(points / points.std(0))
    relative = torch.from_numpy(joints - joints[COCO.root]) / 1000
    network_input = torch.cat([points, relative], dim=1).float()[None]
    expected = trained.mesh_base(network_input) + trained.pose2mesh(network_input)
    assert_close(prediction.mesh, expected.detach(), 1e-4)
