"""Licence-free data: drawn poses, cameras, body shapes and 2D errors; nothing to download.

Training poses come from the pose prior in ``asset/pose_prior`` (bodies: fitted to CMU motion of the training subjects;
hands: the open hand's pose space) and, when ``SYNTHETIC.motion`` names AMASS-format files, from those clips.
The test split of the body is the open benchmark: real motion of held-out CMU subjects (``asset/open_benchmark``), one
seeded camera and shape per pose. The hand's test split is a seeded draw from its prior.
"""

from pathlib import Path

import numpy as np
import torch

from data.Synthetic.benchmark import read_benchmark
from data.Synthetic.limbs import PARTS, UPPER_BODY, mix_parts
from data.Synthetic.split import HELDOUT_SUBJECTS
from data.Synthetic.views import FOCAL, PRINCPT, TEST_STREAM, draw_views, look_at_rotations
from lib import ROOT
from lib.body.hand_prior import HandPosePrior
from lib.body.pose_prior import PosePrior, mirror_pose
from lib.datasets.input2d import Sources2D
from lib.datasets.pose_dataset import PoseDataset, stream
from lib.datasets.storage.motion_files import SMPL_POSE, find_motion, read_motion
from lib.settings.config import Config, SyntheticConfig


def motion_files(settings: SyntheticConfig) -> list[Path]:
    """The files that SYNTHETIC.motion names; those of held-out subjects are left out.

    Raises:
        FileNotFoundError: an entry names none.
    """
    files = []
    for entry in settings.motion:
        path = ROOT / entry
        found = find_motion(path) if path.is_dir() else [path]
        if not found or not path.exists():
            raise FileNotFoundError(
                f"SYNTHETIC.motion: no *_poses.npz in {path}; data/README.md says how to convert CMU clips, "
                "or leave the list empty to train on the pose prior alone"
            )
        files += [file for file in found if file.parent.name not in HELDOUT_SUBJECTS]
    return files


class Synthetic(PoseDataset):
    """Drawn samples. In training the index only numbers the draw; each epoch draws anew."""

    name = "Synthetic"

    def __init__(self, mode: str, cfg: Config, model=None, debug: bool = False, seed: int = 0, root=ROOT):
        super().__init__(mode, cfg, model, debug, seed, root)
        self.settings = cfg.SYNTHETIC
        self.hand = self.mesh_model.kind == "hand"
        self.motion = self._load_motion() if mode == "train" and not self.hand else None
        self.prior_share = self.settings.prior_share if self.motion is not None else 1.0
        self.prior = self._load_prior()
        self.test_rows = self._test_rows() if mode == "test" else None

    @property
    def sources(self) -> Sources2D:
        clean, jitter = (self.settings.clean_share, self.settings.jitter_share) if self.mode == "train" else (0.0, 0.0)
        noise = "" if self.cfg.DATASET.use_gt_input else self.settings.noise
        return Sources2D(noise=noise, derive_noisy=True, clean_share=clean, jitter_share=jitter)

    def _load_prior(self):
        if self.hand:
            return HandPosePrior.load()
        return PosePrior.load() if self.mode == "train" and self.prior_share > 0 else None

    def _load_motion(self) -> torch.Tensor | None:
        """Training poses (N, 72) of the motion files; held-out subjects are left out."""
        files = motion_files(self.settings)
        if not files:
            return None
        return torch.from_numpy(np.concatenate([read_motion(file).poses for file in files]))

    def __len__(self) -> int:
        if self.test_rows is not None:
            return len(self.test_rows["pose"])
        return 512 if self.debug else self.settings.samples_per_epoch

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if self.test_rows is not None:
            chosen = torch.from_numpy(np.asarray(indices))
            return {key: value[chosen] for key, value in self.test_rows.items()}
        pose = self._draw_hands(len(indices), generator) if self.hand else self._draw_bodies(len(indices), generator)
        return {"pose": pose, **self._draw_views(len(indices), generator)}

    def _draw_hands(self, count: int, generator: torch.Generator) -> torch.Tensor:
        return self.prior.sample(count, generator)

    def _draw_bodies(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """(count, 72) poses, z up, facing anywhere."""
        settings = self.settings
        pose = self.prior.sample(count, generator) if self.prior else torch.empty(count, SMPL_POSE)
        if self.motion is not None:
            chosen = torch.randint(len(self.motion), (count,), generator=generator)
            from_prior = torch.rand(count, generator=generator) < self.prior_share
            pose = torch.where(from_prior[:, None], pose, self.motion[chosen])
        joints = pose.view(count, -1, 3)
        if settings.mix_limbs > 0:
            joints = mix_parts(joints, (UPPER_BODY,), settings.mix_limbs, generator)
        if settings.mix_parts > 0:
            joints = mix_parts(joints, PARTS, settings.mix_parts, generator)
        pose = joints.flatten(1)
        if settings.pose_noise > 0:
            pose = pose + settings.pose_noise * torch.randn(pose.shape, generator=generator)
        if settings.mirror:
            mirror = torch.rand(count, generator=generator) < 0.5
            pose = torch.where(mirror[:, None], mirror_pose(pose), pose)
        return pose

    def _draw_views(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Shapes and cameras."""
        views = draw_views(self.settings, count, generator)
        rotation = look_at_rotations(views.azimuth, views.elevation, views.roll)
        if self.hand:
            # hands are drawn in the camera frame, within arm's reach of it
            rotation = torch.eye(3).expand(count, 3, 3)
        return {
            "betas": views.betas,
            "cam_R": rotation,
            "trans": views.trans,
            "focal": torch.full((count, 2), FOCAL),
            "princpt": torch.full((count, 2), PRINCPT),
        }

    def _test_rows(self) -> dict[str, torch.Tensor]:
        generator = stream(TEST_STREAM)
        limit = 64 if self.debug else self.settings.test_samples
        if self.hand:
            pose = self._draw_hands(limit, generator)
        else:
            poses = read_benchmark()[0].astype(np.float32)[:, :SMPL_POSE]
            pick = np.linspace(0, len(poses) - 1, min(limit, len(poses))).round().astype(int)
            pose = torch.from_numpy(poses[pick])
        return {"pose": pose, **self._draw_views(len(pose), generator)}
