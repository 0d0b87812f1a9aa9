"""The 18 settings files of the original release, value by value."""

import pytest
import yaml

from lib.settings.config import Config
from lib.settings.reading import load_config
from tests.helpers import ROOT

FOLDER = ROOT / "asset" / "yaml"
SETS = {"H": "Human36M", "C": "COCO", "M": "MuCo", "A": "AMASS", "P": "PW3D", "S": "SURREAL", "F": "FreiHAND"}

# file: train, test, input joints, target joints, workers, batch, end epoch, first epoch without edge loss, milestone,
# factor, posenet_pretrained, posenet_path, weight_path, vis; None where the file does not have the key. Folders below
# experiment/ are named, the file in them is final.pth.tar.
FILES = {
    "pose2mesh_cocoJ_test_3dpw": (
        "HCM", "P", "coco", "human36", 16, 128, 15, 7, 12, 0.1, False, None, "pose2mesh_cocoJ_train_human36_coco_muco",
        False),
    "pose2mesh_cocoJ_train_human36_coco_amass": (
        "HCA", "P", "coco", "human36", 16, 64, 15, 7, 10, 0.1, True, "posenet_cocoJ_train_human36_coco_amass", None,
        None),
    "pose2mesh_cocoJ_train_human36_coco_muco": (
        "HCM", "P", "coco", "human36", 16, 64, 15, 7, 12, 0.1, True, "posenet_cocoJ_train_human36_coco_muco", None,
        None),
    "pose2mesh_human36J_test_human36": (
        "H", "H", "human36", "human36", 16, 64, 15, 7, 12, 0.1, False, None, "pose2mesh_human36J_train_human36", True),
    "pose2mesh_human36J_train_human36": (
        "H", "H", "human36", "human36", 16, 64, 15, 7, 12, 0.1, True, "posenet_human36J_train_human36", None, None),
    "pose2mesh_manoJ_test_freihand": (
        "F", "F", "mano", "mano", 16, 64, 40, 15, 30, 0.1, False, None, "pose2mesh_manoJ_train_freihand", True),
    "pose2mesh_manoJ_train_freihand": (
        "F", "F", "mano", "mano", 16, 64, 40, 15, 30, 0.1, True, "posenet_manoJ_train_freihand", None, None),
    "pose2mesh_smplJ_test_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 15, 7, 12, 0.1, False, None, "pose2mesh_smplJ_train_surreal", True),
    "pose2mesh_smplJ_train_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 15, 7, 12, 0.1, True, "posenet_smplJ_train_surreal", None, None),
    "posenet_cocoJ_test_3dpw": (
        "HCM", "P", "coco", "coco", 16, 64, 30, None, 20, 0.1, None, None, "posenet_cocoJ_train_human36_coco_muco",
        None),
    "posenet_cocoJ_train_human36_coco_amass": (
        "HCA", "P", "coco", "coco", 6, 64, 30, None, 20, 0.1, None, None, None, None),
    "posenet_cocoJ_train_human36_coco_muco": (
        "HCM", "P", "coco", "coco", 16, 64, 30, None, 20, 0.1, None, None, None, None),
    "posenet_human36J_test_human36": (
        "H", "H", "human36", "human36", 16, 64, 60, None, 30, 0.5, None, None, "posenet_human36J_train_human36", None),
    "posenet_human36J_train_human36": (
        "H", "H", "human36", "human36", 16, 64, 60, None, 30, 0.5, None, None, None, None),
    "posenet_manoJ_test_freihand": (
        "F", "F", "mano", "mano", 16, 64, 120, None, 90, 0.1, None, None, "posenet_manoJ_train_freihand", None),
    "posenet_manoJ_train_freihand": (
        "F", "F", "mano", "mano", 16, 64, 120, None, 90, 0.1, None, None, None, None),
    "posenet_smplJ_test_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 60, None, 30, 0.5, None, None, "posenet_smplJ_train_surreal", None),
    "posenet_smplJ_train_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 60, None, 30, 0.5, None, None, None, None),
}  # fmt: skip

# licence-free settings that ship beside them
OPEN_SUFFIXES = ("_synthetic", "_open")


def weights(folder):
    return folder and f"./experiment/{folder}/final.pth.tar"


def expected(name):
    """Every value of a file; None = the file leaves the key out."""
    train, test, joints, target, workers, batch, end, edge, step, factor, pretrained, posenet, weight, vis = FILES[name]
    mesh = name.startswith("pose2mesh_")
    return {
        "DATASET": {
            "train_list": [SETS[letter] for letter in train],
            "test_list": [SETS[test]],
            "input_joint_set": joints,
            "target_joint_set": target,
            "workers": workers,
            "use_gt_input": False,
        },
        "MODEL": {
            "name": "pose2mesh_net" if mesh else "posenet",
            "input_shape": [384, 288],
            "normal_loss_weight": 0.1 if mesh else None,
            "edge_loss_weight": 20 if mesh else None,
            "joint_loss_weight": 0.001 if mesh else None,
            "posenet_pretrained": pretrained,
            "posenet_path": weights(posenet),
        },
        "TRAIN": {
            "print_freq": 10,
            "batch_size": batch,
            "shuffle": True,
            "begin_epoch": 1,
            "end_epoch": end,
            "edge_loss_start": edge,
            "scheduler": "step",
            "lr": 0.001,
            "lr_step": [step],
            "lr_factor": factor,
            "optimizer": "rmsprop",
        },
        "AUG": {"flip": not mesh, "rotate_factor": 0},
        "TEST": {"batch_size": 64, "shuffle": False, "weight_path": weights(weight), "vis": vis},
    }


def test_the_18_files_are_there():
    found = {path.stem for path in FOLDER.glob("*.yml") if not path.stem.endswith(OPEN_SUFFIXES)}
    assert found == set(FILES)
    assert len(FILES) == 18


@pytest.mark.parametrize("name", FILES)
def test_values(name):
    path = FOLDER / f"{name}.yml"
    wanted = expected(name)
    given = {section: {k: v for k, v in keys.items() if v is not None} for section, keys in wanted.items()}
    assert yaml.safe_load(path.read_text()) == given
    cfg, defaults = load_config(path), Config()
    for section, keys in wanted.items():
        for key, value in keys.items():
            default = getattr(getattr(defaults, section), key)
            assert getattr(getattr(cfg, section), key) == (default if value is None else value), f"{section}.{key}"


@pytest.mark.parametrize("name", FILES)
def test_weights_are_those_that_another_file_trains(name):
    """No path of a private run, and no folder that nothing writes."""
    cfg = load_config(FOLDER / f"{name}.yml")
    path = cfg.TEST.weight_path if "_test_" in name else cfg.MODEL.posenet_path
    if "_test_" in name or cfg.MODEL.posenet_pretrained:
        trained = load_config(FOLDER / f"{path.split('/')[2]}.yml")
        assert trained.DATASET.train_list == cfg.DATASET.train_list
        assert trained.DATASET.input_joint_set == cfg.DATASET.input_joint_set
        assert trained.MODEL.name == (cfg.MODEL.name if "_test_" in name else "posenet")
    assert cfg.TRAIN.resume_path == ""


@pytest.mark.parametrize("name", FILES)
def test_header_says_what_the_file_does(name):
    first, *_ = (FOLDER / f"{name}.yml").read_text().splitlines()
    network = "Pose2Mesh" if name.startswith("pose2mesh_") else "PoseNet"
    assert first.startswith(f"# {'Tests' if '_test_' in name else 'Trains'} {network} for ")
