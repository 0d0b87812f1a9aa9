"""Errors of parts of the surface, and lifted joints beside those of the mesh, in the evaluation."""

import json

import numpy as np
import pytest
import torch

from lib.core import base
from lib.core.base import Options, build_dataset
from lib.core.runs import create_run
from lib.datasets.pose_dataset import stream
from lib.evaluation.details import DetailedMeshEvaluator
from lib.evaluation.surface_metrics import WHOLE
from lib.joints.lookup import get_joint_set
from lib.settings.reading import merge

SURFACE = ("rigid MPVPE", "edge error", "turned triangles")
NETS = ("PoseNet MPJPE", "PoseNet PA-MPJPE", "MeshNet MPJPE", "MeshNet PA-MPJPE")


@pytest.fixture
def tested(small_config, tmp_path):
    """``tested(joint_set)``: tester and run folder after a test of a random network on a few drawn poses."""

    def run(joint_set):
        cfg = small_config("pose2mesh_net", joint_set, SYNTHETIC={"test_samples": 7}, TEST={"save_predictions": True})
        tester = base.Tester(cfg, Options(experiment=tmp_path))
        folder = create_run(tmp_path, cfg)
        tester.test(0, tester.stage.build_model(), folder)
        tester.report(folder / "result")
        return tester, folder

    return run


@pytest.mark.parametrize("joint_set", ["coco", "mano"])
def test_figures_are_written_and_printed(joint_set, tested, capsys):
    tester, run = tested(joint_set)
    printed = capsys.readouterr().out
    content = json.loads((run / "result" / "metrics.json").read_text())["metrics"]
    regions = ("Palm", "Fingers") if joint_set == "mano" else ("Hands", "Feet", "Head", "Trunk", "Limbs")
    names = {f"{region} {error}" for region in (*regions, WHOLE) for error in SURFACE}
    assert set(content) == {"MPJPE", "PA-MPJPE", "MPVPE", "PA-MPVPE", *names, *NETS}
    for name, metric in content.items():
        assert metric["value"] == pytest.approx(tester.result[name])
        assert len(metric["protocol"]) > 10
        assert metric["unit"] == ("%" if name.endswith(SURFACE[1:]) else "mm")
    for region in (*regions, WHOLE):
        assert f"\n  {region}: " in printed
        distance, edges, turned = (content[f"{region} {error}"]["value"] for error in SURFACE)
        line = f"{region}: {distance:.1f} mm after rigid alignment, edge lengths {edges:.1f} % off, {turned:.1f} % of"
        assert f"\n{line} triangles over 60 degrees off\n" in printed
    nets = "{} joints: PoseNet {:.2f} mm, PA {:.2f} mm; regressed from MeshNet's mesh {:.2f} mm, PA {:.2f} mm"
    assert nets.format(joint_set, *(content[name]["value"] for name in NETS)) in printed


def test_saved_predictions_give_the_same_figures(tested, tmp_path, capsys):
    tester, run = tested("coco")
    again = base.Tester(tester.cfg, tester.options)
    again.test_predictions(run / "result" / "predictions")
    assert again.result == pytest.approx(tester.result, rel=1e-5)
    capsys.readouterr()
    np.savez(tmp_path / "mesh.npz", mesh=np.load(run / "result" / "predictions" / "mesh.npy"))
    again.test_predictions(tmp_path / "mesh.npz")
    again.report(None)
    assert set(tester.result) - set(again.result) == set(NETS)
    assert "PoseNet" not in capsys.readouterr().out


@pytest.mark.parametrize("joint_set, limit", [("human36", 0.05), ("coco", 0.05), ("smpl", 4), ("mano", 1)])
def test_lifted_joints_and_those_of_the_mesh_are_compared_with_the_same_targets(small_config, joint_set, limit):
    """The true mesh has no error beside that of kinematic joints, which a regressor only comes near to."""
    cfg = small_config("pose2mesh_net", joint_set, SYNTHETIC={"test_samples": 7})
    dataset, input_set = build_dataset(cfg, Options(), "test"), get_joint_set(joint_set)
    target_set = get_joint_set(cfg.DATASET.target_joint_set)
    regressor = torch.from_numpy(target_set.add_derived(dataset.mesh_model.joint_regressor(target_set)))
    evaluator = dataset.evaluator(target_set, True, regressor)
    targets = dataset.batch(np.arange(7), stream(0)).targets
    mesh, joints = 1000 * targets["mesh"], targets["lift_pose3d"]
    wrong = joints.clone()
    wrong[:, input_set.eval_joints[1], 0] += len(input_set.eval_joints)  # one joint of so many: a mean of 1 mm
    evaluator.update(mesh + 30, mesh, targets["reg_pose3d"], lifted=(wrong + 10, joints))
    found = {name: total for name, (total, _) in evaluator.results().items()}
    assert found["PoseNet MPJPE"] == pytest.approx(1, abs=1e-3)
    assert found["PoseNet PA-MPJPE"] > 0.3
    assert found["MeshNet PA-MPJPE"] - 1e-3 <= found["MeshNet MPJPE"] < limit  # float32 noise where both are zero
    assert any("kinematic" in line for line in evaluator.protocols()) == (joint_set in ("smpl", "mano"))
    assert found["Mesh rigid MPVPE"] < 0.01


def test_epochs_before_the_last_do_without(small_config):
    cfg = merge(small_config("pose2mesh_net", "coco", SYNTHETIC={"test_samples": 7}).to_dict())
    tester = base.Tester(cfg, Options())
    assert isinstance(tester.evaluator, DetailedMeshEvaluator)
    tester.test(1, tester.stage.build_model())
    assert tester.result == {}
    assert not hasattr(tester.evaluator, "regions")
