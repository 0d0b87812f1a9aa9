import numpy as np
import pytest
import torch

from lib.joints.lookup import get_joint_set
from lib.joints.tables import (
    COCO,
    HUMAN36,
    JOINT_SETS,
    MANO,
    SMPL,
)

ALL = list(JOINT_SETS.values())
IDS = list(JOINT_SETS)


@pytest.mark.parametrize("joint_set", ALL, ids=IDS)
def test_indices_are_in_range_and_bones_connect_everything(joint_set):
    count = joint_set.joint_num
    assert len(set(joint_set.joints)) == count
    for pairs in (joint_set.bones, joint_set.graph_links, joint_set.flip_pairs):
        assert all(0 <= i < count for pair in pairs for i in pair)
    reached, todo = {joint_set.root}, [joint_set.root]
    neighbours = {i: [] for i in range(count)}
    for a, b in joint_set.bones:
        neighbours[a].append(b)
        neighbours[b].append(a)
    while todo:
        new = [n for n in neighbours[todo.pop()] if n not in reached]
        reached.update(new)
        todo += new
    assert reached == set(range(count))


@pytest.mark.parametrize("joint_set", [HUMAN36, COCO, SMPL], ids=lambda s: s.name)
def test_flip_pairs_pair_left_with_right(joint_set):
    sided = {i for i, name in enumerate(joint_set.joints) if name[:2] in ("L_", "R_")}
    paired = [i for pair in joint_set.flip_pairs for i in pair]
    assert sorted(paired) == sorted(sided)
    for a, b in joint_set.flip_pairs:
        assert joint_set.joints[a][2:] == joint_set.joints[b][2:]
        assert joint_set.joints[a][0] != joint_set.joints[b][0]


def test_numbers_of_the_published_sets():
    assert [s.joint_num for s in ALL] == [17, 19, 24, 21]
    assert [s.root for s in ALL] == [0, 17, 0, 0]
    assert [len(s.bones) for s in ALL] == [16, 19, 23, 20]
    excluded = set(HUMAN36.joints) - {HUMAN36.joints[i] for i in HUMAN36.eval_joints}
    assert excluded == {"Pelvis", "Torso", "Nose"}
    assert MANO.body == "hand"
    assert len(MANO.graph_links) == 16


def test_derived_joints_are_means_of_every_column():
    keypoints = np.random.default_rng(0).normal(size=(4, 17, 3))
    pose = COCO.add_derived(keypoints)
    assert pose.shape == (4, 19, 3)
    np.testing.assert_allclose(pose[:, COCO.index("Pelvis")], keypoints[:, [11, 12]].mean(axis=1))
    np.testing.assert_allclose(pose[:, COCO.index("Neck")], keypoints[:, [5, 6]].mean(axis=1))
    torch.testing.assert_close(COCO.add_derived(torch.from_numpy(keypoints)), torch.from_numpy(pose))
    assert HUMAN36.add_derived(keypoints) is keypoints


def test_wrong_count_lists_the_order():
    with pytest.raises(ValueError, match="17 keypoints, got 18.*Nose, L_Eye"):
        COCO.add_derived(np.zeros((18, 2)))


def test_unknown_names():
    with pytest.raises(ValueError, match="human36, coco, smpl, mano"):
        get_joint_set("body25")
    with pytest.raises(ValueError, match="L_Ankle"):
        COCO.index("L_Foot")
