"""Bodies with another skeleton than SMPL's."""

import numpy as np
import pytest
import torch

from lib.body.lbs import BodyParams, lbs
from lib.body.model_file import load_model_arrays
from lib.body.rig import _SMPLX_NAMES, on_smpl_joints
from lib.mesh.mesh_model import MeshModel
from tests.helpers import ROOT

BODY = ROOT / "asset" / "open_body" / "open_body_1723.npz"
FINGERS = 15  # of each hand


def rig_with_fingers(names: bool, shuffle: bool = False) -> dict[str, np.ndarray]:
    """The open body with SMPL-X's 55 joints: jaw, eyes and fingers in the place of the hand joints."""
    rng = np.random.default_rng(0)
    body = load_model_arrays(BODY, "body")
    kept, parents = list(range(22)), body["kintree_table"][0].astype(np.int64)[:22].tolist()
    parents += [15, 15, 15] + [20] * FINGERS + [21] * FINGERS
    weights = np.zeros((len(body["weights"]), 55))
    weights[:, kept] = body["weights"][:, kept]
    for hand, first in ((22, 25), (23, 25 + FINGERS)):
        share = rng.dirichlet(np.ones(FINGERS), len(weights))
        weights[:, first : first + FINGERS] = body["weights"][:, [hand]] * share
    regressor = np.concatenate([body["J_regressor"][:22], rng.dirichlet(np.ones(1723) / 50, 33)])
    posedirs = np.zeros((*body["posedirs"].shape[:2], 54, 9))
    posedirs[:, :, :21] = body["posedirs"].reshape(*posedirs.shape[:2], 23, 9)[:, :, :21]
    parents[0] = 4294967295
    rig = {**body, "weights": weights, "J_regressor": regressor, "posedirs": posedirs.reshape(*posedirs.shape[:2], -1)}
    rig["kintree_table"] = np.stack([np.array(parents), np.arange(55)])
    rig.pop("J", None)
    if names:
        rig["joint_names"] = np.array([*_SMPLX_NAMES[:22], *(f"extra{number}" for number in range(33))])
    return rig


@pytest.mark.parametrize("names", [False, True])
def test_vertices_are_those_of_the_whole_rig(names):
    rig = rig_with_fingers(names)
    body = BodyParams.from_arrays(on_smpl_joints(rig, "rig"), torch.float64)
    assert body.joint_num == 24
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(3, 55, 3, generator=generator, dtype=torch.float64) / 3
    pose[:, 22:] = 0
    betas = torch.randn(3, 10, generator=generator, dtype=torch.float64)
    whole, joints = lbs(BodyParams.from_arrays(rig, torch.float64), pose.flatten(1), betas)
    reduced, found = lbs(body, torch.cat([pose[:, :22], torch.randn(3, 2, 3).double()], 1).flatten(1), betas)
    torch.testing.assert_close(reduced, whole, atol=1e-12, rtol=0)
    torch.testing.assert_close(found[:, :22], joints[:, :22], atol=1e-12, rtol=0)
    torch.testing.assert_close(found[:, 22:], torch.stack([joints[:, 25:40].mean(1), joints[:, 40:].mean(1)], 1))


def test_names_find_joints_in_any_order():
    rig = rig_with_fingers(True)
    body = load_model_arrays(BODY, "body")
    order = np.random.default_rng(1).permutation(np.arange(1, 24))
    order = np.concatenate([[0], order])  # new -> old
    place = np.argsort(order)
    shuffled = {**body, "J_regressor": body["J_regressor"][order], "weights": body["weights"][:, order]}
    parents = body["kintree_table"][0].astype(np.int64)
    shuffled["kintree_table"] = np.stack([[parents[0], *place[parents[order[1:]]]], np.arange(24)])
    blend = body["posedirs"].reshape(1723, 3, 23, 9)
    shuffled["posedirs"] = blend[:, :, order[1:] - 1].reshape(1723, 3, -1)
    shuffled["joint_names"] = np.array(["L-" + n[2:] if n[:2] == "L_" else n for n in _smpl_names()])[order]
    found = on_smpl_joints(shuffled, "rig")
    for key in ("J_regressor", "weights", "posedirs"):
        np.testing.assert_allclose(found[key], body[key], atol=1e-7)
    np.testing.assert_array_equal(found["kintree_table"][0, 1:], parents[1:])
    assert "joint_names" not in on_smpl_joints(rig, "rig")


def _smpl_names() -> list[str]:
    from lib.joints.tables import SMPL

    return list(SMPL.joints)


def test_a_rig_with_smpls_joints_is_left_alone():
    body = load_model_arrays(BODY, "body")
    assert on_smpl_joints(body, "body") is body


def test_too_few_joints_are_refused_in_one_line(tmp_path):
    body = load_model_arrays(BODY, "body")
    small = {**body, "J_regressor": body["J_regressor"][:12], "posedirs": body["posedirs"][..., :99]}
    small |= {"weights": body["weights"][:, :12], "kintree_table": body["kintree_table"][:, :12]}
    np.savez(tmp_path / "small.npz", **small)
    with pytest.raises(ValueError, match=r"small\.npz: no Neck, .* among its 12 joints; the array joint_names"):
        MeshModel("small", "body", tmp_path / "small.npz", ROOT, "small")


def test_a_rig_of_55_joints_trains_and_predicts(tmp_path, small_config, run_demo, without_plots):
    from lib.core.base import Options, Trainer
    from lib.core.runs import create_run
    from lib.datasets.pose_dataset import stream
    from lib.datasets.registry import dataset_class
    from lib.predictor import Pose2MeshPredictor

    np.savez(tmp_path / "rig.npz", **rig_with_fingers(False))
    cfg = small_config("pose2mesh_net", "smpl", "smpl", MODEL={"body": str(tmp_path / "rig.npz")})
    _, targets, _ = dataset_class("Synthetic")("train", cfg).batch(range(2), stream(1))
    assert targets["mesh"].shape == (2, 1723, 3)
    assert targets["lift_pose3d"].shape == (2, 24, 3)
    cfg = cfg.changed(TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 16, "test_samples": 16})
    run = create_run(tmp_path, cfg)
    Trainer(cfg, Options(experiment=tmp_path)).fit(run)
    predictor = Pose2MeshPredictor(None, run / "checkpoint", "cpu")
    assert predictor(np.random.default_rng(0).normal(size=(2, 24, 2))).mesh.shape == (2, 1723, 3)
    assert run_demo("--joint_set", "smpl", "--weights", run / "checkpoint", "--save", "npz") == 0
    with np.load(tmp_path / "result" / "demo_mesh.npz") as result:
        assert result["vertices"].shape == (1, 1723, 3)
