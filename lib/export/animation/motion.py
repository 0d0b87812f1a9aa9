"""The motion of one person's skeleton."""

from dataclasses import dataclass, replace

import numpy as np

from lib.body.rotation import axis_angle_to_matrix
from lib.export.animation.skeleton import Skeleton
from lib.geometry.mirror import mirror_pose
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import MeshModel

_UPRIGHT = np.diag([1.0, -1.0, -1.0])  # from y down, z forward to y up, z towards the viewer, as .glb files have it
_SAME_SHAPE = 1e-5


@dataclass(frozen=True)
class Motion:
    """A person in T frames; x right, y up, z towards the viewer, metres.

    Attributes:
        name: of the person.
        skeleton: at rest.
        frames: (T,) int64 numbers of the frames in their film, increasing.
        rotations: (T, K, 3, 3) of each joint in its parent, of the first in the world.
        root: (T, 3) where the first joint is.
    """

    name: str
    skeleton: Skeleton
    frames: np.ndarray
    rotations: np.ndarray
    root: np.ndarray

    @classmethod
    def of(
        cls,
        name: str,
        fit: ParamFit,
        mesh_model: MeshModel,
        frames: np.ndarray | None = None,
        translation: np.ndarray | None = None,
        left: bool = False,
        gender: str = "neutral",
    ) -> "Motion":
        """The motion of fitted parameters.

        Args:
            name: of the person.
            fit: T rows of one shape, in the frame of predictions: x right, y down, z away from the camera.
            mesh_model: that was fitted.
            frames: (T,) increasing numbers; None: 0, 1, 2, ...
            translation: (T, 3) metres added to the fitted ones, see ``save_params``.
            left: a left hand, whose parameters are the mirrored model's (``lib.export.params.mirrored_fit``).
            gender: of the model file.

        Raises:
            ValueError: nothing, rows with different shapes, numbers that are not finite.
        """
        if not len(fit):
            raise ValueError(f"{name}: no frames to write")
        pose, betas, trans = (values.detach().cpu().double() for values in (fit.pose, fit.betas, fit.trans))
        if (betas - betas[0]).abs().max() > _SAME_SHAPE:
            raise ValueError(f"{name}: a skeleton has one shape; fit with the same group for all frames")
        if not all(values.isfinite().all() for values in (pose, betas, trans)):
            raise ValueError(f"{name}: parameters hold NaN or infinite values")
        mean = mesh_model.params(gender).pose_mean.double()[None]
        pose = pose + mirror_pose(mean, np.array([left]))
        rotations = axis_angle_to_matrix(pose.unflatten(1, (-1, 3))).numpy()
        rotations[:, 0] = _UPRIGHT @ rotations[:, 0]
        skeleton = Skeleton.of(mesh_model, betas[0], left, gender)
        root = skeleton.rest[0] + trans.numpy() + (0 if translation is None else translation)
        numbers = np.arange(len(pose)) if frames is None else np.asarray(frames, dtype=np.int64)
        return cls(name, skeleton, numbers, rotations, root @ _UPRIGHT)

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, frames: np.ndarray) -> "Motion":
        """The motion in other frames (n,), increasing: where the person is unseen, the pose before, or the first."""
        rows = np.searchsorted(self.frames, frames, side="right").clip(1) - 1
        return replace(self, frames=frames, rotations=self.rotations[rows], root=self.root[rows])
