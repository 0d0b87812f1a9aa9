"""2D poses from detectors: reading their files, mapping their joints, filling missing ones, following people."""

from .drawing import draw_check
from .filters import filter_people
from .mapping import approximated, describe_mapping, map_pose, unmapped
from .missing import Completion, complete, missing_joints
from .people import Frame, PoseSequence
from .readers import FORMATS, read_poses
from .readings import Reading, better_reading, reading_of
from .selection import Selection, select_people
from .sources import SOURCES, Source, get_source
from .tracking import Tracker, assign_tracks

__all__ = [
    "FORMATS", "SOURCES", "Completion", "Frame", "PoseSequence", "Reading", "Selection", "Source", "Tracker",
    "approximated", "assign_tracks", "better_reading", "complete", "describe_mapping", "draw_check", "filter_people",
    "get_source", "map_pose", "missing_joints", "read_poses", "reading_of", "select_people", "unmapped",
]  # fmt: skip
