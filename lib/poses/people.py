"""The people that a detector found: one image, or the frames of a sequence."""

from dataclasses import dataclass, replace

import numpy as np

from lib.joints.joint_set import JointSet
from lib.messages import shown_name

from .sources import Source

SIDES = ("left", "right")  # of hands, in the order of ``Frame.hands``


@dataclass(frozen=True)
class Frame:
    """The people in one image.

    Attributes:
        name: image file name, or frame number as text.
        poses: (N, J, 3) float32: x, y in pixels and score. NaN coordinates or a score of 0 mean a missing joint.
        tracks: (N,) int64, the same number for the same person in every frame; None when unknown.
        number: place of the frame in its film, from 0; None when unknown.
        left: (N,) bool, who is a left hand; None when nobody is.
        hands: (N, 2, J, 3) the people's left and right hands, joints of MANO, as ``poses``; NaN for hands that are not
            there; None when there are none, and where ``poses`` are hands.
    """

    name: str
    poses: np.ndarray
    tracks: np.ndarray | None = None
    number: int | None = None
    left: np.ndarray | None = None
    hands: np.ndarray | None = None

    def __post_init__(self):
        if self.poses.ndim != 3 or self.poses.shape[2] != 3:
            raise ValueError(f"frame {shown_name(self.name)}: expected poses (N, J, 3), got {self.poses.shape}")
        if self.tracks is not None and self.tracks.shape != (len(self.poses),):
            raise ValueError(
                f"frame {shown_name(self.name)}: expected {len(self.poses)} track numbers, got {len(self.tracks)}"
            )
        for what in ("left", "hands"):
            values = getattr(self, what)
            if values is not None and len(values) != len(self.poses):
                raise ValueError(
                    f"frame {shown_name(self.name)}: expected {what} of {len(self.poses)} people, got {values.shape}"
                )

    def take(self, people) -> "Frame":
        """The same frame with some of its people (indices or mask)."""
        tracks, left, hands = (
            None if values is None else values[people] for values in (self.tracks, self.left, self.hands)
        )
        return replace(self, poses=self.poses[people], tracks=tracks, left=left, hands=hands)


@dataclass(frozen=True)
class PoseSequence:
    """Frames of one source of poses.

    Attributes:
        frames: in order.
        source: which joints the poses have: key of ``lib.poses.sources.SOURCES``; or a user's joint set, by its path
            or itself; or a source of the file's own joints.
        image_size: width and height in pixels where the file tells them.
        is_video: the frames follow each other in time; otherwise they are unrelated images.
        format: file format that was read, in words.
        notes: remarks about the reading, for the user: what was decided or left out.
    """

    frames: list[Frame]
    source: str | JointSet | Source
    image_size: tuple[int, int] | None = None
    is_video: bool = False
    format: str = ""
    notes: tuple[str, ...] = ()

    @property
    def person_count(self) -> int:
        """Poses in all frames together."""
        return sum(len(frame.poses) for frame in self.frames)
