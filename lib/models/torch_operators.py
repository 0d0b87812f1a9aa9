"""What the networks use of torch that is not public: everything is here, tried on torch 2.13.0 (``requirements.txt``).

Where a torch lacks an operator, its plain definition takes over: slower, and the same but for rounding.
"""

import functools
import platform
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


@functools.cache
def _operator(library: str, name: str) -> Callable | None:
    """``torch.ops.<library>.<name>``, None where torch lacks it."""
    return getattr(getattr(torch.ops, library), name, None)


@functools.cache
def _has_onednn() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available()


def product(x: Tensor, weights: Tensor) -> Tensor:
    """x @ weights for (M, K) and (K, N), without gradient; weights may be a transposed view.

    Weights in a narrower type than x have x rounded to it; the result is x's type again.

    float32 on a CPU by oneDNN, which every x86 build holds beside the BLAS library of ``torch.mm``: 10 to 20 % faster
    for the shapes of MeshNet, up to 1.7 times for those of PoseNet, on AMD processors.
    """
    if weights.dtype != x.dtype:
        return (x.to(weights.dtype) @ weights).to(x.dtype)
    linear = None
    dense = weights.is_contiguous() or weights.t().is_contiguous()  # not a view in which rows share their numbers
    if dense and x.dtype == torch.float32 and x.device.type == "cpu" and _has_onednn():
        linear = _operator("mkldnn", "_linear_pointwise")
    return x @ weights if linear is None else linear(x, weights.t(), None, "none", [], "")


def batch_statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (F,) of rows (N, F), in one pass and without cancellation."""
    operator = _operator("aten", "batch_norm_update_stats")
    if operator is None:
        return torch.var_mean(rows, 0, correction=0)[::-1]
    return operator(rows, None, None, 0.0)


def relu_gradient(grad: Tensor, y: Tensor) -> Tensor:
    """Gradient in front of a ReLU whose input or output is y: ``grad`` where y > 0, else 0."""
    operator = _operator("aten", "threshold_backward")
    return grad.masked_fill(y <= 0, 0) if operator is None else operator(grad, y, 0)


def norm_gradients(
    grad: Tensor, rows: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Gradients (F,) of a BatchNorm's weight and bias; rows are (N, F), the weight's values play no part."""
    operator = _operator("aten", "native_batch_norm_backward")
    if operator is None:
        return (grad * (rows - mean)).sum(0) * torch.rsqrt(var + eps), grad.sum(0)
    mask = [False, True, True]
    if rows.device.type == "cpu":
        return operator(grad, rows, weight, mean, var, None, None, False, eps, mask)[1:]
    # the kernels of GPUs want the statistics as those of a training pass
    return operator(grad, rows, weight, None, None, mean, torch.rsqrt(var + eps), True, eps, mask)[1:]


def keep_from_data_parallel(module: nn.Module, names: Sequence[str]) -> None:
    """DistributedDataParallel of ``module`` neither broadcasts these parameters and buffers nor awaits gradients.

    A torch that reads another attribute would broadcast constants for nothing, and stop at the second step, saying that
    it still waits for the gradients of unused parameters.
    """
    vars(module)["_ddp_params_and_buffers_to_ignore"] = list(names)
