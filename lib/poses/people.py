"""The people that a detector found: one image, or the frames of a sequence."""

from dataclasses import dataclass

import numpy as np

from lib.joints.joint_set import JointSet
from lib.messages import shown_name


@dataclass(frozen=True)
class Frame:
    """The people in one image.

    Attributes:
        name: image file name, or frame number as text.
        poses: (N, J, 3) float32: x, y in pixels and score. NaN coordinates or a score of 0 mean a missing joint.
        tracks: (N,) int64, the same number for the same person in every frame; None when unknown.
    """

    name: str
    poses: np.ndarray
    tracks: np.ndarray | None = None

    def __post_init__(self):
        if self.poses.ndim != 3 or self.poses.shape[2] != 3:
            raise ValueError(f"frame {shown_name(self.name)}: expected poses (N, J, 3), got {self.poses.shape}")
        if self.tracks is not None and self.tracks.shape != (len(self.poses),):
            raise ValueError(
                f"frame {shown_name(self.name)}: expected {len(self.poses)} track numbers, got {len(self.tracks)}"
            )

    def take(self, people) -> "Frame":
        """The same frame with some of its people (indices or mask)."""
        return Frame(self.name, self.poses[people], None if self.tracks is None else self.tracks[people])


@dataclass(frozen=True)
class PoseSequence:
    """Frames of one source of poses.

    Attributes:
        frames: in order.
        source: which joints the poses have: key of ``lib.poses.sources.SOURCES``; or a user's joint set, by its path
            or itself.
        image_size: width and height in pixels where the file tells them.
        is_video: the frames follow each other in time; otherwise they are unrelated images.
        format: file format that was read, in words.
        notes: remarks about the reading, for the user: what was decided or left out.
    """

    frames: list[Frame]
    source: str | JointSet
    image_size: tuple[int, int] | None = None
    is_video: bool = False
    format: str = ""
    notes: tuple[str, ...] = ()

    @property
    def person_count(self) -> int:
        """Poses in all frames together."""
        return sum(len(frame.poses) for frame in self.frames)
