"""Checkpoint files: reading, writing, and which ones they are.

File format: a dict with the original release's keys ``epoch``, ``model_state_dict``, ``optim_state_dict``,
``scheduler_state_dict``, ``train_log``, ``test_log`` plus ``graph`` (``MeshGraph.to_state``), ``config``
(``Config.to_dict``) and ``rng``. Files of the original release load as they are.
"""

import hashlib
import os
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.checkpoints.messages import reading_failure
from lib.checkpoints.safe_types import SAFE_GLOBALS
from lib.files import atomic_write, check_spread, hidden_beside
from lib.graph.mesh_graph import MeshGraph
from lib.messages import shown, shown_name, shown_names
from lib.settings.reading import merge

_MOST_SHARED = 1 << 30  # bytes of tensors that may repeat few numbers; the original release's need 0.3 GB
KNOWN_KEYS = ("w1.weight", "pose_lifter.w1.weight", "pose2mesh.fc.weight", "fc.weight")


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without executing anything stored in it.

    Args:
        path: file, or folder (see ``lib.checkpoints.finding``).

    Returns:
        Tensors on the CPU, without the ``module.`` prefix, half precision upcast to float32. A bare state dict is
        accepted too.

    Raises:
        FileNotFoundError: no such file.
        PermissionError: it may not be read.
        ValueError: file cut short or damaged; file that wants to run code (the message names what was refused); file
            of another program; settings or graph that this version does not know.
    """
    path = find_checkpoint(path)
    try:
        _check_packing(path)
        with torch.serialization.safe_globals(list(SAFE_GLOBALS)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, MemoryError):
        raise  # neither says anything about the file
    except Exception as error:
        raise ValueError(reading_failure(path, error)) from error
    content = _recognised(content, path)
    config, graph = content.get("config"), content.get("graph")
    try:
        check_spread(config)
        _check_tensors(content["model_state_dict"], path)
        if isinstance(graph, dict):
            _check_tensors({key: value for key, value in graph.items() if isinstance(value, Tensor)}, path)
        return Checkpoint(
            state=_weights(content["model_state_dict"]),
            source=path,
            epoch=int(content.get("epoch") or 0),
            optimizer=content.get("optim_state_dict"),
            scheduler=content.get("scheduler_state_dict"),
            train_log=list(content.get("train_log") or ()),
            test_log={name: list(errors) for name, errors in (content.get("test_log") or {}).items()},
            settings=None if config is None else merge(config, "its settings"),
            graph=None if graph is None else MeshGraph.from_state(graph),
            rng=content.get("rng"),
        )
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, OSError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from error


def _check_packing(path: Path) -> None:
    """Raises ValueError for an archive that unpacks to more than it is: torch packs nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > path.stat().st_size:
            raise ValueError(f"it would unpack to {unpacked} bytes")


def _check_tensors(tensors: dict, path: Path) -> None:
    """Raises ValueError unless all are plain tensors, as large together as the file, or as a full-size network."""
    left = max(_MOST_SHARED, 2 * path.stat().st_size)
    for key, value in tensors.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(f"{shown_name(key)} is {shown(value)}; expected names and tensors")
        plain = value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"
        if not plain or value.is_complex():
            raise ValueError(f"{shown_name(key)} is no plain tensor of real numbers ({value.dtype}, {value.layout})")
        left -= value.numel() * value.element_size()
        if left < 0:
            raise ValueError(f"{shown_name(key)} {shown(tuple(value.shape))} has far more numbers than the file holds")


def _recognised(content, path: Path) -> dict:
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
        f"{path} is not a Pose2Mesh checkpoint: it holds {found}; expected a dict with the key model_state_dict, "
        f"or a state dict with one of {', '.join(KNOWN_KEYS)}"
    )


def _weights(state: dict[str, Tensor]) -> "OrderedDict[str, Tensor]":
    upcast = (torch.float16, torch.bfloat16)
    return OrderedDict(
        (key.removeprefix("module."), value.float() if value.dtype in upcast else value) for key, value in state.items()
    )


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an interruption leaves the previous file untouched.

    Args:
        path: file, by custom ``checkpoint{N}.pth.tar``, ``best.pth.tar`` or ``final.pth.tar``.
        checkpoint: what to write; its ``source`` is not stored.

    Raises:
        OSError: see ``atomic_write``; says how large the checkpoint is.
    """
    settings, graph = checkpoint.settings, checkpoint.graph
    content = {
        "epoch": int(checkpoint.epoch),
        "model_state_dict": checkpoint.state,
        "optim_state_dict": checkpoint.optimizer,
        "scheduler_state_dict": checkpoint.scheduler,
        "train_log": _plain(checkpoint.train_log),
        "test_log": _plain(checkpoint.test_log),
        "graph": None if graph is None else graph.to_state(),
        "config": None if settings is None else settings.to_dict(),
        "rng": checkpoint.rng,
    }
    try:
        with atomic_write(path, "wb") as stream:
            torch.save(content, stream)
    except OSError as error:
        raise type(error)(f"{error}; it needs {_tensor_bytes(content) / 1e6:.1f} MB") from error


def _tensor_bytes(value) -> int:
    """Bytes of the tensors in nested dicts and lists."""
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return sum(map(_tensor_bytes, parts))


def _plain(value):
    """``value`` with numpy scalars and 0-d tensors as Python numbers, through lists and dicts."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.item() if getattr(value, "ndim", None) == 0 else value


def copy_checkpoint(source: str | Path, target: str | Path) -> None:
    """A second name for a checkpoint (``best`` beside ``checkpoint{N}``), without writing the data twice if possible.

    Both names stay independent, because files are only ever replaced, never changed.
    """
    source, target = Path(source), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = hidden_beside(target)
    try:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def identity(path: str | Path, epoch: int, root: str | Path = ROOT) -> dict[str, str | int]:
    """Which weights a figure is of: file (relative to ``root`` or the repository if inside), epoch, SHA-256."""
    place = Path(os.path.abspath(path))
    folders = (Path(os.path.abspath(folder)) for folder in (root, ROOT))
    inside = next((place.relative_to(folder) for folder in folders if place.is_relative_to(folder)), place)
    digest = hashlib.sha256()
    with open(place, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return {"path": inside.as_posix(), "epoch": epoch, "sha256": digest.hexdigest()}
