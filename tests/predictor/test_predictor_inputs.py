"""3D joints and detections as the predictor's input, and how results are taken apart."""

import numpy as np
import pytest
import torch

from lib.geometry.crops import standardise
from lib.poses import complete, map_pose
from lib.predictor import VIEW_SIZE, MeshPrediction
from tests.helpers import assert_close
from tests.support.demo_inputs import sample


@pytest.fixture(scope="module")
def joints(predictor) -> np.ndarray:
    """(3, 19, 3) millimetres: the template, turned and moved."""
    template = predictor.template_joints * [1000, -1000, -1000]  # y down, facing the camera
    turns = [np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]) for a in (0, 0.5, 1)]
    return np.stack([template @ turn.T + [100 * k, 50, 3000] for k, turn in enumerate(turns)])


# ------------------------------------------------------------------------------------------------------------- 3D poses


def test_meshnet_gets_the_3d_joints_and_their_projection(predictor, joints):
    prediction = predictor.predict_pose3d(joints)
    relative = joints - joints[:, 17, None]
    assert_close(prediction.pose3d, relative)
    points = standardise(torch.from_numpy(joints[..., :2]))
    network_input = torch.cat([points, torch.from_numpy(relative / 1000)], dim=2).float()
    assert_close(prediction.mesh, predictor.network.pose2mesh(network_input))
    view = prediction.pose2d
    assert_close(view[:, 17], [[VIEW_SIZE[0] / 2, VIEW_SIZE[1] / 2]] * 3)
    assert_close(standardise(view.double()), points, 1e-4)
    assert view.min() > 0
    assert view.max() < VIEW_SIZE[0]


def test_units_derived_joints_and_batches_change_nothing(predictor, joints):
    expected = predictor.predict_pose3d(joints)
    assert_close(predictor.predict_pose3d(joints / 1000, unit="m").mesh, expected.mesh, 1e-4)
    assert_close(predictor.predict_pose3d(torch.from_numpy(joints[:, :17]), batch_size=2).mesh, expected.mesh, 1e-4)
    assert_close(predictor.predict_pose3d(joints[1]).mesh, expected[1:2].mesh, 1e-4)


def test_a_given_2d_pose_decides_the_view(predictor, joints):
    points = joints[..., :2] / joints[..., 2:] * 1000 + 500
    prediction = predictor.predict_pose3d(joints, points)
    assert_close(prediction.pose2d, points)
    assert not torch.equal(prediction.mesh, predictor.predict_pose3d(joints).mesh)
    with pytest.raises(ValueError, match="3 3D poses need as many 2D poses, got 2"):
        predictor.predict_pose3d(joints, points[:2])


def test_what_3d_joints_are_refused(predictor, joints):
    with pytest.raises(ValueError, match=r"bones together are \d\.\d+ mm long, .*are these metres\?.*taken to be mm"):
        predictor.predict_pose3d(joints / 1000)
    with pytest.raises(ValueError, match=r"\d+ m long, .*are these millimetres\?"):
        predictor.predict_pose3d(joints, unit="m")
    with pytest.raises(ValueError, match=r"are these centimetres\?"):
        predictor.predict_pose3d(joints / 10)
    with pytest.raises(ValueError, match="unknown unit 'cm'; choose one of mm, m"):
        predictor.predict_pose3d(joints, unit="cm")
    with pytest.raises(ValueError, match=r"\(B, 17 or 19, 3\).*got \(3, 19, 2\)"):
        predictor.predict_pose3d(joints[..., :2])
    with pytest.raises(ValueError, match="joint 3 .L_Ear. is NaN"):
        predictor.predict_pose3d(np.where(np.arange(19)[:, None] == 3, np.nan, joints))
    with pytest.raises(ValueError, match="3D pose 0 is flat"):
        predictor.predict_pose3d(joints[:1] * [1, 0, 1])


# ----------------------------------------------------------------------------------------------------------- detections


def test_detections_are_mapped_filled_and_refused(predictor):
    pose = np.concatenate([sample()[:17], np.ones((17, 1))], axis=1)
    people = np.stack([pose] * 4)
    people[1:3, :, 0] += [[400], [3]]
    people[3, :, 2] = 0.01
    people[1, 9] = 0  # a wrist
    result = predictor.predict_detections(people)
    assert result.kept.tolist() == [0, 1]
    assert result.reasons[:2] == [None, None]
    assert "the same as person 0" in result.reasons[2]
    assert "scores sum to" in result.reasons[3]
    assert len(result.prediction) == 2
    assert np.argwhere(result.filled).tolist() == [[1, 9]]
    assert result.scores[1, 9] == 0
    assert result.scores[0].min() == 1
    assert_close(result.prediction.pose2d[1], complete(map_pose(people[1:2], "coco17", "coco"), "coco").poses[0])
    assert_close(result.prediction.mesh[:1], predictor.predict(sample()[None]).mesh)


def test_nobody_usable_is_an_empty_result(predictor):
    result = predictor.predict_detections(np.zeros((2, 17, 3)))
    assert len(result.prediction) == len(result.kept) == 0
    assert result.prediction.mesh.shape == (0, 1723, 3)
    assert result.prediction.image_camera((640, 480)).shape == (0, 4)
    assert all(result.reasons)
    assert predictor.predict_detections(np.zeros((0, 17, 3))).reasons == []
    point = np.concatenate([np.full((17, 2), 50.0), np.ones((17, 1))], axis=1)
    assert "spread over at least 2 pixels" in predictor.predict_detections(point).reasons[0]


def test_scores_have_their_own_entry(predictor):
    with pytest.raises(ValueError, match=r"x, y and score: predict_detections; x, y and z: predict_pose3d"):
        predictor.predict(np.ones((1, 17, 3)))


# -------------------------------------------------------------------------------------------------------------- results


def test_results_are_taken_apart_like_arrays(predictor):
    poses = sample()[:17] + np.arange(3)[:, None, None] * 20
    prediction = predictor(poses)
    assert len(prediction) == 3
    assert [person.mesh.shape for person in prediction] == [(1723, 3)] * 3
    for chosen in (prediction[[2, 0]], prediction[np.array([2, 0])], prediction[torch.tensor([2, 0])]):
        assert isinstance(chosen, MeshPrediction)
        assert torch.equal(chosen.camera, prediction.camera[[2, 0]])
    assert len(prediction[1:]) == 2
    assert len(prediction[np.array([True, False, False])]) == 1
    person = prediction[-1]
    assert torch.equal(person.residual, prediction.residual[2])
    assert torch.equal(person.image_camera((640, 480)), prediction.image_camera((640, 480))[2])
    with pytest.raises(TypeError, match="of one person has no length"):
        len(person)
    with pytest.raises(IndexError):
        prediction[3]
    arrays = prediction.to_numpy()
    assert arrays["mesh"].dtype == np.float32
    np.testing.assert_array_equal(arrays["pose2d"][:, :17], poses.astype(np.float32))
    assert torch.equal(predictor(sample()).mesh, predictor(sample()[None]).mesh)
