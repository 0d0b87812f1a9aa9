"""What main/train.py and main/test.py do once the command line is parsed."""

import argparse
import contextlib
import os
import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import identity, load_checkpoint
from lib.checkpoints.finding import find_checkpoint, newest_first, weights_path
from lib.checkpoints.resuming import checkpoints_before, find_resumable, settings_problem
from lib.core.base import Options, Tester, Trainer
from lib.core.baselines import fit_baseline
from lib.core.epoch_log import summary_writer
from lib.core.resuming import newest_sound
from lib.core.runs import (
    check_run_name,
    create_run,
    remove_leftovers,
    run_of,
    seed_everything,
    sole_use,
    write_settings,
)
from lib.messages import one_line
from lib.runtime import distributed
from lib.runtime.failures import Terminated, explained, terminable
from lib.runtime.gpus import parse_gpus
from lib.runtime.memory import keep_freed_memory
from lib.settings.config import Config
from lib.settings.reading import load_config


def run_command(command: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run a command; errors that a user can mend end it with one line on stderr and exit code 2.

    So do Ctrl-C and SIGTERM, with their customary exit codes 130 and 143.
    """
    keep_freed_memory()
    default, warnings.formatwarning = warnings.formatwarning, _warning_text
    # where the error came from a worker or the disk, all of a training but its last epoch is kept
    hint = f"; go on with: {_resume_command()}" if hasattr(args, "resume_training") else ""
    try:
        with terminable():
            command(args)
    except KeyboardInterrupt as stop:
        name, code = ("SIGTERM", 143) if isinstance(stop, Terminated) else ("Ctrl-C", 130)
        if distributed.first_to_fail():
            sender = " of torchrun, whose report names a lost process" if distributed.under_torchrun() else ""
            print(f"\nstopped by {name}{sender if code == 143 else ''}{hint}", file=sys.stderr)
        sys.exit(code)
    except Exception as error:
        if not distributed.first_to_fail():
            sys.exit(2)
        line = explained(error)
        if not line or os.environ.get("POSE2MESH_TRACEBACK"):
            raise
        mended = isinstance(error, (ValueError, FileNotFoundError))  # other settings or files are needed first
        settings = getattr(args, "cfg", None) or ""
        named = settings in line or line.startswith("--") or os.sep in line.partition(" ")[0]  # an argument, a file
        place = "" if named else f"{one_line(settings, 200)}: "
        print(f"error: {place}{line}{'' if mended else hint}", file=sys.stderr)
        sys.exit(2)
    finally:
        warnings.formatwarning = default


def _resume_command() -> str:
    if distributed.under_torchrun():
        return "the same torchrun command and --resume_training"
    further = [] if "--resume_training" in sys.argv else ["--resume_training"]
    return shlex.join(["python", *sys.argv, *further])


def _warning_text(message, category, filename, lineno, line=None) -> str:
    """One line about what was found; where in the code it was noticed helps nobody at the command line."""
    return f"Warning: {one_line(message)}\n"


def train(args: argparse.Namespace) -> None:
    """Train on the GPUs of ``--gpu`` (one process each), under torchrun, or on the CPU."""
    cfg = load_config(args.cfg, args.set)
    _check_seed(args.seed)
    check_run_name(args.name)
    if cfg.TRAIN.tensorboard:
        summary_writer()  # before the data are read, which may take minutes
    distributed.launch(_train_process, parse_gpus(args.gpu), cfg, args)


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
    run_training(cfg, _options(args, device), args.resume_training, args.name)


def run_training(cfg: Config, options: Options, resume: bool = False, name: str = "") -> Path | None:
    """Train in this process on ``options.device``: main/train.py for programs and notebooks.

    Args:
        cfg: settings (``lib.settings.reading.load_config``).
        options: seed, device, ``experiment``, where the run folder goes, and ``root``.
        resume: go on with the newest run of these settings, where there is one.
        name: added to a new run folder's name.

    Returns:
        the run folder: checkpoint/, log.csv, result/metrics.json, ...; None in all processes of a job but the first.

    Raises:
        ValueError, FileNotFoundError: settings, data or weights that do not do.
        OSError: the disk, a loading process or the like ended it; says what is kept.
    """
    seed_everything(options.seed)
    checkpoint = run = None
    with contextlib.ExitStack() as stack:
        if distributed.is_main():
            print(f"Work on device:  {options.device}")
            remove_leftovers(options.experiment)
            checkpoint = _resumed(cfg, options, stack) if resume else None
            if cfg.TRAIN.resume_path and not resume:
                print("TRAIN.resume_path is set but --resume_training is not given: starting at the first epoch")
        path = distributed.broadcast_object(checkpoint and checkpoint.source)
        if path is not None and checkpoint is None:
            checkpoint = load_checkpoint(path)
        trainer = Trainer(cfg, options, checkpoint)
        # the same initial weights everywhere, other dropout masks
        seed_everything(distributed.rank_seed(options.seed))
        trainer.begin()
        if distributed.is_main():
            run = path and run_of(path)
            if run is None:
                # made last, so that a run that cannot start leaves no folder behind
                run = create_run(options.experiment, trainer.cfg, name=name)
                stack.enter_context(sole_use(run))
            print(f"Experiment Data on {run}")
        _fit(trainer, run)
    return run


def _resumed(cfg: Config, options: Options, stack: contextlib.ExitStack) -> Checkpoint | None:
    """What to go on from, its run folder locked until ``stack`` is left; None when there is nothing."""
    path = find_resumable(options.experiment, cfg, options.root)
    if path is None:
        print("no checkpoint of this config to resume: starting at the first epoch")
        return None
    run = run_of(path)
    if run is not None:
        stack.enter_context(sole_use(run))
        path = find_resumable(options.experiment, cfg, options.root) or path  # what another process has made meanwhile
    checkpoint = newest_sound(checkpoints_before(path, cfg))
    problem = run is not None and settings_problem(run)
    if run is not None and problem and checkpoint.settings is not None:
        print(f"Warning: {run / 'config.yml'} is {problem}: made anew from {checkpoint.name}")
        write_settings(run, checkpoint.settings)
    return checkpoint


def _fit(trainer: Trainer, run: Path | None) -> None:
    """Train; what ends it from outside, says what is kept."""
    try:
        trainer.fit(run)
    except Exception as error:
        line = explained(error)
        if run is None or not line or isinstance(error, ValueError):
            raise
        kept = next(iter(newest_first(run)), None)
        raise OSError(f"{line}. {f'{kept} is kept' if kept else 'No epoch was completed'}") from error


def test(args: argparse.Namespace) -> None:
    """Evaluate weights, a baseline or saved predictions on the first test set; processes as in ``train``.

    ``--weights`` without ``--cfg`` are tested with the settings of their training.
    """
    checkpoint = trained = None
    if args.weights and not args.cfg:
        path = find_checkpoint(args.weights, Path(args.experiment), Path(args.root), "--weights")
        checkpoint = load_checkpoint(path)
        trained = checkpoint.trained
    cfg = load_config(args.cfg, args.set, trained)
    _check_seed(args.seed)
    distributed.launch(_test_process, parse_gpus(args.gpu), cfg, args, checkpoint)


def _predictor(baseline: str | None, predictions: str | Path | None) -> str:
    """What a test tests, in words."""
    if predictions:
        return f"saved predictions {predictions}"
    return f"baseline {baseline}" if baseline else "weights"


def _test_process(device: str, cfg: Config, args: argparse.Namespace, checkpoint: Checkpoint | None) -> None:
    run_test(cfg, _options(args, device), checkpoint or args.weights, args.baseline, args.predictions)


def run_test(
    cfg: Config,
    options: Options,
    weights: str | Path | Checkpoint | None = None,
    baseline: str | None = None,
    predictions: str | Path | None = None,
) -> Path | None:
    """Evaluate on the first test set in this process on ``options.device``: main/test.py for programs and notebooks.

    Args:
        cfg, options: as for ``run_training``.
        weights: checkpoint file or folder, or what was read from one; None takes ``TEST.weight_path``.
        baseline: a key of ``lib.core.baselines.BASELINES``, instead of weights.
        predictions: saved ones (``TEST.save_predictions``), instead of weights.

    Returns:
        the run folder with result/metrics.json and metrics.csv; None in all processes of a job but the first.

    Raises:
        ValueError, FileNotFoundError: settings, data, weights or predictions that do not do.
    """
    seed_everything(options.seed)
    main = distributed.is_main()
    checkpoint = weights if isinstance(weights, Checkpoint) else None
    tested = None
    if main:
        print(f"Work on device:  {options.device}")
        remove_leftovers(options.experiment)
    if main and not (predictions or baseline):
        # before the data are read, which may take minutes
        path = None if checkpoint is None else checkpoint.source
        if path is None:
            configured = str(weights or cfg.TEST.weight_path)
            path = weights_path(configured, cfg, cfg.MODEL.name, "TEST.weight_path", options.experiment, options.root)
        print(f"Fetch model weight from {one_line(path)}")
        checkpoint = checkpoint or load_checkpoint(path)
        tested = identity(path, checkpoint.epoch, options.root)
        cfg = checkpoint.adapted(cfg)
    # the file may be replaced in the meantime
    cfg, checkpoint = distributed.broadcast_object((cfg, checkpoint))
    tester = Tester(cfg, options)
    model: torch.nn.Module
    if predictions:
        tester.check_predictions(predictions)
    elif baseline:
        model = fit_baseline(baseline, cfg, options)
    else:
        assert checkpoint is not None  # neither predictions nor a baseline
        model = tester.stage.trained_model(checkpoint)
    with contextlib.ExitStack() as stack:
        run = None
        if main:
            run = create_run(options.experiment, cfg)
            stack.enter_context(sole_use(run))
            print(f"Experiment Data on {run}")
            print("===> Start testing...")
        if predictions:
            tester.test_predictions(predictions, run)
        else:
            tester.test(0, model.to(options.device), run)
        if run is not None:
            tester.report(run / "result", tested, _predictor(baseline, predictions))
    return run
