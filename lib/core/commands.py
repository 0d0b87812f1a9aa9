"""What main/train.py and main/test.py do once the command line is parsed."""

import argparse
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from lib.checkpoints.files import identity, load_checkpoint
from lib.checkpoints.finding import find_resumable, weights_path
from lib.core.base import Options, Tester, Trainer
from lib.core.baselines import fit_baseline
from lib.core.epoch_log import summary_writer
from lib.core.runs import check_run_name, create_run, run_of, seed_everything
from lib.messages import one_line
from lib.runtime import distributed
from lib.runtime.memory import keep_freed_memory
from lib.settings.config import Config
from lib.settings.reading import load_config


def run_command(command: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run a command; errors that a user can mend end it with one line on stderr and exit code 2."""
    keep_freed_memory()
    default, warnings.formatwarning = warnings.formatwarning, _warning_text
    try:
        command(args)
    except (ValueError, OSError, pickle.UnpicklingError, MemoryError, OverflowError, RuntimeError) as error:
        # of RuntimeErrors those of a full memory are the user's, all others ours
        if os.environ.get("POSE2MESH_TRACEBACK") or (isinstance(error, RuntimeError) and not _memory_short(error)):
            raise
        sys.exit(_exit_text(error, getattr(args, "cfg", None) or ""))
    finally:
        warnings.formatwarning = default


def _warning_text(message, category, filename, lineno, line=None) -> str:
    """One line about what was found; where in the code it was noticed helps nobody at the command line."""
    return f"Warning: {one_line(message)}\n"


def _memory_short(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _exit_text(error: Exception, settings: str) -> int:
    """The error in one line, which names the file of settings where it does not say which argument is meant."""
    text = one_line(error) or type(error).__name__
    print("error:", text if settings in text or text.startswith("--") else f"{settings}: {text}", file=sys.stderr)
    return 2


def train(args: argparse.Namespace) -> None:
    """Train on the GPUs of ``--gpu`` (one process each), under torchrun, or on the CPU."""
    cfg = load_config(args.cfg, args.set)
    _check_seed(args.seed)
    check_run_name(args.name)
    if cfg.TRAIN.tensorboard:
        summary_writer()  # before the data are read, which may take minutes
    distributed.launch(_train_process, distributed.parse_gpus(args.gpu), cfg, args)


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed {seed}: expected a number from 0 to {2**32 - 1}")


def _options(args: argparse.Namespace, device: str) -> Options:
    if not Path(args.root).is_dir():
        raise FileNotFoundError(f"--root {args.root} is not a folder; it should hold data/ and the licensed models")
    return Options(
        seed=args.seed, device=device, debug=args.debug, experiment=Path(args.experiment), root=Path(args.root)
    )


def _train_process(device: str, cfg: Config, args: argparse.Namespace) -> None:
    seed_everything(args.seed)
    options = _options(args, device)
    path = None
    if distributed.is_main():
        print(f"Work on device:  {device}")
        path = find_resumable(options.experiment, cfg, options.root) if args.resume_training else None
        if args.resume_training and path is None:
            print("no checkpoint of this config to resume: starting at the first epoch")
        if cfg.TRAIN.resume_path and not args.resume_training:
            print("TRAIN.resume_path is set but --resume_training is not given: starting at the first epoch")
    path = distributed.broadcast_object(path)
    trainer = Trainer(cfg, options, None if path is None else load_checkpoint(path))
    # the same initial weights everywhere, other dropout masks
    seed_everything(distributed.rank_seed(args.seed))
    trainer.begin()
    run = None
    if distributed.is_main():
        # made last, so that a run that cannot start leaves no folder behind
        run = (path and run_of(path)) or create_run(options.experiment, trainer.cfg, name=args.name)
        print(f"Experiment Data on {run}")
    trainer.fit(run)


def test(args: argparse.Namespace) -> None:
    """Evaluate weights, a baseline or saved predictions on the first test set."""
    cfg = load_config(args.cfg, args.set)
    _check_seed(args.seed)
    seed_everything(args.seed)
    device = distributed.first_device(distributed.parse_gpus(args.gpu))
    options = _options(args, device)
    print(f"Work on device:  {device}")
    weights = None
    if not (args.predictions or args.baseline):
        # before the data are read, which may take minutes
        configured = args.weights or cfg.TEST.weight_path
        path = weights_path(configured, cfg, cfg.MODEL.name, "TEST.weight_path", options.experiment, options.root)
        print(f"Fetch model weight from {path}")
        checkpoint = load_checkpoint(path)
        weights = identity(path, checkpoint.epoch, options.root)
        cfg = checkpoint.adapted(cfg)
    tester = Tester(cfg, options)
    model: torch.nn.Module
    if args.predictions:
        tester.check_predictions(args.predictions)
    elif args.baseline:
        model = fit_baseline(args.baseline, cfg, options)
    else:
        model = tester.stage.trained_model(checkpoint)
    run = create_run(options.experiment, cfg)
    print(f"Experiment Data on {run}")
    print("===> Start testing...")
    if args.predictions:
        tester.test_predictions(args.predictions, run)
    else:
        tester.test(0, model.to(device), run)
    tester.report(run / "result", weights)
