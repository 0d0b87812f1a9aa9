"""Optimizers, learning-rate schedules and the resuming of both."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, ReduceLROnPlateau

from lib.core.saved_state import check_moments, check_options
from lib.models.cpu.blocked_rmsprop import BlockedRMSprop
from lib.settings.config import TrainConfig

STATE_OF = {"rmsprop": "square_avg", "adam": "exp_avg", "adamw": "exp_avg", "sgd": "momentum_buffer"}
_IMPLEMENTATION = ("foreach", "fused")


def build_optimizer(train: TrainConfig, params: Iterable[torch.nn.Parameter]) -> Optimizer:
    """Optimizer over the trainable ones among ``params``.

    ``rmsprop`` (published): alpha 0.99, eps 1e-8, no momentum, no weight decay. ``adam``: torch defaults. ``adamw``:
    TRAIN.weight_decay. ``sgd``: TRAIN.momentum, weight_decay, nesterov.

    Raises:
        ValueError: unknown TRAIN.optimizer, or nothing to train.
    """
    trainable = [p for p in params if p.requires_grad]
    if not trainable:
        raise ValueError("the model has no trainable parameters")
    kind = train.optimizer
    if kind == "rmsprop":
        return BlockedRMSprop(trainable, lr=train.lr)
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


def build_scheduler(train: TrainConfig, optimizer: Optimizer, state: dict | None = None) -> LRScheduler:
    """Learning-rate schedule, stepped once after each epoch with ``step_scheduler``.

    ``step``: times lr_factor after each epoch of lr_step (milestone m acts from epoch m+1). ``plateau`` (also spelled
    ``platue``): times lr_factor after 10 epochs without a smaller error, down to 1e-5. ``cosine``: from lr to 1 % of
    it over end_epoch epochs.

    Args:
        state: ``scheduler_state_dict`` of a checkpoint to go on from; lr_step and lr_factor of the settings win over
            those in it, because users edit them to steer a running experiment.

    Raises:
        ValueError: unknown TRAIN.scheduler, or ``state`` belongs to another one.
    """
    scheduler: LRScheduler
    if train.scheduler == "step":
        scheduler = MultiStepLR(optimizer, milestones=train.lr_step, gamma=train.lr_factor)
    elif train.scheduler in ("plateau", "platue"):
        scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=train.lr_factor, patience=10, min_lr=1e-5)
    elif train.scheduler == "cosine":
        scheduler = CosineAnnealingLR(optimizer, T_max=train.end_epoch, eta_min=0.01 * train.lr)
    else:
        raise ValueError(f"TRAIN.scheduler: {train.scheduler!r} is not one of step, plateau, cosine")
    if state is not None:
        _load_scheduler(train, state, scheduler)
    return scheduler


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


def resume_optimizer(train: TrainConfig, optimizer: Optimizer, saved: dict | None) -> None:
    """Continue an optimizer with the moments and the learning rate of a checkpoint.

    Args:
        optimizer: fresh, from ``build_optimizer``; changed in place.
        saved: ``optim_state_dict`` of the checkpoint.

    Raises:
        ValueError: the checkpoint holds weights only, or the state of another optimizer or model.
    """
    if not saved:
        raise ValueError(
            "this checkpoint holds weights only, no optimizer state: training cannot be resumed from it. Use a "
            "checkpoint{N}.pth.tar of a run, or start anew from its weights"
        )
    buffer, groups = STATE_OF[train.optimizer], optimizer.param_groups
    stored = {name for state in saved["state"].values() for name in state}
    known = stored.intersection(STATE_OF.values())
    if known and buffer not in known:
        found = " or ".join(name for name, mark in STATE_OF.items() if mark in known)
        raise ValueError(f"the checkpoint was trained with {found}, TRAIN.optimizer says {train.optimizer}")
    counts = [[len(group["params"]) for group in some] for some in (saved["param_groups"], groups)]
    if counts[0] != counts[1]:
        raise ValueError(f"the optimizer state is for {counts[0]} parameters, the model trains {counts[1]}")
    ours = [p for group in groups for p in group["params"]]
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    check_moments(saved["state"], numbers, ours, buffer)
    for number, (found, group) in enumerate(zip(saved["param_groups"], groups)):
        options = {key: value for key, value in group.items() if key not in ("params", *_IMPLEMENTATION)}
        check_options(found, {"initial_lr": group["lr"], **options}, f"optimizer group {number}")
    # how the arithmetic is carried out is a choice of this machine, not of the one that saved
    implementation: list[dict[str, Any]] = [
        {key: group[key] for key in _IMPLEMENTATION if key in group} for group in groups
    ]
    optimizer.load_state_dict(saved)
    for group, choice in zip(optimizer.param_groups, implementation):
        group.update(choice)


def resume_text(epoch: int, optimizer: Optimizer, scheduler: LRScheduler) -> str:
    """The line that tells how training goes on after the saved ``epoch``."""
    line = f"===> resume from epoch {epoch + 1}, current lr: {current_lr(optimizer):.0e}"
    if isinstance(scheduler, MultiStepLR):
        line += f", milestones: {scheduler.milestones}, lr factor: {scheduler.gamma:.0e}"
    return line


def _load_scheduler(train: TrainConfig, saved: dict, scheduler: LRScheduler) -> None:
    known = set(scheduler.state_dict())
    marks = {MultiStepLR: "milestones", ReduceLROnPlateau: "patience", CosineAnnealingLR: "T_max"}
    if marks[type(scheduler)] not in saved:
        found = next((kind.__name__ for kind, mark in marks.items() if mark in saved), "unknown")
        raise ValueError(f"the checkpoint used the schedule {found}, the settings say {type(scheduler).__name__}")
    state = {key: value for key, value in saved.items() if key in known}
    check_options(state, {**scheduler.state_dict(), "milestones": {}}, "schedule")
    stretched = isinstance(scheduler, CosineAnnealingLR) and saved["T_max"] != scheduler.T_max
    if isinstance(scheduler, MultiStepLR):
        state.update(milestones=Counter(train.lr_step), gamma=train.lr_factor)
    elif isinstance(scheduler, ReduceLROnPlateau):
        state.update(factor=train.lr_factor)
    elif isinstance(scheduler, CosineAnnealingLR):
        state.update(T_max=scheduler.T_max)
    scheduler.load_state_dict(state)
    if isinstance(scheduler, CosineAnnealingLR) and stretched:
        # the schedule goes on from its last rate; a longer training must first move to the longer curve
        floor, length, epoch = scheduler.eta_min, scheduler.T_max, scheduler.last_epoch
        for group, base in zip(scheduler.optimizer.param_groups, scheduler.base_lrs):
            group["lr"] = floor + (base - floor) * (1 + math.cos(math.pi * min(epoch, length) / length)) / 2
        scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]
