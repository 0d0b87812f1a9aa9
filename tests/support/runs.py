"""Trainings and commands for tests, in this process and in one of their own."""

import argparse
import os
import subprocess
import sys

import torch

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.core.base import Options, Trainer
from lib.core.runs import create_run, seed_everything
from tests.helpers import write_config


def train(cfg, experiment, seed=1):
    seed_everything(seed)
    options = Options(seed=seed, experiment=experiment)
    trainer = Trainer(cfg, options)
    run = create_run(experiment, cfg)
    trainer.fit(run)
    return trainer, run


def run_command(command, cfg, folder, **changes):
    """``commands.train`` or ``commands.test``; the newest run folder below ``folder``."""
    config = write_config(folder.parent / "config.yml", cfg)
    given = {"cfg": config, "set": [], "seed": 1, "gpu": "", "experiment": folder, "root": ROOT, "debug": False}
    given |= {"resume_training": False, "weights": "", "predictions": "", "baseline": "", "name": ""} | changes
    command(argparse.Namespace(**given))
    return max(folder.glob("exp_*"), key=lambda path: path.stat().st_mtime_ns)


def run_script(script, *arguments, timeout=600):
    command = [sys.executable, f"main/{script}.py", "--gpu", "", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)


def same_weights(first, second):
    """Two run folders end with the same bits: logs, weights, the optimiser's state."""
    a, b = (load_checkpoint(path / "checkpoint") for path in (first, second))
    assert (a.epoch, a.train_log, a.test_log) == (b.epoch, b.train_log, b.test_log)
    for key, value in a.state.items():
        assert torch.equal(value, b.state[key]), key
    for key, state in a.optimizer["state"].items():
        for name, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(b.optimizer["state"][key][name]))
