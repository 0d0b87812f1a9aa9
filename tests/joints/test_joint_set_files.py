"""Joint sets of users: what a file may say, what is refused, and that training and weights work with one."""

import copy
import shutil
import warnings

import numpy as np
import pytest
import torch
import yaml

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.core.base import Options, Trainer
from lib.joints.files import joint_set_setting
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO
from lib.models.pose2mesh_net import build_pose2mesh
from lib.settings.reading import load_config, merge

BODY25 = "asset/joint_sets/body25.yml"
UPPER = {
    "name": "upper",
    "mesh": "open_1723",
    "joints": {
        "Neck": "coco.Neck",
        "Chest": {"mean": ["Neck", "human36.Torso"]},
        "L_Hand": {"vertices": [10, 20, 30]},
        "R_Hand": {"vertices": {"open_1723": [11, 21]}, "weights": {"open_1723": [0.25, 0.75]}},
        "Middle": None,
    },
    "derived": {"Middle": ["L_Hand", "R_Hand"]},
    "root": "Neck",
    "bones": [["Neck", "Chest"], ["Chest", "L_Hand"], ["Chest", "R_Hand"], ["Chest", "Middle"]],
    "flip_pairs": [["L_Hand", "R_Hand"]],
}


def write(path, **changes):
    content = copy.deepcopy(UPPER)
    content.update(changes)
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}, sort_keys=False))
    return str(path)


def test_a_file_describes_a_joint_set(tmp_path, body):
    joint_set = get_joint_set(write(tmp_path / "mine.yml"))
    assert (joint_set.name, joint_set.joint_num, joint_set.keypoint_num, joint_set.root) == ("upper", 5, 4, 0)
    assert joint_set.bones == ((0, 1), (1, 2), (1, 3), (1, 4))
    assert joint_set.flip_pairs == joint_set.graph_links == ((2, 3),)
    assert joint_set.eval_joints == (0, 1, 2, 3, 4)
    assert joint_set.derived == ((4, (2, 3)),)
    matrix = body.joint_regressor(joint_set)
    assert matrix.shape == (4, body.vertex_num)
    assert matrix.dtype == np.float32
    vertices = np.random.default_rng(0).normal(size=(body.vertex_num, 3))
    coco = COCO.add_derived(body.joint_regressor("coco")) @ vertices
    torso = body.joint_regressor("human36")[7] @ vertices
    expected = [
        coco[COCO.index("Neck")],
        (coco[COCO.index("Neck")] + torso) / 2,
        vertices[[10, 20, 30]].mean(axis=0),
        0.25 * vertices[11] + 0.75 * vertices[21],
    ]
    np.testing.assert_allclose(matrix @ vertices, expected, atol=1e-5)


def test_name_of_the_file_is_the_default_name(tmp_path):
    assert get_joint_set(write(tmp_path / "nine.yml", name=None)).name == "nine"


def test_regressor_files_row_by_row_or_for_all(tmp_path, body):
    matrix = np.zeros((4, body.vertex_num), dtype=np.float32)
    matrix[np.arange(4), [3, 5, 7, 9]] = 0.3
    matrix[np.arange(4), [4, 6, 8, 10]] = 0.7
    np.save(tmp_path / "mine.npy", matrix)
    every = write(tmp_path / "a.yml", joints=["A", "B", "C", "D"], derived=None, flip_pairs=None, root="A",
                  bones=[["A", "B"], ["B", "C"], ["C", "D"]], regressor="mine.npy")  # fmt: skip
    np.testing.assert_array_equal(body.joint_regressor(every), matrix)
    joints = {"A": {"regressor": {"open_1723": "mine.npy"}, "row": 2}, "B": "coco.Nose"}
    single = write(tmp_path / "b.yml", joints=joints, derived=None, flip_pairs=None, root="A", bones=[["A", "B"]])
    np.testing.assert_array_equal(body.joint_regressor(single)[0], matrix[2])
    setting = joint_set_setting(single)
    (tmp_path / "mine.npy").unlink()
    (tmp_path / "b.yml").unlink()
    np.testing.assert_array_equal(body.joint_regressor(setting)[0], matrix[2])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"bone": [["Neck", "Chest"]]}, "unknown key 'bone'"),
        ({"joints": None}, "joints: expected joint names"),
        ({"root": "Pelvis"}, "root: no joint 'Pelvis'; there are Neck, Chest"),
        ({"root": None}, "root and bones are missing"),
        ({"bones": [[0, 9]]}, "bones: joint 9 is out of range, there are 5"),
        ({"bones": [["Neck", "Neck"]]}, "pairs a joint with itself"),
        ({"bones": [["Neck", "Chest", "Middle"]]}, "expected a pair"),
        ({"flip_pairs": [["L_Hand", "R_Hand"], ["L_Hand", "Chest"]]}, "L_Hand is in two pairs"),
        ({"eval_joints": ["Neck", "Neck"]}, "given twice"),
        ({"mesh": None}, "which mesh is that for"),
        ({"name": "coco"}, "name: 'coco' must be a text other than"),
        ({"body": "foot"}, "body: 'foot' is not body or hand"),
        ({"body": "hand"}, "is a joint of a body, not of a hand"),
        ({"derived": {"Neck": ["L_Hand", "R_Hand"]}}, "joint 'Middle' has no source"),
        ({"regressor": "absent.npy"}, "absent.npy not found; .* named in .*: regressor"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    content = {**UPPER, **changes}
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}, sort_keys=False))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        get_joint_set(str(path))


@pytest.mark.parametrize(
    "source, message",
    [
        ("coco.Tail", "has no joint 'Tail'"),
        ("cocos.Nose", "no joint set 'cocos'"),
        ("Tail", "no joint 'Tail'; write coco.Tail"),
        ({"mean": ["Chest"]}, "means of each other: Neck -> Chest -> Neck"),
        ({"mean": ["Neck"]}, "is a mean of itself"),
        ({"vertices": [-1]}, "expected a list of vertex numbers"),
        ({"vertices": []}, "expected a list of vertex numbers"),
        ({"vertices": [1, 1]}, "1 is given twice"),
        ({"vertices": [1, 2], "weights": [1.0]}, "expected 2 numbers"),
        ({"vertices": [1], "mean": ["Chest"]}, "give one of mean, vertices, regressor"),
        ({"vertex": [1]}, "unknown key 'vertex'"),
        ({"regressor": "r.npy", "row": 7}, "row 7 is not among the 2 rows"),
    ],
)
def test_wrong_sources_are_named(tmp_path, source, message):
    np.save(tmp_path / "r.npy", np.eye(2))
    with pytest.raises(ValueError, match=message):
        get_joint_set(write(tmp_path / "mine.yml", joints={**UPPER["joints"], "Neck": source}))


def test_joints_given_twice_are_refused(tmp_path):
    path = tmp_path / "twice.yml"
    path.write_text("joints:\n  A: coco.Nose\n  B: coco.L_Eye\n  A: coco.R_Eye\nroot: A\nbones: [[A, B]]\n")
    with pytest.raises(ValueError, match="'A' is given twice, the second time in line 4"):
        get_joint_set(str(path))


def test_doubtful_files_warn(tmp_path):
    with pytest.warns(UserWarning, match="no bones lead from the root to R_Hand, Middle"):
        get_joint_set(write(tmp_path / "apart.yml", bones=[["Neck", "Chest"], ["Chest", "L_Hand"]]))
    one_sided = pytest.warns(UserWarning, match="R_Hand would not be mirrored")
    with one_sided, pytest.warns(UserWarning, match="L_Hand and Chest are no left and right joint"):
        get_joint_set(write(tmp_path / "flip.yml", flip_pairs=[["L_Hand", "Chest"]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get_joint_set(write(tmp_path / "fine.yml"))


def test_other_meshes_are_refused_with_the_way_out(tmp_path, body):
    joint_set = get_joint_set(write(tmp_path / "mine.yml", mesh="smpl"))
    with pytest.raises(ValueError, match="where 'L_Hand' is on smpl, not on open_1723"):
        body.joint_regressor(joint_set)
    far = get_joint_set(write(tmp_path / "far.yml", joints={**UPPER["joints"], "L_Hand": {"vertices": [1723]}}))
    with pytest.raises(ValueError, match="vertex 1723 of open_1723, which has 1723 vertices"):
        body.joint_regressor(far)


def test_unknown_names_and_files():
    with pytest.raises(ValueError, match="unknown joint set 'body25'; choose one of human36, .* or a joint set file"):
        get_joint_set("body25")
    with pytest.raises(FileNotFoundError, match="nowhere.yml not found .* asset/joint_sets/body25.yml"):
        get_joint_set("nowhere.yml")
    with pytest.raises(ValueError, match="DATASET.input_joint_set: 'smplx' is not one of"):
        merge({"DATASET": {"input_joint_set": "smplx"}})


def test_body25_matches_openpose(open_model):
    joint_set = get_joint_set(BODY25)
    assert joint_set.joint_num == 25
    assert [joint_set.joints[i] for i in (0, 1, 8, 15, 19, 22, 24)] == [
        "Nose", "Neck", "MidHip", "R_Eye", "L_BigToe", "R_BigToe", "R_Heel"
    ]  # fmt: skip
    if open_model.kind == "hand":
        return
    matrix = open_model.joint_regressor(joint_set)
    template = open_model.arrays()["v_template"]
    joints = matrix @ template
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    for left, right in joint_set.flip_pairs:  # x points to the body's left
        assert joints[left, 0] > 0.02
        np.testing.assert_allclose(joints[left] * [-1, 1, 1], joints[right], atol=1e-4)
    heel, big, small = (joints[joint_set.index(f"L_{name}")] for name in ("Heel", "BigToe", "SmallToe"))
    assert heel[2] < joints[joint_set.index("L_Ankle"), 2] < small[2] < big[2]
    assert big[0] < small[0]
    assert max(heel[1], big[1], small[1]) < template[:, 1].min() + 0.02


def test_settings_carry_the_set_and_weights_keep_it(tmp_path, small_config, run_demo, without_plots):
    path = tmp_path / "sets" / "mine.yml"
    path.parent.mkdir()
    write(path)
    cfg = small_config("pose2mesh_net", DATASET={"input_joint_set": str(path), "target_joint_set": str(path)},
                       TRAIN={"end_epoch": 1}, SYNTHETIC={"samples_per_epoch": 32, "test_samples": 16})  # fmt: skip
    assert cfg.DATASET.input_joint_set["name"] == "upper"
    (tmp_path / "config.yml").write_text(yaml.safe_dump(cfg.to_dict(), sort_keys=False))
    run = tmp_path / "run"
    (run / "checkpoint").mkdir(parents=True)
    trainer = Trainer(cfg, Options(experiment=tmp_path))
    trainer.fit(run)
    np.save(tmp_path / "pose.npy", np.array([[50, 20], [50, 50], [80, 60], [20, 60]]))  # Middle is derived
    options = ["--input_pose", tmp_path / "pose.npy", "--joint_set", path, "--save", "npz"]
    assert run_demo(*options, "--weights", run / "checkpoint") == 0
    shutil.rmtree(path.parent)  # the file is not needed any more
    assert load_config(tmp_path / "config.yml") == cfg
    checkpoint = load_checkpoint(run / "checkpoint" / "final.pth.tar")
    assert checkpoint.joint_set == trainer.stage.joint_set
    network = build_pose2mesh(checkpoint.settings, checkpoint.graph)
    checkpoint.load_into(network)
    mesh, pose3d = network.eval()(torch.randn(2, 5, 2))
    assert mesh.shape == (2, 1723, 3)
    assert pose3d.shape == (2, 5, 3)


def test_training_input_and_targets_belong_to_the_set(tmp_path, small_config):
    path = write(tmp_path / "mine.yml")
    cfg = small_config("pose2mesh_net", DATASET={"input_joint_set": path, "target_joint_set": path})
    trainer = Trainer(cfg, Options(experiment=tmp_path))
    inputs, targets, _ = trainer.dataset.batch(np.arange(4), torch.Generator().manual_seed(0))
    assert inputs["pose2d"].shape == (4, 5, 2)
    matrix = trainer.stage.regressor
    assert matrix.shape == (5, 1723)
    joints = 1000 * (matrix @ targets["mesh"])  # the mesh is relative to the set's root
    torch.testing.assert_close(joints, targets["reg_pose3d"], atol=0.05, rtol=0)
    torch.testing.assert_close(targets["lift_pose3d"], targets["reg_pose3d"], atol=0.05, rtol=0)


def test_two_sets_of_one_name_are_refused(tmp_path, small_config):
    one, other = write(tmp_path / "a.yml"), write(tmp_path / "b.yml", root="Chest")
    cfg = small_config("pose2mesh_net", DATASET={"input_joint_set": one, "target_joint_set": other})
    with pytest.raises(ValueError, match="two different joint sets have one name"):
        Trainer(cfg, Options(experiment=tmp_path)).dataset.batch([0], torch.Generator())


def test_shipped_sets_are_valid():
    for path in (ROOT / "asset" / "joint_sets").glob("*.yml"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert get_joint_set(str(path)).sources
