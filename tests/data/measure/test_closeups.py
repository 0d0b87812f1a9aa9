"""Close-ups of hands, feet and head: files, errors and views, with the truth in place of a prediction."""

import re

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.measure import closeups
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model

SIZE = 120  # pixels; labels cover the topmost 26
SETS = {"body": ("open_1723", "coco", "human36"), "hand": ("open_hand", "mano", "mano")}


def draw_truth(kind, turn, folder):
    """Errors and picture of the first pose, its prediction being the truth, turned about the vertical by degrees."""
    body, joint_set, root_set = SETS[kind]
    model = load_mesh_model(kind, body)
    truth, pose2d = closeups.truth_and_input(model, get_joint_set(joint_set), get_joint_set(root_set))
    assert len(truth) == len(pose2d) == 10
    pred = truth[:1] @ torch.from_numpy(Rotation.from_rotvec([0, turn, 0], degrees=True).as_matrix()).float()
    (line,) = closeups.write_pictures(["arms up"], pred, truth[:1], model, folder / "new", SIZE)
    assert {path.name for path in (folder / "new").iterdir()} == {"arms_up.png", "all.png"}
    assert line.startswith("arms up: MPVPE")
    picture = cv2.imread(str(folder / "new" / "arms_up.png"))[closeups.CAPTION :]
    return [float(value) for value in re.findall(r"([\d.]+) (?:mm|%)", line)], picture


@pytest.mark.parametrize("kind", SETS)
def test_the_truth_as_prediction_has_no_errors(tmp_path, kind):
    errors, picture = draw_truth(kind, 0, tmp_path)
    assert errors == [0.0] * (1 + 3 * len(closeups.REPORTED[kind]))
    figures = 2 * 144 if kind == "body" else 0
    assert picture.shape == (2 * SIZE, figures + SIZE * len(closeups.CLOSE_UPS[kind]), 3)


@pytest.mark.parametrize("kind", SETS)
def test_a_turned_truth_differs_where_the_cameras_view_is_kept(tmp_path, kind):
    errors, picture = draw_truth(kind, 50, tmp_path)
    assert errors[0] > 5
    assert errors[1:] == [0.0] * (len(errors) - 1)
    start = picture.shape[1] - SIZE * len(closeups.CLOSE_UPS[kind])
    outlines = (picture[:, start:] != closeups.GROUND).any(axis=2)
    for number, close_up in enumerate(closeups.CLOSE_UPS[kind]):
        tile = outlines[:, number * SIZE : (number + 1) * SIZE]
        different = np.mean(tile[26:SIZE] != tile[SIZE + 26 :])
        assert (different < 0.005) == (close_up.eye is not None), (close_up.title, different)
        assert 0.15 < tile[26:SIZE].mean() < 0.9
