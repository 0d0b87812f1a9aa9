"""Which evaluator a data set has: protocols and printed lines of the published evaluation."""

from pathlib import Path

import numpy as np
import torch

from data.FreiHAND.evaluation import (
    JOINT_FILE,
    MESH_FILE,
    FreiHandEvaluator,
    load_truth,
)
from data.Human36M.dataset import ACTIONS, FRAME_STEP
from lib.evaluation.details import DetailedMeshEvaluator
from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.lift import LiftEvaluator, lift_figures
from lib.evaluation.mesh import BodyEvaluator, VideoEvaluator
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import HUMAN36, SMPL

START = "Evaluation start..."
_PA = "after similarity Procrustes per sample on those joints"
_H36M = f"{len(HUMAN36.eval_joints)} human36 joints regressed from the predicted mesh, root-aligned at Pelvis"
_SMPL = f"{SMPL.joint_num} smpl joints regressed from both meshes by the neutral body, root-aligned at the first"
_MESH = "all vertices, aligned at the first smpl joint"


def build_evaluator(
    dataset, cfg, joint_set: JointSet, full: bool = True, regressor: torch.Tensor | None = None
) -> Evaluator:
    """The evaluator of a test set.

    Args:
        dataset: data set with ``name``, ``mesh_model``, ``records`` (columns ``joint_cam``, ``action`` of Human36M,
            ``video`` of PW3D, ``db_idx`` of FreiHAND) and ``folder``.
        cfg: settings.
        joint_set: joints of PoseNet; for Pose2Mesh those of the log line.
        full: see ``Evaluator``.
        regressor: (J, V) of ``joint_set``, derived joints included; None for PoseNet.

    Raises:
        ValueError: a column that the evaluation needs is missing.
    """
    makers = LIFT_EVALUATORS if regressor is None else MESH_EVALUATORS
    make = makers.get(dataset.name)
    if regressor is None:
        return make(dataset, cfg, joint_set, full) if make else LiftEvaluator(joint_set, full=full)
    if make:
        return make(dataset, cfg, joint_set, regressor, full)
    input_set = get_joint_set(cfg.DATASET.input_joint_set)
    return DetailedMeshEvaluator(joint_set, regressor, dataset.mesh_model, input_set, full)


def _column(dataset, name: str) -> np.ndarray:
    if dataset.records is None or name not in dataset.records:
        raise ValueError(f"evaluating {dataset.name} needs the column {name!r} of its records")
    return dataset.records[name]


def _regressor(dataset, joint_set: str) -> torch.Tensor:
    return torch.from_numpy(dataset.mesh_model.joint_regressor(joint_set))


# ------------------------------------------------------------------------------------------------------------ Human36M


def _actions(dataset) -> Groups:
    return Groups("action", ACTIONS, np.asarray(_column(dataset, "action")).astype(np.int64))


def _human36_setting(dataset, cfg) -> str:
    subjects = " and ".join(f"S{subject}" for subject in dataset.subjects)
    return f"every {FRAME_STEP['test']}th frame of {subjects} (protocol {cfg.DATASET.human36_protocol} of subjects)"


def _human36_lift(dataset, cfg, joint_set, full):
    # indices of evaluation joints belong to the joint set; coco joints have no annotation, only fits
    annotated = joint_set.name == HUMAN36.name
    figures = lift_figures(joint_set, "annotated joints" if annotated else "joints of the SMPL fits")
    annotation = _column(dataset, "joint_cam") if annotated else None
    evaluator = LiftEvaluator(joint_set, figures, annotation, _actions(dataset), full)
    return _described(evaluator, _human36_setting(dataset, cfg))


def _human36_mesh(dataset, cfg, joint_set, regressor, full):
    def figure(name, what, error, protocol):
        line = f"Protocol {cfg.DATASET.human36_protocol} {what} error ({error}) >> tot: %.2f"
        return Figure(name, protocol, line=line, per_group=True)

    # bad fits count too, as in the published figures
    joints = f"{_H36M}, against annotated joints"
    figures = (
        figure("H36M MPJPE", "H36M pose", "MPJPE", joints),
        figure("H36M PA-MPJPE", "H36M pose", "PA-MPJPE", f"{joints}, {_PA}"),
        figure("SMPL MPJPE", "SMPL pose", "MPJPE", f"{_SMPL}, against SMPL fits of any quality"),
        figure("MPVPE", "SMPL mesh", "MPVPE", f"{_MESH}, against SMPL fits of any quality"),
    )
    evaluator = BodyEvaluator(
        joint_set, regressor, figures, _regressor(dataset, "smpl"), _regressor(dataset, "human36"),
        annotation=_column(dataset, "joint_cam"), groups=_actions(dataset), full=full,
    )  # fmt: skip
    return _described(evaluator, _human36_setting(dataset, cfg))


# ---------------------------------------------------------------------------------------------------------------- PW3D


def _videos(dataset) -> Groups:
    names, index = np.unique(np.asarray(_column(dataset, "video")), return_inverse=True)
    return Groups("video", tuple(name.decode() for name in names), index)


def _pw3d_lift(dataset, cfg, joint_set, full):
    figures = lift_figures(joint_set, "joints of the true mesh", "COCO ")
    evaluator = LiftEvaluator(joint_set, figures, groups=_videos(dataset), full=full)
    return _described(evaluator, f"{cfg.DATASET.test_split} split")


def _pw3d_mesh(dataset, cfg, joint_set, regressor, full):
    joints = f"{_H36M}, against those of the true mesh"
    motion = "mean of video means, consecutive rows of each video and person"
    euro = f"One-Euro filter (minimal cutoff 0.004, beta 0.005) along each video, {motion}"

    def figure(name, protocol):
        return Figure(name, protocol, line=f"{f'{name} (mm)':18} >> tot: %.2f\n")

    figures = [
        figure("H36M MPJPE", joints),
        figure("H36M PA-MPJPE", f"{joints}, {_PA}"),
        figure("SMPL MPJPE", _SMPL),
        figure("MPVPE", _MESH),
        figure("PA-MPVPE", "all vertices, after similarity Procrustes per sample"),
        Figure("acceleration error", f"{joints}; {motion}", "mm/frame^2", over_groups=True),
        Figure("smoothed MPJPE", f"{joints}; {euro}", over_groups=True),
        Figure("smoothed PA-MPJPE", f"{joints}, {_PA}; {euro}", over_groups=True),
        Figure("smoothed acceleration error", f"{joints}; {euro}", "mm/frame^2", over_groups=True),
    ]
    evaluator = VideoEvaluator(
        joint_set, regressor, tuple(figures if cfg.TEST.smooth else figures[:6]), _regressor(dataset, "smpl"),
        _regressor(dataset, "human36"), groups=_videos(dataset), full=full, smooth=cfg.TEST.smooth,
    )  # fmt: skip
    return _described(evaluator, f"{cfg.DATASET.test_split} split")


# ------------------------------------------------------------------------------------------------- SURREAL and FreiHAND


def _surreal_lift(dataset, cfg, joint_set, full):
    evaluator = LiftEvaluator(joint_set, lift_figures(joint_set, "joints of the body layer"), full=full)
    return _described(evaluator, "val split")


def _surreal_mesh(dataset, cfg, joint_set, regressor, full):
    # true joints are regressed by the neutral body too, even from male and female meshes
    figures = (
        Figure("SMPL MPJPE", _SMPL, line="Pose error (MPJPE): %.2f mm"),
        Figure("MPVPE", _MESH, line="Mesh error (MPVPE): %.2f mm"),
    )
    evaluator = BodyEvaluator(joint_set, regressor, figures, _regressor(dataset, "smpl"), full=full)
    return _described(evaluator, "val split", start="")


def _freihand(dataset, regressor, full):
    folder, model = Path(dataset.folder) / "data", dataset.mesh_model
    joints = meshes = None
    if full:
        index = np.asarray(_column(dataset, "db_idx"))
        joints = load_truth(folder / JOINT_FILE, index, get_joint_set("mano").joint_num)
        meshes = load_truth(folder / MESH_FILE, index, model.vertex_num) if regressor is not None else None
    return FreiHandEvaluator(joints, meshes, regressor, full)


def _described(evaluator: Evaluator, setting: str, start: str = START) -> Evaluator:
    evaluator.setting, evaluator.start = setting, start
    return evaluator


LIFT_EVALUATORS = {
    "Human36M": _human36_lift,
    "PW3D": _pw3d_lift,
    "SURREAL": _surreal_lift,
    "FreiHAND": lambda dataset, cfg, joint_set, full: _freihand(dataset, None, full),
}
MESH_EVALUATORS = {
    "Human36M": _human36_mesh,
    "PW3D": _pw3d_mesh,
    "SURREAL": _surreal_mesh,
    "FreiHAND": lambda dataset, cfg, joint_set, regressor, full: _freihand(dataset, regressor, full),
}
