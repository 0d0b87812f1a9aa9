"""Optimizers, learning-rate schedules and the resuming of both."""

from collections import Counter
from collections.abc import Iterable

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, ReduceLROnPlateau

from lib.core.config import Config

STATE_OF = {"rmsprop": "square_avg", "adam": "exp_avg", "adamw": "exp_avg", "sgd": "momentum_buffer"}


def build_optimizer(cfg: Config, params: Iterable[torch.nn.Parameter]) -> Optimizer:
    """Optimizer over the trainable ones among ``params``.

    ``rmsprop`` (published): alpha 0.99, eps 1e-8, no momentum, no weight decay. ``adam``: torch defaults. ``adamw``:
    TRAIN.weight_decay. ``sgd``: TRAIN.momentum, weight_decay, nesterov.

    Raises:
        ValueError: unknown TRAIN.optimizer, or nothing to train.
    """
    train = cfg.TRAIN
    trainable = [p for p in params if p.requires_grad]
    if not trainable:
        raise ValueError("the model has no trainable parameters")
    kind = train.optimizer
    if kind == "rmsprop":
        return torch.optim.RMSprop(trainable, lr=train.lr, foreach=True)
    if kind == "adam":
        return torch.optim.Adam(trainable, lr=train.lr, fused=True)
    if kind == "adamw":
        return torch.optim.AdamW(trainable, lr=train.lr, weight_decay=train.weight_decay, fused=True)
    if kind == "sgd":
        return torch.optim.SGD(
            trainable,
            lr=train.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            nesterov=train.nesterov,
            fused=True,
        )
    raise ValueError(f"TRAIN.optimizer: {kind!r} is not one of {', '.join(STATE_OF)}")


def build_scheduler(cfg: Config, optimizer: Optimizer, last_epoch: int = -1) -> LRScheduler:
    """Learning-rate schedule, stepped once after each epoch with ``step_scheduler``.

    ``step``: times lr_factor after each epoch of lr_step (milestone m acts from epoch m+1). ``plateau`` (also spelled
    ``platue``): times lr_factor after 10 epochs without a smaller error, down to 1e-5. ``cosine``: from lr to 1 % of
    it over end_epoch epochs.

    Args:
        last_epoch: epochs already done, -1 for none (torch's convention); ``plateau`` ignores it.

    Raises:
        ValueError: unknown TRAIN.scheduler.
    """
    train = cfg.TRAIN
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", train.lr)
    if train.scheduler == "step":
        return MultiStepLR(optimizer, milestones=train.lr_step, gamma=train.lr_factor, last_epoch=last_epoch)
    if train.scheduler in ("plateau", "platue"):
        return ReduceLROnPlateau(optimizer, mode="min", factor=train.lr_factor, patience=10, min_lr=1e-5)
    if train.scheduler == "cosine":
        return CosineAnnealingLR(optimizer, T_max=train.end_epoch, eta_min=0.01 * train.lr, last_epoch=last_epoch)
    raise ValueError(f"TRAIN.scheduler: {train.scheduler!r} is not one of step, plateau, cosine")


def step_scheduler(scheduler: LRScheduler, metric: float | None = None) -> None:
    """Advance any schedule by one epoch.

    Args:
        metric: test error of the epoch in mm; only ``plateau`` reads it.

    Raises:
        ValueError: ``plateau`` without a metric.
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        if metric is None:
            raise ValueError("TRAIN.scheduler plateau needs the test error of the epoch")
        scheduler.step(metric)
    else:
        scheduler.step()


def current_lr(optimizer: Optimizer) -> float:
    """Learning rate of the last parameter group (the one that logs show)."""
    return float(optimizer.param_groups[-1]["lr"])


def resume(cfg: Config, checkpoint: dict, optimizer: Optimizer, scheduler: LRScheduler) -> tuple[int, str]:
    """Continue optimizer and schedule from a checkpoint.

    The optimizer goes on with the saved learning rate and moments. The settings of now win over the saved ones where
    a user edits them to steer a running experiment: lr_step and lr_factor.

    Args:
        checkpoint: from ``lib.core.checkpoint.load_checkpoint``.
        optimizer, scheduler: fresh, from ``build_optimizer`` and ``build_scheduler``; changed in place.

    Returns:
        the epoch to begin with (saved epoch + 1) and the line to print.

    Raises:
        ValueError: the checkpoint holds no training state (published weights), or that of another optimizer,
            scheduler or model.
    """
    saved_optimizer, saved_scheduler = checkpoint["optim_state_dict"], checkpoint["scheduler_state_dict"]
    if not saved_optimizer or not saved_scheduler or checkpoint["epoch"] is None:
        raise ValueError(
            "this checkpoint holds weights only, no optimizer state: training cannot be resumed from it. Use a "
            "checkpoint{N}.pth.tar of a run, or start anew from its weights"
        )
    _load_optimizer(cfg, saved_optimizer, optimizer)
    _load_scheduler(cfg, saved_scheduler, scheduler)
    begin = int(checkpoint["epoch"]) + 1
    line = f"===> resume from epoch {begin}, current lr: {current_lr(optimizer):.0e}"
    if isinstance(scheduler, MultiStepLR):
        line += f", milestones: {scheduler.milestones}, lr factor: {scheduler.gamma:.0e}"
    return begin, line


def _load_optimizer(cfg: Config, saved: dict, optimizer: Optimizer) -> None:
    kind = cfg.TRAIN.optimizer
    buffers = {name for state in saved["state"].values() for name in state}
    if buffers and STATE_OF[kind] not in buffers and not (kind == "sgd" and cfg.TRAIN.momentum == 0):
        found = next((name for name, buffer in STATE_OF.items() if buffer in buffers), "unknown")
        raise ValueError(f"the checkpoint was trained with the optimizer {found}, the settings say {kind}")
    groups = optimizer.param_groups
    counts = [[len(group["params"]) for group in some] for some in (saved["param_groups"], groups)]
    if counts[0] != counts[1]:
        raise ValueError(f"the optimizer state is for {counts[0]} parameters, the model trains {counts[1]}")
    ours = [p for group in groups for p in group["params"]]
    for index, state in saved["state"].items():
        shape = state[STATE_OF[kind]].shape if STATE_OF[kind] in state else ours[index].shape
        if shape != ours[index].shape:
            raise ValueError(f"optimizer state {index} has shape {tuple(shape)}, the model {tuple(ours[index].shape)}")
    # how the arithmetic is carried out is a choice of this machine, not of the one that saved
    implementation = [{key: group[key] for key in ("foreach", "fused") if key in group} for group in groups]
    optimizer.load_state_dict(saved)
    for group, choice in zip(optimizer.param_groups, implementation):
        group.update(choice)


def _load_scheduler(cfg: Config, saved: dict, scheduler: LRScheduler) -> None:
    known = set(scheduler.state_dict())
    marks = {MultiStepLR: "milestones", ReduceLROnPlateau: "patience", CosineAnnealingLR: "T_max"}
    if marks[type(scheduler)] not in saved:
        found = next((kind.__name__ for kind, mark in marks.items() if mark in saved), "unknown")
        raise ValueError(f"the checkpoint used the schedule {found}, the settings say {type(scheduler).__name__}")
    state = {key: value for key, value in saved.items() if key in known}
    if isinstance(scheduler, MultiStepLR):
        state.update(milestones=Counter(cfg.TRAIN.lr_step), gamma=cfg.TRAIN.lr_factor)
    elif isinstance(scheduler, ReduceLROnPlateau):
        state.update(factor=cfg.TRAIN.lr_factor)
    else:
        state.update(T_max=scheduler.T_max)
    scheduler.load_state_dict(state)
