"""Published figures of Human3.6M, per action."""

import numpy as np

from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.lift import PA, LiftEvaluator, lift_figures
from lib.evaluation.mesh import HUMAN36_JOINTS, SMPL_JOINTS, VERTICES, BodyEvaluator, model_regressor
from lib.joints.tables import HUMAN36

ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown",
    "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip


def _actions(dataset) -> Groups:
    return Groups("action", ACTIONS, np.asarray(dataset.column("action")).astype(np.int64))


def lift_evaluator(dataset, joint_set, full: bool, regressor=None) -> Evaluator:
    """PoseNet; arguments as for ``PoseDataset.evaluator``."""
    # indices of evaluation joints belong to the joint set; coco joints have no annotation, only fits
    annotated = joint_set.name == HUMAN36.name
    figures = lift_figures(joint_set, "annotated joints" if annotated else "joints of the SMPL fits")
    annotation = dataset.column("joint_cam") if annotated else None
    return LiftEvaluator(joint_set, figures, annotation, _actions(dataset), full)


def mesh_evaluator(dataset, joint_set, full: bool, regressor) -> Evaluator:
    """Pose2Mesh; arguments as for ``PoseDataset.evaluator``."""

    def figure(name, what, error, protocol):
        line = f"Protocol {dataset.cfg.DATASET.human36_protocol} {what} error ({error}) >> tot: %.2f"
        return Figure(name, protocol, line=line, per_group=True)

    # bad fits count too, as in the published figures
    joints = f"{HUMAN36_JOINTS}, against annotated joints"
    figures = (
        figure("H36M MPJPE", "H36M pose", "MPJPE", joints),
        figure("H36M PA-MPJPE", "H36M pose", "PA-MPJPE", f"{joints}, {PA}"),
        figure("SMPL MPJPE", "SMPL pose", "MPJPE", f"{SMPL_JOINTS}, against SMPL fits of any quality"),
        figure("MPVPE", "SMPL mesh", "MPVPE", f"{VERTICES}, against SMPL fits of any quality"),
    )
    smpl, human36 = (model_regressor(dataset.mesh_model, name) for name in ("smpl", "human36"))
    return BodyEvaluator(
        joint_set, regressor, figures, smpl, human36, dataset.column("joint_cam"), _actions(dataset), full
    )
