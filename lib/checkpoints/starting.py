"""Weights that a new training starts from."""

from pathlib import Path

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint, weights_path
from lib.settings.config import Config
from lib.settings.setting import POSENET, TEMPORAL


def starting_weights(
    cfg: Config, experiment: Path, root: Path = ROOT
) -> tuple[Config, Checkpoint | None, Checkpoint | None]:
    """What the settings name to start from, and these settings adapted to it (``Checkpoint.adapted``).

    Returns:
        settings; weights of TRAIN.init_path, of which whatever fits is taken; the PoseNet of MODEL.posenet_path, which
        is taken after them, as a whole, and so has the last word on the settings.

    Raises:
        FileNotFoundError, ValueError: see ``lib.checkpoints.finding`` and ``load_checkpoint``.
    """
    initial = posenet = None
    if cfg.TRAIN.init_path:
        initial = load_checkpoint(find_checkpoint(cfg.TRAIN.init_path, experiment, root, "TRAIN.init_path"))
        cfg = initial.adapted(cfg)
    if (cfg.MODEL.with_mesh or cfg.MODEL.lifter == TEMPORAL) and cfg.MODEL.posenet_pretrained:
        path = weights_path(cfg.MODEL.posenet_path, cfg, POSENET, "MODEL.posenet_path", experiment, root)
        posenet = load_checkpoint(path).posenet
        cfg = posenet.adapted(cfg)
    return cfg, initial, posenet
