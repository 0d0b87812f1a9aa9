"""Evaluators against figures, per-sample errors and printed lines of the original."""

from copy import copy

import numpy as np
import pytest
import torch

from lib.datasets.registry import dataset_class
from lib.evaluation.evaluator import Figure, Groups, SampleTable
from lib.evaluation.lift import LiftEvaluator
from lib.joints.lookup import get_joint_set
from lib.settings.reading import merge
from tests.helpers import golden
from tests.support.evaluation_keys import LIFT_SET, MESH_SET, MILLIMETRES, PER_SAMPLE, per_sample, text


class StandIn:
    """Regressors of the body model that the figures were computed with."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.vertex_num = 6890

    def joint_regressor(self, name):
        row, column, value, shape = (
            self.arrays[f"regressor.{name}.{key}"] for key in ("row", "column", "value", "shape")
        )
        matrix = np.zeros(shape, np.float32)
        matrix[row, column] = value
        return matrix


@pytest.fixture(scope="module")
def arrays():
    return {**golden("evaluation"), **golden("evaluation_published")}


@pytest.fixture(scope="module")
def datasets(arrays, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    records = {
        # annotations are absolute; only relative positions may matter
        "Human36M": {
            "joint_cam": arrays["Human36M.test.gt_reg_pose3d"] + np.float32([500, -300, 4000]),
            "action": arrays["Human36M.action"],
        },
        "PW3D": {"video": np.array([b"a0", b"a0", b"b0", b"b0", b"b1", b"b1"])},
        "SURREAL": None,
        "FreiHAND": {"db_idx": np.arange(4)},
    }
    shared = {"mode": "test", "debug": False, "cfg": merge({}), "root": root, "mesh_model": StandIn(arrays)}
    return {
        name: changed(object.__new__(dataset_class(name)), records=columns, **shared)
        for name, columns in records.items()
    }


def changed(dataset, **attributes):
    """A data set with other attributes, without reading files."""
    dataset = copy(dataset)
    vars(dataset).update(attributes)
    return dataset


def evaluator_of(dataset, stage, full=True, **settings):
    joint_set = get_joint_set((MESH_SET if stage == "mesh" else LIFT_SET)[dataset.name])
    regressor = None
    if stage == "mesh":
        regressor = torch.from_numpy(joint_set.add_derived(dataset.mesh_model.joint_regressor(joint_set.name)))
    return changed(dataset, cfg=merge(settings)).evaluator(joint_set, full, regressor)


def tensor(arrays, key):
    return torch.from_numpy(np.asarray(arrays[key]))


# ------------------------------------------------------------------------------------------------------ PoseNet


@pytest.mark.parametrize("name", ["Human36M", "PW3D", "SURREAL"])
@pytest.mark.parametrize("batch", [1, 4, 6])
def test_lifted_poses_are_scored_as_in_the_original(arrays, datasets, name, batch):
    evaluator = evaluator_of(datasets[name], "lift")
    pred, target = tensor(arrays, f"{name}.test.lift_pred"), tensor(arrays, f"{name}.test.lift_gt")
    if name == "Human36M":
        # final figures are against annotations, whatever the targets are
        assert evaluator.annotation is not None
        evaluator.annotation = arrays["Human36M.test.lift_gt"] + np.float32([500, -300, 4000])
    means = [float(evaluator.update(a, b)) for a, b in zip(pred.split(batch), target.split(batch))]
    pa = "pa_mpjpe" if name == "PW3D" else "pampjpe"
    columns = list(evaluator.columns().values())
    for column, key in zip(columns, ("mpjpe", pa)):
        assert np.abs(column - per_sample(arrays[f"{name}.test.evaluate_joint.{key}"])).max() < MILLIMETRES
    assert text(evaluator) == str(arrays[f"text.{name}.test.evaluate_joint"])
    joint, surface = evaluator.log_errors()
    assert surface is None
    assert joint == pytest.approx(np.mean(means))  # mean of batch means, also when the last batch is short
    if batch == 6:
        assert joint == pytest.approx(float(arrays[f"{name}.test.joint_err"]), abs=MILLIMETRES)


def test_coco_joints_on_human36m_are_scored_by_their_own_indices(datasets):
    """The original takes human36's root and evaluation joints for them, which mixes up body parts."""
    coco = get_joint_set("coco")
    evaluator = datasets["Human36M"].evaluator(coco)
    assert evaluator.annotation is None
    pred = torch.zeros(6, coco.joint_num, 3)
    target = torch.zeros(6, coco.joint_num, 3)
    target[:, coco.index("Nose"), 0] = 19.0
    evaluator.update(pred + 7, target)
    assert evaluator.results()["MPJPE"][0] == pytest.approx(1.0)
    assert "19 coco joints, root-aligned at Pelvis, against joints of the SMPL fits" in evaluator.protocols()[0]


# --------------------------------------------------------------------------------------------------- Pose2Mesh


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_meshes_are_scored_as_in_the_original(arrays, datasets, name):
    """On the one mesh of each set that is kept here; test_evaluation_golden.py has them all."""
    evaluator = evaluator_of(datasets[name], "mesh")
    get = {key: tensor(arrays, f"{name}.test.{key}")[:1] for key in ("pred_mesh", "gt_mesh", "gt_reg_pose3d")}
    evaluator.update(get["pred_mesh"], get["gt_mesh"], get["gt_reg_pose3d"], np.array([0]))
    columns = evaluator.samples.columns()
    for metric, key in PER_SAMPLE[name].items():
        assert columns[metric][0] == pytest.approx(per_sample(arrays[f"{name}.test.{key}"])[0], abs=MILLIMETRES)


@pytest.mark.parametrize("name", PER_SAMPLE)
def test_printed_lines_are_those_of_the_original(arrays, datasets, name):
    evaluator = evaluator_of(datasets[name], "mesh")
    errors = {metric: per_sample(arrays[f"{name}.test.{key}"]) for metric, key in PER_SAMPLE[name].items()}
    if name == "PW3D":
        assert evaluator.results() == {}
        assert np.mean(errors["PA-MPVPE"]) > 30
        errors["PA-MPVPE"] = np.zeros(6)  # the one figure that the original prints without computing it
    count = len(errors["MPVPE"])
    evaluator.samples.add({metric: torch.from_numpy(values) for metric, values in errors.items()}, np.arange(count))
    assert text(evaluator) == str(arrays[f"text.{name}.test.evaluate"])


def test_protocol_of_subjects_is_named(datasets):
    settings = {"DATASET": {"human36_protocol": 1}}
    evaluator = evaluator_of(datasets["Human36M"], "mesh", **settings)
    assert evaluator.setting == "every 50th frame of S11 (protocol 1 of subjects)"
    assert evaluator.figures[0].text(1.0) == "Protocol 1 H36M pose error (MPJPE) >> tot: 1.00"
    assert "50th frame of S9 and S11 (protocol 2" in evaluator_of(datasets["Human36M"], "mesh").setting


def test_every_figure_names_its_protocol(datasets):
    for name, dataset in datasets.items():
        for stage in ("lift", "mesh"):
            evaluator = evaluator_of(dataset, stage, TEST={"smooth": True})
            lines = evaluator.protocols()
            assert len(lines) == max(len(evaluator.figures), 1), name
            assert evaluator.setting
            for figure, line in zip(evaluator.figures, lines):
                assert line.startswith(f"{figure.name}: ")
                assert len(figure.protocol) > 10


def test_epochs_before_the_last_compute_the_log_line_alone(arrays, datasets):
    evaluator = evaluator_of(datasets["PW3D"], "mesh", full=False)
    pred, target = tensor(arrays, "PW3D.test.pred_mesh"), tensor(arrays, "PW3D.test.gt_mesh")
    joint, surface = evaluator.update(pred, target, tensor(arrays, "PW3D.test.gt_reg_pose3d")[:1], np.array([0]))
    assert evaluator.log_errors() == pytest.approx((float(joint), float(surface)))
    assert evaluator.results() == {}


def test_missing_columns_are_named(datasets):
    broken = changed(datasets["PW3D"], records={})
    with pytest.raises(ValueError, match="PW3D needs the column 'video'"):
        evaluator_of(broken, "mesh")


# ---------------------------------------------------------------------------------------------------- the parts


def test_samples_may_come_in_any_order_but_once():
    table = SampleTable()
    table.add({"e": torch.tensor([3.0, 1.0])}, np.array([2, 0]))
    table.add({"e": torch.tensor([2.0])}, np.array([1]))
    assert table.columns()["e"].tolist() == [1, 2, 3]
    assert len(table) == 3
    table.add({"e": torch.tensor([2.0])}, np.array([1]))
    with pytest.raises(ValueError, match="came twice"):
        table.columns()


def test_group_means_leave_out_samples_without_a_value():
    groups = Groups("video", ("a", "b", "c"), np.array([0, 0, 1, 1]))
    assert groups.counts.tolist() == [2, 2, 0]
    np.testing.assert_allclose(groups.means(np.array([1.0, np.nan, 3.0, 5.0])), [1, 4, np.nan])


def test_mean_of_group_means_is_not_the_mean_of_samples():
    joint_set = get_joint_set("smpl")
    groups = Groups("video", ("long", "short"), np.array([0, 0, 0, 1]))
    figures = (Figure("MPJPE", "p", over_groups=True), Figure("PA-MPJPE", "p"))
    evaluator = LiftEvaluator(joint_set, figures, groups=groups)
    values = torch.tensor([1.0, 1.0, 1.0, 5.0])
    evaluator.samples.add({"MPJPE": values, "PA-MPJPE": values}, np.arange(4))
    assert evaluator.results()["MPJPE"][0] == 3
    assert evaluator.results()["PA-MPJPE"][0] == 2


def test_only_numbers_are_kept_per_sample(arrays, datasets):
    """A full evaluation of a body set must not hold meshes (the original keeps all of them)."""
    evaluator = evaluator_of(datasets["SURREAL"], "mesh")
    pred, target = tensor(arrays, "SURREAL.test.pred_mesh"), tensor(arrays, "SURREAL.test.gt_mesh")
    for index in range(3):
        evaluator.update(pred, target, tensor(arrays, "SURREAL.test.gt_reg_pose3d")[:1], np.array([index]))
    assert evaluator.samples._values.rows().nbytes == 3 * len(evaluator.figures) * 8
    assert not [value for value in vars(evaluator).values() if torch.is_tensor(value)]


def test_tables_of_several_processes_join_in_the_order_of_samples():
    values, poses = torch.rand(7, 2), torch.rand(7, 3, 3)
    tables = [SampleTable() for _ in range(3)]
    for table, indices in zip(tables, ([0, 1, 6], [2, 3], [4, 5])):
        table.add(dict(zip("ab", values[indices].T)), np.array(indices))
        table.keep("poses", poses[indices])
    tables[0].take([*tables[1:], SampleTable()])  # the last one had no batch
    assert np.array_equal(np.stack(list(tables[0].columns().values()), axis=1), values.double().numpy())
    assert np.array_equal(tables[0].kept("poses"), poses.numpy())
    assert tables[0].kept("joints") is None
    tables[0].take(tables[1:2])
    with pytest.raises(ValueError, match="came twice"):
        tables[0].columns()
