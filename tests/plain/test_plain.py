"""The slow reference equals the original's stored numbers, so that whatever equals it equals the original."""

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import HUMAN36, JOINT_SETS, MANO
from lib.models.meshnet import MeshNetPlan
from lib.plain import crop
from lib.plain.camera import fit_camera
from lib.plain.graph import (
    levels_in_use,
    match,
    permutations,
    plain_coarse_graphs,
)
from lib.plain.metrics import evaluate_meshes, rigid_align
from lib.plain.networks import (
    PlainMeshNet,
    PlainPoseNet,
    chebyshev_convolution,
    sparse_tensor,
)
from lib.plain.noise import synthesize_pose
from lib.plain.training import coordinate_loss, edge_loss, normal_loss
from tests.helpers import assert_close, golden
from tests.support.meshes import joint_graph
from tests.support.named_weights import filled, named_weights


def mano_faces():
    return golden("legacy_order")["mano.faces"].astype(np.int64)


# ----------------------------------------------------------------------------------------------------------- graph


def test_graph():
    z = {key.removeprefix("sphere300."): value for key, value in golden("coarsening").items()}
    faces = golden("legacy_order")["sphere300.faces"].astype(np.int64)
    joints = joint_graph(JOINT_SETS[str(z["joint_set"])])
    _, laplacians, orders, reverse = plain_coarse_graphs(faces, *joints, 3)
    for level in (1, 2, 3):
        assert orders[level] == z[f"perm{level}"].tolist()
    assert reverse.tolist() == z["graph_perm_reverse"].tolist()
    for level in range(4):
        entries = z[f"L{level}_val"], (z[f"L{level}_row"], z[f"L{level}_col"])
        expected = sparse.csr_matrix(entries, shape=z[f"L{level}_shape"])
        assert abs(laplacians[level] - expected).max() < 1e-7  # stored in float32
    parents = [np.array([4, 1, 1, 2, 2, 3, 0, 0, 3]), np.array([2, 1, 0, 1, 0])]
    assert permutations(parents) == [[3, 4, 0, 9, 1, 2, 5, 8, 6, 7, 10, 11], [2, 4, 1, 3, 0, 5], [0, 1, 2]]


def test_the_last_entry_is_not_read_by_the_matcher():
    # a path 0 - 1 - 2 visited from its end: the last row has lost its only neighbour
    rows, columns, values = [0, 1, 1, 2], [1, 0, 2, 1], [1.0] * 4
    assert match(rows, columns, values, [2, 0, 1], [1.0, 2.0, 1.0]).tolist() == [1, 1, 0]


# -------------------------------------------------------------------------------------------------------- networks


def test_convolution():
    z = golden("nets_small")
    linear = nn.Linear(15, 7)
    linear.load_state_dict({"weight": torch.from_numpy(z["cheby_w"]), "bias": torch.from_numpy(z["cheby_b"])})
    laplacian = sparse_tensor(sparse.csr_matrix(z["cheby_L"]))
    output = chebyshev_convolution(torch.from_numpy(z["cheby_x"]), linear, None, laplacian)
    assert_close(output.detach(), z["cheby_out_nobn"])
    norm = nn.BatchNorm1d(7)
    for mode in ("train", "eval"):  # in evaluation with the statistics of that one step
        norm.train(mode == "train")
        output = chebyshev_convolution(torch.from_numpy(z["cheby_x"]), linear, norm, laplacian)
        assert_close(output.detach(), z[f"cheby_out_bn{mode}"])


def test_posenet():
    z = golden("nets_small")
    model = filled(PlainPoseNet(19, width=64), seed=1)
    pose2d = torch.from_numpy(z["posenet_coco_in"])
    assert_close(model.eval()(pose2d).detach(), z["posenet_coco_eval"])
    torch.manual_seed(7)
    assert_close(model.train()(pose2d).detach(), z["posenet_coco_train_dropout_seed7"])


def test_meshnet():
    z = golden("nets_small")
    _, laplacians, _, _ = plain_coarse_graphs(mano_faces(), *joint_graph(MANO), 6)
    model = filled(PlainMeshNet(levels_in_use(laplacians), MeshNetPlan.paper("hand").channels), seed=2)
    joints = torch.from_numpy(z["meshnet_mano_in"])
    assert_close(model.eval()(joints).detach(), z["meshnet_mano_eval"])
    assert_close(model.train()(joints).detach(), z["meshnet_mano_train"])
    assert_close(model.bn[0].running_mean, z["meshnet_mano_train_bn0_running_mean"])


def test_full_size_meshnet():
    z = golden("nets_full")
    graph = MeshGraph.build(golden("legacy_order")["smpl2020.faces"].astype(np.int64), HUMAN36)
    model = PlainMeshNet(graph.laplacians, MeshNetPlan.paper("body").channels).eval()
    weights = named_weights({f"pose2mesh.{key}": value for key, value in model.state_dict().items()}, seed=3)
    model.load_state_dict({key.removeprefix("pose2mesh."): value for key, value in weights.items()})
    joints = np.concatenate([z["human36_in"], z["human36_eval_pose"] / 1000], axis=2)
    with torch.no_grad():
        mesh = model(torch.from_numpy(joints))[:, graph.reverse].numpy()
    error = np.abs(mesh[:, z["human36_vid"]] - z["human36_eval_mesh"]).max()
    assert error <= 1e-5 * z["human36_eval_scale"]


# -------------------------------------------------------------------------------------------------------- losses


def test_losses():
    z = {key: torch.from_numpy(value) for key, value in golden("losses").items()}
    faces = z["faces"].long()
    for name, loss in (
        ("coord", lambda p: coordinate_loss(p, z["gt"], z["valid"])),
        ("normal", lambda p: normal_loss(p, z["gt"], faces)),
        ("edge", lambda p: edge_loss(p, z["gt"], faces)),
    ):
        pred = z["pred"].clone().requires_grad_()
        value = loss(pred)
        value.backward()
        assert_close(value.detach(), z[name], what=name)
        assert_close(pred.grad, z[f"{name}_grad"], what=f"gradient of {name}")


# ------------------------------------------------------------------------------------------ crops, noise, metrics


def test_boxes_and_crops():
    z = golden("utils")
    for box, expected, none in zip(z["process_bbox_in"], z["process_bbox_out"], z["process_bbox_none"]):
        for kind, (aspect, scale) in enumerate(((0.75, 1.0), (1.0, 1.0), (1.0, 1.25), (0.75, 1.1))):
            result = crop.process_box(box, aspect, scale)
            assert (result is None) == bool(none[kind])
            if result is not None:
                assert_close(result, expected[kind])
    pairs = z["flip_pairs_h36m"]
    for i in range(int(z["j2d_n"])):
        rotation, flip = z[f"j2d{i}_rotflip"]
        joints, matrix = crop.crop_joints(z[f"j2d{i}_kp"], z[f"j2d{i}_box"], float(rotation))
        assert_close(matrix, z[f"j2d{i}_trans"])
        assert_close(crop.flip_joints(joints, pairs, 288) if flip else joints, z[f"j2d{i}_out"])
        turned = crop.rotate_3d(z[f"j3d{i}_in"], float(rotation))
        assert_close(crop.flip_joints(turned, pairs) if flip else turned, z[f"j3d{i}_out"])


def test_synthesised_errors():
    z = golden("noise")
    rng = np.random.RandomState(0)
    draws = np.stack([synthesize_pose(z["full_in"], float(z["full_area"]), rng) for _ in range(200)])
    assert (draws[..., 2] == 1).all()
    errors = draws[..., :2] - z["full_in"][:, :2]
    standard_error = z["full_std"] / np.sqrt(len(draws))
    assert (np.abs(errors.mean(axis=0) - z["full_mean"]) < 4.5 * standard_error).all()
    ratio = errors.std(axis=0).mean() / z["full_std"].mean()
    assert ratio == pytest.approx(1, abs=0.1)


def test_metrics():
    z = golden("evaluation")
    regressors = [
        sparse.csr_matrix(
            (z[f"regressor.{name}.value"], (z[f"regressor.{name}.row"], z[f"regressor.{name}.column"])),
            shape=z[f"regressor.{name}.shape"],
        ).toarray().astype(np.float32)
        for name in ("smpl", "human36")
    ]  # fmt: skip
    meshes = z["PW3D.test.pred_mesh"], z["PW3D.test.gt_mesh"]
    errors = evaluate_meshes(*meshes, *regressors, HUMAN36.eval_joints)
    assert errors["SMPL MPJPE"][0] == pytest.approx(z["PW3D.test.evaluate.mpjpe_smpl"][0].mean(), abs=1e-3)
    assert errors["MPVPE"][0] == pytest.approx(z["PW3D.test.evaluate.mpvpe"][0], abs=1e-3)
    assert errors["H36M MPJPE"][0] == pytest.approx(z["PW3D.test.evaluate.mpjpe_h36m"][0].mean(), abs=1e-3)
    assert errors["H36M PA-MPJPE"][0] == pytest.approx(z["PW3D.test.evaluate.pampjpe_h36m"][0].mean(), abs=1e-3)
    assert errors["PA-MPVPE"][0] == pytest.approx(z["PW3D.test.true_pa_mpvpe"][0], abs=1e-3)
    aligned = golden("utils")
    for i in range(6):
        assert_close(rigid_align(aligned[f"align{i}_A"], aligned[f"align{i}_B"]), aligned[f"align{i}_out"])


@pytest.mark.parametrize("kind", ["int64", "float32"])
def test_camera(kind):
    z = golden("demo")
    joints, target = (torch.from_numpy(z[f"demo_{kind}_{part}"]) for part in ("joints3d", "target"))
    torch.manual_seed(0)
    _, residual = fit_camera(joints.float(), target.float())
    assert residual == pytest.approx(float(z[f"demo_{kind}_final_l1"]), rel=2e-2)
