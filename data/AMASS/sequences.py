"""AMASS as sequences (training only): windows of its clips, 30 frames per second, in one of the Human3.6M cameras.

Subsets, cameras and shapes are those of single frames; a camera is as far from the middle of the way as theirs, or
further where somebody walks up to it. All frames count, not every 60th.
"""

import numpy as np
import torch

from data.AMASS.dataset import AMASS, CAMERAS, FOCAL, HANDS, PRINCPT, TRANS
from lib.datasets.sequences.clips import FPS, Clips
from lib.datasets.sequences.records import SequenceDataset
from lib.datasets.storage.records import PoseRecords

RATE = 60.0  # frames per second that are kept of clips with more
CLEARANCE = 1.5  # metres that a camera is at least away from whoever walks towards it


class AMASSSequences(SequenceDataset, AMASS):
    """Windows of clips; the index only numbers the draw, an epoch has as many frames as the clips."""

    def load(self) -> PoseRecords:
        self.clips = Clips(self.files(), self.cache, RATE)
        return self.clips.records

    def skipped(self) -> dict[str, int]:
        return {}

    def __len__(self) -> int:
        seconds = float((self.clips.lengths / self.clips.fps).sum())
        return max(2, round(seconds * FPS / self.cfg.DATASET.window))

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        frames = self.cfg.DATASET.window
        motion = self.clips.draw(len(indices), frames, (1.0, 1.0), generator)
        camera = torch.randint(len(CAMERAS), (len(indices),), generator=generator).numpy()
        if self.cfg.DATASET.zero_hands:
            motion.pose[..., HANDS] = 0
        way = motion.trans - motion.trans.mean(dim=1, keepdim=True)
        place = torch.tensor(TRANS).repeat(len(indices), 1)
        reach = torch.linalg.vector_norm(way, dim=2).amax(dim=1)
        place[:, 2] = torch.maximum(place[:, 2], reach + CLEARANCE)
        rows = {
            "betas": motion.betas,
            "cam_R": torch.from_numpy(CAMERAS[camera]),
            "cam_t": place,
            "focal": torch.tensor(FOCAL).expand(len(indices), -1),
            "princpt": torch.tensor(PRINCPT).expand(len(indices), -1),
        }
        everywhere = {key: value[:, None].expand(-1, frames, *value.shape[1:]) for key, value in rows.items()}
        return everywhere | {"pose": motion.pose, "trans": way}
