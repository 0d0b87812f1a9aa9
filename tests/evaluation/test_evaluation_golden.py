"""Evaluation of whole data sets, read by their own loaders, equals the original; needs the optional reference files."""

import json

import numpy as np
import pytest
import torch

from data.FreiHAND.evaluation import Submission
from lib.joints.lookup import get_joint_set
from tests.helpers import shared_path
from tests.support.evaluation_keys import LIFT_SET, MESH_SET, MILLIMETRES, PER_SAMPLE, per_sample, text
from tests.support.golden_items import build


@pytest.fixture(scope="module")
def arrays():
    with np.load(shared_path("golden/evaluation.npz")) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def printed():
    return json.loads(shared_path("golden/evaluation_stdout.json").read_text())


def evaluator_of(name, stage, reference_root, reference_models):
    joint_set = get_joint_set((MESH_SET if stage == "pose2mesh_net" else LIFT_SET)[name])
    input_set = LIFT_SET[name]
    dataset = build((name, "test", input_set, stage, "gt"), reference_root, reference_models)
    regressor = None
    if stage == "pose2mesh_net":
        regressor = torch.from_numpy(joint_set.add_derived(dataset.mesh_model.joint_regressor(joint_set.name)))
    return dataset, dataset.evaluator(joint_set, regressor=regressor)


def pieces(arrays, name, *keys):
    return [torch.from_numpy(arrays[f"{name}.test.{key}"]) for key in keys]


@pytest.mark.parametrize("name", PER_SAMPLE)
@pytest.mark.parametrize("batch", [2, 64])
def test_meshes(arrays, printed, reference_root, reference_models, name, batch):
    dataset, evaluator = evaluator_of(name, "pose2mesh_net", reference_root, reference_models)
    pred, target, joints = pieces(arrays, name, "pred_mesh", "gt_mesh", "gt_reg_pose3d")
    assert len(pred) == len(dataset)
    for indices in torch.arange(len(pred)).split(batch):
        evaluator.update(pred[indices], target[indices], joints[indices], indices.numpy())
    columns = evaluator.columns()
    for metric, key in PER_SAMPLE[name].items():
        assert np.abs(columns[metric] - per_sample(arrays[f"{name}.test.{key}"])).max() < MILLIMETRES, metric
    joint, surface = evaluator.log_errors()
    assert joint == pytest.approx(float(arrays[f"{name}.test.both_err_joint"]), abs=MILLIMETRES)
    assert surface == pytest.approx(float(arrays[f"{name}.test.both_err_mesh"]), abs=MILLIMETRES)
    expected = printed[f"{name}.test.evaluate"]
    if name == "PW3D":
        value = arrays["PW3D.test.true_pa_mpvpe"].mean()
        expected = expected.replace(" >> tot: 0.00\n\n", f" >> tot: {value:.2f}\n\n")
        assert text(evaluator).startswith(expected)
        assert text(evaluator).removeprefix(expected).count("\n") == 1  # the acceleration error
    else:
        assert text(evaluator) == expected


def test_human36_actions_and_annotations_come_from_the_files(arrays, reference_root, reference_models):
    _, evaluator = evaluator_of("Human36M", "pose2mesh_net", reference_root, reference_models)
    pred, target, joints = pieces(arrays, "Human36M", "pred_mesh", "gt_mesh", "gt_reg_pose3d")
    evaluator.update(pred, target, joints)
    for metric, key in (
        ("H36M MPJPE", "pose_error_action_h36m_means"),
        ("H36M PA-MPJPE", "pose_pa_error_action_h36m_means"),
        ("MPVPE", "mesh_error_action_means"),
    ):
        expected = arrays[f"Human36M.test.evaluate.{key}"]
        np.testing.assert_allclose(evaluator.results()[metric][1], expected, atol=MILLIMETRES)


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_poses(arrays, printed, reference_root, reference_models, name):
    _, evaluator = evaluator_of(name, "posenet", reference_root, reference_models)
    pred, target = pieces(arrays, name, "lift_pred", "lift_gt")
    evaluator.update(pred, target)
    assert text(evaluator) == printed[f"{name}.test.evaluate_joint"]
    assert evaluator.log_errors()[0] == pytest.approx(float(arrays[f"{name}.test.joint_err"]), abs=MILLIMETRES)


@pytest.mark.parametrize("stage", ["posenet", "pose2mesh_net"])
def test_freihand_without_truth(arrays, printed, reference_root, reference_models, stage):
    _, evaluator = evaluator_of("FreiHAND", stage, reference_root, reference_models)
    kind, key = ("evaluate_joint", "lift_pred") if stage == "posenet" else ("evaluate", "pred_mesh")
    evaluator.update(*pieces(arrays, "FreiHAND", key))
    assert text(evaluator) == printed[f"FreiHAND.test.{kind}"]
    assert evaluator.log_errors()[0] == 0


def test_freihand_submission(arrays, reference_root, reference_models, tmp_path):
    dataset, _ = evaluator_of("FreiHAND", "pose2mesh_net", reference_root, reference_models)
    (pred,) = pieces(arrays, "FreiHAND", "pred_mesh")
    regressor = torch.from_numpy(dataset.mesh_model.joint_regressor("mano"))
    submission = Submission(
        tmp_path / "pred.json", np.arange(len(dataset)), dataset.mesh_model.vertex_num, "mm", regressor
    )
    submission.add({"mesh": pred}, None, np.arange(len(pred)))
    submission.close(True)
    joints, meshes = (np.array(part) for part in json.loads((tmp_path / "pred.json").read_text()))
    assert np.abs(joints - arrays["FreiHAND.test.pred_json_joints"]).max() < MILLIMETRES
    assert np.abs(meshes - pred.numpy()).max() < MILLIMETRES
