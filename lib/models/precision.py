"""Precision of predictions: what products round their factors to, and which processors gain by it."""

from dataclasses import dataclass

import torch

from lib.settings.setting import BF16, FLOAT32, HALF, PRECISIONS


@dataclass(frozen=True)
class Rounding:
    """Types that factors of products are rounded to; None: float32, they are not. Sums are float32 in any case.

    Attributes:
        meshnet: of graph convolutions, but for the small ones and for those next to the vertices.
        posenet: of the large layers' weights.
    """

    meshnet: torch.dtype | None = None
    posenet: torch.dtype | None = None


_CPU = {
    FLOAT32: Rounding(),
    BF16: Rounding(torch.bfloat16, torch.float16),
    HALF: Rounding(None, torch.float16),
}
# On a GPU products are no slower in float16 than in bfloat16, and PoseNet's time is lost among the others.
_GPU = {FLOAT32: Rounding(), BF16: Rounding(torch.bfloat16), HALF: Rounding(torch.float16)}
_NEEDED = {BF16: ("avx512_bf16", "amx_bf16"), HALF: ("f16c",)}  # one of these


def rounding(precision: str, device: torch.device) -> Rounding:
    """What a precision, one of ``PRECISIONS``, means on a device.

    Raises:
        ValueError: unknown precision, or one that this processor computes more slowly than float32.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if device.type == "cuda":
        if precision == BF16 and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ValueError("precision bf16: this GPU has no bfloat16 and would be slower; take half or float32")
        return _GPU[precision]
    known = _capabilities()
    if precision in _NEEDED and not any(known.get(name) for name in _NEEDED[precision]):
        wanted = " or ".join(name.upper().replace("_", "-") for name in _NEEDED[precision])
        raise ValueError(
            f"precision {precision}: this processor has no {wanted} and would be slower than in float32; leave it out"
        )
    return _CPU[precision]


def _capabilities() -> dict:
    known = getattr(torch.cpu, "get_capabilities", None)  # not in every torch
    return {} if known is None else known()
