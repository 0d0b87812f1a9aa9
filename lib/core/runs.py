"""Run folders: ``experiment/exp_MM-DD_HH-MM-SS[_NAME]`` with results, settings and versions of a training or test."""

import contextlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
import yaml
from filelock import FileLock, Timeout

from lib import ROOT
from lib.files import atomic_write
from lib.settings.config import Config

FOLDERS = ("checkpoint", "graph", "vis", "result")
LEFTOVERS = ".*.*-*.tmp"


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), numpy and Python's random."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that third-party code uses
    random.seed(seed)


def check_run_name(name: str) -> None:
    """Raises ValueError for a name that is no harmless part of a folder's name."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", name):
        raise ValueError(f"--name {name!r}: expected at most 100 letters, digits, - and _, for example coco_long")


def create_run(experiment: str | Path, cfg: Config, now: datetime | None = None, name: str = "") -> Path:
    """Make a new run folder with the sub-folders of ``FOLDERS``; nothing that exists is touched.

    It is called after the local time to the second and ``name``; a number is appended when another run took that. It
    starts with the resolved settings (``config.yml``, can be passed as ``--cfg``) and ``versions.json``. Only the main
    process of a job may call this.

    Args:
        experiment: parent folder, created when missing.
        cfg: settings of the run.
        now: local time for the name; None reads the clock.
        name: the user's own addition.

    Returns:
        the new folder.

    Raises:
        ValueError: see ``check_run_name``.
    """
    check_run_name(name)
    name = (now or datetime.now()).strftime("exp_%m-%d_%H-%M-%S") + (f"_{name}" if name else "")
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
    with sole_use(run):  # whoever tidies up leaves it alone
        for folder in FOLDERS:
            (run / folder).mkdir()
        write_settings(run, cfg)
        with atomic_write(run / "versions.json") as stream:
            json.dump(versions(), stream, indent=2)
    return run


def write_settings(run: Path, cfg: Config) -> None:
    """``config.yml`` of a run, with all settings."""
    with atomic_write(run / "config.yml") as stream:
        yaml.safe_dump(cfg.to_dict(), stream, sort_keys=False)


@contextlib.contextmanager
def sole_use(run: Path) -> Iterator[None]:
    """Keep other processes from writing to a run folder; the system takes the lock from one that is killed.

    Where the file system has no locks, nobody is kept away.

    Raises:
        ValueError: another process has it.
    """
    with contextlib.ExitStack() as stack:
        try:
            # no soft one, which a killed process would leave behind
            stack.enter_context(FileLock(run / ".lock", timeout=0, fallback_to_soft=False))
            stack.callback(_unlink, run / ".lock")
        except Timeout as error:
            raise ValueError(f"{run} is in use: another process trains in it; wait for its end or stop it") from error
        except (NotImplementedError, OSError) as error:
            if not os.access(run, os.W_OK):
                raise PermissionError(f"{run}: no permission to write to this run folder") from error
        yield


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows removes no open file; there the lock itself does it
        path.unlink()


def remove_leftovers(experiment: str | Path) -> None:
    """Remove what killed processes left half-written (``lib.files.hidden_beside``) in run folders that nobody uses."""
    for run in Path(experiment).glob("exp_*"):
        if not any(run.rglob(LEFTOVERS)):
            continue
        # in use, or not ours to change
        with contextlib.suppress(ValueError, OSError), sole_use(run):
            for path in list(run.rglob(LEFTOVERS)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


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
    written = (folder.parent / name for name in ("config.yml", "versions.json"))  # either may be lost
    return folder.parent if folder.name == "checkpoint" and any(path.is_file() for path in written) else None
