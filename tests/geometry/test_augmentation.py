"""Crop, mirroring, rotation, normalisation of poses."""

import numpy as np
import pytest
import torch

from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.crops import (
    apply_affine,
    crop_areas,
    crop_matrices,
    flip_2d,
    rotate_flip_3d,
    sample_augmentation,
    standardise,
)
from lib.geometry.single import (
    affine_transform,
    augm_params,
    flip_2d_joint,
    flip_3d_joint,
    get_affine_transform,
    j2d_processing,
    j3d_processing,
    transform_joint_to_other_db,
)
from lib.joints.tables import COCO, HUMAN36, JOINT_SETS
from tests.helpers import assert_close

# the 2D pose of Human3.6M that the original ships as its demo: whole-number pixels
BOX = [186.125, 144, 390.75, 521]


def random_poses(n=6, joints=17, seed=0, dtype=torch.float64):
    return torch.rand(n, joints, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 300 + 50


def random_boxes(n=6, seed=1):
    boxes, valid = process_boxes(tight_boxes(random_poses(n, seed=seed)))
    assert valid.all()
    return boxes


def test_affine_matrices_match_the_original(reference):
    for i in range(int(reference["affine_n"])):
        cx, cy, w, h, rot, out_w, out_h = reference[f"affine{i}"]
        for inv, key in ((False, "out"), (True, "inv")):
            matrix = get_affine_transform((cx, cy), (w, h), rot, (out_w, out_h), inv=inv)
            assert_close(matrix, reference[f"affine{i}_{key}"], what=f"affine{i}_{key}")
    expected = [[1.66276879, 0.96, -214.27688], [-0.96, 1.66276879, -44.55375539]]
    assert_close(get_affine_transform((100, 200), (150, 200), 30, (288, 384)), expected)


def test_a_single_scale_serves_both_axes_and_shift_moves_the_centre():
    square = get_affine_transform((100, 200), 150, 0, (288, 384))
    assert_close(square, get_affine_transform((100, 200), (150, 150), 0, (288, 384)))
    shifted = get_affine_transform((100, 200), (150, 80), 10, (288, 384), shift=(0.1, -0.5))
    assert_close(shifted, get_affine_transform((115, 160), (150, 80), 10, (288, 384)))


def test_crop_and_mirroring_match_the_original(reference):
    for i in range(int(reference["j2d_n"])):
        rot, flip = reference[f"j2d{i}_rotflip"]
        pairs = HUMAN36.flip_pairs
        joints, matrix = j2d_processing(
            reference[f"j2d{i}_kp"], (288, 384), reference[f"j2d{i}_box"], float(rot), int(flip), pairs
        )
        assert joints.dtype == np.float32
        assert_close(joints, reference[f"j2d{i}_out"], what=f"j2d{i}")
        assert_close(matrix, reference[f"j2d{i}_trans"], what=f"j2d{i}_trans")
        turned = j3d_processing(reference[f"j3d{i}_in"], float(rot), int(flip), pairs)
        assert turned.dtype == np.float32
        assert_close(turned, reference[f"j3d{i}_out"], what=f"j3d{i}")


def test_flips_match_the_original(reference):
    pairs = [tuple(pair) for pair in reference["flip_pairs_h36m"]]
    assert {frozenset(pair) for pair in pairs} == {frozenset(pair) for pair in HUMAN36.flip_pairs}
    assert_close(flip_2d_joint(reference["flip2d_in"], 288, pairs), reference["flip2d_out"])
    assert_close(flip_3d_joint(reference["flip3d_in"], pairs), reference["flip3d_out"])
    np.testing.assert_array_equal(
        flip_2d_joint(np.array([[10, 5], [100, 6], [200, 7]]), 288, ((1, 2),)), [[277, 5], [87, 7], [187, 6]]
    )


def test_rotation_of_targets_known_values():
    turned = j3d_processing(np.array([[1, 2, 3], [4, 5, 6]]), 30, True, ((0, 1),))
    assert_close(turned, [[-5.964102, 2.330127, 6], [-1.866025, 1.232051, 3]])


def test_joints_move_between_sets_by_name(reference):
    moved = transform_joint_to_other_db(reference["todb_in"], list(reference["todb_src"]), list(reference["todb_dst"]))
    assert moved.dtype == np.float32
    assert_close(moved, reference["todb_out"])


def test_whole_number_joints_are_not_truncated_and_never_written_to():
    """The original wrote the crop back into the caller's integer array, an error of up to a pixel."""
    joints = np.array([[310, 415], [277, 415], [183, 497]])
    before = joints.copy()
    cropped, _ = j2d_processing(joints, (288, 384), BOX, 0, False, ())
    assert_close(cropped[:2, 1], [199.73897, 199.73897])
    np.testing.assert_array_equal(joints, before)
    as_float, _ = j2d_processing(joints.astype(np.float64), (288, 384), BOX, 0, False, ())
    np.testing.assert_array_equal(cropped, as_float)


def test_further_columns_survive_the_crop():
    joints = np.array([[300, 200, 0.5], [400, 500, 0.7], [350, 260, 0.9]])
    cropped, _ = j2d_processing(joints, (288, 384), [237.375, 200, 224.25, 299], 0, True, ((0, 1),))
    assert_close(cropped[:, 2], [0.7, 0.5, 0.9])


def test_known_crop_and_normalisation():
    joints = torch.tensor([[[300.0, 200.0], [400.0, 500.0], [350.0, 260.0]]])
    boxes, _ = process_boxes(tight_boxes(joints))
    cropped = apply_affine(joints, crop_matrices(boxes))
    assert_close(cropped[0], [[80.428, 0], [208.856, 385.284], [144.642, 77.057]])
    turned = apply_affine(joints, crop_matrices(boxes, torch.tensor([30.0])))
    assert_close(turned[0], [[-7.0549, 57.5091], [296.8093, 326.9610], [87.0845, 92.1354]])
    expected = [[-1.2247448, -0.9258201], [1.2247449, 1.3887301], [0, -0.46291]]
    assert_close(standardise(cropped / torch.tensor([288.0, 384.0]))[0], expected)


def test_batched_crop_equals_single_crops():
    points, boxes = random_poses(), random_boxes()
    rotation = torch.linspace(-60, 60, len(points), dtype=torch.float64)
    batched = apply_affine(points, crop_matrices(boxes, rotation))
    for i in range(len(points)):
        single, matrix = j2d_processing(points[i].numpy(), (288, 384), boxes[i].numpy(), float(rotation[i]), False, ())
        assert_close(batched[i], single)
        assert_close(affine_transform(points[i, 3], matrix), batched[i, 3])


def test_crop_is_a_similarity_onto_the_frame():
    points, boxes = random_poses(), random_boxes()
    matrices = crop_matrices(boxes, torch.linspace(-170, 170, len(points), dtype=torch.float64))
    linear = matrices[:, :, :2]
    scale = 288 / boxes[:, 2]
    assert_close(linear @ linear.transpose(1, 2), scale[:, None, None] ** 2 * torch.eye(2))
    assert_close(torch.cdist(apply_affine(points, matrices), apply_affine(points, matrices)),
                 scale[:, None, None] * torch.cdist(points, points))  # fmt: skip
    centre = boxes[:, None, :2] + boxes[:, None, 2:] / 2
    assert_close(apply_affine(centre, matrices)[:, 0], torch.tensor([144.0, 192.0]).expand(len(points), 2))
    # the box has the frame's aspect ratio, so its corners become the frame's
    corners = apply_affine(torch.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1), crop_matrices(boxes))
    assert_close(corners, torch.tensor([[0.0, 0.0], [288.0, 384.0]]).expand(len(points), 2, 2))
    assert_close(crop_areas(boxes, matrices), torch.full((len(points),), 288.0 * 384))


def test_crop_then_inverse_is_the_identity():
    for box, rot in zip(random_boxes().numpy(), (-90, -30, 0, 12.5, 45, 180)):
        centre, size = box[:2] + box[2:] / 2, box[2:]
        forward = get_affine_transform(centre, size, rot, (288, 384))
        backward = get_affine_transform(centre, size, rot, (288, 384), inv=True)
        point = np.array([123.0, 45.0])
        assert_close(affine_transform(affine_transform(point, forward), backward), point, 1e-12)


def test_box_without_width_is_an_error_that_names_the_sample():
    boxes = random_boxes()
    boxes[3, 2] = 0
    with pytest.raises(ValueError, match="samples 3$"):
        crop_matrices(boxes)
    with pytest.raises(ValueError, match="smaller than one pixel"):
        j2d_processing(np.zeros((3, 2)), (288, 384), None, 0, False, ())


@pytest.mark.parametrize("joint_set", list(JOINT_SETS.values()), ids=list(JOINT_SETS))
def test_flip_twice_is_the_identity(joint_set):
    points = random_poses(joints=joint_set.joint_num)
    once = flip_2d(points, 288, joint_set.flip_pairs)
    assert_close(flip_2d(once, 288, joint_set.flip_pairs), points, 1e-12)
    pose = torch.randn(4, joint_set.joint_num, 3, generator=torch.Generator().manual_seed(0))
    once = rotate_flip_3d(pose, None, joint_set.flip_pairs)
    assert not torch.equal(once, pose)
    assert torch.equal(rotate_flip_3d(once, None, joint_set.flip_pairs), pose)


def test_mask_selects_the_mirrored_poses():
    points, mask = random_poses(), torch.tensor([True, False, True, True, False, False])
    mirrored = flip_2d(points, 288, COCO.flip_pairs[:6], mask)
    assert torch.equal(mirrored[~mask], points[~mask])
    assert torch.equal(mirrored[mask], flip_2d(points, 288, COCO.flip_pairs[:6])[mask])
    pose = torch.cat([points, points[..., :1]], -1)
    mirrored = rotate_flip_3d(pose, torch.zeros(6), HUMAN36.flip_pairs, mask)
    assert torch.equal(mirrored[~mask], pose[~mask])
    assert torch.equal(mirrored[mask], rotate_flip_3d(pose, None, HUMAN36.flip_pairs)[mask])


def test_target_rotation_follows_the_crop_rotation():
    """A pose seen from far away and its rotated target must stay each other's image."""
    pose = torch.randn(5, 17, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rotation = torch.tensor([-60.0, -20.0, 0.0, 35.0, 90.0], dtype=torch.float64)
    mask = torch.tensor([True, False, True, False, True])
    boxes = torch.tensor([[-2.0, -2.0, 4.0, 4.0]], dtype=torch.float64).expand(5, 4)
    image = apply_affine(pose[..., :2], crop_matrices(boxes, rotation, (4, 4)))
    image = flip_2d(image, 4, HUMAN36.flip_pairs, mask)
    target = rotate_flip_3d(pose, rotation, HUMAN36.flip_pairs, mask)
    assert_close(standardise(image), standardise(target[..., :2]))
    assert_close(target.norm(dim=-1).sum(), pose.norm(dim=-1).sum())


def test_augmentation_statistics_match_the_original(reference):
    flip_mean, rot0, rot_std, rot_max = reference["augm_stats_flipmean_rot0frac_rotstd_rotmaxabs"]
    n = 40000
    mask, rotation = sample_augmentation(n, True, 30.0, torch.Generator().manual_seed(0))
    rotated = rotation[rotation != 0]
    assert mask.float().mean() == pytest.approx(flip_mean, abs=0.015)
    assert 1 - len(rotated) / n == pytest.approx(rot0, abs=0.015)
    assert rotation.abs().max() == rot_max == 60
    assert rotated.std() == pytest.approx(rot_std, rel=0.02)
    assert abs(np.corrcoef(mask, rotation == 0)[0, 1]) < 0.02


def test_augmentation_can_be_off_and_depends_on_the_generator_only():
    mask, rotation = sample_augmentation(100, False, 0.0, torch.Generator().manual_seed(0))
    assert not mask.any()
    assert not rotation.any()
    assert augm_params(False, True, 30.0) == (0, 0.0)
    assert augm_params(True, False, 0.0) == (0, 0.0)
    draws = [sample_augmentation(8, True, 30.0, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])


def test_normalisation_removes_position_scale_and_aspect():
    points = random_poses()
    normal = standardise(points)
    assert normal.mean(1).abs().max() < 1e-12
    assert_close(normal.square().mean(1), torch.ones(6, 2))
    assert_close(standardise(points * torch.tensor([0.1, 7.0]) + torch.tensor([-40.0, 900.0])), normal)
    assert_close(standardise(apply_affine(points, crop_matrices(random_boxes()))), normal)
    order = torch.randperm(17, generator=torch.Generator().manual_seed(0))
    assert_close(standardise(points[:, order]), normal[:, order])


def test_poses_without_extent_are_errors_that_name_the_samples():
    """The original returned NaN for them."""
    points = random_poses(dtype=torch.float32)
    points[1, :, 0] = 0.1  # one x for all joints: their mean may differ from it by a rounding error
    points[4] = 7
    points[5, 2, 1] = float("nan")
    with pytest.raises(ValueError, match=r"samples 1, 4, 5$"):
        standardise(points)
