"""Licence-free data: drawn poses, cameras, body shapes and 2D errors; nothing to download.

Training poses come from the pose prior in ``asset/pose_prior`` (bodies: fitted to CMU motion of the training subjects;
hands: the open hand's pose space) and, when ``SYNTHETIC.motion`` names AMASS-format files, from those clips.
The test split of the body is the open benchmark: real motion of held-out CMU subjects (``asset/open_benchmark``), one
seeded camera and shape per pose. The hand's test split is a seeded draw from its prior.
"""

import math

import numpy as np
import torch

from data.Synthetic.benchmark import read_benchmark
from data.Synthetic.split import HELDOUT_SUBJECTS
from lib import ROOT
from lib.body.hand_prior import HandPosePrior
from lib.body.pose_prior import PosePrior, mirror_pose
from lib.datasets.input2d import Sources2D
from lib.datasets.pose_dataset import PoseDataset, stream
from lib.datasets.storage.motion_files import SMPL_POSE, find_motion, read_motion
from lib.settings.config import Config

FOCAL, PRINCPT = 1500.0, 500.0  # pixels; only perspective distortion survives the normalisation of the input
LATERAL = 0.15  # the person stands up to this share of the distance beside the optical axis
BETAS = 10
TEST_STREAM = 2020  # the benchmark's cameras and shapes never depend on --seed
UPPER_BODY = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)  # spine, head and arms in SMPL's order
PARTS = ((13, 16, 18, 20, 22), (14, 17, 19, 21, 23), (1, 4, 7, 10), (2, 5, 8, 11), (12, 15))  # arms, legs, head


def look_at_rotations(azimuth: torch.Tensor, elevation: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    """World-to-camera rotations of cameras that look at the origin.

    Args:
        azimuth, elevation, roll: (B,) radians; the world is z up, elevation 0 is level.

    Returns:
        (B, 3, 3), rows right, down, forward.
    """
    cos_e = elevation.cos()
    forward = -torch.stack([cos_e * azimuth.cos(), cos_e * azimuth.sin(), elevation.sin()], dim=-1)
    up = torch.zeros_like(forward)
    up[:, 2] = 1.0
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    cos_r, sin_r = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack([cos_r * right + sin_r * down, cos_r * down - sin_r * right, forward], dim=1)


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
        files = []
        for entry in self.settings.motion:
            path = ROOT / entry
            found = find_motion(path) if path.is_dir() else [path]
            if not found or not path.exists():
                raise FileNotFoundError(
                    f"SYNTHETIC.motion: no *_poses.npz in {path}; data/README.md says how to convert CMU clips, "
                    "or leave the list empty to train on the pose prior alone"
                )
            files += [file for file in found if file.parent.name not in HELDOUT_SUBJECTS]
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
        if settings.mix_limbs > 0:
            other = pose[torch.randperm(count, generator=generator)].view(count, -1, 3)
            mixed = pose.view(count, -1, 3).clone()
            mixed[:, UPPER_BODY] = other[:, UPPER_BODY]
            use = torch.rand(count, generator=generator) < settings.mix_limbs
            pose = torch.where(use[:, None], mixed.flatten(1), pose)
        if settings.mix_parts > 0:
            pose = self._mix_parts(pose, generator)
        if settings.pose_noise > 0:
            pose = pose + settings.pose_noise * torch.randn(pose.shape, generator=generator)
        if settings.mirror:
            mirror = torch.rand(count, generator=generator) < 0.5
            pose = torch.where(mirror[:, None], mirror_pose(pose), pose)
        return pose

    def _mix_parts(self, pose: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Poses (B, 72) whose arms, legs and heads come, each with a probability of its own, from another pose."""
        joints = pose.view(len(pose), -1, 3)
        mixed = joints.clone()
        for part in PARTS:
            other = joints[torch.randperm(len(pose), generator=generator)]
            use = torch.rand(len(pose), generator=generator) < self.settings.mix_parts
            mixed[:, part] = torch.where(use[:, None, None], other[:, part], joints[:, part])
        return mixed.flatten(1)

    def _draw_views(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Shapes and cameras."""
        settings = self.settings

        def uniform(low, high):
            return low + (high - low) * torch.rand(count, generator=generator)

        def angle(degrees):
            return uniform(-math.radians(degrees), math.radians(degrees))

        azimuth, elevation, roll = angle(settings.azimuth), angle(settings.elevation), angle(settings.roll)
        distance = uniform(*settings.distance)
        trans = torch.stack([distance * uniform(-LATERAL, LATERAL), distance * uniform(-LATERAL, LATERAL), distance], 1)
        betas = settings.beta_std * torch.randn(count, BETAS, generator=generator)
        if settings.any_view_share > 0:
            # drawn last, so that shapes, distances and azimuths are those of the same seed without it
            wide = torch.rand(count, generator=generator) < settings.any_view_share
            low, high = map(math.radians, settings.view_elevation)
            elevation = torch.where(wide, uniform(low, high), elevation)
            turned = torch.rand(count, generator=generator) < settings.turned_share
            tilt = math.radians(settings.view_roll) * torch.randn(count, generator=generator)
            roll = torch.where(wide, torch.where(turned, angle(180.0), tilt), roll)
        rotation = look_at_rotations(azimuth, elevation, roll)
        if self.hand:
            # hands are drawn in the camera frame, within arm's reach of it
            rotation = torch.eye(3).expand(count, 3, 3)
        return {
            "betas": betas,
            "cam_R": rotation,
            "trans": trans,
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
