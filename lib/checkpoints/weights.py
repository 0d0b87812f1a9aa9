"""Where weights come from: paths of the settings, the newest fitting run, or a warm start from another model."""

from pathlib import Path

from torch import nn

from lib import ROOT
from lib.checkpoints.checkpoint import load_checkpoint, load_weights, read_state_dict
from lib.checkpoints.paths import checkpoint_at, find_checkpoint, latest_checkpoint
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.settings.agreement import followed, weights_fit
from lib.settings.config import Config
from lib.settings.reading import load_config, merge


def weights_path(configured: str, cfg: Config, model_name: str, key: str, experiment: Path, root: Path = ROOT) -> Path:
    """The checkpoint to use for a model.

    Args:
        configured: path of the settings, see ``find_checkpoint``; empty means the newest run below ``experiment`` that
            was trained with the same data, joint sets and network sizes (its best epoch, else its last).
        model_name: ``posenet`` or ``pose2mesh_net``.
        key: the settings key, named in the error.
        experiment: parent of run folders.
        root: folder that holds ``data/`` and the licensed models.

    Raises:
        FileNotFoundError: nothing at the configured path, or no path configured and no fitting run.
    """
    found = [path for run in _fitting_runs(cfg, model_name, experiment) if (path := _best_checkpoint(run)) is not None]
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if configured:
        hint = f"A fitting run is there: {newest}; {key} '' takes the newest fitting run" if newest else ""
        return find_checkpoint(configured, experiment, root, key, hint)
    if newest is None:
        raise FileNotFoundError(
            f"{key} is empty and {experiment.name}/ has no {model_name} run with these data, joint sets and sizes: "
            f"train one first (main/train.py), or set {key} to a checkpoint"
        )
    return newest


def newest_run(joint_set: JointSet, experiment: Path) -> Path | None:
    """The newest Pose2Mesh below ``experiment`` that was trained with these input joints; None when there is none."""
    found = [
        file
        for path in experiment.glob("*/config.yml")
        if _takes(path, joint_set)
        and (file := checkpoint_at(path.parent / "final.pth.tar") or _best_checkpoint(path.parent)) is not None
    ]
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def _takes(config: Path, joint_set: JointSet) -> bool:
    try:
        stored = load_config(config)
    except ValueError:
        return False  # written by another version
    own = get_joint_set(stored.DATASET.input_joint_set)
    same = (own.joints, own.body, own.derived, own.root) == (
        joint_set.joints, joint_set.body, joint_set.derived, joint_set.root,
    )  # fmt: skip
    return stored.MODEL.name == "pose2mesh_net" and same


def _fitting_runs(cfg: Config, model_name: str, experiment: Path) -> list[Path]:
    return [path.parent for path in experiment.glob("exp_*/config.yml") if _fits(path, cfg, model_name)]


def _best_checkpoint(run: Path) -> Path | None:
    best = run / "checkpoint" / "best.pth.tar"
    return best if best.is_file() else latest_checkpoint(run)


def _fits(config: Path, cfg: Config, model_name: str) -> bool:
    try:
        stored = load_config(config)
    except ValueError:
        return False  # written by another version
    return weights_fit(cfg, stored, model_name)


def follow_weights(cfg: Config, checkpoint: dict, source: str | Path) -> Config:
    """The settings with those that decide what weights mean as in a checkpoint; says so where they change.

    Weights of the original release carry no settings and mean the defaults, the published behaviour.
    """
    trained = Config() if checkpoint["config"] is None else merge(checkpoint["config"], f"settings in {source}")
    cfg, lines = followed(cfg, trained)
    for line in lines:
        print(f"{line}, as {source} was trained")
    return cfg


def pretrained_posenet(cfg: Config, experiment: Path, root: Path = ROOT) -> Path | None:
    """The PoseNet that Pose2Mesh starts from (``MODEL.posenet_path``, see ``weights_path``); None when it starts fresh.

    Raises:
        FileNotFoundError: see ``weights_path``.
    """
    if cfg.MODEL.name != "pose2mesh_net" or not cfg.MODEL.posenet_pretrained:
        return None
    return weights_path(cfg.MODEL.posenet_path, cfg, "posenet", "MODEL.posenet_path", experiment, root)


def initial_weights(cfg: Config, experiment: Path, root: Path = ROOT) -> Path | None:
    """The checkpoint of ``TRAIN.init_path``, see ``find_checkpoint``; None when it is empty."""
    if not cfg.TRAIN.init_path:
        return None
    return find_checkpoint(cfg.TRAIN.init_path, experiment, root, "TRAIN.init_path")


def load_posenet(model: nn.Module, path: Path) -> None:
    """Fill the PoseNet inside Pose2Mesh from a checkpoint of PoseNet or Pose2Mesh."""
    print(f"Loading pretrained posenet... {path}")
    load_weights(model, only_posenet(load_checkpoint(path)), path)


def only_posenet(checkpoint: dict) -> dict:
    """A PoseNet checkpoint as it is; of a Pose2Mesh checkpoint the PoseNet inside it."""
    state = checkpoint["model_state_dict"]
    prefix = "pose_lifter."
    inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return {**checkpoint, "model_state_dict": inside} if inside else checkpoint


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
