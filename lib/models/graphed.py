"""Calls of a network on a GPU as CUDA graphs: its hundreds of small kernels start in one go.

A few poses keep a GPU busy for less time than a host needs to start the kernels one by one. A graph remembers them,
with all addresses: of the weights, which must stay where they are, and of an input and outputs of its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LARGEST = 8  # poses; more of them keep a GPU busy for longer than their kernels take to start
_WARM_UPS = 3


class Graphed:
    """A function in evaluation that is recorded in its second call with a size of its input, and replayed from then on.

    Args:
        call: of a tensor (B, ...) on a GPU to tensors. Nothing in it may let the host wait for the GPU, nor depend on
            anything but the tensor and values that keep their place in memory.
        largest: batches of more samples are computed by ``call`` itself.
    """

    def __init__(self, call: Callable[[Tensor], tuple[Tensor, ...]], largest: int = LARGEST):
        self._call, self._largest = call, largest
        self._recordings: dict[tuple, _Recording | None] = {}  # by shape and type of the input

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """What ``call(x)`` gives, without gradients, in tensors of the caller's own."""
        if len(x) > self._largest:
            return self._call(x)
        key = x.shape, x.dtype
        if key not in self._recordings:
            self._recordings[key] = None  # a size that comes once is not worth a recording
            return self._call(x)
        recording = self._recordings[key] or _Recording(self._call, x)
        self._recordings[key] = recording
        return recording(x)


class _Recording:
    """One graph, its input and its outputs."""

    def __init__(self, call: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor):
        with torch.cuda.device(x.device):
            self._input = x.clone()
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # libraries make their workspaces, which they cannot while it is recorded
                for _ in range(_WARM_UPS):
                    call(self._input)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            # other threads of the program may go on using the GPU meanwhile
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._outputs = call(self._input)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        self._input.copy_(x)
        self._graph.replay()
        return tuple(output.clone() for output in self._outputs)
