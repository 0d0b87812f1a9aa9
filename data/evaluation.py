"""Streaming evaluation: metrics are summed batch by batch, no mesh is kept.

The errors of the progress bar and the epoch log are means of batch means, as in the original; the final figures are
exact means over all samples.
"""

import torch

from lib.core.metrics import MetricAccumulator, joint_protocol, pa_mpvpe, training_protocol
from lib.joint_sets import JointSet


class LiftEvaluator:
    """PoseNet: joints relative to the set's root, errors over its evaluation joints (human36: 14, others: all), mm."""

    def __init__(self, joint_set: JointSet):
        self.joint_set = joint_set
        self.metrics = MetricAccumulator()

    @property
    def protocol(self) -> str:
        names = self.joint_set
        return (
            f"{len(names.eval_joints)} {names.name} joints, root-aligned at {names.joints[names.root]}; "
            "PA: similarity Procrustes per sample on the same joints"
        )

    def update(self, pred: torch.Tensor, target: torch.Tensor) -> float:
        """pred, target (B, J, 3) mm -> joint error of the batch."""
        errors = joint_protocol(pred, target, self.joint_set.root, self.joint_set.eval_joints)
        self.metrics.update(errors)
        return errors["MPJPE"].mean().item()


class MeshEvaluator:
    """Pose2Mesh: joints of a set regressed from both meshes, everything relative to that set's regressed root, mm.

    Args:
        joint_set: evaluation joint set (3DPW and Human3.6M protocols: human36, 14 joints).
        regressor: (J, V) of that set, derived joints included.
    """

    def __init__(self, joint_set: JointSet, regressor: torch.Tensor):
        self.joint_set = joint_set
        self.regressor = regressor
        self.metrics = MetricAccumulator()

    @property
    def protocol(self) -> str:
        names = self.joint_set
        return (
            f"MPJPE: {len(names.eval_joints)} {names.name} joints regressed from both meshes, root-aligned at "
            f"{names.joints[names.root]}; PA: similarity Procrustes per sample on the same joints; "
            f"MPVPE: all {self.regressor.shape[1]} vertices, aligned at the same root; PA-MPVPE: Procrustes on vertices"
        )

    def update(self, pred_mesh: torch.Tensor, target_mesh: torch.Tensor) -> tuple[float, float]:
        """(B, V, 3) mm meshes -> (joint error, surface error) of the batch."""
        regressor = self.regressor.to(pred_mesh)
        pred, target = regressor @ pred_mesh, regressor @ target_mesh
        root, joints = self.joint_set.root, self.joint_set.eval_joints
        _, mesh_error = training_protocol(pred_mesh, target_mesh, pred, target, root, joints)
        errors = joint_protocol(pred, target, root, joints)
        errors |= {"MPVPE": mesh_error, "PA-MPVPE": pa_mpvpe(pred_mesh, target_mesh)}
        self.metrics.update(errors)
        return errors["MPJPE"].mean().item(), mesh_error.mean().item()
