"""Optimizers, schedules and resuming."""

import copy

import pytest
import torch
from torch import nn

from lib.checkpoints.files import load_checkpoint
from lib.core.optim import (
    build_optimizer,
    build_scheduler,
    current_lr,
    resume_optimizer,
    resume_text,
    step_scheduler,
)
from lib.settings.config import TrainConfig
from tests.helpers import GOLDEN


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def train_step(model, optimizer, seed):
    batch = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()


def learning_rates(settings, epochs, metrics=None):
    optimizer = build_optimizer(settings, linear().parameters())
    scheduler = build_scheduler(settings, optimizer)
    rates = []
    for epoch in range(epochs):
        rates.append(current_lr(optimizer))
        optimizer.step()
        step_scheduler(scheduler, metrics[epoch] if metrics else None)
    return rates


def test_published_defaults_of_rmsprop():
    group = build_optimizer(TrainConfig(), linear().parameters()).param_groups[0]
    expected = {"lr": 1e-3, "alpha": 0.99, "eps": 1e-8, "momentum": 0, "weight_decay": 0, "centered": False}
    assert {key: group[key] for key in expected} == expected


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
    ],
)
def test_every_optimizer_follows_the_plain_implementation(kind, expected):
    model, reference = linear(), linear()
    settings = TrainConfig(optimizer=kind, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1)
    optimizer = build_optimizer(settings, model.parameters())
    assert isinstance(optimizer, expected)
    options = {"sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, "adamw": {"weight_decay": 0.1}}
    plain = expected(reference.parameters(), lr=0.01, foreach=False, **options.get(kind, {}))
    for step in range(4):
        train_step(model, optimizer, step)
        train_step(reference, plain, step)
    assert torch.allclose(model.weight, reference.weight, atol=1e-6)


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="'lamb' is not one of rmsprop"):
        build_optimizer(TrainConfig(optimizer="lamb"), linear().parameters())
    optimizer = build_optimizer(TrainConfig(), linear().parameters())
    with pytest.raises(ValueError, match="'warmup' is not one of step"):
        build_scheduler(TrainConfig(scheduler="warmup"), optimizer)


def test_frozen_parameters_are_left_out():
    model = linear()
    model.bias.requires_grad_(False)
    assert len(build_optimizer(TrainConfig(), model.parameters()).param_groups[0]["params"]) == 1
    with pytest.raises(ValueError, match="no trainable parameters"):
        build_optimizer(TrainConfig(), [model.bias])


def test_milestone_acts_from_the_epoch_after_it():
    assert learning_rates(TrainConfig(lr_step=[2, 4], lr_factor=0.1), 6) == pytest.approx(
        [1e-3] * 2 + [1e-4] * 2 + [1e-5] * 2
    )


def test_cosine_falls_to_one_percent():
    rates = learning_rates(TrainConfig(scheduler="cosine", end_epoch=10), 11)
    assert rates[0] == pytest.approx(1e-3)
    assert rates[5] == pytest.approx(0.505e-3)
    assert rates[10] == pytest.approx(1e-5)
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("name", ["plateau", "platue"])
def test_plateau_gets_its_metric(name):
    settings = TrainConfig(scheduler=name, lr_factor=0.5)
    rates = learning_rates(settings, 14, metrics=[50.0] + [60.0] * 13)
    assert rates[11] == pytest.approx(1e-3)
    assert rates[12] == pytest.approx(5e-4)
    assert min(learning_rates(TrainConfig(scheduler=name, lr_factor=0.01), 40, [50.0] * 40)) == pytest.approx(1e-5)
    with pytest.raises(ValueError, match="needs the test error"):
        learning_rates(settings, 1)


# -------------------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("scheduler", ["step", "plateau", "cosine"])
@pytest.mark.parametrize("kind", ["rmsprop", "adam", "adamw", "sgd"])
def test_two_and_two_epochs_equal_four(kind, scheduler):
    settings = TrainConfig(optimizer=kind, scheduler=scheduler, lr=0.01, lr_step=[1, 3], lr_factor=0.5, end_epoch=4)

    def run(model, optimizer, schedule, epochs):
        for epoch in epochs:
            train_step(model, optimizer, epoch)
            step_scheduler(schedule, metric=50.0 + epoch)

    whole = linear()
    optimizer = build_optimizer(settings, whole.parameters())
    schedule = build_scheduler(settings, optimizer)
    run(whole, optimizer, schedule, (1, 2))
    first_half = copy.deepcopy(whole)
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    run(whole, optimizer, schedule, (3, 4))

    resumed = build_optimizer(settings, first_half.parameters())
    resume_optimizer(settings, resumed, saved[0])
    resumed_schedule = build_scheduler(settings, resumed, saved[1])
    assert current_lr(resumed) == saved[0]["param_groups"][0]["lr"]
    run(first_half, resumed, resumed_schedule, (3, 4))
    assert torch.equal(first_half.weight, whole.weight)
    assert current_lr(resumed) == current_lr(optimizer)


@pytest.mark.parametrize("name", ["legacy2020", "newzip"])
def test_original_checkpoint_resumes_with_the_settings_of_now(name):
    checkpoint = load_checkpoint(GOLDEN / f"ckpt_posenet_hid64_{name}.pth.tar")
    params = [nn.Parameter(v) for k, v in checkpoint.state.items() if "running" not in k and "tracked" not in k]
    settings = TrainConfig(lr_step=[2, 40], lr_factor=0.5)
    optimizer = build_optimizer(settings, params)
    resume_optimizer(settings, optimizer, checkpoint.optimizer)
    scheduler = build_scheduler(settings, optimizer, checkpoint.scheduler)
    assert resume_text(checkpoint.epoch, optimizer, scheduler) == (
        "===> resume from epoch 31, current lr: 1e-03, milestones: Counter({2: 1, 40: 1}), lr factor: 5e-01"
    )
    assert scheduler.last_epoch == 1
    optimizer.step()
    step_scheduler(scheduler)
    assert current_lr(optimizer) == pytest.approx(5e-4)


def test_resuming_from_something_else_is_explained():
    settings = TrainConfig()
    optimizer = build_optimizer(settings, linear().parameters())
    with pytest.raises(ValueError, match="holds weights only"):
        resume_optimizer(settings, optimizer, None)

    model = linear()
    adam = build_optimizer(TrainConfig(optimizer="adam"), model.parameters())
    train_step(model, adam, 0)
    with pytest.raises(ValueError, match=r"trained with adam or adamw, TRAIN\.optimizer says rmsprop"):
        resume_optimizer(settings, optimizer, adam.state_dict())

    wide = nn.Linear(3, 5)
    other = build_optimizer(settings, wide.parameters())
    train_step(wide, other, 0)
    with pytest.raises(ValueError, match=r"shape \(5, 3\), the model's parameter \(2, 3\)"):
        resume_optimizer(settings, optimizer, other.state_dict())
    with pytest.raises(ValueError, match=r"for \[1\] parameters, the model trains \[2\]"):
        resume_optimizer(settings, optimizer, build_optimizer(settings, [wide.weight]).state_dict())

    cosine = build_scheduler(TrainConfig(scheduler="cosine"), optimizer)
    with pytest.raises(ValueError, match="used the schedule CosineAnnealingLR, the settings say MultiStepLR"):
        build_scheduler(settings, optimizer, cosine.state_dict())
