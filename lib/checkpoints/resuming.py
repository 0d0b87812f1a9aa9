"""The run that ``--resume_training`` goes on with: where it is, and its settings when their file is damaged."""

from pathlib import Path

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint, newest_checkpoint, newest_first, stored_settings
from lib.files import read_yaml
from lib.settings.agreement import followed, same_experiment
from lib.settings.config import Config


def find_resumable(experiment: str | Path, cfg: Config, root: Path = ROOT) -> Path | None:
    """The newest checkpoint of the training that ``--resume_training`` continues; None when there is none.

    TRAIN.resume_path where it is set, else the newest among the runs below ``experiment`` whose stored settings are
    those of ``cfg`` in everything that a resumed run must keep (``lib.settings.agreement``). Where a training starts
    from other weights these decided some settings: as they were then, whether or not the weights still exist.

    Raises:
        FileNotFoundError: TRAIN.resume_path is set but has no checkpoint.
    """
    if cfg.TRAIN.resume_path:
        return find_checkpoint(cfg.TRAIN.resume_path, Path(experiment), root, "TRAIN.resume_path", wish="last")
    decided = cfg.TRAIN.init_path or (cfg.MODEL.with_mesh and cfg.MODEL.posenet_pretrained)

    def same(stored: Config) -> bool:
        return same_experiment(followed(cfg, stored)[0] if decided else cfg, stored)

    return newest_checkpoint(Path(experiment), same, "last", settings=run_settings)


def run_settings(run: Path) -> Config | None:
    """Settings of a run: of its ``config.yml`` or, when that is damaged, of its newest readable checkpoint."""
    if settings_problem(run):
        for file in newest_first(run):
            try:
                settings = load_checkpoint(file).settings
            except ValueError:
                continue
            if settings is not None:
                return settings
    return stored_settings(run)


def settings_problem(run: Path) -> str:
    """What is wrong with a run's ``config.yml``, which is written with all settings; empty when it is sound."""
    if stored_settings(run) is None:
        return "missing or damaged"
    stored = read_yaml(run / "config.yml") or {}
    lost = [
        f"{section}.{key}"
        for section, entries in Config().to_dict().items()
        for key in entries
        if key not in (stored.get(section) or {})
    ]
    return f"without {', '.join(lost[:3])}{' and more' if len(lost) > 3 else ''}" if lost else ""


def checkpoints_before(path: Path, cfg: Config) -> list[Path]:
    """``path`` of ``find_resumable`` and what to go on from when it is damaged, newest first.

    A file that TRAIN.resume_path names is the only one.
    """
    if cfg.TRAIN.resume_path and Path(cfg.TRAIN.resume_path).name == path.name:
        return [path]
    run = path.parent.parent if path.parent.name == "checkpoint" else path.parent
    return [path, *(file for file in newest_first(run) if file != path)]
