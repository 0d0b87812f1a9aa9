"""The data set Synthetic as sequences: windows of real motion for training, whole held-out clips for tests.

DATASET.window asks for it. A window has one body shape and one camera, which may move; its motion is that of the files
in ``SYNTHETIC.motion``, at other speeds, mirrored, and with limbs of other clips. A test sequence is a clip of the open
sequence benchmark (``asset/open_benchmark``) with one seeded camera and shape.
"""

import numpy as np
import torch

from data.Synthetic.benchmark import read_sequences
from data.Synthetic.dataset import motion_files
from data.Synthetic.limbs import PARTS, UPPER_BODY, mix_parts
from data.Synthetic.views import FOCAL, PRINCPT, TEST_STREAM, draw_views, look_at_rotations
from lib import ROOT
from lib.body.pose_prior import mirror_pose
from lib.datasets.pose_dataset import PoseDataset, stream
from lib.datasets.sequences.clips import FPS, Clips, Motions
from lib.datasets.sequences.errors import HIDDEN_SHARE, SequenceErrors
from lib.datasets.sequences.transform import SequenceTransform
from lib.joints.lookup import get_joint_set

CLEARANCE = 1.5  # metres that the camera is at least away from whoever walks towards it
# Standard deviations of a moving camera: turning about the person, radians per second, and drifting, metres per second
TURNING, RISING, DRIFTING = 0.13, 0.04, 0.1
DEBUG_CLIPS = 2
STEEPEST = 1.4  # radians above or below a person that a moving camera reaches


class SyntheticSequences(PoseDataset):
    """Drawn windows, or held-out clips.

    Attributes:
        clip_names, clip_of_frame: of tests: (C,) names of the clips, and (N,) the clip of each frame.
    """

    name = "Synthetic"

    def __init__(self, mode: str, cfg, model=None, debug: bool = False, seed: int = 0, root=ROOT):
        super().__init__(mode, cfg, model, debug, seed, root)
        if self.mesh_model.kind != "body":
            raise ValueError("DATASET.window: Synthetic has no sequences of hands")
        self.settings, self.frames = cfg.SYNTHETIC, cfg.DATASET.window
        self.clips = self._clips() if mode == "train" else None
        self.test = read_sequences() if mode == "test" else None
        if self.test is not None:
            shown = min(DEBUG_CLIPS if debug else self.settings.test_samples, len(self.test.clips))
            self.clip_names = self.test.clips[:shown].tolist()
            self.clip_of_frame = self.test.clip_of[self.test.clip_of < shown]
        self.with_mesh = mode == "test" and cfg.tests_meshes

    def _clips(self) -> Clips:
        files = motion_files(self.settings)
        if not files:
            raise ValueError(
                "SYNTHETIC.motion names no clips of training subjects; sequences are windows of real motion: "
                "data/README.md says how to convert CMU clips"
            )
        return Clips(files, self.root / self.cfg.DATASET.cache if self.cfg.DATASET.cache else None)

    @property
    def errors(self) -> SequenceErrors:
        noise = "" if self.mode == "test" and self.cfg.DATASET.use_gt_input else self.settings.noise
        shape = self.cfg.MODEL.input_shape
        shares = (self.settings.clean_share, self.settings.jitter_share, HIDDEN_SHARE) if self.mode == "train" else ()
        return SequenceErrors(get_joint_set(self.cfg.DATASET.input_joint_set), (shape[1], shape[0]), noise, *shares)

    def __len__(self) -> int:
        if self.test is not None:
            return len(self.clip_names)
        return 64 if self.debug else self.settings.samples_per_epoch

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if self.test is not None:
            (index,) = indices.tolist()  # clips are not equally long
            frames = self.test.clip_of == index
            pose, trans = (torch.from_numpy(values[frames])[None] for values in (self.test.poses, self.test.trans))
            motion = Motions(pose, trans)
            return self._seen(motion, stream(TEST_STREAM, index))
        motion = self.clips.draw(len(indices), self.frames, self.settings.speeds, generator)
        return self._seen(self._varied(motion, generator), generator)

    def build_transform(self, device) -> SequenceTransform:
        return SequenceTransform(self.cfg, self.mesh_model, self.errors, device, self.protocol, self.with_mesh)

    def _varied(self, motion: Motions, generator: torch.Generator) -> Motions:
        """Motion with limbs of other windows, a constant change of its joints' angles, mirrored."""
        settings, count = self.settings, len(motion.pose)
        pose = motion.pose.unflatten(2, (-1, 3))
        if settings.mix_limbs > 0:
            pose = mix_parts(pose, (UPPER_BODY,), settings.mix_limbs, generator)
        if settings.mix_parts > 0:
            pose = mix_parts(pose, PARTS, settings.mix_parts, generator)
        if settings.pose_noise > 0:
            pose = pose + settings.pose_noise * torch.randn(count, 1, *pose.shape[2:], generator=generator)
        pose, trans = pose.flatten(2), motion.trans
        if settings.mirror:
            mirrored = torch.rand(count, generator=generator)[:, None, None] < 0.5
            other = mirror_pose(pose.flatten(0, 1)).view_as(pose)
            pose = torch.where(mirrored, other, pose)
            trans = torch.where(mirrored, trans * trans.new_tensor([-1.0, 1.0, 1.0]), trans)
        return Motions(pose, trans)

    def _seen(self, motion: Motions, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Rows of motion (B, T) with a shape and a camera for each of the B."""
        settings, (count, frames) = self.settings, motion.pose.shape[:2]

        def normal(std):
            return std * torch.randn(count, 1, generator=generator)

        views = draw_views(settings, count, generator)
        moving = (torch.rand(count, 1, generator=generator) < settings.moving_share).float()
        time = (torch.arange(frames) - (frames - 1) / 2)[None] / FPS
        turn, rise = moving * normal(TURNING) * time, moving * normal(RISING) * time
        drift = moving[..., None] * torch.randn(count, 1, 3, generator=generator) * DRIFTING * time[..., None]
        elevation = (views.elevation[:, None] + rise).clamp(-STEEPEST, STEEPEST)
        rotation = look_at_rotations(
            (views.azimuth[:, None] + turn).flatten(),
            elevation.flatten(),
            views.roll[:, None].expand(-1, frames).flatten(),
        ).unflatten(0, (count, frames))
        way = motion.trans - motion.trans.mean(dim=1, keepdim=True)
        reach = torch.linalg.vector_norm(way, dim=2).amax(dim=1)
        distance = torch.maximum(views.distance, reach + CLEARANCE)
        place = torch.cat([distance[:, None] * views.lateral, distance[:, None]], dim=1)

        def everywhere(values):
            return values[:, None].expand(-1, frames, *values.shape[1:])

        return {
            "pose": motion.pose,
            "trans": way,
            "betas": everywhere(views.betas),
            "cam_R": rotation,
            "cam_t": place[:, None] + drift,
            "focal": torch.full((count, frames, 2), FOCAL),
            "princpt": torch.full((count, frames, 2), PRINCPT),
        }
