"""Evaluation of predicted meshes (Pose2Mesh)."""

import numpy as np
import torch

from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.lift import PA, joints_text
from lib.evaluation.mesh_pair import MeshPair, compare
from lib.evaluation.metrics import joint_protocol, mesh_protocol, mpjpe, point_errors, root_align, scored_joints
from lib.evaluation.video_metrics import Videos, smoothed_errors
from lib.joints.joint_set import JointSet
from lib.joints.tables import HUMAN36, SMPL
from lib.mesh.joint_regressor import JointRegressor
from lib.mesh.mesh_model import MeshModel

# protocols of published figures, see ``BodyEvaluator``
HUMAN36_JOINTS = f"{len(HUMAN36.eval_joints)} human36 joints regressed from the predicted mesh, root-aligned at Pelvis"
SMPL_JOINTS = f"{SMPL.joint_num} smpl joints regressed from both meshes by the neutral body, root-aligned at the first"
VERTICES = "all vertices, aligned at the first smpl joint"


def model_regressor(mesh_model: MeshModel, joint_set: str) -> torch.Tensor:
    """(J, V) of a joint set."""
    return torch.from_numpy(mesh_model.joint_regressor(joint_set))


def default_figures(joint_set: JointSet, vertices: int) -> tuple[Figure, ...]:
    """MPJPE, PA-MPJPE, MPVPE, PA-MPVPE of a joint set that is regressed from both meshes."""
    joints, line = f"{joints_text(joint_set)}, regressed from both meshes", "{} (mm) >> tot: %.2f"
    root = joint_set.joints[joint_set.root]
    protocols = {
        "MPJPE": joints,
        "PA-MPJPE": f"{joints}, {PA}",
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
        self.annotated_joints = False  # compare the log line's joints with those of the true mesh
        self.align = full
        self.mesh_root = ("log", joint_set.root)  # part and number of the joint that meshes are aligned at for MPVPE
        self.read_also(log=regressor)

    def read_also(self, **regressors: torch.Tensor) -> None:
        """Joint regressors (J, V) by name, which read a mesh together; ``joint_parts`` says which rows are whose."""
        ends = np.cumsum([len(matrix) for matrix in regressors.values()])
        self.joint_parts = {
            name: slice(int(end) - len(matrix), int(end)) for (name, matrix), end in zip(regressors.items(), ends)
        }
        self.regressor = JointRegressor(torch.cat(list(regressors.values())))

    def update(
        self,
        pred_mesh: torch.Tensor,
        target_mesh: torch.Tensor,
        target_joint: torch.Tensor | None = None,
        indices=None,
        lifted: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a batch.

        Args:
            pred_mesh, target_mesh: (B, V, 3) mm.
            target_joint: (B, J, 3) mm, what the log line of the licensed data sets compares joints with.
            indices: (B,) sample numbers; None: those that follow.
            lifted: PoseNet's joints and their targets, (B, J, 3) mm each; None where the model lifts none.

        Returns:
            joint error and surface error of the batch in mm, without dimensions.
        """
        indices = self.next_indices(len(pred_mesh), indices)
        pair = compare(pred_mesh, target_mesh, self.regressor.to(pred_mesh), self.align)
        pred_joint, regressed = pair.joints(self.joint_parts["log"])
        if target_joint is None or not self.annotated_joints:
            target_joint = regressed
        root = self.joint_set.root
        joint = mpjpe(*scored_joints(pred_joint, target_joint, root, self.joint_set.eval_joints))
        shift = target_joint[:, root] - pred_joint[:, root]
        if self.full:
            errors, surface = self.errors(pair, shift, indices)
            self.samples.add(errors | self.details(pair, pred_mesh, target_mesh, lifted), indices)
        else:
            surface = pair.distances(shift)[0]
        self.metrics.update({"MPJPE": joint, "MPVPE": surface})
        return joint.mean(), surface.mean()

    def errors(self, pair: MeshPair, shift: torch.Tensor, indices) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Values of the figures, and the surface error with ``shift`` (B, 3) added to the differences; (B,) each."""
        joints = pair.joints(self.joint_parts["log"])
        surface, aligned = pair.distances(shift)
        errors = joint_protocol(*joints, self.joint_set.root, self.joint_set.eval_joints)
        scored = scored_joints(*joints, self.joint_set.root, self.joint_set.eval_joints)
        self.keep_joints("MPJPE", self.joint_set.eval_names, point_errors(*scored))
        return {"MPVPE": surface, **errors, "PA-MPVPE": aligned}, surface

    def placed(self, pred, target, indices):
        part, number = self.mesh_root
        row, regressor = self.joint_parts[part].start + number, self.regressor.to(pred)
        return pred - (regressor @ pred)[:, row, None], target - (regressor @ target)[:, row, None]

    def details(
        self, pair: MeshPair, pred_mesh: torch.Tensor, target_mesh: torch.Tensor, lifted
    ) -> dict[str, torch.Tensor]:
        """Values (B,) of further figures of a batch, see ``update``."""
        return {}


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
        self.annotation = annotation
        self.annotated_joints = True
        self.align = full and any(figure.name == "PA-MPVPE" for figure in figures)
        self.mesh_root = ("model", 0)
        if full:
            others = {} if human36_regressor is None else {"human36": human36_regressor}
            self.read_also(log=regressor, model=model_regressor, **others)

    def errors(self, pair, shift, indices):
        errors, others = self.scores(pair, shift, indices)
        return errors, others["surface"]

    def scores(self, pair: MeshPair, shift: torch.Tensor, indices):
        """Values of the figures, and what else ``mesh_protocol`` gives."""
        target = None
        if self.annotation is not None:
            target = torch.from_numpy(np.ascontiguousarray(self.annotation[indices])).to(shift)
        parts = self.joint_parts
        errors, others = mesh_protocol(pair, parts["model"], parts.get("human36"), target, HUMAN36.eval_joints, shift)
        if "pred" in others:
            self.keep_joints("H36M MPJPE", HUMAN36.eval_names, point_errors(others["pred"], others["target"]))
        else:
            scored = (root_align(joints, 0) for joints in pair.joints(parts["model"]))
            self.keep_joints("SMPL MPJPE", SMPL.joints, point_errors(*scored))
        return errors, others


class VideoEvaluator(BodyEvaluator):
    """3DPW: also errors of motion, from the scored joints of every frame (the only thing kept beside numbers).

    Args:
        smooth: also evaluate after One-Euro smoothing of each video.
        others: see ``BodyEvaluator``; ``groups`` are the videos, one person each, frames in the order of samples.
    """

    def __init__(self, *args, smooth: bool = False, **others):
        super().__init__(*args, **others)
        self.smooth = smooth

    def errors(self, pair, shift, indices):
        errors, others = self.scores(pair, shift, indices)
        self.samples.keep("joints", torch.stack([others["pred"], others["target"]], dim=1))
        return errors, others["surface"]

    def columns(self):
        columns, joints = super().columns(), self.samples.kept("joints")
        if joints is None:
            return columns
        pred, target = joints.swapaxes(0, 1)
        videos = Videos(self.groups.index)
        columns["acceleration error"] = videos.acceleration_error(pred, target)
        if self.smooth:
            columns |= smoothed_errors(videos, pred, target)
        return columns
