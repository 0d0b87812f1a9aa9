"""The tools that find poses in pictures: one interface for all of them, and which one is taken.

tool, notes = choose_tool("auto", "body")
with tool.open("body", video=True) as detector:
    frames = [detector(image, str(number)) for number, image in enumerate(images)]
poses = map_pose(frames[0].poses, detector.source, "coco")
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lib.poses import detector as mediapipe
from lib.poses.people import Frame

from . import rtmpose


class PoseDetector(Protocol):
    """Finds the people, or hands, of one picture after the other.

    Attributes:
        source: whose joints the poses have, key of ``lib.poses.sources.SOURCES``.
    """

    source: str

    def __call__(self, image: np.ndarray, name: str = "") -> Frame:
        """The people in an image (H, W, 3) uint8 BGR; none when nobody was found."""

    def nobody(self, where: str) -> str:
        """Message for when nothing was found in ``where`` (photo or video, in words): what to try."""

    def __enter__(self) -> "PoseDetector": ...

    def __exit__(self, *exception) -> None: ...


@dataclass(frozen=True)
class Tool:
    """A detector that can be chosen.

    Attributes:
        title: for the user.
        lacking: why it cannot be used for ``body`` or ``hand`` with models at a path (None: the tool's own), and what
            to do about it; None when it can.
        open: a detector for ``body`` or ``hand``, of frames that follow each other in time or not, with those models.
        notes: what the user should know about an opened one.
    """

    title: str
    lacking: Callable[[str, Path | None], str | None]
    open: Callable[[str, bool, Path | None], PoseDetector]
    notes: Callable[[Any], list[str]] = lambda detector: []


def _mediapipe_lacking(kind: str, models: Path | None) -> str | None:
    if models is not None:
        return "--detector_model is for RTMPose; MediaPipe carries its models: leave it out, or add --detector rtmpose"
    return mediapipe.detector_available()


TOOLS: dict[str, Tool] = {
    "rtmpose": Tool("RTMPose", rtmpose.lacking, rtmpose.RtmposeDetector, lambda detector: detector.notes),
    "mediapipe": Tool("MediaPipe", _mediapipe_lacking, lambda kind, video, _: mediapipe.Detector(kind, video=video)),
}
"""Detectors by name; of those that can be used ``auto`` is the first."""


def choose_tool(name: str, kind: str, models: Path | None = None) -> tuple[Tool, list[str]]:
    """The detector to use, and remarks for the user.

    Args:
        name: key of ``TOOLS``, or ``auto``: RTMPose where its packages and models are there, as it finds everybody;
            else MediaPipe. Models of the user's are RTMPose's.
        kind: ``body`` or ``hand``.
        models: file or folder of the tool's models; None: its own.

    Raises:
        ValueError: unknown name, or the detector cannot be used; says what to do.
    """
    if name == "auto" and models is not None:
        name = "rtmpose"
    if name in TOOLS:
        reason = TOOLS[name].lacking(kind, models)
        if reason is not None:
            raise ValueError(reason)
        return TOOLS[name], []
    if name != "auto":
        raise ValueError(f"unknown detector {name!r}; choose auto or one of {', '.join(TOOLS)}")
    reasons = {tool: TOOLS[tool].lacking(kind, None) for tool in TOOLS}
    # who installed RTMPose wants to know why it is not taken
    why = reasons["rtmpose"] if rtmpose.packages_lacking() is None else None
    for tool, reason in reasons.items():
        if reason is None:
            return TOOLS[tool], [why] if why else []
    if why is not None:
        raise ValueError(f"{why}; or MediaPipe, for one person a picture: {mediapipe.INSTALL}")
    raise ValueError(f"{reasons['mediapipe']}; for several people: {rtmpose.INSTALL}")
