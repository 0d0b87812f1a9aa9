"""Body models as files of the ``smplx`` package."""

import pickle

import numpy as np
import pytest
import torch

from lib.body.lbs import BodyParams, lbs
from lib.export.smplx_model import save_smplx_model
from lib.mesh.mesh_model import load_mesh_model
from tests.support.open_models import random_pose

VERTICES_PICKED = 6883  # the largest number that the package asks of any mesh


def test_the_file_is_the_model_filled_up(tmp_path):
    model = load_mesh_model("body", "open_1723")
    save_smplx_model(tmp_path / "smpl" / "SMPL_NEUTRAL.pkl", model)
    content = pickle.loads((tmp_path / "smpl" / "SMPL_NEUTRAL.pkl").read_bytes())
    assert len(content["v_template"]) > VERTICES_PICKED
    assert content["f"].max() < model.vertex_num
    pose, betas = (torch.from_numpy(values).float() for values in random_pose(24, 2))
    ours, joints = lbs(model.params(), pose, betas)
    theirs, their_joints = lbs(BodyParams.from_arrays(content), pose, betas)
    torch.testing.assert_close(theirs[:, : model.vertex_num], ours, atol=1e-5, rtol=0)
    torch.testing.assert_close(their_joints, joints, atol=1e-5, rtol=0)


def test_smplx_itself_gives_our_vertices(tmp_path):
    smplx = pytest.importorskip("smplx", reason="the smplx package is not installed")
    model = load_mesh_model("body", "open_1723")
    save_smplx_model(tmp_path / "smpl" / "SMPL_NEUTRAL.pkl", model)
    pose, betas = (torch.from_numpy(values).float() for values in random_pose(24, 2))
    layer = smplx.create(tmp_path, model_type="smpl", batch_size=2)
    found = layer(global_orient=pose[:, :3], body_pose=pose[:, 3:], betas=betas).vertices[:, : model.vertex_num]
    np.testing.assert_allclose(found.detach(), lbs(model.params(), pose, betas)[0], atol=1e-5)


def test_hands_and_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="bodies as .pkl"):
        save_smplx_model(tmp_path / "a.npz", load_mesh_model("body", "open_1723"))
    with pytest.raises(ValueError, match="open_hand"):
        save_smplx_model(tmp_path / "a.pkl", load_mesh_model("hand", "open_hand"))
