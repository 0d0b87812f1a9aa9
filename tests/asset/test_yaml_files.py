"""The 18 settings files of the original release, value by value."""

import pytest
import yaml

from lib.settings.config import Config
from lib.settings.reading import load_config
from tests.helpers import ROOT
from tests.support.released_settings import FILES

FOLDER = ROOT / "asset" / "yaml"
SETS = {"H": "Human36M", "C": "COCO", "M": "MuCo", "A": "AMASS", "P": "PW3D", "S": "SURREAL", "F": "FreiHAND"}

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
