"""Checkpoint files: reading, writing, and which ones they are.

File format: a dict with the original release's keys ``epoch``, ``model_state_dict``, ``optim_state_dict``,
``scheduler_state_dict``, ``train_log``, ``test_log`` plus ``graph`` (``MeshGraph.to_state``), ``config``
(``Config.to_dict``), ``rng`` and ``digest`` (``lib.checkpoints.digest``). Files of the original release load as they
are, and others without a digest.
"""

import hashlib
import os
import shutil
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.content import checked_content, plain_numbers
from lib.checkpoints.digest import DIGEST, content_digest
from lib.checkpoints.finding import find_checkpoint
from lib.checkpoints.messages import reading_failure
from lib.checkpoints.reading import Damaged, read_content
from lib.files import atomic_write, hidden_beside
from lib.graph.mesh_graph import MeshGraph
from lib.settings.reading import merge


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
        content = read_content(path)
    except (PermissionError, MemoryError):
        raise  # neither says anything about the file
    except Exception as error:
        raise ValueError(reading_failure(path, error)) from error
    try:
        content = checked_content(content, path)
        config, graph = content.get("config"), content.get("graph")
        return Checkpoint(
            state=_weights(content["model_state_dict"]),
            source=path,
            epoch=content["epoch"],
            optimizer=content.get("optim_state_dict"),
            scheduler=content.get("scheduler_state_dict"),
            train_log=content["train_log"],
            test_log=content["test_log"],
            settings=None if config is None else merge(config, "its settings"),
            graph=None if graph is None else MeshGraph.from_state(graph),
            rng=content.get("rng"),
        )
    except Damaged as error:
        raise ValueError(reading_failure(path, error)) from error
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError, OSError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from error


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
        "train_log": plain_numbers(checkpoint.train_log),
        "test_log": plain_numbers(checkpoint.test_log),
        "graph": None if graph is None else graph.to_state(),
        "config": None if settings is None else settings.to_dict(),
        "rng": checkpoint.rng,
    }
    content[DIGEST] = content_digest(content)
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
