"""Trainings and commands for tests, in this process and in one of their own."""

import argparse
import contextlib
import io
import os
import runpy
import subprocess
import sys
from unittest import mock

import torch

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.core import base
from lib.core.base import Options, Trainer
from lib.core.runs import create_run, seed_everything
from tests.helpers import write_config

NO_PLOTS = "from lib.core import base; base.save_plot = lambda *_: None\n"  # for ``start_script``


def train(cfg, experiment, seed=1, plots=False):
    """Trainer and run folder; learning curves take longer than small trainings."""
    seed_everything(seed)
    options = Options(seed=seed, experiment=experiment)
    trainer = Trainer(cfg, options)
    run = create_run(experiment, cfg)
    with contextlib.nullcontext() if plots else mock.patch.object(base, "save_plot"):
        trainer.fit(run)
    return trainer, run


def run_command(command, cfg, folder, **changes):
    """``commands.train`` or ``commands.test``; the newest run folder below ``folder``."""
    config = write_config(folder.parent / "config.yml", cfg)
    given = {"cfg": config, "set": [], "seed": 1, "gpu": "", "experiment": folder, "root": ROOT, "debug": False}
    given |= {"resume_training": False, "weights": "", "predictions": "", "baseline": "", "name": ""} | changes
    command(argparse.Namespace(**given))
    return max(folder.glob("exp_*"), key=lambda path: path.stat().st_mtime_ns)


def start_script(script, *arguments, code=""):
    """The process of a script of ``main/``, with one thread, after ``code``; costs seconds, see ``run_here``."""
    given = [f"main/{script}.py", "--gpu", "", *map(str, arguments)]
    prepared = f"import sys, runpy; sys.argv = {given!r}; sys.path.insert(0, '.')\n{code}\n"
    command = [sys.executable, "-c", f"{prepared}runpy.run_path(sys.argv[0], run_name='__main__')"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def run_here(script, *arguments):
    """A script of ``main/`` in this process with one thread, as it computes in a process of its own."""
    path, threads, code = ROOT / "main" / f"{script}.py", torch.get_num_threads(), 0
    given = [str(path), "--gpu", "", *map(str, arguments)]
    stdout, stderr = io.StringIO(), io.StringIO()
    torch.set_num_threads(1)
    try:
        with (
            mock.patch.object(sys, "argv", given),
            mock.patch.object(sys, "path", list(sys.path)),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        torch.set_num_threads(threads)
    return subprocess.CompletedProcess(given, code, stdout.getvalue(), stderr.getvalue())


def same_weights(first, second):
    """Two run folders end with the same bits: logs, weights, the optimiser's state."""
    a, b = (load_checkpoint(path / "checkpoint") for path in (first, second))
    assert (a.epoch, a.train_log, a.test_log) == (b.epoch, b.train_log, b.test_log)
    for key, value in a.state.items():
        assert torch.equal(value, b.state[key]), key
    for key, state in a.optimizer["state"].items():
        for name, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(b.optimizer["state"][key][name]))
