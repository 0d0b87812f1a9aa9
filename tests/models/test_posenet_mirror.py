"""PoseNet that averages with the mirrored input: exactly the same for mirrored poses, and unchanged in training."""

import pytest
import torch

from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO, JOINT_SETS
from lib.models.export.export_form import ExportForm
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.posenet import Mirror, build_posenet
from lib.onnx.onnx_export import sample_keypoints
from tests.helpers import assert_close
from tests.support.networks import disturbed

BODIES = ["human36", "coco", "smpl"]


@pytest.fixture
def networks(small_config):
    """``networks(joint_set)``: the same random PoseNet without and with mirroring, and its mirror."""

    def build(joint_set):
        plain = disturbed(build_posenet(small_config("posenet", joint_set)))
        mirrored = build_posenet(small_config("posenet", joint_set, MODEL={"posenet_mirror": True})).eval()
        mirrored.load_state_dict(plain.state_dict())
        return plain, mirrored, Mirror(JOINT_SETS[joint_set])

    return build


def poses(joint_set, count=6):
    points = torch.randn(count, JOINT_SETS[joint_set].joint_num, 2, generator=torch.Generator().manual_seed(1))
    return (points - points.mean(1, keepdim=True)).flatten(1)


def test_mirroring_negates_x_and_swaps_sides():
    joints = torch.arange(3.0 * COCO.joint_num).view(1, -1)
    mirrored = Mirror(COCO)(joints).view(-1, 3)
    left, right = COCO.flip_pairs[0]
    assert mirrored[left].tolist() == [-3 * right, 3 * right + 1, 3 * right + 2]
    nose = COCO.index("Nose")
    assert mirrored[nose].tolist() == [-3 * nose, 3 * nose + 1, 3 * nose + 2]
    assert torch.equal(Mirror(COCO)(mirrored.view(1, -1)), joints)


@pytest.mark.parametrize("joint_set", BODIES)
def test_mirrored_poses_are_lifted_to_mirrored_poses(networks, joint_set):
    plain, network, mirror = networks(joint_set)
    pose2d = poses(joint_set)
    with torch.no_grad():
        lifted, other = network(pose2d), network(mirror(pose2d))
        once, twice = plain(pose2d), plain(mirror(pose2d))
    assert (mirror(other) - lifted).abs().max() < 1e-4
    assert (mirror(twice) - once).abs().max() > 0.1
    assert_close(lifted, (once + mirror(twice)) / 2)


def test_a_symmetric_pose_is_lifted_symmetrically(networks):
    _, network, mirror = networks("human36")
    pose2d = poses("human36")
    pose2d = (pose2d + mirror(pose2d)) / 2
    with torch.no_grad():
        lifted = network(pose2d)
    assert (mirror(lifted) - lifted).abs().max() < 1e-4


@pytest.mark.parametrize("joint_set", BODIES)
def test_training_does_not_mirror(networks, joint_set):
    plain, network, _ = networks(joint_set)
    outputs, statistics = [], []
    for model in (plain.train(), network.train()):
        torch.manual_seed(3)  # dropout
        outputs.append(model(poses(joint_set)))
        outputs[-1].square().mean().backward()
        statistics.append(model.linear_stages[0].batch_norm1.running_mean.clone())
    assert torch.equal(*outputs)
    assert torch.equal(*statistics)
    for first, second in zip(plain.parameters(), network.parameters()):
        assert (first.grad is None and second.grad is None) or torch.equal(first.grad, second.grad)


def test_weights_have_the_same_names(networks, small_config, body):
    plain, network, _ = networks("coco")
    assert list(plain.state_dict()) == list(network.state_dict())
    graph = MeshGraph.build(body.faces, COCO, 8)
    models = [
        build_pose2mesh(small_config("pose2mesh_net", MODEL={"posenet_mirror": mirror}), graph)
        for mirror in (False, True)
    ]
    assert list(models[0].state_dict()) == list(models[1].state_dict())
    # the order of joints is a constant that no process has to send to the others
    assert "pose_lifter.mirror.order" in models[1]._ddp_params_and_buffers_to_ignore


def test_a_frozen_posenet_mirrors_while_meshnet_trains(small_config, body):
    model = {"posenet_mirror": True, "posenet_freeze": True}
    graph = MeshGraph.build(body.faces, COCO, 8)
    network = build_pose2mesh(small_config("pose2mesh_net", MODEL=model), graph).train()
    mirror, pose2d = Mirror(COCO), poses("coco")
    with torch.no_grad():
        lifted = [network(points.view(6, -1, 2))[1].flatten(1) for points in (pose2d, mirror(pose2d))]
    assert (mirror(lifted[1]) - lifted[0]).abs().max() < 1e-4


def test_hands_are_refused(small_config):
    cfg = small_config("posenet", "mano", MODEL={"posenet_mirror": True})
    with pytest.raises(ValueError, match=r"MODEL.posenet_mirror: joint set 'mano' has no left and right joints"):
        build_posenet(cfg)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*jit.trace:DeprecationWarning")
@pytest.mark.parametrize("scale", ["axis", "common"])
def test_export_form_equals_the_network_for_any_number_of_poses(networks, scale):
    plain, network, _ = networks("coco")
    form = ExportForm(network, COCO, input_scale=scale)
    keypoints = torch.from_numpy(sample_keypoints(COCO, 5))
    points = COCO.add_derived(keypoints.double())
    points = points - points.mean(1, keepdim=True)
    over = 1 if scale == "axis" else (1, 2)
    pose2d = (points / points.square().mean(over, keepdim=True).sqrt()).float().flatten(1)
    with torch.no_grad():
        expected = network(pose2d).unflatten(1, (-1, 3))
        assert_close(form(keypoints), expected)
        assert (plain(pose2d).unflatten(1, (-1, 3)) - expected).abs().max() > 0.1
    # exported with two poses: a traced graph must not keep their number
    traced = torch.jit.trace(form, (keypoints[:2],), check_trace=False)
    for count in (1, 5):
        assert_close(traced(keypoints[:count]), expected[:count])
