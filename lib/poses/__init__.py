"""2D poses from detectors: reading their files, mapping their joints, filling missing ones, following people."""

from .mapping import approximated, describe_mapping, map_pose, unmapped
from .people import Frame, PoseSequence
from .readers import FORMATS, read_poses
from .sources import SOURCES, Source, get_source

__all__ = [
    "FORMATS", "SOURCES", "Frame", "PoseSequence", "Source", "approximated", "describe_mapping", "get_source",
    "map_pose", "read_poses", "unmapped",
]  # fmt: skip
