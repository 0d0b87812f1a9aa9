"""The scale of the 2D input, one for both axes or one for each: what it keeps, and the same in training and use."""

import numpy as np
import pytest
import torch

from lib.datasets.input2d import Input2D, Sources2D
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import dataset_class
from lib.geometry.crops import BadSamples, flip_2d, standardise
from lib.joints.tables import COCO, HUMAN36, JOINT_SETS
from lib.models.posenet import Mirror
from lib.predictor import Pose2MeshPredictor, check_poses
from tests.helpers import assert_close
from tests.support.demo_inputs import sample
from tests.support.files.checkpoint_files import write_content

SCALES = ["axis", "common"]
CROP = (288, 384)


def poses(count=6, joints=17, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([90.0, 250.0], dtype=dtype)  # taller than wide, as people are
    return 300 + size * torch.rand(count, joints, 2, generator=generator, dtype=dtype)


def still(count):
    """No mirroring, no rotation."""
    return torch.zeros(count, dtype=torch.bool), torch.zeros(count)


# ------------------------------------------------------------------------------------------------------- normalisation


def test_common_keeps_the_proportions_that_axis_removes():
    points = poses()
    common, axis = (standardise(points, scale) for scale in ("common", "axis"))
    for normal in (common, axis):
        assert normal.mean(1).abs().max() < 1e-12
    assert_close(common.square().mean((1, 2)), torch.ones(6), 1e-12)
    assert_close(axis.square().mean(1), torch.ones(6, 2), 1e-12)
    extents = [values.amax(1) - values.amin(1) for values in (points, common)]
    assert_close(extents[1][:, 0] / extents[1][:, 1], extents[0][:, 0] / extents[0][:, 1], 1e-12)
    assert_close(common / common.square().mean(1, keepdim=True).sqrt(), axis, 1e-12)
    assert torch.equal(standardise(points), axis)


@pytest.mark.parametrize("scale", SCALES)
def test_position_and_size_do_not_matter(scale):
    points = poses()
    assert_close(standardise(3.7 * points + torch.tensor([-40.0, 900.0]), scale), standardise(points, scale), 1e-12)
    stretched = standardise(points * torch.tensor([2.0, 1.0]), scale) - standardise(points, scale)
    assert (stretched.abs().max() > 0.1) == (scale == "common")


def test_a_known_pose():
    corners = torch.tensor([[[0.0, 0], [6, 0], [6, 8], [0, 8]]])  # half a diagonal is 5
    signs = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    assert_close(standardise(corners, "common")[0], signs * torch.tensor([0.6, 0.8]) * 2**0.5)
    assert_close(standardise(corners)[0], signs)


def test_flat_poses_have_a_common_scale_only():
    points = poses(dtype=torch.float32)
    points[1, :, 0] = 0.1
    points[2, :, 1] = -7
    normal = standardise(points, "common")
    assert normal[1, :, 0].abs().max() < 1e-6
    assert_close(normal.square().mean((1, 2)), torch.ones(6))
    with pytest.raises(BadSamples, match=r"extent in x or y, .* samples 1, 2$"):
        standardise(points)


@pytest.mark.parametrize("scale", SCALES)
def test_points_and_numbers_that_are_not_finite_are_refused(scale):
    points = poses()
    points[1] = 7
    points[2, 3, 1] = float("nan")
    points[4, 0, 0] = float("inf")
    points[5, :, 0] = float("nan")
    with pytest.raises(BadSamples, match=r"samples 1, 2, 4, 5$"):
        standardise(points, scale)


def test_users_may_give_flat_poses_to_a_network_with_a_common_scale():
    upright = sample()[None].astype(np.float64) * [0, 1]
    assert check_poses(upright, COCO, "common").shape == (1, 19, 2)
    with pytest.raises(ValueError, match="pose 0 is 0 x"):
        check_poses(upright, COCO)
    with pytest.raises(ValueError, match="pose 0 is 0 x 0"):
        check_poses(upright * 0, COCO, "common")


# ----------------------------------------------------------------------------------------------------------- data path


@pytest.fixture(scope="module", params=SCALES)
def predictor(request, weights, tmp_path_factory):
    """A small random network, used with either scale."""
    checkpoint = torch.load(weights["coco"], weights_only=True)
    checkpoint["config"]["DATASET"]["input_scale"] = request.param
    path = tmp_path_factory.mktemp("scale") / "final.pth.tar"
    write_content(path, checkpoint)
    return Pose2MeshPredictor("coco", path, "cpu", mesh="network")


def test_training_and_prediction_see_the_same_input(predictor):
    """Crop, mirroring and normalisation of the data path against the predictor's, for the same pixels."""
    scale, pixels = predictor.input_scale, COCO.add_derived(poses(5).float())
    trained = Input2D(COCO, CROP, Sources2D(noise=""), scale)(pixels, *still(5), stream(0))
    seen = []
    handle = predictor.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    prediction = predictor.predict(pixels[:, :17])
    handle.remove()
    torch.testing.assert_close(seen[0], trained, atol=1e-5, rtol=0)
    assert_close(prediction.mesh, predictor.network(trained)[0], 1e-4)


def test_flat_poses_are_predicted_with_a_common_scale(predictor):
    upright = sample().astype(np.float64) * [0, 1]
    if predictor.input_scale == "axis":
        with pytest.raises(ValueError, match="too small"):
            predictor.predict(upright)
        with pytest.raises(ValueError, match="is flat"):
            predictor.predict_pose3d(predictor.template_joints * [1000, 0, 1000])
    else:
        for prediction in (
            predictor.predict(upright),
            predictor.predict_pose3d(predictor.template_joints * [1000, 0, 1000]),
        ):
            assert prediction.mesh.isfinite().all()
            assert prediction.camera.isfinite().all()


@pytest.mark.parametrize("scale", SCALES)
def test_batches_are_the_projections_with_that_scale(small_config, scale):
    """Of drawn bodies too the crop leaves nothing behind."""
    cfg = small_config("posenet", "human36", DATASET={"input_scale": scale})
    dataset = dataset_class("Synthetic")("train", cfg)
    rows = dataset.rows(np.arange(6), stream(4))
    batch = dataset.finish(rows, stream(5))
    pixels = dataset.transform.posed(rows).image("human36")
    torch.testing.assert_close(batch.inputs["pose2d"], standardise(pixels, scale), atol=1e-5, rtol=0)
    plain = dataset_class("Synthetic")("train", small_config("posenet", "human36"))
    assert torch.equal(plain.finish(rows, stream(5)).targets["lift_pose3d"], batch.targets["lift_pose3d"])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("joint_set", JOINT_SETS.values(), ids=str)
def test_mirrored_twice_is_the_same_input(joint_set, scale):
    pixels, (flip, rotation) = poses(joints=joint_set.joint_num).float(), still(6)
    make = Input2D(joint_set, CROP, Sources2D(noise=""), scale)
    once = make(pixels, ~flip, rotation, stream(0))
    assert (once - make(pixels, flip, rotation, stream(0))).abs().max() > 0.1
    again = flip_2d(once, 1, joint_set.flip_pairs)  # about the middle of another crop: position does not matter
    assert_close(standardise(again, scale), make(pixels, flip, rotation, stream(0)))
    if joint_set.flip_pairs:
        mirrored = Mirror(joint_set)(once.flatten(1)).unflatten(1, (-1, 2))
        assert_close(mirrored, make(pixels, flip, rotation, stream(0)))


def test_turning_the_crop_turns_the_input_with_a_common_scale():
    pixels, flip = poses().float(), torch.zeros(6, dtype=torch.bool)
    degrees = torch.tensor([-90.0, -30, 0, 12.5, 45, 180])
    make = Input2D(HUMAN36, CROP, Sources2D(noise=""), "common")
    cos, sin = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    turn = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)
    still_input = make(pixels, flip, torch.zeros(6), stream(0))
    assert_close(make(pixels, flip, degrees, stream(0)), still_input @ turn.transpose(1, 2))
