"""The digest that travels in a checkpoint: whether its content is what was saved, however the file was copied."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

DIGEST = "digest"  # key of a checkpoint


def content_digest(content: dict[str, Any]) -> str:
    """SHA-256 over all entries but ``digest``: names, types, shapes and bytes of tensors, numbers, texts, their order.

    Dicts of all kinds count alike, and numpy's numbers as Python's: reading does not tell them apart.

    Args:
        content: nested dicts, lists and tuples of tensors, numbers, texts and None.

    Raises:
        TypeError: something else.
    """
    digest = hashlib.sha256()
    _update(digest.update, {key: value for key, value in content.items() if key != DIGEST})
    return digest.hexdigest()


def _update(update: Callable[[Any], None], value: Any) -> None:
    """Every value begins with its type and its length, so that no two contents give the same bytes."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Tensor):
        update(f"{value.dtype} {tuple(value.shape)};".encode())
        update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, (dict, list, tuple)):
        kind = next(kind for kind in (dict, list, tuple) if isinstance(value, kind))
        update(f"{kind.__name__} {len(value)};".encode())
        for part in (part for pair in value.items() for part in pair) if isinstance(value, dict) else value:
            _update(update, part)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        update(f"str {len(text)};".encode() + text)
    elif value is None or isinstance(value, (bool, int, float)):
        number = value.hex() if isinstance(value, float) else f"{value:x}" if isinstance(value, int) else ""
        update(f"{type(value).__name__} {number};".encode())
    else:
        raise TypeError(f"a checkpoint holds tensors, numbers and texts, not {type(value).__name__}")
