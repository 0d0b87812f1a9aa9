"""Checkpoints that a training goes on from: whole, or else the one before."""

import math
from pathlib import Path

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.random_state import set_rng_state
from lib.core.optim import build_optimizer, build_scheduler, resume_optimizer
from lib.models.lifters import build_lifter
from lib.models.pose2mesh_net import Pose2Mesh, build_pose2mesh


def newest_sound(files: list[Path]) -> Checkpoint:
    """The first of ``files`` that training can go on from; prints what is wrong with those before it.

    Raises:
        ValueError: none; says what is wrong with the first.
    """
    problems = []
    for file in files:
        try:
            checkpoint = load_checkpoint(file)
            check_sound(checkpoint)
        except ValueError as error:
            problems.append(" ".join(str(error).split()))
            continue
        for problem in problems:
            print(f"Warning: {problem}")
        if problems:
            print(f"==> Damaged: going on from the checkpoint before, {file} (epoch {checkpoint.epoch})")
        return checkpoint
    raise ValueError(f"{problems[0]}; no other checkpoint to go on from" if len(files) > 1 else problems[0])


def check_sound(checkpoint: Checkpoint) -> None:
    """Whether all parts of a checkpoint fit each other: weights, optimiser, schedule, histories, random numbers.

    They are put into a model of the checkpoint's own settings, so that what a user changed in the settings of the
    training that goes on is not taken for damage. Files without settings, the original release's, are not checked.

    Raises:
        ValueError: names the file and the part.
    """
    cfg = checkpoint.settings
    if cfg is None:
        return
    try:
        _check_histories(checkpoint)
        graph = checkpoint.graph
        model = build_lifter(cfg) if graph is None else build_pose2mesh(cfg, graph)
        checkpoint.load_into(model)
        if isinstance(model, Pose2Mesh) and cfg.TRAIN.mesh_part == "base":
            model.train_base_alone()
        if checkpoint.optimizer is None:  # weights to share: the trainer says what to do with them
            return
        optimizer = build_optimizer(cfg.TRAIN, model.parameters())
        resume_optimizer(cfg.TRAIN, optimizer, checkpoint.optimizer)
        build_scheduler(cfg.TRAIN, optimizer, checkpoint.scheduler)
        if checkpoint.rng is not None:
            set_rng_state(checkpoint.rng)
    except MemoryError:
        raise
    except Exception as error:  # whatever wrong types of entries lead to
        named = str(error).startswith(checkpoint.name)
        raise ValueError(str(error) if named else f"{checkpoint.name} cannot be resumed: {error}") from error


def _check_histories(checkpoint: Checkpoint) -> None:
    histories = {"train_log": checkpoint.train_log}
    histories |= {f"test_log {name}": errors for name, errors in checkpoint.test_log.items()}
    if not {"test_log surface", "test_log joint"} <= histories.keys():
        raise ValueError(f"its test_log has {', '.join(checkpoint.test_log) or 'nothing'}; expected surface and joint")
    for name, values in histories.items():
        if len(values) != len(checkpoint.train_log) or not 1 <= len(values) <= checkpoint.epoch:
            raise ValueError(f"its {name} has {len(values)} entries, it was saved after epoch {checkpoint.epoch}")
        if not all(isinstance(value, (int, float)) for value in values):
            raise ValueError(f"its {name} holds more than numbers")
    if not all(map(math.isfinite, checkpoint.train_log)):
        raise ValueError("its train_log holds losses that are not finite")
