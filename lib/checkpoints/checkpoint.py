"""Saving and loading checkpoints.

File format: a dict with the original release's keys ``epoch``, ``model_state_dict``, ``optim_state_dict``,
``scheduler_state_dict``, ``train_log``, ``test_log`` plus ``graph`` (mesh graph the weights belong to), ``config``
(resolved settings) and ``rng``. Files of the original release load as they are.
"""

import os
import random
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lib.checkpoints.messages import mismatch, reading_failure
from lib.checkpoints.paths import find_checkpoint
from lib.checkpoints.safe_types import SAFE_GLOBALS
from lib.files import atomic_write

KNOWN_KEYS = ("w1.weight", "pose_lifter.w1.weight", "pose2mesh.fc.weight", "fc.weight")


# ---------------------------------------------------------------------------------------------------------- saving


def plain(value):
    """``value`` with numpy scalars and 0-d tensors as Python numbers, through lists, tuples and dicts."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def bare_state_dict(model: nn.Module | dict) -> "OrderedDict[str, Tensor]":
    """State dict on the CPU without the prefix that data-parallel wrappers add."""
    state = model.state_dict() if isinstance(model, nn.Module) else model
    return OrderedDict((key.removeprefix("module."), value.detach().cpu()) for key, value in state.items())


def _halved(value: Tensor) -> Tensor:
    # biases and BatchNorm statistics are a thousandth of the file and lose most, so only matrices shrink
    if not value.is_floating_point() or value.ndim < 2 or not bool(value.half().isfinite().all()):
        return value
    return value.half()


def save_checkpoint(
    path: str | Path,
    *,
    epoch: int,
    model: nn.Module | dict,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler=None,
    train_log: list[float],
    test_log: dict[str, list[float]],
    graph_state: dict | None = None,
    config: dict | None = None,
    rng: dict | None = None,
    half: bool = False,
) -> None:
    """Write a checkpoint; an interruption leaves the previous file untouched.

    Args:
        path: file, by custom ``checkpoint{N}.pth.tar``, ``best.pth.tar`` or ``final.pth.tar``.
        epoch: epoch just finished.
        model: network (wrapped or not) or its state dict.
        optimizer, scheduler: their state dicts are stored; None stores None.
        train_log: mean loss per epoch.
        test_log: ``{"surface": [...], "joint": [...]}`` errors in mm per epoch.
        graph_state: ``MeshGraph.to_state()``.
        config: ``Config.to_dict()``.
        rng: ``get_rng_state()``.
        half: for publishing weights: matrices as float16 (where they fit), no optimizer, scheduler or random state.
    """
    weights = bare_state_dict(model)
    if half:
        weights = OrderedDict((key, _halved(value)) for key, value in weights.items())
        optimizer = scheduler = rng = None
    checkpoint = {
        "epoch": int(epoch),
        "model_state_dict": weights,
        "optim_state_dict": None if optimizer is None else optimizer.state_dict(),
        "scheduler_state_dict": None if scheduler is None else scheduler.state_dict(),
        "train_log": plain(list(train_log)),
        "test_log": plain(dict(test_log)),
        "graph": graph_state,
        "config": config,
        "rng": rng,
    }
    with atomic_write(path, "wb") as stream:
        torch.save(checkpoint, stream)


def copy_checkpoint(source: str | Path, target: str | Path) -> None:
    """A second name for a checkpoint (``best`` beside ``checkpoint{N}``), without writing the data twice if possible.

    Both names stay independent, because files are only ever replaced, never changed.
    """
    source, target = Path(source), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    try:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


# --------------------------------------------------------------------------------------------------------- loading


def load_checkpoint(path: str | Path, map_location: str | torch.device = "cpu") -> dict:
    """Read a checkpoint without executing anything stored in it.

    Args:
        path: file, or folder (see ``lib.checkpoints.paths.find_checkpoint``).
        map_location: device of the tensors.

    Returns:
        the dict of the module docstring; keys that the file lacks are None (a bare state dict is accepted as
        ``model_state_dict``). Numbers in the logs are Python numbers.

    Raises:
        FileNotFoundError: no such file.
        ValueError: file cut short or damaged; file that wants to run code (the message names what was refused); file
            of another program.
    """
    path = find_checkpoint(path)
    try:
        with torch.serialization.safe_globals(list(SAFE_GLOBALS)):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise ValueError(reading_failure(path, error)) from error
    checkpoint = _recognised(content, path)
    for key in ("epoch", "optim_state_dict", "scheduler_state_dict", "train_log", "test_log", "graph", "config", "rng"):
        checkpoint.setdefault(key, None)
    return checkpoint


def _recognised(content, path: Path) -> dict:
    if isinstance(content, dict):
        if isinstance(content.get("model_state_dict"), dict):
            return dict(content)
        bare = {str(key).removeprefix("module.") for key in content}
        if bare.intersection(KNOWN_KEYS) and all(isinstance(value, Tensor) for value in content.values()):
            return {"model_state_dict": content}
        found = f"a dict with the keys {', '.join(map(str, list(content)[:8])) or '(none)'}"
    else:
        found = f"an object of type {type(content).__name__}"
    raise ValueError(
        f"{path} is not a Pose2Mesh checkpoint: it holds {found}; expected a dict with the key model_state_dict, "
        f"or a state dict with one of {', '.join(KNOWN_KEYS)}"
    )


def read_state_dict(checkpoint: dict) -> "OrderedDict[str, Tensor]":
    """Weights of a checkpoint: without the ``module.`` prefix, half precision upcast to float32."""
    state = checkpoint["model_state_dict"]
    upcast = (torch.float16, torch.bfloat16)
    return OrderedDict(
        (key.removeprefix("module."), value.float() if value.dtype in upcast else value) for key, value in state.items()
    )


def load_weights(
    model: nn.Module, checkpoint: dict, source: str | Path = "checkpoint", take_over: bool = False
) -> None:
    """Copy the weights of a checkpoint into a model, strictly.

    Args:
        model: PoseNet or Pose2Mesh, not wrapped.
        checkpoint: from ``load_checkpoint``.
        source: named in the error message.
        take_over: the model gets the checkpoint's tensors themselves, on their device, instead of copies: faster, for
            a checkpoint that nobody else uses.

    Raises:
        ValueError: keys or shapes differ; the message says what the difference means.
    """
    state, wanted = read_state_dict(checkpoint), model.state_dict()
    problem = mismatch(state, wanted)
    if problem:
        raise ValueError(f"{source} does not fit the model.\n{problem}")
    broken = [key for key, value in state.items() if value.is_floating_point() and not _finite(value)]
    if broken:
        raise ValueError(f"{source} holds NaN or infinite weights: {', '.join(broken[:3])}")
    if take_over:
        state = OrderedDict((key, value.to(wanted[key].dtype)) for key, value in state.items())
    model.load_state_dict(state, assign=take_over)


def _finite(value: Tensor) -> bool:
    """All numbers are finite; extremes tell without a temporary as long as the tensor."""
    return value.numel() == 0 or all(bool(extreme.isfinite()) for extreme in value.aminmax())


# ---------------------------------------------------------------------------------------------- random generators


def get_rng_state() -> dict:
    """State of torch's, numpy's and Python's generators as tensors and numbers (loads under ``weights_only``)."""
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    version, words, next_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": {
            "name": name,
            "keys": torch.from_numpy(keys.astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "python": {"version": version, "words": torch.tensor(words, dtype=torch.int64), "next_gauss": next_gauss},
    }


def set_rng_state(state: dict) -> None:
    """Put all generators into a state of ``get_rng_state``; GPU states are skipped when the number of GPUs differs.

    Raises:
        ValueError: not such a state.
    """
    try:
        stored, python = state["numpy"], state["python"]
        torch_state, cuda_states = state["torch"].cpu(), [s.cpu() for s in state["cuda"]]
        keys = stored["keys"].cpu().numpy().astype(np.uint32)
        numpy_state = (stored["name"], keys, stored["position"], stored["has_gauss"], stored["cached"])
        python_state = (python["version"], tuple(python["words"].tolist()), python["next_gauss"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a state of the random generators: {error!r}") from error
    torch.set_rng_state(torch_state)
    if torch.cuda.is_available() and len(cuda_states) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda_states)
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)
