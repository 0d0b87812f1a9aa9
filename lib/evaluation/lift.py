"""Evaluation of lifted poses (PoseNet)."""

import numpy as np
import torch

from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.metrics import joint_protocol, mpjpe, point_errors, root_align, scored_joints
from lib.joints.joint_set import JointSet

PA = "after similarity Procrustes per sample on those joints"


def joints_text(joint_set: JointSet) -> str:
    """Which joints are scored and relative to what, in words."""
    number, root = len(joint_set.eval_joints), joint_set.joints[joint_set.root]
    return f"{number} {joint_set.name} joints, root-aligned at {root}"


def lift_figures(joint_set: JointSet, target: str = "", prefix: str = "", released: bool = True) -> tuple[Figure, ...]:
    """MPJPE and PA-MPJPE of a joint set.

    Args:
        target: what the target joints are, in words.
        prefix: start of both names.
        released: print them as the original release does, in columns with blank lines between.
    """
    joints = joints_text(joint_set)
    target = f", against {target}" if target else ""
    names = f"{prefix}MPJPE", f"{prefix}PA-MPJPE"
    width, end = (len(prefix) + 13, "\n") if released else (0, "")
    lines = [f"{f'{name} (mm)'.ljust(width)} >> tot: %.2f{end}" for name in names]
    return (
        Figure(names[0], f"{joints}{target}", line=lines[0]),
        Figure(names[1], f"{joints}{target}, {PA}", line=lines[1]),
    )


class LiftEvaluator(Evaluator):
    """PoseNet: joints relative to the set's root, errors over its evaluation joints (human36: 14, others: all), mm.

    Args:
        joint_set: joints of the poses.
        figures: MPJPE, then PA-MPJPE, then those of ``details``.
        annotation: (N, J, 3) mm, scored instead of the targets (the log line keeps the targets).
        full, groups: see ``Evaluator``.
    """

    def __init__(
        self,
        joint_set: JointSet,
        figures: tuple[Figure, ...] | None = None,
        annotation: np.ndarray | None = None,
        groups: Groups | None = None,
        full: bool = True,
    ):
        super().__init__(figures or lift_figures(joint_set, released=False), full, groups)
        self.joint_set = joint_set
        self.annotation = annotation

    def update(self, pred: torch.Tensor, target: torch.Tensor, indices=None) -> torch.Tensor:
        """Add a batch.

        Args:
            pred, target: (B, J, 3) mm.
            indices: (B,) sample numbers; None: those that follow.

        Returns:
            joint error of the batch in mm, without dimensions.
        """
        indices = self.next_indices(len(pred), indices)
        root, joints = self.joint_set.root, self.joint_set.eval_joints
        errors = mpjpe(*scored_joints(pred, target, root, joints))
        self.metrics.update({"MPJPE": errors})
        if self.full:
            truth = self._truth(pred, target, indices)
            scores = joint_protocol(pred, truth, root, joints).values()
            named = {figure.name: values for figure, values in zip(self.figures, scores)}
            self.samples.add(named | self.details(pred, truth), indices)
            scored = point_errors(*scored_joints(pred, truth, root, joints))
            self.keep_joints(self.figures[0].name, self.joint_set.eval_names, scored)
        return errors.mean()

    def placed(self, pred, target, indices):
        root = self.joint_set.root
        return root_align(pred, root), root_align(self._truth(pred, target, indices), root)

    def _truth(self, pred: torch.Tensor, target: torch.Tensor, indices: np.ndarray) -> torch.Tensor:
        if self.annotation is None:
            return target
        return torch.from_numpy(np.ascontiguousarray(self.annotation[indices])).to(pred)

    def details(self, pred: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Values (B,) of further figures of a batch, from joints (B, J, 3) mm as they are scored."""
        return {}
