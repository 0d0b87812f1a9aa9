"""Where weights come from: paths of the settings, the newest fitting run, or a warm start from another model."""

import dataclasses
from pathlib import Path

from torch import nn

from lib import ROOT
from lib.core.checkpoint import load_checkpoint, load_weights, read_state_dict
from lib.core.config import Config
from lib.core.runs import find_resumable


def weights_path(configured: str, cfg: Config, model_name: str, key: str) -> Path:
    """The checkpoint to use for a model.

    Args:
        configured: path of the settings; empty means the newest run below ``experiment/`` that was trained with the
            same data, joint sets and network sizes.
        model_name: ``posenet`` or ``pose2mesh_net``.
        key: the settings key, named in the error.

    Raises:
        FileNotFoundError: no path configured and no fitting run.
    """
    if configured:
        return Path(configured)
    wanted = dataclasses.replace(cfg, MODEL=dataclasses.replace(cfg.MODEL, name=model_name))
    wanted.TRAIN = dataclasses.replace(cfg.TRAIN, resume_path="")
    newest = find_resumable(ROOT / "experiment", wanted)
    if newest is None:
        raise FileNotFoundError(
            f"{key} is empty and experiment/ has no {model_name} run with these data, joint sets and sizes: "
            f"train one first (main/train.py), or set {key} to a checkpoint"
        )
    best = newest.with_name("best.pth.tar")
    return best if best.is_file() else newest


def load_posenet(model: nn.Module, cfg: Config) -> None:
    """Fill the PoseNet inside Pose2Mesh from ``MODEL.posenet_path``."""
    path = weights_path(cfg.MODEL.posenet_path, cfg, "posenet", "MODEL.posenet_path")
    print(f"Loading pretrained posenet... {path}")
    load_weights(model, load_checkpoint(path), path)


def warm_start(model: nn.Module, path: str | Path) -> str:
    """Copy what fits from a checkpoint of another joint set or size; the rest keeps its fresh values.

    Returns:
        One line that says how many tensors were taken.

    Raises:
        ValueError: no tensor fits.
    """
    saved = read_state_dict(load_checkpoint(path))
    own = model.state_dict()
    fitting = {key: value for key, value in saved.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise ValueError(f"TRAIN.init_path: no tensor of {path} has the name and shape of one of this model's")
    model.load_state_dict(fitting, strict=False)
    return f"Warm start from {path}: {len(fitting)} of {len(own)} tensors"
