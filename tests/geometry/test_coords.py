"""Cameras, boxes, alignment: golden numbers of the original and properties."""

import numpy as np
import pytest
import torch

from lib.evaluation.video_metrics import compute_error_accel
from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.cameras import project
from lib.geometry.single import (
    cam2pixel,
    euler2mat,
    get_bbox,
    get_center_scale,
    pixel2cam,
    process_bbox,
    rigid_align,
    rigid_transform_3D,
    world2cam,
)
from tests.helpers import assert_close

BOX_OPTIONS = ({}, {"aspect_ratio": 1.0}, {"aspect_ratio": 1.0, "scale": 1.25}, {"scale": 1.1})


def test_camera_functions_match_the_original(reference):
    world, R, t = reference["w2c_W"], reference["w2c_R"], reference["w2c_t"]
    camera = world2cam(world, R, t)
    assert_close(camera, reference["w2c_out"])
    f, c = reference["c2p_f"], reference["c2p_c"]
    pixel = cam2pixel(reference["w2c_out"], f, c)
    assert pixel.dtype == np.float32
    assert_close(pixel, reference["c2p_out"])
    back = pixel2cam(reference["c2p_out"], c, f)
    assert back.dtype == np.float64
    assert_close(back, reference["p2c_out"])


def test_projection_of_whole_numbers_and_in_batches(reference):
    point = cam2pixel(np.array([[100, -200, 4000]]), np.array([1145, 1143]), np.array([512, 515]))
    assert_close(point, [[540.625, 457.85, 4000]], 1e-12)
    points = torch.tensor(reference["w2c_out"])
    focal, princpt = torch.tensor([[1145.0, 1143.0], [900.0, 950.0]]), torch.tensor([[512.0, 515.0], [10.0, -4.0]])
    batched = project(points.expand(2, -1, -1), focal, princpt)
    for i in range(2):
        assert_close(batched[i], cam2pixel(points.numpy(), focal[i].numpy(), princpt[i].numpy())[:, :2])


def test_euler_angles_match_the_original(reference):
    for angles, expected in zip(reference["euler_in"], reference["euler_out"]):
        assert_close(euler2mat(angles), expected)
        matrix = euler2mat(angles, to_4x4=True)
        assert_close(matrix[:3, :3], expected)
        assert_close(matrix[[0, 1, 2, 3, 3, 3, 3], [3, 3, 3, 0, 1, 2, 3]], [0, 0, 0, 0, 0, 0, 1])


def test_tight_boxes_match_the_original(reference):
    joints = reference["get_bbox_in"]
    box = get_bbox(joints)
    assert box.dtype == np.float32
    assert_close(box, reference["get_bbox_out"])
    assert_close(np.concatenate(get_center_scale(box)), reference["get_center_scale_out"])
    whole = np.array([[300, 200, 1], [400, 500, 0], [350, 260, 1]])
    assert_close(get_bbox(whole), [300, 200, 100, 300])


@pytest.mark.parametrize("option", range(4))
def test_processed_boxes_match_the_original(reference, option):
    boxes, none = reference["process_bbox_in"], reference["process_bbox_none"][:, option]
    expected = reference["process_bbox_out"][:, option]
    assert reference["process_bbox_kw"][option].startswith(("default", "aspect1", "aspect1,scale", "scale")[option])
    grown, valid = process_boxes(torch.tensor(boxes), **BOX_OPTIONS[option])
    for i, box in enumerate(boxes):
        single = process_bbox(box, **BOX_OPTIONS[option])
        assert (single is None) == none[i]
        if single is None:
            assert not valid[i]
            continue
        assert_close(single, expected[i])
        # in batches a box without area counts as invalid too, because it cannot be cropped
        assert valid[i] == bool(expected[i, 2] > 0)
        assert_close(grown[i], expected[i])


def test_processed_boxes_keep_the_number_type(reference):
    whole = process_bbox([10, 20, 101, 303])
    assert whole.dtype == np.int64
    for box, key in ((np.array([10, 20, 101, 303]), "int"), (np.array([10, 20, 101, 303], np.float32), "f32")):
        grown = process_bbox(box)
        assert grown.dtype == reference[f"process_bbox_{key}_out"].dtype
        np.testing.assert_array_equal(grown, reference[f"process_bbox_{key}_out"])


def test_processed_boxes_known_values():
    assert_close(process_bbox([10.0, 20.0, 30.5, 40.5]), [9.9375, 20, 29.625, 39.5], 1e-12)
    np.testing.assert_array_equal(process_bbox([10, 20, 31, 41]), [10, 20, 30, 40])
    np.testing.assert_array_equal(process_bbox([10, 20, 1, 1]), [10, 20, 0, 0])
    assert process_bbox([10, 20, 0.5, 3]) is None
    assert process_bbox([10, 20, float("nan"), 3]) is None
    box = np.array([10.0, 20.0, 30.5, 40.5])
    process_bbox(box)
    np.testing.assert_array_equal(box, [10, 20, 30.5, 40.5])


def test_processed_boxes_cover_the_reduced_box_at_the_aspect_ratio():
    boxes = torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 200 + 2
    grown, valid = process_boxes(boxes)
    assert valid.all()
    assert_close(grown[:, 2] / grown[:, 3], np.full(50, 0.75))
    assert (grown[:, :2] <= boxes[:, :2] + 1e-9).all()
    assert (grown[:, :2] + grown[:, 2:] >= boxes[:, :2] + boxes[:, 2:] - 1 - 1e-9).all()
    larger, _ = process_boxes(boxes, scale=1.5)
    assert_close(larger[:, 2:], grown[:, 2:] * 1.5)
    assert_close(larger[:, :2] + larger[:, 2:] / 2, grown[:, :2] + grown[:, 2:] / 2)


@pytest.mark.parametrize(
    "size, valid", [((1, 11), True), ((11, 1), True), ((1, 1), False), ((0.9, 11), False), ((11, 0.9), False)]
)
def test_a_box_of_one_pixel_across_is_enough(size, valid):
    assert process_boxes(torch.tensor([[5.0, 5.0, *size]]))[1].tolist() == [valid]


def test_boxes_ignore_the_order_of_joints():
    joints = torch.randn(3, 17, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(tight_boxes(joints), tight_boxes(joints.flip(1)))


def test_alignment_matches_the_original(reference):
    for i in range(6):
        A, B = reference[f"align{i}_A"], reference[f"align{i}_B"]
        scale, R, t = rigid_transform_3D(A, B)
        assert_close(scale, reference[f"align{i}_c"])
        assert_close(R, reference[f"align{i}_R"])
        assert_close(t, reference[f"align{i}_t"])
        assert_close(rigid_align(A, B), reference[f"align{i}_out"])
        assert rigid_align(A.astype(np.float32), B.astype(np.float32)).dtype == np.float32


def test_alignment_to_a_reflection_known_values():
    A = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]])
    B = 2 * A * [1, 1, -1] + [1, 2, 3]
    scale, R, _ = rigid_transform_3D(A, B)
    assert scale == pytest.approx(1.6178625)
    assert np.linalg.det(R) == pytest.approx(1)
    expected = [
        [3.09901, 2.60655, 2.39833], [1.66633, 2.01520, 2.86224], [1.91631, 5.61300, 2.57819],
        [1.70728, 2.33676, -2.24361], [0.61107, 3.42850, 1.40486],
    ]  # fmt: skip
    assert_close(rigid_align(A, B), expected)


def test_alignment_undoes_any_similarity():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(14, 3)) * 300
    for _ in range(5):
        moved = rng.uniform(0.2, 5) * target @ euler2mat(rng.uniform(-3, 3, 3)).T + rng.normal(size=3) * 1000
        assert_close(rigid_align(moved, target), target, 1e-9)


def test_acceleration_error_matches_the_original(reference):
    gt, pred = reference["accel_gt"], reference["accel_pred"]
    assert_close(compute_error_accel(gt, pred), reference["accel_out"])
    assert_close(compute_error_accel(gt, pred, reference["accel_vis"]), reference["accel_out_vis"])
    line = np.arange(20)[:, None, None] * np.ones((1, 14, 3))
    assert_close(compute_error_accel(gt, pred + line), reference["accel_out"])  # constant speed has no acceleration
