"""A temporal lifter for people in pixels: what was not seen filled in, frame rates brought to its own, any length."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from lib.checkpoints.finding import find_checkpoint
from lib.export.cameras import default_focal
from lib.geometry.gaps import fill_gaps
from lib.joints.joint_set import JointSet
from lib.messages import naming
from lib.models.skip_init import SkipInit
from lib.models.temporal import build_temporal
from lib.models.temporal_windows import lift_clip
from lib.poses.missing import complete
from lib.settings.setting import TEMPORAL

from .surfaces import LONGEST_GAP, USUAL_DISTANCE
from .weights import check_joints, find_temporal_weights

FPS = 30.0  # frames per second that the lifter knows
NEAR = 24.0, 36.0  # rates that are taken as they are
FPS_RANGE = 5.0, 1000.0  # below, frames are too far apart to be one motion
_HEIGHT_SPREAD = 4.9  # height of a standing body over the spread of its joints


@dataclass(frozen=True)
class Run:
    """Frames of one person from a first to a last one, without a long gap.

    Attributes:
        pose2d: (F, J, 2) float32 pixels of all frames in between, complete.
        seen: (F, J) bool.
        places: (n,) int64 which of them were given.
    """

    pose2d: torch.Tensor
    seen: torch.Tensor
    places: torch.Tensor


@dataclass(frozen=True)
class LiftedPeople:
    """B people whom a temporal lifter lifted, rows of frames; NaN where it did not. float32 on the CPU.

    Attributes:
        pose2d: (B, J, 2) pixels, complete.
        joints: (B, J, 3) millimetres, relative to the root joint, camera frame.
        root: (B, 3) metres, the root joint's place in the camera frame.
        focal, principal: (B,) and (B, 2) pixels, of the camera.
    """

    pose2d: torch.Tensor
    joints: torch.Tensor
    root: torch.Tensor
    focal: torch.Tensor
    principal: torch.Tensor

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, rows) -> "LiftedPeople":
        """Some rows: slice, indices or mask."""
        return LiftedPeople(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: torch.Tensor, people: "LiftedPeople") -> None:
        """Write people into rows (n,) of these."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(people, field.name)

    @property
    def known(self) -> torch.Tensor:
        """(B,) bool, who was lifted."""
        return self.root.isfinite().all(dim=1)

    @classmethod
    def nobody(cls, count: int, joint_num: int) -> "LiftedPeople":
        """``count`` people who were not lifted."""
        shapes = (joint_num, 2), (joint_num, 3), (3,), (), (2,)
        return cls(*(torch.full((count, *shape), torch.nan) for shape in shapes))

    @classmethod
    def joined(cls, parts: Sequence["LiftedPeople"]) -> "LiftedPeople":
        """One after the other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


class SequenceLifter:
    """Lifts one person's frames with a temporal lifter.

    Args:
        joint_set: of the poses.
        weights: checkpoint file or folder; None takes ``lib.predictor.find_temporal_weights``.
        device: where.
        root: see ``lib.predictor.Pose2MeshPredictor``.

    Attributes:
        joint_set, device, weights (file in use), network (``lib.models.temporal.TemporalLifter``).

    Raises:
        FileNotFoundError: no weights.
        ValueError: they are of no temporal lifter, of other joints, or damaged.
    """

    def __init__(
        self,
        joint_set: JointSet,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
        root: str | Path = ROOT,
    ):
        self.joint_set, self.device = joint_set, torch.device(device)
        self.weights = (
            find_temporal_weights(joint_set) if weights is None else find_checkpoint(weights, root=Path(root))
        )
        checkpoint = load_checkpoint(self.weights)
        model = checkpoint.trained.MODEL
        if checkpoint.with_mesh or model.lifter != TEMPORAL:
            found = checkpoint.stage if checkpoint.with_mesh else f"a lifter {model.lifter!r}"
            raise ValueError(f"{self.weights} holds {found}; sequences need a PoseNet with MODEL.lifter {TEMPORAL}")
        check_joints(joint_set, checkpoint.joint_set, self.weights)
        with naming(self.weights), SkipInit():
            self.network = build_temporal(checkpoint.trained)
        checkpoint.load_into(self.network, take_over=True)
        self.network.requires_grad_(False).eval().to(self.device)

    def runs(self, poses: np.ndarray, seen: np.ndarray, numbers: np.ndarray, fps: float) -> list[Run]:
        """One person's frames without long gaps, complete.

        A joint that was not seen lies between the frames that saw it; one that no frame of a run saw is where it was
        put, or, where it is NaN, guessed from the others (``lib.poses.missing``).

        Args:
            poses: (T, J, 2) pixels. seen: (T, J) bool; what was seen is finite.
            numbers: (T,) of the frames, increasing.
            fps: frames per second, in ``FPS_RANGE``.

        Raises:
            ValueError: too little of the person is seen in a run; frame numbers that do not increase; a frame rate
                out of the range.
        """
        if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
            raise ValueError(
                f"sequences need {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g} frames per second to be one motion, got {fps:g}"
            )
        steps = np.diff(numbers)
        if (steps <= 0).any():
            raise ValueError("the numbers of a person's frames have to increase")
        starts = [0, *(np.flatnonzero(steps - 1 > LONGEST_GAP * fps) + 1).tolist(), len(numbers)]
        parts = (slice(start, end) for start, end in pairwise(starts) if start < end)
        return [self._run(poses[part], seen[part], numbers[part]) for part in parts]

    def _run(self, poses: np.ndarray, seen: np.ndarray, numbers: np.ndarray) -> Run:
        places = torch.from_numpy(numbers - numbers[0]).long()
        count = int(places[-1]) + 1
        pose2d = torch.full((count, *poses.shape[1:]), torch.nan)
        known = torch.zeros(count, poses.shape[1], dtype=torch.bool)
        pose2d[places], known[places] = torch.from_numpy(poses).float(), torch.from_numpy(seen)
        told = known | (~known.any(dim=0) & pose2d.isfinite().all(dim=2))
        pose2d = fill_gaps(pose2d.nan_to_num()[None], told[None])[0]
        there = told.any(dim=0)
        if not there.all():
            scored = torch.cat([pose2d, there.float().expand(count, -1)[..., None]], dim=2).numpy()
            completion = complete(scored, self.joint_set)
            refused = next((why for why in completion.refused if why), None)
            if refused:
                raise ValueError(f"frame {numbers[0]} and those after it: {refused}")
            pose2d = torch.from_numpy(completion.poses).float()
        return Run(pose2d, known, places)

    def camera(
        self, runs: Sequence[Run], image_size: tuple[int, int] | None = None, focal: float | None = None
    ) -> tuple[float, tuple[float, float]]:
        """Focal length and principal point, pixels, of the camera that saw a person.

        Where the size of the pictures is unknown, one camera for all frames is assumed, which looks at the middle of
        all boxes and sees the person as far away as people usually are.

        Args:
            runs: of the person. image_size, focal: see ``lib.predictor.Circumstances``.
        """
        if image_size is not None:
            return camera_of(image_size, focal)
        low = torch.stack([run.pose2d.amin(dim=(0, 1)) for run in runs]).amin(dim=0)
        high = torch.stack([run.pose2d.amax(dim=(0, 1)) for run in runs]).amax(dim=0)
        spread = torch.cat([run.pose2d.var(dim=1, unbiased=False).mean(dim=1).sqrt() for run in runs]).median()
        x, y = ((low + high) / 2).tolist()
        return focal or max(USUAL_DISTANCE * _HEIGHT_SPREAD * spread.item(), 1.0), (x, y)

    @torch.inference_mode()
    def lift(self, runs: Sequence[Run], fps: float, focal: float, principal: tuple[float, float]) -> LiftedPeople:
        """Lift runs of a person: the frames that were given, one after the other.

        Args:
            runs: of ``runs``. fps: of their frames.
            focal, principal: pixels, of the camera that saw them.
        """
        return LiftedPeople.joined([self._lifted(run, fps, focal, principal) for run in runs])

    def _lifted(self, run: Run, fps: float, focal: float, principal: tuple[float, float]) -> LiftedPeople:
        count, places = len(run.pose2d), run.places
        pose2d, seen, where = run.pose2d, run.seen.float(), places.double()
        if not NEAR[0] <= fps <= NEAR[1] and count > 1:
            steps = max(round((count - 1) * FPS / fps), 1)
            times = torch.linspace(0, count - 1, steps + 1, dtype=torch.float64)
            pose2d, seen = between(pose2d, times), (between(seen, times) > 1 - 1e-6).float()
            where = where * steps / (count - 1)
        lens = torch.tensor([focal, focal], device=self.device), torch.tensor(principal, device=self.device)
        lifted = lift_clip(self.network, pose2d.to(self.device), seen.to(self.device), *lens)
        joints, root = (between(values.cpu(), where) for values in lifted)
        cameras = root.new_full((len(places),), focal), root.new_tensor(principal).expand(len(places), 2)
        return LiftedPeople(run.pose2d[places], joints, root, *cameras)


def camera_of(image_size: tuple[int, int], focal: float | None) -> tuple[float, tuple[float, float]]:
    """Focal length and principal point, pixels, of pictures (width, height); focal None: their diagonal."""
    return default_focal(image_size) if focal is None else focal, (image_size[0] / 2, image_size[1] / 2)


def between(values: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Values (F, ...) at times (n,), float64 numbers of frames, on straight lines between frames."""
    low = times.floor().long().clamp(0, len(values) - 1)
    high = (low + 1).clamp_max(len(values) - 1)
    share = (times - low).to(values).view(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[low], values[high], share)
