"""The export form equals the trained network; the ONNX file equals both."""

import json
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from lib.graph.mesh_graph import MeshGraph
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model
from lib.models.export.export_form import ExportForm
from lib.models.export.neighbour_sums import BLOCK_ROWS, NeighbourSum, compact_order
from lib.models.pose2mesh_net import build_pose2mesh
from lib.onnx.half import LEAST, store_in_half
from lib.onnx.onnx_export import (
    TOLERANCE,
    Trained,
    compare,
    export_onnx,
    load_trained,
    open_session,
    sample_keypoints,
)
from main.export import main
from tests.helpers import require_onnx
from tests.support.networks import disturbed, standardised


@pytest.mark.parametrize("dense_rows", [0, 200])
@pytest.mark.parametrize("name", ["coco", "mano"])
def test_export_form_equals_the_network(name, dense_rows, body, small_config):
    cfg = small_config("pose2mesh_net", name)
    # widths that shrink and grow, so that every branch of a convolution takes part
    plan = [[5, 8, 12], [12, 16, 8], [8, 8], [8, 6, 8], [8, 8], [8, 8], [8, 8, 3]]
    cfg = cfg.changed(MODEL={"graph_levels": 6, "mesh_channels": plan})
    joint_set = get_joint_set(name)
    model = body if joint_set.body == "body" else load_mesh_model("hand", "open_hand")
    graph = MeshGraph.build(model.faces, joint_set, 6, cfg.MODEL.laplacian_scaling)
    network = disturbed(build_pose2mesh(cfg, graph))
    form = ExportForm(network, joint_set, graph, dense_rows)
    keypoints = torch.from_numpy(sample_keypoints(joint_set, 3))
    with torch.inference_mode():
        mesh, pose3d = network(standardised(joint_set, keypoints))
        found_pose, found_mesh = form(keypoints)
    torch.testing.assert_close(found_pose, pose3d, atol=1e-5 * pose3d.abs().max().item(), rtol=0)
    torch.testing.assert_close(found_mesh, mesh, atol=1e-5 * mesh.abs().max().item(), rtol=0)


def test_graph_of_another_network_is_refused(body, small_config):
    joint_set, cfg = get_joint_set("coco"), small_config("pose2mesh_net")
    network = build_pose2mesh(cfg, MeshGraph.build(body.faces, joint_set, 8))
    with pytest.raises(ValueError, match="does not fit the network"):
        ExportForm(network, joint_set, MeshGraph.build(body.faces, joint_set, 7))


@pytest.mark.parametrize("dense_rows", [0, 100])
def test_neighbour_sums_are_the_matrix_product(dense_rows):
    rows = 5 * BLOCK_ROWS
    matrix = sparse.random(rows, 50, 0.1, random_state=0) + sparse.eye(rows, 50)
    x = torch.randn(50, 3, 4)
    product = NeighbourSum(matrix, dense_rows)(x.flatten(0, 1)).unflatten(0, (-1, 3))
    np.testing.assert_allclose(product, np.einsum("ij,jbf->ibf", matrix.toarray(), x.numpy()), atol=1e-5)


def test_blocks_of_a_compact_order_read_few_rows(body):
    graph = MeshGraph.build(body.faces, get_joint_set("coco"), 6)
    matrix = graph.laplacians[0][graph.reverse][:, graph.reverse]
    scattered = np.random.default_rng(0).permutation(len(graph.reverse))
    matrix = matrix[scattered][:, scattered]

    def read(order):
        ordered = matrix[order][:, order]
        return [len(np.unique(ordered[row : row + BLOCK_ROWS].indices)) for row in range(0, len(order), BLOCK_ROWS)]

    order = compact_order(matrix, 0)
    assert sorted(order) == list(range(len(order)))
    assert np.mean(read(order)) < 3 * BLOCK_ROWS < np.mean(read(scattered)) / 2
    full = read(order)[: len(order) // BLOCK_ROWS]
    assert full == sorted(full)


@pytest.mark.parametrize("joints", ["coco", "mano"])
def test_onnx_file_equals_the_network(weights, joints, tmp_path):
    require_onnx()
    trained = load_trained(weights[joints])
    path = export_onnx(trained, tmp_path / "net.onnx")
    result = compare(trained, path, batches=(1, 5))
    assert set(result.difference) == {"pose3d", "mesh"}
    assert max(result.difference.values()) < TOLERANCE
    import onnx

    model = onnx.load(path)
    plain = {node.domain for node in model.graph.node}
    assert plain == {""}  # standard operators only
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert notes["joint_set"] == joints
    assert len(json.loads(notes["faces"])) == len(trained.mesh_model.faces)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("stage", ["pose2mesh", "posenet"])
def test_onnx_file_of_a_network_with_base_mirror_and_common_scale(stage, body, small_config, tmp_path):
    require_onnx()
    model = {"posenet_mirror": True, "base_components": 4, "base_width": 16, "graph_levels": 6}
    model["mesh_channels"] = [[5, 8], *([[8, 8]] * 5), [8, 3]]
    joint_set, cfg = get_joint_set("coco"), small_config("pose2mesh_net", "coco", MODEL=model)
    graph = MeshGraph.build(body.faces, joint_set, 6)
    network = disturbed(build_pose2mesh(cfg, graph))
    network.mesh_base.set_basis(torch.randn(6, body.vertex_num, 3))
    torch.nn.init.normal_(network.pose2mesh.cl[-1].weight)
    if stage == "pose2mesh":
        trained = Trained(network, joint_set, body, graph, tmp_path, "common")
    else:
        trained = Trained(network.pose_lifter, joint_set, None, None, tmp_path, "common")
    path = export_onnx(trained, tmp_path / "net.onnx")
    assert max(compare(trained, path, batches=(1, 5)).difference.values()) < TOLERANCE


def test_weights_in_half_precision(weights, tmp_path, monkeypatch, capsys):
    require_onnx()
    trained = load_trained(weights["coco"])
    whole, path = export_onnx(trained, tmp_path / "whole.onnx"), tmp_path / "half.onnx"
    monkeypatch.setattr("lib.onnx.onnx_export._milliseconds", lambda run: 1.0)
    monkeypatch.setattr(
        "sys.argv",
        ["export.py", "--weights", str(weights["coco"]), "--precision", "half", "--output", str(path)],
    )
    main()
    assert "mm on average (allowed 0.3)" in capsys.readouterr().out
    assert path.stat().st_size < 0.7 * whole.stat().st_size
    import onnx

    model = onnx.load(path)
    assert max(np.prod(w.dims) for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT) < LEAST
    keypoints = sample_keypoints(trained.joint_set, 3)
    a, b = (open_session(file).run(["mesh"], {"keypoints": keypoints})[0] for file in (whole, path))
    assert 0 < np.linalg.norm(a - b, axis=2).mean() < 3e-4


def test_too_large_errors_are_refused(weights, tmp_path):
    require_onnx()
    trained = load_trained(weights["coco"])
    path = export_onnx(trained, tmp_path / "net.onnx")
    for parameter in trained.network.parameters():
        parameter.mul_(1.01)
    for precision, bound in ("float32", "allowed is 0.0001"), ("half", "allowed is 0.3"):
        with pytest.raises(ValueError, match=bound):
            compare(trained, path, batches=(1,), precision=precision)


def test_numbers_that_half_precision_does_not_hold_stay():
    require_onnx()
    import onnx

    weights = {"large": np.full((40, 40), 1e6, np.float32), "plain": np.ones((40, 40), np.float32)}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "large"], ["h"]),
        onnx.helper.make_node("MatMul", ["h", "plain"], ["y"]),
    ]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 40]) for name in "xy")
    held = [onnx.numpy_helper.from_array(values, name) for name, values in weights.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", [x], [y], held))
    store_in_half(model, onnx)
    onnx.checker.check_model(model, full_check=True)
    kinds = {weight.name: weight.data_type for weight in model.graph.initializer}
    assert kinds == {"large": onnx.TensorProto.FLOAT, "plain.half": onnx.TensorProto.FLOAT16}


def test_posenet_inside_a_pose2mesh(weights, tmp_path, monkeypatch, capsys):
    require_onnx()
    output = tmp_path / "pose.onnx"
    command = ["export.py", "--weights", str(weights["coco"]), "--stage", "posenet", "--output", str(output)]
    monkeypatch.setattr("sys.argv", command)
    main()
    printed = capsys.readouterr().out
    assert "keypoints (B, 17, 2): Nose, L_Eye" in printed
    assert "pose3d: onnxruntime and PyTorch differ by 0.0" in printed
    assert "batch of 64:" in printed
    assert output.is_file()


def test_missing_packages_say_how_to_get_them(monkeypatch, weights, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("sys.argv", ["export.py", "--weights", str(weights["coco"]), "--output", str(tmp_path / "x")])
    with pytest.raises(SystemExit):
        main()
    assert "sh requirements.sh --with-onnx" in capsys.readouterr().err


def test_weights_without_a_stage_are_refused(tmp_path, small_config):
    from lib.checkpoints.checkpoint import Checkpoint
    from lib.checkpoints.files import save_checkpoint
    from lib.models.posenet import PoseNet, build_posenet

    cfg = small_config("posenet")
    save_checkpoint(tmp_path / "a.pth.tar", Checkpoint.of(build_posenet(cfg), settings=cfg))
    with pytest.raises(ValueError, match="a mesh needs those of pose2mesh_net"):
        load_trained(tmp_path / "a.pth.tar")
    path = tmp_path / "b.pth.tar"
    save_checkpoint(path, Checkpoint.of(PoseNet(24)))  # as the original release's: the number of inputs tells
    assert load_trained(path, "posenet").joint_set.name == "smpl"
    save_checkpoint(path, Checkpoint.of(PoseNet(5, width=32)))
    with pytest.raises(ValueError, match="takes 5 joints and does not say which"):
        load_trained(path, "posenet")
