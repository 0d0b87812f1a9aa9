"""What the entries of a checkpoint must be, before anything is made of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from lib.checkpoints.digest import DIGEST, content_digest
from lib.checkpoints.reading import Damaged
from lib.files import check_spread
from lib.messages import shown, shown_name, shown_names

KNOWN_KEYS = ("w1.weight", "pose_lifter.w1.weight", "pose2mesh.fc.weight", "fc.weight")
_MOST_SHARED = 1 << 30  # bytes of tensors that may repeat few numbers; the original release's need 0.3 GB
_MOST_EPOCHS = 1 << 31
_STATES = ("optim_state_dict", "scheduler_state_dict", "rng", "config", "graph")


def checked_content(content: Any, path: Path) -> dict[str, Any]:
    """The dict of a checkpoint, or one around a bare state dict; logs as Python numbers.

    Raises:
        Damaged: it has a digest, which is of other content.
        ValueError: not a Pose2Mesh checkpoint; entries of other types, tensors that are no plain ones.
    """
    check_spread(content)
    content = _recognised(content)
    _check_tensors(content, path)
    if DIGEST in content and content[DIGEST] != content_digest(content):
        raise Damaged("its content is not what was saved, its SHA-256 differs")
    for key, value in content["model_state_dict"].items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(f"{shown_name(key)} is {shown(value)}; expected names and tensors")
    for key in _STATES:
        if not isinstance(content.get(key), (dict, type(None))):
            raise ValueError(f"its {key} is {shown(content[key])}; expected names and values")
    epoch = 0 if content.get("epoch") is None else content["epoch"]
    if type(epoch) is not int or not 0 <= epoch < _MOST_EPOCHS:
        raise ValueError(f"its epoch is {shown(epoch)}; expected a number of epochs")
    return content | {
        "epoch": epoch,
        "train_log": _log("train_log", content.get("train_log")),
        "test_log": {
            name: _log(f"test_log {shown_name(name)}", errors)
            for name, errors in _named_logs(content.get("test_log")).items()
        },
    }


def _recognised(content: Any) -> dict[str, Any]:
    if isinstance(content, dict):
        if isinstance(content.get("model_state_dict"), dict):
            return content
        bare = {str(key).removeprefix("module.") for key in content}
        if bare.intersection(KNOWN_KEYS) and all(isinstance(value, Tensor) for value in content.values()):
            return {"model_state_dict": content}
        found = f"a dict with the keys {shown_names(content) or '(none)'}"
    else:
        found = f"an object of type {type(content).__name__}"
    raise ValueError(
        f"not a Pose2Mesh checkpoint: it holds {found}; expected a dict with the key model_state_dict, "
        f"or a state dict with one of {', '.join(KNOWN_KEYS)}"
    )


def _check_tensors(content: dict[str, Any], path: Path) -> None:
    """Raises ValueError unless all are of real numbers, as large together as the file, or as a full-size network."""
    left = max(_MOST_SHARED, 2 * path.stat().st_size)
    for name, value in _tensors(content, ""):
        if value.is_complex():
            raise ValueError(f"{name} holds complex numbers; expected real ones")
        left -= value.nbytes
        if left < 0:
            raise ValueError(f"{name} {shown(tuple(value.shape))} has far more numbers than the file holds")


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested dicts, lists and tuples, each with the last name on the way to it."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _tensors(part, shown_name(key))


def plain_numbers(value: Any) -> Any:
    """``value`` with numpy scalars and 0-d tensors as Python numbers, through lists and dicts."""
    if isinstance(value, dict):
        return {key: plain_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain_numbers(part) for part in value]
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _log(name: str, values: Any) -> list[float]:
    values = plain_numbers(list(values or ())) if isinstance(values, (list, tuple, type(None))) else None
    if values is None or not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"its {name} holds more than numbers")
    return values


def _named_logs(logs: Any) -> dict:
    logs = {} if logs is None else logs
    if not isinstance(logs, dict):
        raise ValueError(f"its test_log is {shown(logs)}; expected names and lists of numbers")
    return logs
