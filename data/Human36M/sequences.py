"""Human3.6M as sequences (train and test): what each camera sees of an action, at 30 frames per second.

The videos have 50 frames per second, and ``frame_idx`` counts them. All frames with fits are read, not every 5th or
50th; 30 per second are interpolated between them. Tests without ``use_gt_input`` want detections of all frames in
``absnet_output_on_testset.json``; the released file has every 50th frame.
"""

from data.Human36M.dataset import Human36M
from lib.datasets.sequences.records import RecordSequences

EVERY_FRAME = {"train": 1, "test": 1}


class Human36MSequences(RecordSequences, Human36M):
    """One clip per action and camera, or more where frames are missing."""

    fps = 50.0
    longest_step = 5  # a tenth of a second, the step of training frames: fits of those alone will do
    frame_step = EVERY_FRAME

    def options(self) -> dict:
        return super().options() | {"frame_step": self.frame_step[self.mode]}
