"""The models that rtmlib publishes: its own tables of them, and its cache of what was downloaded.

Nothing is downloaded here.
"""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlparse

from lib.runtime.optional import optional

WHOLE_BODIES, BODIES, HANDS = ("Wholebody",), ("BodyWithFeet", "Body"), ("Hand",)
"""Classes of rtmlib, by what their models find the joints of."""

_OF_KIND = {"body": (*WHOLE_BODIES, *BODIES), "hand": (*WHOLE_BODIES, *HANDS)}
_MODES = "performance", "balanced", "lightweight"
_DEFAULT = "Wholebody", "balanced"  # what rtmlib fetches unasked


@dataclass(frozen=True)
class Published:
    """Models that rtmlib takes together.

    Attributes:
        pose: URL of the archive of the model of joints.
        boxes: URL of that of the model of boxes; None of one-stage models, which need none.
        sizes: height and width of their inputs by the file's name in the cache.
    """

    pose: str
    boxes: str | None
    sizes: dict[str, tuple[int, int]]

    @property
    def cached(self) -> bool:
        """The cache has them."""
        return all(cache_path(url).is_file() for url in (self.pose, self.boxes) if url is not None)


def rtmlib() -> ModuleType:
    """The package.

    Raises:
        ValueError: it cannot be imported; says how to install it.
    """
    return optional("rtmlib", extra="rtmpose", use="--detector rtmpose")


def published_of(kind: str) -> list[Published]:
    """Models that find ``body`` or ``hand`` joints: those of most joints first, of these the most exact ones."""
    return published(_OF_KIND[kind])


def published(classes: tuple[str, ...]) -> list[Published]:
    """Models of some of rtmlib's classes, in order."""
    found = []
    for name in classes:
        for table in ("MODE", "RTMO_MODE"):
            modes = getattr(getattr(rtmlib(), name, None), table, {})  # older versions have fewer
            found += [_published(modes[mode]) for mode in _MODES if mode in modes]
    return found


def _published(files: dict) -> Published:
    pose, boxes = files["pose"], files.get("det")
    width, height = files["pose_input_size"]  # of boxes height and width, as rtmlib's classes take them
    sizes = {cache_path(pose).name: (height, width)}
    if boxes is not None:
        sizes[cache_path(boxes).name] = tuple(files["det_input_size"])
    return Published(pose, boxes, sizes)


def cache_folder() -> Path:
    """Where rtmlib keeps what it downloaded."""
    return Path(importlib.import_module("rtmlib.tools.file")._get_rtmhub_dir(), "checkpoints")


def cache_path(url: str) -> Path:
    """Where rtmlib keeps the model of an archive."""
    return cache_folder() / (os.path.basename(urlparse(url).path).split(".")[0] + ".onnx")


def cache_lacking(kind: str) -> str | None:
    """Why the cache has no models for ``body`` or ``hand``, and how to get some; None when it has."""
    if any(models.cached for models in published_of(kind)):
        return None
    name, mode = _DEFAULT
    files = getattr(rtmlib(), name).MODE[mode]
    urls = files["det"], files["pose"]
    return (
        f"RTMPose's models are not in {cache_folder()} ({', '.join(cache_path(url).name for url in urls)}); get them "
        f'once, with network: python -c "from rtmlib import {name}; {name}()", which downloads {" and ".join(urls)}; '
        "or name yours with --detector_model"
    )
