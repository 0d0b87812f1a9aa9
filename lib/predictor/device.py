"""Where a predictor computes."""

import numpy as np
import torch


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` (a GPU when there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.

    Raises:
        ValueError: unknown name, or a GPU that this machine does not have.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    kind, _, index = name.partition(":")
    if name != "cpu" and (kind != "cuda" or (index and not index.isdecimal()) or name.endswith(":")):
        raise ValueError(f"unknown device {name!r}; choose auto, cpu, cuda or cuda:<number>")
    if kind == "cuda" and int(index or 0) >= count:
        raise ValueError(f"device {name!r} is not there: this machine has {count} usable CUDA GPU(s); try --device cpu")
    return torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device("cpu")


def as_array(values: np.ndarray | torch.Tensor | list) -> np.ndarray:
    """Numbers of any device, with or without gradients; bfloat16, which numpy lacks, as float32."""
    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
