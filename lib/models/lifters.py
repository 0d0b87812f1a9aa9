"""The one table of lifters: networks from 2D joints to 3D joints, by the name in MODEL.lifter.

A lifter is a module whose ``forward`` takes standardised 2D joints (B, 2J), x and y interleaved per joint, and gives
(B, 3J) joints relative to the root joint, millimetres, x, y, z interleaved per joint. It needs nothing else, and may
have

- ``UNUSED``: names of parameters that never get a gradient, for data-parallel training;
- ``mirror``: where it supports MODEL.posenet_mirror, which is refused otherwise.

Its builder reads from the settings what it likes: MODEL.posenet_width, _stages and _dropout are those of ``mlp``.
Names in its state dict start neither with ``module.`` nor with ``pose_lifter.``, which mean something else in files.
``temporal`` alone is another kind: it takes sequences (`lib.models.temporal`), and MODEL.name posenet with
DATASET.window trains and tests it (`lib.core.sequence_stage`).

For ONNX it is taken as it is (``lib.models.export.export_form``), so its operators have to be exportable, with any
batch size: ``torch.nn.MultiheadAttention`` is not, ``scaled_dot_product_attention`` is.
"""

from collections.abc import Callable

from torch import nn

from lib.models.posenet import build_posenet
from lib.models.temporal import build_temporal
from lib.settings.config import Config
from lib.settings.setting import TEMPORAL

LIFTERS: dict[str, Callable[[Config], nn.Module]] = {
    "mlp": build_posenet,
    TEMPORAL: build_temporal,
}


def build_lifter(cfg: Config) -> nn.Module:
    """The lifter that a configuration describes, randomly initialised from torch's global generator.

    Raises:
        ValueError: unknown MODEL.lifter, lists the known ones; MODEL.posenet_mirror with a lifter that ignores it.
    """
    name = cfg.MODEL.lifter
    if name not in LIFTERS:
        raise ValueError(f"MODEL.lifter: unknown lifter {name!r}; known: {', '.join(LIFTERS)} (lib/models/lifters.py)")
    lifter = LIFTERS[name](cfg)
    if cfg.MODEL.posenet_mirror and getattr(lifter, "mirror", None) is None:
        raise ValueError(f"MODEL.posenet_mirror: the lifter {name!r} has no mirror")
    return lifter
