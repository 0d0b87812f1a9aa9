"""Optimisers and schedules are not put into states that they cannot have made."""

import copy

import pytest
import torch

from lib.checkpoints.random_state import get_rng_state, set_rng_state
from lib.core.optim import build_optimizer, build_scheduler, resume_optimizer
from lib.settings.config import Config
from tests.support.files.checkpoint_files import small_posenet


def saved_by(name, schedule="step"):
    """Settings, and state dicts after a step."""
    train = Config().changed(TRAIN={"optimizer": name, "scheduler": schedule}).TRAIN
    model = small_posenet()
    optimizer = build_optimizer(train, model.parameters())
    scheduler = build_scheduler(train, optimizer)
    for param in model.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    return train, copy.deepcopy(optimizer.state_dict()), copy.deepcopy(scheduler.state_dict())


def resume(train, optimizer_state, scheduler_state):
    optimizer = build_optimizer(train, small_posenet().parameters())
    resume_optimizer(train, optimizer, optimizer_state)
    build_scheduler(train, optimizer, scheduler_state)


MOMENTS = {
    "long": lambda value: value.long(),
    "negative": lambda value: -1 - value,
    "NaN": lambda value: value * float("nan"),
    "too large for float32": lambda value: value.double() + 1e300,
    "one number": lambda value: value.sum(),
    "None": lambda _: None,
    "text": lambda _: "x",
}


@pytest.mark.parametrize("name, moment", [("rmsprop", "square_avg"), ("adam", "exp_avg_sq")])
@pytest.mark.parametrize("change", MOMENTS)
def test_moments_of_another_kind_are_refused(name, moment, change):
    train, state, schedule = saved_by(name)
    resume(train, state, schedule)
    state["state"][3][moment] = MOMENTS[change](state["state"][3][moment])
    with pytest.raises(ValueError, match=f"optimizer state 3: {moment}"):
        resume(train, state, schedule)


@pytest.mark.parametrize("value", [-1, 10**30, 2.5, float("nan"), float("inf"), "x", None, True, torch.ones(3)])
def test_counts_and_rates_of_another_kind_are_refused(value):
    train, state, schedule = saved_by("adam", "plateau")
    for place, key in (
        (state["state"][0], "step"),
        (state["param_groups"][0], "weight_decay"),
        (schedule, "last_epoch"),
        (state["param_groups"][0], "params"),
    ):
        old, place[key] = place[key], value
        with pytest.raises((ValueError, TypeError)):
            resume(train, state, schedule)
        place[key] = old
    resume(train, state, schedule)


@pytest.mark.parametrize(
    "place, key, value",
    [
        ("numpy", "position", -1),
        ("numpy", "position", 10**6),  # NumPy would read far outside
        ("numpy", "keys", torch.zeros(3, dtype=torch.int64)),
        ("numpy", "keys", torch.full((624,), -1)),
        ("numpy", "cached", float("nan")),
        ("python", "next_gauss", "x"),
        ("python", "words", torch.zeros(3, dtype=torch.int64)),
    ],
)
def test_random_numbers_are_not_drawn_from_elsewhere(place, key, value):
    state = get_rng_state()
    set_rng_state(state)
    state[place][key] = value
    with pytest.raises(ValueError, match="not a state of the random generators"):
        set_rng_state(state)
