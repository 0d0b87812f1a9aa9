"""Scores of hands and of motion against plain loops, and FreiHAND's files."""

import json

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist

from data.FreiHAND.evaluation import (
    FreiHandEvaluator,
    Submission,
    load_truth,
    truth_rows,
)
from lib.evaluation.hand_metrics import (
    auc,
    f_scores,
    hand_joint_scores,
    hand_mesh_scores,
)
from lib.evaluation.metrics import mpjpe
from lib.evaluation.video_metrics import Videos, accel_error, smoothed_errors
from lib.geometry.one_euro import smooth_pose
from lib.geometry.procrustes import rigid_align
from tests.helpers import assert_close, golden


def benchmark_align(target, pred):
    """The alignment of FreiHAND's evaluation: unit size, orthogonal Procrustes (mirroring allowed), back."""
    a, b = target - target.mean(0), pred - pred.mean(0)
    size_a, size_b = np.linalg.norm(a), np.linalg.norm(b)
    rotation, scale = orthogonal_procrustes(a / size_a, b / size_b)
    return (b / size_b) @ rotation.T * scale * size_a + target.mean(0)


def benchmark_auc(errors, limit=50.0, steps=100):
    """Mean over points of the area under each point's own curve, errors (samples, points)."""
    thresholds = np.linspace(0, limit, steps)
    curves = (errors[None] <= thresholds[:, None, None]).mean(1)
    step = thresholds[1]
    return (step * (curves[1:] + curves[:-1]) / 2).sum(0).mean() / limit


def benchmark_f_score(pred, target, threshold):
    distances = cdist(pred, target)
    precision, recall = (distances.min(1) < threshold).mean(), (distances.min(0) < threshold).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.fixture(scope="module")
def hands():
    """Predicted and true meshes (4, 778, 3) mm: the truth a noisy similarity of the prediction, once mirrored."""
    rng = np.random.default_rng(0)
    pred = golden("evaluation_published")["FreiHAND.pred_mesh"]
    target = 1.1 * pred[:, :, [1, 0, 2]] * np.float32([1, -1, 1]) + np.float32([20, 30, 700])
    target[3, :, 0] *= -1
    target += rng.normal(size=target.shape).astype(np.float32) * np.float32([[[1]], [[4]], [[8]], [[4]]])
    return pred, target


def test_hand_scores_are_those_of_the_benchmark(hands):
    pred, target = hands
    scores = hand_mesh_scores(torch.from_numpy(pred), torch.from_numpy(target))
    aligned = np.stack([benchmark_align(b, a) for a, b in zip(pred.astype(float), target.astype(float))])
    errors = np.linalg.norm(aligned - target, axis=-1)
    np.testing.assert_allclose(scores["PA-MPVPE"], errors.mean(1), atol=1e-3)
    assert scores["AUC vertices"].mean().item() == pytest.approx(benchmark_auc(errors), abs=1e-5)
    for limit in (5, 15):
        expected = [benchmark_f_score(a, b, limit) for a, b in zip(aligned, target)]
        np.testing.assert_allclose(scores[f"F@{limit}mm"], expected, atol=2e-3)
    joints = hand_joint_scores(torch.from_numpy(pred[:, :21]), torch.from_numpy(target[:, :21]))
    aligned = np.stack(
        [benchmark_align(b, a) for a, b in zip(pred[:, :21].astype(float), target[:, :21].astype(float))]
    )
    errors = np.linalg.norm(aligned - target[:, :21], axis=-1)
    np.testing.assert_allclose(joints["PA-MPJPE"], errors.mean(1), atol=1e-3)
    assert joints["AUC joints"].mean().item() == pytest.approx(benchmark_auc(errors), abs=1e-5)


def test_mirrored_hands_differ_between_the_two_alignments(hands):
    pred, target = (torch.from_numpy(points[3:]) for points in hands)
    assert mpjpe(rigid_align(pred, target, reflect=True), target) < 8
    assert mpjpe(rigid_align(pred, target), target) > 9


def test_area_under_the_curve_at_its_ends():
    errors = torch.tensor([[0.0, 0.0], [50.0, 50.0], [50.1, 1e9], [25.0, 25.0]])
    np.testing.assert_allclose(auc(errors), [1, 0.5 / 99, 0, 49.5 / 99], atol=1e-6)


def test_f_score_counts_points_strictly_below_the_threshold():
    target = torch.zeros(1, 2, 3)
    target[0, 1, 0] = 100
    pred = target + torch.tensor([[[4.0, 0, 0], [6.0, 0, 0]]])
    (score,) = f_scores(pred, target, (5.0,))
    assert score.item() == pytest.approx(0.5)
    assert [score.item() for score in f_scores(target, target, (5.0, 15.0))] == [1, 1]
    assert f_scores(target + 500, target, (5.0,))[0].item() == 0


def test_a_point_at_the_threshold_does_not_count():
    pred, target = torch.zeros(1, 2, 3), torch.zeros(1, 2, 3)
    pred[0, 1, 0], target[0, 1, 0] = 100, 5
    for points in ((pred, target), (target, pred)):
        (exact,), (above,) = f_scores(*points, (5.0,)), f_scores(*points, (5.001,))
        assert exact.item() == pytest.approx(0.5)
        assert above.item() == pytest.approx(2 / 3)


def test_many_hands_at_once_equal_single_ones(hands):
    pred, target = (torch.from_numpy(np.tile(points, (9, 1, 1))) for points in hands)
    together = hand_mesh_scores(pred, target)
    alone = hand_mesh_scores(pred[:4], target[:4])
    for name, values in together.items():
        assert_close(values, alone[name].repeat(9), 1e-4, name)


# ------------------------------------------------------------------------------------------------ FreiHAND's files


def write_truth(path, values):
    path.write_text(json.dumps((values / 1000).tolist()))


def test_truth_follows_the_database_index(tmp_path):
    values = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
    path = tmp_path / "truth.json"
    write_truth(path, values)
    # the whole split: rows are in the order of the index
    assert_close(load_truth(path, np.array([21, 23, 20, 22]), 2), values[[1, 3, 0, 2]])
    # a part of it: the index is the row
    assert_close(load_truth(path, np.array([3, 1]), 2), values[[3, 1]])
    assert load_truth(tmp_path / "absent.json", np.array([0]), 2) is None
    assert truth_rows(np.array([], dtype=int), 4, path).tolist() == []


def test_bad_truth_is_refused(tmp_path):
    path = tmp_path / "truth.json"
    write_truth(path, np.zeros((4, 2, 3)))
    with pytest.raises(ValueError, match="4 rows.*2 samples with db_idx 0 to 4"):
        load_truth(path, np.array([0, 4]), 2)
    with pytest.raises(ValueError, match=r"samples, 21, 3\) in metres, found \(4, 2, 3\)"):
        load_truth(path, np.arange(4), 21)
    for content in ("[[[1, 2", "[[[1, 2, 3]], [[1, 2]]]", '{"a": 1}', "[[[1, 2, NaN]]]"):
        path.write_text(content)
        with pytest.raises(ValueError, match="truth.json"):
            load_truth(path, np.arange(4), 1)


def test_perfect_hands_get_full_marks(hands):
    meshes = hands[1]
    regressor = torch.zeros(21, 778)
    regressor[range(21), range(21)] = 1
    evaluator = FreiHandEvaluator(meshes[:, :21], meshes, regressor)
    moved = torch.from_numpy(meshes) * 0.5 + 30
    assert evaluator.update(moved) == (0, 0)
    found = {name: total for name, (total, _) in evaluator.results().items()}
    assert found["PA-MPJPE"] < 1e-3
    assert found["PA-MPVPE"] < 1e-3
    for name in ("AUC joints", "AUC vertices", "F@5mm", "F@15mm"):
        assert found[name] == pytest.approx(1, abs=6e-3)  # errors above 0 miss half a step
    assert evaluator.lines(evaluator.results())[0] == "Evaluation start..."
    assert evaluator.log_errors() == (0, 0)


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_submission_in_either_unit(tmp_path, unit):
    poses = torch.randn(3, 21, 3) * 100
    submission = Submission(tmp_path / "pred.json", np.arange(3), 21, unit, None)
    submission.add({"joints": poses[2:]}, None, np.array([2]))
    submission.add({"joints": poses[:2]}, None, np.array([0, 1]))
    submission.close(True)
    joints, meshes = json.loads((tmp_path / "pred.json").read_text())
    assert joints == meshes
    assert_close(joints, poses * (1 if unit == "mm" else 1e-3))
    assert [path.name for path in tmp_path.iterdir()] == ["pred.json"]


def test_submission_has_the_server_s_order_and_keeps_the_original_s_beside_it(tmp_path):
    poses = torch.randn(3, 21, 3) * 100
    submission = Submission(tmp_path / "pred.json", np.array([7, 2, 4]), 21, "mm", None)
    submission.add({"joints": poses}, None, np.arange(3))
    submission.close(True)
    assert_close(json.loads((tmp_path / "pred.json").read_text())[0], poses[[1, 2, 0]])
    assert_close(json.loads((tmp_path / "pred_image_id.json").read_text())[0], poses)


def test_interrupted_submission_leaves_nothing(tmp_path):
    submission = Submission(tmp_path / "pred.json", np.arange(2), 21, "mm", None)
    submission.close(False)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------- videos


@pytest.fixture
def motion():
    """Rows of four videos that take turns: 7, 1, 2 and 5 frames."""
    rng = np.random.default_rng(1)
    index = rng.permutation(np.repeat([0, 1, 2, 3], [7, 1, 2, 5]))
    target = (100 * rng.normal(size=(15, 14, 3))).astype(np.float32)
    return index, target + (10 * rng.normal(size=target.shape)).astype(np.float32), target


def test_acceleration_errors_of_each_video(motion):
    index, pred, target = motion
    errors = Videos(index).acceleration_error(pred, target)
    for video in range(4):
        own = errors[index == video]
        frames = [points[index == video].astype(np.float64) for points in (pred, target)]
        if len(own) < 3:
            assert np.isnan(own).all()
        else:
            assert np.isnan(own[[0, -1]]).all()
            assert_close(own[1:-1], accel_error(frames[0] - frames[1]))


def test_smoothing_of_each_video(motion):
    index, pred, target = motion
    smoothed = Videos(index).smooth(pred)
    for video in range(4):
        assert_close(smoothed[index == video], smooth_pose(pred[index == video], 0.004, 0.005))
    errors = smoothed_errors(Videos(index), pred, target)
    expected = np.linalg.norm(smoothed - target, axis=-1).mean(1)
    assert_close(errors["smoothed MPJPE"], expected)
    assert (errors["smoothed PA-MPJPE"] < expected).all()


def test_smoothing_calms_a_still_pose_that_jitters():
    rng = np.random.default_rng(2)
    target = np.repeat(100 * rng.normal(size=(1, 14, 3)), 50, axis=0).astype(np.float32)
    pred = target + rng.normal(size=target.shape).astype(np.float32)
    videos = Videos(np.zeros(50, dtype=int))
    before = np.nanmean(videos.acceleration_error(pred, target))
    after = smoothed_errors(videos, pred, target)
    assert np.nanmean(after["smoothed acceleration error"]) < 0.2 * before
    assert after["smoothed MPJPE"].mean() < np.linalg.norm(pred - target, axis=-1).mean()
