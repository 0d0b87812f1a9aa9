"""Evaluation of clips: errors of frames as everywhere, and errors of motion from what is kept of every frame."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.lift import LiftEvaluator, joints_text
from lib.evaluation.mesh import MeshEvaluator
from lib.evaluation.metrics import scored_joints
from lib.evaluation.sequence_metrics import STILL, foot_joints, foot_slide, foot_vertices, root_errors
from lib.evaluation.video_metrics import Videos
from lib.joints.joint_set import JointSet
from lib.mesh.mesh_model import MeshModel
from lib.units import MM_PER_M

_PER_FRAME, _ACCELERATION = "mm/frame", "mm/frame^2"
_FRAMES = "mean over the frames of all clips that have a frame before"
_ROOT = "root joint in the camera frame"


def motion_figures(joints: str, feet: str) -> tuple[Figure, ...]:
    """Figures of motion.

    Args:
        joints: which ones are scored, in words.
        feet: which points are feet, in words; empty without any.
    """

    def figure(name: str, protocol: str, unit: str) -> Figure:
        return Figure(name, protocol, unit, over_known=True)

    inside = "mean over the frames of all clips but the first and the last of each"
    figures = (
        figure(
            "acceleration error",
            f"{joints}; second difference of the error from frame to frame, {inside}",
            _ACCELERATION,
        ),
        Figure("MRPE", f"{_ROOT}, distance from the true one"),
        figure("root jitter", f"{_ROOT}, second difference of the error from frame to frame, {inside}", _ACCELERATION),
        figure("root step error", f"{_ROOT}, error of the displacement since the frame before, {_FRAMES}", _PER_FRAME),
        figure("depth jump", f"{_ROOT}, error of the change of depth since the frame before, {_FRAMES}", _PER_FRAME),
    )
    if not feet:
        return figures
    rest = f"while the true point moves less than {STILL:g} mm; mean over the points, then over the frames with any"
    return (
        *figures,
        figure("foot slide", f"{feet} in the camera frame, displacement since the frame before {rest}", _PER_FRAME),
        figure("true foot slide", f"{feet} of the truth, displacement since the frame before {rest}", _PER_FRAME),
    )


class SequenceEvaluator(Evaluator):
    """Samples are frames, groups are clips.

    Frames may come in any order and share, those of one clip in several parts: what needs the frames around is computed
    at the end, from scored joints, root and feet.

    Args:
        joint_set: with a regressor the joints that are regressed from both meshes, else those that are lifted.
        regressor: (J, V) of that set, derived joints included; None where no meshes are made.
        mesh_model: of the meshes.
        clips: (C,) names of the clips.
        clip: (N,) clip number of each frame; a clip's frames are its samples in order.
        full: see ``Evaluator``.
    """

    def __init__(
        self,
        joint_set: JointSet,
        regressor: Tensor | None,
        mesh_model: MeshModel,
        clips: Sequence[str],
        clip: np.ndarray,
        full: bool = True,
    ):
        self.joint_set = joint_set
        self.frames: LiftEvaluator | MeshEvaluator
        if regressor is None:
            self.frames, self.feet = LiftEvaluator(joint_set, full=full), foot_joints(joint_set)
            joints = joints_text(joint_set)
            feet = ", ".join(joint_set.joints[joint] for joint in self.feet)
        else:
            self.frames, self.feet = MeshEvaluator(joint_set, regressor, full=full), foot_vertices(mesh_model)
            joints = f"{joints_text(joint_set)}, regressed from both meshes"
            feet = f"ends of both soles (vertices {', '.join(map(str, self.feet))})" if self.feet else ""
        groups = Groups("clip", tuple(map(str, clips)), np.asarray(clip))
        super().__init__(self.frames.figures + motion_figures(joints, feet), full, groups)
        self.frames.samples, self.frames.metrics = self.samples, self.metrics

    def update(
        self, found: dict[str, Tensor], true: dict[str, Tensor], indices: np.ndarray
    ) -> tuple[Tensor, Tensor | None]:
        """Add frames of one or several clips.

        Args:
            found, true: ``root`` (F, 3) metres, camera frame, the point that joints and mesh are relative to; without a
                regressor ``joints`` (F, J, 3), with one ``mesh`` (F, V, 3), both mm.
            indices: (F,) numbers of the frames.

        Returns:
            joint error and surface error of these frames in mm, without dimensions; None without a mesh.
        """
        errors: tuple[Tensor, Tensor | None]
        if isinstance(self.frames, LiftEvaluator):
            points = joints = found["joints"], true["joints"]
            errors = self.frames.update(*points, indices=indices), None
        else:
            points = found["mesh"], true["mesh"]
            errors = self.frames.update(*points, indices=indices)
            regressor = self.frames.regressor.to(points[0])
            joints = regressor @ points[0], regressor @ points[1]
        if self.full:
            roots = MM_PER_M * found["root"], MM_PER_M * true["root"]
            feet = [side[:, self.feet] + root[:, None] for side, root in zip(points, roots)]
            scored = scored_joints(*joints, self.joint_set.root, self.joint_set.eval_joints)
            for name, pair in (("scored", scored), ("roots", roots), ("feet", feet)):
                self.samples.keep(name, torch.stack(list(pair), dim=1))
        return errors

    @property
    def joint_errors(self):
        return self.frames.joint_errors

    def placed(self, pred, target, indices):
        return self.frames.placed(pred, target, indices)

    def columns(self):
        columns, scored = super().columns(), self.samples.kept("scored")
        if scored is None:
            return columns
        assert self.groups is not None
        videos = Videos(self.groups.index)
        columns["acceleration error"] = videos.acceleration_error(*scored.swapaxes(0, 1))
        columns |= root_errors(videos, *self.samples.kept("roots").swapaxes(0, 1))
        if self.feet:
            feet, true_feet = self.samples.kept("feet").swapaxes(0, 1)
            columns["foot slide"] = foot_slide(videos, feet, true_feet)
            columns["true foot slide"] = foot_slide(videos, true_feet, true_feet)
        return columns
