"""Evaluation of predicted meshes (Pose2Mesh)."""

import numpy as np
import torch

from lib.core.metrics import joint_protocol, mesh_protocol, pa_mpvpe, training_protocol
from lib.core.video_metrics import Videos, smoothed_errors
from lib.joint_sets import HUMAN36, JointSet

from .base import Evaluator, Figure, Groups, GrowingArray
from .lift import joints_text
from .regressor import JointRegressor


def default_figures(joint_set: JointSet, vertices: int) -> tuple[Figure, ...]:
    """MPJPE, PA-MPJPE, MPVPE, PA-MPVPE of a joint set that is regressed from both meshes."""
    joints, line = f"{joints_text(joint_set)}, regressed from both meshes", "{} (mm) >> tot: %.2f"
    root = joint_set.joints[joint_set.root]
    protocols = {
        "MPJPE": joints,
        "PA-MPJPE": f"{joints}, after similarity Procrustes per sample on those joints",
        "MPVPE": f"all {vertices} vertices, root-aligned at {root}",
        "PA-MPVPE": f"all {vertices} vertices, after similarity Procrustes per sample",
    }
    return tuple(Figure(name, text, line=line.format(name)) for name, text in protocols.items())


class MeshEvaluator(Evaluator):
    """Pose2Mesh: joints of a set regressed from both meshes, everything relative to that set's regressed root, mm.

    Args:
        joint_set: joint set of the log line, and of the figures unless a sub-class has its own.
        regressor: (J, V) of that set, derived joints included.
        figures, full, groups: see ``Evaluator``.
    """

    def __init__(
        self,
        joint_set: JointSet,
        regressor: torch.Tensor,
        figures: tuple[Figure, ...] | None = None,
        groups: Groups | None = None,
        full: bool = True,
    ):
        super().__init__(figures or default_figures(joint_set, regressor.shape[1]), full, groups)
        self.joint_set = joint_set
        self.regressor = JointRegressor(regressor)
        self.annotated_joints = False  # compare the log line's joints with those of the true mesh

    def update(
        self, pred_mesh: torch.Tensor, target_mesh: torch.Tensor, target_joint: torch.Tensor | None = None, indices=None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a batch.

        Args:
            pred_mesh, target_mesh: (B, V, 3) mm.
            target_joint: (B, J, 3) mm, what the log line of the licensed data sets compares joints with.
            indices: (B,) sample numbers; None: those that follow.

        Returns:
            joint error and surface error of the batch in mm, without dimensions.
        """
        indices = self.next_indices(len(pred_mesh), indices)
        regressor, root, joints = self.regressor.to(pred_mesh), self.joint_set.root, self.joint_set.eval_joints
        pred_joint = regressor @ pred_mesh
        if target_joint is None or not self.annotated_joints:
            target_joint = regressor @ target_mesh
        joint, surface = training_protocol(pred_mesh, target_mesh, pred_joint, target_joint, root, joints)
        self.metrics.update({"MPJPE": joint, "MPVPE": surface})
        if self.full:
            errors = self.errors(pred_mesh, target_mesh, indices)
            self.samples.add({"MPVPE": surface, **errors}, indices)
        return joint.mean(), surface.mean()

    def errors(self, pred_mesh, target_mesh, indices) -> dict[str, torch.Tensor]:
        """Per-sample values of the figures, (B,) each."""
        pred, target = self.regressor @ pred_mesh, self.regressor @ target_mesh
        errors = joint_protocol(pred, target, self.joint_set.root, self.joint_set.eval_joints)
        return {**errors, "PA-MPVPE": pa_mpvpe(pred_mesh, target_mesh)}


class BodyEvaluator(MeshEvaluator):
    """Human3.6M, 3DPW and SURREAL: meshes relative to the body model's own root, see ``mesh_protocol``.

    Fits that are far from the annotation count like all others, as in the published figures.

    Args:
        joint_set, regressor: of the log line.
        figures, full, groups: see ``Evaluator``; PA-MPVPE is computed when it is among the figures.
        model_regressor: (K, V) of the body model; of the neutral body, whatever the gender of a sample.
        human36_regressor: (17, V); None: no human36 joints are scored.
        annotation: (N, 17, 3) mm annotated human36 joints; None: regressed from the true mesh.
    """

    def __init__(
        self,
        joint_set: JointSet,
        regressor: torch.Tensor,
        figures: tuple[Figure, ...],
        model_regressor: torch.Tensor,
        human36_regressor: torch.Tensor | None = None,
        annotation: np.ndarray | None = None,
        groups: Groups | None = None,
        full: bool = True,
    ):
        super().__init__(joint_set, regressor, figures, groups, full)
        self.model_regressor = JointRegressor(model_regressor)
        self.human36_regressor = None if human36_regressor is None else JointRegressor(human36_regressor)
        self.annotation = annotation
        self.annotated_joints = True
        self.pa_mesh = any(figure.name == "PA-MPVPE" for figure in figures)

    def errors(self, pred_mesh, target_mesh, indices):
        return self.scores(pred_mesh, target_mesh, indices)[0]

    def scores(self, pred_mesh, target_mesh, indices):
        """Per-sample values, and the joints that were scored: predicted and true, (B, J', 3) mm root-aligned."""
        target = None
        if self.annotation is not None:
            target = torch.from_numpy(np.ascontiguousarray(self.annotation[indices])).to(pred_mesh)
        return mesh_protocol(
            pred_mesh,
            target_mesh,
            self.model_regressor.to(pred_mesh),
            self.human36_regressor and self.human36_regressor.to(pred_mesh),
            target,
            HUMAN36.eval_joints,
            pa_mesh=self.pa_mesh,
            return_joints=True,
        )


class VideoEvaluator(BodyEvaluator):
    """3DPW: also errors of motion, from the scored joints of every frame (the only thing kept beside numbers).

    Args:
        smooth: also evaluate after One-Euro smoothing of each video.
        others: see ``BodyEvaluator``; ``groups`` are the videos, one person each, frames in the order of samples.
    """

    def __init__(self, *args, smooth: bool = False, **others):
        super().__init__(*args, **others)
        self.smooth = smooth
        self._joints = GrowingArray()

    def errors(self, pred_mesh, target_mesh, indices):
        errors, pred, target = self.scores(pred_mesh, target_mesh, indices)
        self._joints.append(torch.stack([pred, target], dim=1).cpu().numpy())
        return errors

    def columns(self):
        columns = super().columns()
        if not len(self._joints):
            return columns
        pred, target = self._joints.rows()[self.samples.order].swapaxes(0, 1)
        videos = Videos(self.groups.index)
        columns["acceleration error"] = videos.acceleration_error(pred, target)
        if self.smooth:
            columns |= smoothed_errors(videos, pred, target)
        return columns
