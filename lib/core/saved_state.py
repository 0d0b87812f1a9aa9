"""Whether saved states of optimisers and schedules are of the kind that these make themselves."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lib.messages import shown, shown_name

_MOST = 1e15  # of steps, rates and errors
_SQUARES = ("square_avg", "exp_avg_sq")  # no number below 0, of which they are the mean square


def check_moments(saved: Any, numbers: Sequence[Any], params: Sequence[Tensor], buffer: str) -> None:
    """``state`` of an optimiser: of each parameter, by its number, moments like it and a number of steps.

    Args:
        saved: the state.
        numbers: of the parameters, in the order of ``params``.
        buffer: name of the moment that there must be.

    Raises:
        ValueError: names the parameter's number and the entry.
    """
    places = {number: param for number, param in zip(numbers, params) if type(number) is int}
    if len(places) != len(params):
        raise ValueError(f"the optimizer state has the parameters {shown(numbers)}; expected different numbers")
    for number, state in _named("optimizer state", saved).items():
        if number not in places:
            raise ValueError(f"the optimizer state is for a parameter {shown(number)}, which no group has")
        if _named(f"optimizer state {number}", state) and buffer not in state:
            raise ValueError(f"optimizer state {number} has no {buffer}")
        for name, value in state.items():
            _check_moment(f"optimizer state {number}: {shown_name(name)}", name, value, places[number])


def _check_moment(where: str, name: str, value: Any, param: Tensor) -> None:
    if value is None and name == "momentum_buffer":  # SGD without momentum
        return
    is_step = name == "step"
    if isinstance(value, bool) or not isinstance(value, (int, float, Tensor) if is_step else Tensor):
        raise ValueError(f"{where} is {shown(value)}; expected {'a number' if is_step else 'a tensor'}")
    moment = torch.as_tensor(value)
    wanted = torch.Size() if is_step else param.shape
    if moment.shape != wanted:
        raise ValueError(f"{where} has shape {tuple(moment.shape)}, the model's parameter {tuple(wanted)}")
    if not is_step and not moment.is_floating_point():
        raise ValueError(f"{where} is of {moment.dtype}; expected fractions")
    low, high = (extreme.to(param.dtype) for extreme in moment.aminmax()) if moment.numel() else (torch.zeros(()),) * 2
    if not bool(low.isfinite() & high.isfinite()):
        raise ValueError(f"{where} is not finite")
    if (low < 0 and (is_step or name in _SQUARES)) or (is_step and (low != low.round() or low > _MOST)):
        raise ValueError(f"{where} is {'no number of steps' if is_step else 'below 0'}")


def check_options(saved: Any, fresh: dict[str, Any], where: str) -> None:
    """Options of a parameter group, or the state of a schedule, against those of a fresh one; others are not looked at.

    Raises:
        ValueError: an entry of another kind, or a number below 0 or far too large.
    """
    for name, value in _named(where, saved).items():
        if name in fresh and not _alike(value, fresh[name]):
            raise ValueError(f"{where}: {shown_name(name)} is {shown(value)}; expected one like {shown(fresh[name])}")


def _alike(value: Any, fresh: Any) -> bool:
    if isinstance(fresh, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(fresh) and all(map(_alike, value, fresh))
    if fresh is None:
        return value is None or isinstance(value, bool)
    if isinstance(fresh, bool) or not isinstance(fresh, (int, float)):
        return isinstance(value, type(fresh))
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    if isinstance(fresh, float) and math.isinf(fresh) and value == fresh:
        return True
    return 0 <= value <= _MOST and (isinstance(fresh, float) or value == int(value))


def _named(where: str, value: Any) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {shown(value)}; expected names and values")
    return value
