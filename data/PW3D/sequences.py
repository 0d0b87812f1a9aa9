"""3DPW as sequences (test and validation): every person's frames of a video, 30 per second, are a clip.

A clip is split where a frame is not annotated: nothing is made up, and every annotated frame counts once.
"""

from data.PW3D.dataset import PW3D
from lib.datasets.sequences.records import RecordSequences


class PW3DSequences(RecordSequences, PW3D):
    """One clip per person and video, or more where frames are missing."""

    fps = 30.0
