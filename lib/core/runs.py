"""Run folders: ``experiment/exp_MM-DD_HH-MM-SS`` with the results, settings and versions of one training or test."""

import json
import os
import platform
import random
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
import yaml

from lib import ROOT
from lib.checkpoints.paths import find_checkpoint, latest_checkpoint, search_places
from lib.files import atomic_write
from lib.settings.agreement import same_experiment
from lib.settings.config import Config
from lib.settings.reading import load_config

FOLDERS = ("checkpoint", "graph", "vis", "result")


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), numpy and Python's random."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that third-party code uses
    random.seed(seed)


def create_run(experiment: str | Path, cfg: Config, now: datetime | None = None) -> Path:
    """Make a new run folder with the sub-folders of ``FOLDERS``; nothing that exists is touched.

    The name is the local time to the second; a number is appended when another run took it. The folder starts with the
    resolved settings (``config.yml``, can be passed as ``--cfg``) and ``versions.json``. Only the main process of a job
    may call this.

    Args:
        experiment: parent folder, created when missing.
        cfg: settings of the run.
        now: local time for the name; None reads the clock.

    Returns:
        the new folder.
    """
    name = (now or datetime.now()).strftime("exp_%m-%d_%H-%M-%S")
    experiment = Path(experiment)
    experiment.mkdir(parents=True, exist_ok=True)
    number, run = 1, experiment / name
    while True:
        try:
            run.mkdir()
            break
        except FileExistsError:
            number += 1
            run = experiment / f"{name}_{number}"
    for folder in FOLDERS:
        (run / folder).mkdir()
    with atomic_write(run / "config.yml") as stream:
        yaml.safe_dump(cfg.to_dict(), stream, sort_keys=False)
    with atomic_write(run / "versions.json") as stream:
        json.dump(versions(), stream, indent=2)
    return run


def versions() -> dict[str, str | None]:
    """What a run's numbers depend on beside its settings: command, interpreter, libraries, source revision, GPU."""
    return {
        "command": " ".join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "git": git_revision(),
    }


def git_revision(folder: Path = ROOT) -> str | None:
    """Commit of the source tree, with ``-dirty`` when files differ from it; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def run_of(checkpoint: str | Path) -> Path | None:
    """The run folder that a checkpoint was written to; None for files elsewhere (e.g. downloaded weights)."""
    folder = Path(checkpoint).resolve().parent
    return folder.parent if folder.name == "checkpoint" and (folder.parent / "config.yml").is_file() else None


def find_resumable(experiment: str | Path, cfg: Config, root: Path = ROOT) -> Path | None:
    """The checkpoint that ``--resume_training`` continues.

    TRAIN.resume_path where it is set: a file, or a folder, of which the checkpoint with the most epochs is taken;
    looked for as ``search_places`` says.
    Otherwise the last written checkpoint among the runs below ``experiment`` whose stored settings are those of
    ``cfg`` in everything that a resumed run must keep (``lib.settings.agreement``). None when there is no such run.

    Raises:
        FileNotFoundError: TRAIN.resume_path is set but has no checkpoint.
    """
    if cfg.TRAIN.resume_path:
        configured = cfg.TRAIN.resume_path
        folders = (place for place in search_places(configured, Path(experiment), root) if place.is_dir())
        latest = next((file for folder in folders if (file := latest_checkpoint(folder)) is not None), None)
        return latest or find_checkpoint(configured, Path(experiment), root, "TRAIN.resume_path")
    found = [latest_checkpoint(run) for run in Path(experiment).glob("exp_*") if _same_experiment(run, cfg)]
    return max((file for file in found if file is not None), key=lambda file: file.stat().st_mtime, default=None)


def _same_experiment(run: Path, cfg: Config) -> bool:
    try:
        stored = load_config(run / "config.yml")
    except (FileNotFoundError, ValueError):
        return False
    return same_experiment(cfg, stored)
