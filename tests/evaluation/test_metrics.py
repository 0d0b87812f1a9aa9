"""Metrics against the original's figures, and the invariances that define them."""

import numpy as np
import pytest
import torch

from lib.evaluation.mesh_pair import compare
from lib.evaluation.metrics import (
    MetricAccumulator,
    joint_protocol,
    mesh_protocol,
    mpjpe,
    mpvpe,
    pa_mpjpe,
    root_align,
)
from lib.geometry.procrustes import rigid_align
from lib.joints.tables import COCO, HUMAN36, SMPL
from lib.mesh.joint_regressor import JointRegressor
from tests.helpers import assert_close, golden, shared_path
from tests.support.rotations import random_rotation

MILLIMETRES = 1e-3
SETS = {"Human36M": HUMAN36, "PW3D": COCO, "SURREAL": SMPL}
MESH_KEYS = {
    "Human36M": {
        "H36M MPJPE": "pose_error_h36m",
        "H36M PA-MPJPE": "pose_pa_error_h36m",
        "SMPL MPJPE": "pose_error",
        "MPVPE": "mesh_error",
    },
    "PW3D": {
        "H36M MPJPE": "mpjpe_h36m",
        "H36M PA-MPJPE": "pampjpe_h36m",
        "SMPL MPJPE": "mpjpe_smpl",
        "MPVPE": "mpvpe",
    },
    "SURREAL": {"SMPL MPJPE": "pose_error", "MPVPE": "mesh_error"},
}


def tensors(arrays):
    return {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items()}


@pytest.fixture(scope="module")
def data():
    return tensors(golden("evaluation"))


@pytest.fixture(scope="module")
def regressors(data):
    result = {}
    for name in ("smpl", "human36"):
        row, column, value, shape = (data[f"regressor.{name}.{key}"] for key in ("row", "column", "value", "shape"))
        result[name] = torch.zeros(tuple(shape.tolist()))
        result[name][row.long(), column.long()] = value
    return result


def generator():
    return torch.Generator().manual_seed(0)


def per_sample(values):
    return values.mean(1) if values.ndim > 1 else values


# ------------------------------------------------------------- alignment (that of the original is in test_coords.py)


def test_alignment_of_a_batch_equals_that_of_its_samples():
    points = torch.randn(2, 4, 5, 14, 3, generator=generator(), dtype=torch.float64)
    together = rigid_align(points[0], points[1])
    for i in range(4):
        for j in range(5):
            assert_close(together[i, j], rigid_align(points[0, i, j], points[1, i, j]), 1e-9)


def test_alignment_undoes_any_similarity():
    seeded = generator()
    target = 100 * torch.randn(7, 20, 3, generator=seeded, dtype=torch.float64)
    rotation = random_rotation(seeded, torch.float64)
    moved = 0.3 * target @ rotation.T + torch.randn(7, 1, 3, generator=seeded, dtype=torch.float64)
    assert pa_mpjpe(moved, target).max() < 1e-9
    assert compare(moved, target, align=True).distances()[0].max() < 1e-9
    assert mpjpe(moved, target).min() > 10


def test_pa_error_ignores_similarities_of_the_prediction():
    seeded = generator()
    pred, target = 100 * torch.randn(2, 7, 20, 3, generator=seeded, dtype=torch.float64)
    moved = 5 * pred @ random_rotation(seeded, torch.float64).T + 40
    assert_close(pa_mpjpe(moved, target), pa_mpjpe(pred, target), 1e-9)


def test_pa_error_exceeds_zero_for_a_mirrored_pose():
    target = 100 * torch.randn(3, 14, 3, generator=generator())
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    assert pa_mpjpe(mirrored, target).min() > 5


def test_alignment_of_coincident_points_is_finite():
    target = torch.randn(1, 5, 3, generator=generator())
    aligned = rigid_align(torch.ones(1, 5, 3), target)
    assert_close(aligned, target.mean(1, keepdim=True).expand(1, 5, 3))


# --------------------------------------------------------------------------------------------------- plain metrics


def test_mean_errors():
    pred, target = torch.zeros(2, 4, 3), torch.zeros(2, 4, 3)
    target[1, 0] = torch.tensor([3.0, 0, 4.0])
    assert mpjpe(pred, target).tolist() == [0, 1.25]
    assert mpvpe(pred, target).tolist() == [0, 1.25]


def test_root_alignment():
    points = torch.randn(2, 4, 3, generator=generator())
    assert torch.equal(root_align(points, 2), points - points[:, [2]])


# ------------------------------------------------------------------------------------------------------- protocols


@pytest.mark.parametrize("name", SETS)
def test_lift_protocol_equals_the_original(data, name):
    errors = joint_protocol(
        data[f"{name}.test.lift_pred"], data[f"{name}.test.lift_gt"], SETS[name].root, SETS[name].eval_joints
    )
    pa_key = "pa_mpjpe" if name == "PW3D" else "pampjpe"
    for metric, key in (("MPJPE", "mpjpe"), ("PA-MPJPE", pa_key)):
        expected = per_sample(data[f"{name}.test.evaluate_joint.{key}"])
        assert (errors[metric] - expected).abs().max() < MILLIMETRES
    assert abs(errors["MPJPE"].mean() - data[f"{name}.test.joint_err"]) < MILLIMETRES


def mesh_errors(pred, target, model_regressor, human36_regressor=None, **options):
    """``mesh_protocol`` of meshes and regressors."""
    regressors = [model_regressor] if human36_regressor is None else [model_regressor, human36_regressor]
    pair = compare(pred, target, JointRegressor(torch.cat(regressors)), align=True)
    count = len(model_regressor)
    return mesh_protocol(pair, slice(count), slice(count, None) if human36_regressor is not None else None, **options)[
        0
    ]


def check_mesh_protocol(name, data, regressors):
    """Compare as many samples as the arrays hold meshes of."""
    get = {key.removeprefix(f"{name}.test."): value for key, value in data.items() if key.startswith(f"{name}.test.")}
    pred, target = get["pred_mesh"], get["gt_mesh"]
    options = {}
    if name != "SURREAL":
        options = {"human36_regressor": regressors["human36"], "eval_joints": HUMAN36.eval_joints}
    if name == "Human36M":
        options["human36_target"] = get["gt_reg_pose3d"][: len(pred)]
    errors = mesh_errors(pred, target, regressors["smpl"], **options)
    for metric, key in MESH_KEYS[name].items():
        expected = per_sample(get[f"evaluate.{key}"])[: len(pred)]
        assert (errors[metric] - expected).abs().max() < MILLIMETRES, metric
    if name == "PW3D":
        # the original computes this figure but prints 0.00
        assert (errors["PA-MPVPE"] - get["true_pa_mpvpe"][: len(pred)]).abs().max() < MILLIMETRES


@pytest.mark.parametrize("name", SETS)
def test_mesh_protocol_equals_the_original(data, regressors, name):
    check_mesh_protocol(name, data, regressors)


@pytest.mark.parametrize("name", SETS)
def test_mesh_protocol_on_all_samples(regressors, name):
    with np.load(shared_path("golden/evaluation.npz")) as arrays:
        full = tensors({key: arrays[key] for key in arrays.files if key.startswith(name)})
    check_mesh_protocol(name, full, regressors)


def test_figures_do_not_depend_on_where_the_person_stands(data, regressors):
    pred, target = data["PW3D.test.pred_mesh"].double(), data["PW3D.test.gt_mesh"].double()
    options = {"human36_regressor": regressors["human36"].double(), "eval_joints": HUMAN36.eval_joints}
    smpl = regressors["smpl"].double()
    smpl /= smpl.sum(1, keepdim=True)
    near = mesh_errors(pred, target, smpl, **options)
    # regressing before aligning would move joints by about 1 mm here, because the rows do not sum to exactly 1
    far = mesh_errors(pred + 4000, target - 3000, smpl, **options)
    for metric in near:
        assert (near[metric] - far[metric]).abs().max() < 1e-6, metric


# ----------------------------------------------------------------------------------------------------- accumulator


def test_accumulator_means():
    metrics = MetricAccumulator()
    for values in ([1.0, 2.0, 3.0], [10.0], []):
        metrics.update({"MPJPE": torch.tensor(values)})
    assert metrics.mean_of_batch_means("MPJPE") == 6.0
    assert metrics.count("MPJPE") == 2
    assert np.isnan(metrics.mean_of_batch_means("unknown"))
    assert metrics.count("unknown") == 0


def test_accumulator_keeps_no_batch():
    metrics = MetricAccumulator()
    for _ in range(3):
        metrics.update({"MPJPE": torch.rand(5000, requires_grad=True)})
    stored = [value for values in vars(metrics).values() for value in values.values() if torch.is_tensor(value)]
    assert stored
    assert all(value.numel() <= 1024 and not value.requires_grad for value in stored)  # numbers of batches, not samples


@pytest.mark.parametrize("processes", [1, 2, 3, 6])  # 6: one of them has no batch
def test_batch_means_of_several_processes_add_up_in_order(processes):
    batches = [torch.rand(4) * 10**power for power in (0, 9, 3, -3, 7)]
    alone, shares = MetricAccumulator(), [MetricAccumulator() for _ in range(processes)]
    for number, values in enumerate(batches):
        for metrics in (alone, shares[number % processes]):
            metrics.update({"MPJPE": values})
    shares[0].take([share.batch_means() for share in shares])
    assert shares[0].mean_of_batch_means("MPJPE") == alone.mean_of_batch_means("MPJPE")
    assert shares[0].count("MPJPE") == 5
