"""Computations on tensors without data (torch's device ``meta``), where all that makes a host wait for a GPU raises.

Networks, losses and optimizers take their path of a GPU there. Reading a number, finding the places of a mask and
copying back raise of themselves; ``no_waits`` adds what a device without data lets pass: numbers, indices and tensors
that are copied from the host, and decompositions that look whether they went well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = "meta"
_FROM_NUMBERS = {torch.tensor, torch.as_tensor, torch.asarray}
_INDEXED = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}
_LOOKING = {"aten::_linalg_check_errors", "aten::_linalg_svd", "aten::_linalg_eigh", "aten::linalg_lstsq"}


class HostWait(RuntimeError):
    """A host would wait for its GPU."""


def _tensors(values) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


class _Calls(TorchFunctionMode):
    """Numbers and indices that come from the host."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in _INDEXED and args[0].device.type == DEVICE:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, (list, tuple, np.ndarray)) for part in index):
                raise HostWait("an index is copied to the device")
        result = func(*args, **(kwargs or {}))
        copied = func is torch.Tensor.new_tensor or (func in _FROM_NUMBERS and not isinstance(args[0], torch.Tensor))
        if copied and result.device.type == DEVICE:
            raise HostWait("numbers are copied to the device")
        return result


class _Operations(TorchDispatchMode):
    """Copies between devices, and decompositions; answers what torch does not have without data."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, inputs = func._schema.name, list(_tensors(args))
        if name in _LOOKING and any(tensor.device.type == DEVICE for tensor in inputs):
            raise HostWait(f"{name} looks whether it went well")
        if name in ("aten::mm", "aten::addmm_") and any(tensor.layout is torch.sparse_csr for tensor in inputs):
            matrix, rows = inputs[-2:]
            return inputs[0] if name == "aten::addmm_" else rows.new_empty(matrix.shape[0], rows.shape[1])
        if name == "aten::batch_norm_update_stats":
            return inputs[0].new_empty(2, inputs[0].shape[1]).unbind(0)
        result = func(*args, **(kwargs or {}))
        copied = name in ("aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put_")
        devices = {tensor.device.type for tensor in [*inputs, *_tensors([result])]}
        if copied and len(devices) > 1:
            raise HostWait(f"{name} copies between host and device")
        return result


def _as_cpu(function):
    """``function`` of a device's name, which knows nothing of a device without data."""
    return lambda name, *args, **kwargs: function("cpu" if name == DEVICE else name, *args, **kwargs)


@contextmanager
def no_waits() -> Iterator[None]:
    """Within the ``with`` block RuntimeError is raised where a host would wait for computations on ``DEVICE``."""
    names = ("autocast", "is_autocast_enabled", "get_autocast_dtype")
    known = {name: _as_cpu(getattr(torch, name)) for name in names}
    with mock.patch.multiple(torch, **known), _Calls(), _Operations():
        yield
