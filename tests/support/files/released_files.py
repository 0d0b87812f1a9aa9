"""Checkpoints in the original release's layout and stand-ins for the licensed model files, full size, made quickly."""

import json
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import torch

from data.tiny_set.models import StandIns
from tests.helpers import GOLDEN, golden

# joint set -> names of the release's folders below experiment/
TRAINED_ON = {
    "human36": "human36J_train_human36",
    "coco": "cocoJ_train_human36_coco_muco",
    "smpl": "smplJ_train_surreal",
    "mano": "manoJ_train_freihand",
}
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def write_model_files(root: Path) -> None:
    """Body and hand of 6,890 and 778 vertices in SMPL's and MANO's format, with faces that coarsen as SMPL's do."""
    faces = golden("legacy_order")
    models = StandIns()
    models.bodies = {"neutral": models.bodies["neutral"] | {"f": faces["smpl2020.faces"].astype(np.uint32)}}
    models.hand = models.hand | {"f": faces["mano.faces"].astype(np.uint32)}
    models.write(root)


def state_dict(network: str, joint_set: str) -> "OrderedDict[str, torch.Tensor]":
    """Random weights under the keys and shapes of the original's full-size networks (``posenet``, ``pose2mesh``)."""
    shapes = json.loads((GOLDEN / "state_dict_keys.json").read_text())[f"{network}_{joint_set}"]
    generator = torch.Generator().manual_seed(len(network) + len(joint_set))
    return OrderedDict((key, _weight(key, shape, generator)) for key, shape in shapes.items())


def _weight(key: str, shape: list[int], generator: torch.Generator) -> torch.Tensor:
    if key.endswith("num_batches_tracked"):
        return torch.tensor(7)
    if len(shape) == 2:
        # every diagonal repeats one number: full size, but only rows + columns numbers to draw, write and read
        numbers = torch.rand(sum(shape) - 1, generator=generator) - 0.5
        return (numbers / 16).as_strided(shape, (1, 1))
    values = torch.rand(shape, generator=generator)
    return values + 0.5 if key.endswith(("running_var", "weight")) else (values - 0.5) / 5


def release_checkpoint(network: str, joint_set: str) -> dict:
    """What the original trainer stored after 30 epochs: with RMSprop's state, a Counter and numpy's numbers."""
    weights = state_dict(network, joint_set)
    parameters = [key for key in weights if not key.endswith(_BUFFERS)]
    # PoseNet's first normalisation is not in use and never had a gradient
    trained = [n for n, key in enumerate(parameters) if not key.removeprefix("pose_lifter.").startswith("batch_norm1.")]
    group = {"lr": 1e-4, "momentum": 0, "alpha": 0.99, "eps": 1e-8, "centered": False, "weight_decay": 0}
    return {
        "epoch": 30,
        "model_state_dict": weights,
        "optim_state_dict": {
            "state": {n: {"step": 9000, "square_avg": weights[parameters[n]].clone()} for n in trained[:2]}
            | {n: {"step": 9000, "square_avg": weights[parameters[n]]} for n in trained[2:]},
            "param_groups": [group | {"initial_lr": 1e-3, "params": list(range(len(parameters)))}],
        },
        "scheduler_state_dict": {
            "milestones": Counter([20]),
            "gamma": 0.1,
            "base_lrs": [1e-3],
            "last_epoch": 30,
            "_step_count": 31,
            "_last_lr": [1e-4],
        },
        "train_log": [35.25, 30.5],
        "test_log": {"surface": [np.float32(120.5), np.float64(101.5)], "joint": [np.float32(88.25), np.float64(80)]},
    }


def write_release(path: Path, network: str, joint_set: str, old_format: bool = False) -> Path:
    """``old_format``: the pickles that torch wrote until 2020 instead of today's zip files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(release_checkpoint(network, joint_set), path, _use_new_zipfile_serialization=not old_format)
    return path
