"""Drawings of 2D and 3D poses: sides, thresholds, files."""

import dataclasses

import cv2
import matplotlib.figure
import numpy as np
import pytest

from lib import ROOT
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.render.poses import (
    draw_pose,
    vis_2d_keypoints,
    vis_2d_pose,
    vis_3d_pose,
    vis_coco_skeleton,
)
from tests.support.pictures import SIZE, black

LEFT, RIGHT, MIDDLE = (80, 80, 235), (90, 190, 60), (235, 160, 60)


@pytest.mark.parametrize("name", JOINT_SETS)
def test_drawn_pose_uses_side_colours(name):
    joint_set = get_joint_set(name)
    pose = np.random.default_rng(0).uniform(20, 100, (joint_set.joint_num, 2))
    picture = draw_pose(black(), pose, joint_set)
    drawn = {tuple(c) for c in picture.reshape(-1, 3).tolist()} - {(0, 0, 0)}
    assert len(drawn) > 1
    hidden = draw_pose(black(), pose, joint_set, scores=np.zeros(joint_set.joint_num))
    assert hidden.max() == 0


def test_keypoints_below_the_threshold_are_not_drawn():
    kps = np.array([[20.0, 60, 100], [20, 60, 100], [1, 1, 0.4]])
    bones = ((0, 1), (1, 2))
    picture = vis_2d_keypoints(black(), kps, bones)
    assert picture[40, 40].any()  # on the visible bone
    assert not picture[80, 80].any()
    assert vis_2d_keypoints(black(), kps, bones, alpha=0).max() == 0
    boxed = vis_2d_keypoints(black(), kps, bones, bbox=np.array([[5, 5], [5, 110], [150, 110], [150, 5]]))
    assert boxed[110, 100].tolist() == [255, 255, 0]


def test_coco_skeleton_is_drawn_in_the_given_colour():
    kps = np.array([[20.0, 100], [60, 60], [1, 1]])
    picture = vis_coco_skeleton(black(), kps, ((0, 1),), (1.0, 0.5, 0.0))
    assert picture[60, 60].tolist() == [0, 128, 255]


def test_pose_pictures_are_written_to_the_given_folder(tmp_path):
    joint_set = get_joint_set("human36")
    generator = np.random.default_rng(0)
    path = vis_2d_pose(generator.uniform(5, 100, (17, 2)), black(), joint_set.bones, folder=tmp_path / "new")
    assert cv2.imread(str(path)).shape == (SIZE[1], SIZE[0], 3)
    assert path.name.startswith("vis2dpose_")
    assert path.name.endswith("_2d_joint.jpg")
    kps = generator.normal(size=(17, 3))
    predicted = vis_3d_pose(kps, joint_set.bones, joint_set_name="human36", folder=tmp_path)
    truth = vis_3d_pose(kps, joint_set.bones, joint_set_name="human36", gt=True, folder=tmp_path)
    assert predicted.name.endswith("_3d_pred.jpg")
    assert truth.name.endswith("_3d_gt.jpg")
    assert cv2.imread(str(predicted)).std() > 1
    assert ":" not in path.name + predicted.name
    with pytest.raises(ValueError, match="3D axes"):
        vis_3d_pose(kps, joint_set.bones, ax_in=object())


def test_right_joints_of_own_joint_sets_are_green(monkeypatch):
    seen = []
    axes = matplotlib.figure.Figure().add_subplot(projection="3d")
    monkeypatch.setattr(axes, "scatter", lambda *_, c, **__: seen.append(c))
    own = get_joint_set(str(ROOT / "asset" / "joint_sets" / "body25.yml"))
    kps = np.random.default_rng(0).normal(size=(25, 3))
    for joint_set in (own, str(ROOT / "asset" / "joint_sets" / "body25.yml"), ""):
        vis_3d_pose(kps, own.bones, joint_set, ax_in=axes)
    green = [name for name, colour in zip(own.joints, seen[0]) if colour == "g"]
    assert green == [name for name in own.joints if name.startswith("R_")]
    assert seen[1] == seen[0]
    assert seen[2] == ["b"] * 25
    with pytest.raises(ValueError, match="unknown joint set"):
        vis_3d_pose(kps, own.bones, "h36m", ax_in=axes)


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        (("R_Knee", "L_Knee", "Root"), ("right", "left", "")),
        (("rightKnee", "leftKnee", "rim"), ("right", "left", "")),
        (("RKnee", "LKnee", "Rib"), ("right", "left", "")),
        (("knee_r", "KneeLeft", "lower_back"), ("right", "left", "")),
        (("RIGHT_KNEE", "l.knee", "LUMBAR"), ("right", "left", "")),
        (("A", "B", "C"), ("left", "right", "")),  # the flip pair's order
        (("A", "L_B", "C"), ("right", "left", "")),
    ],
)
def test_sides_are_read_from_names_or_flip_pairs(names, sides):
    joint_set = dataclasses.replace(
        get_joint_set("human36"), name="own", joints=names, bones=((0, 2), (1, 2)), flip_pairs=((0, 1),)
    )
    assert tuple(joint_set.side(joint) for joint in range(3)) == sides
    picture = draw_pose(black(), np.array([[20.0, 20], [100, 20], [60, 100]]), joint_set)
    colours = {"left": LEFT, "right": RIGHT, "": MIDDLE}
    for (x, y), side in zip(((20, 20), (100, 20), (60, 100)), sides):
        assert tuple(picture[y, x]) == colours[side]


def test_sides_of_the_built_in_sets_are_their_flip_pairs():
    for joint_set in JOINT_SETS.values():
        sided = {joint for joint in range(joint_set.joint_num) if joint_set.side(joint)}
        assert sided == {joint for pair in joint_set.flip_pairs for joint in pair}
        assert set(joint_set.right_joints) == {joint for joint in sided if joint_set.side(joint) == "right"}
        for pair in joint_set.flip_pairs:
            assert {joint_set.side(joint) for joint in pair} == {"left", "right"}
