"""Published figures of 3DPW, and errors of motion along each video."""

import numpy as np

from lib.evaluation.evaluator import Evaluator, Figure, Groups
from lib.evaluation.lift import PA, LiftEvaluator, lift_figures
from lib.evaluation.mesh import HUMAN36_JOINTS, SMPL_JOINTS, VERTICES, VideoEvaluator, model_regressor


def _videos(dataset) -> Groups:
    names, index = np.unique(np.asarray(dataset.column("video")), return_inverse=True)
    return Groups("video", tuple(name.decode() for name in names), index)


def lift_evaluator(dataset, joint_set, full: bool, regressor=None) -> Evaluator:
    """PoseNet; arguments as for ``PoseDataset.evaluator``."""
    figures = lift_figures(joint_set, "joints of the true mesh", "COCO ")
    return LiftEvaluator(joint_set, figures, groups=_videos(dataset), full=full)


def mesh_evaluator(dataset, joint_set, full: bool, regressor) -> Evaluator:
    """Pose2Mesh; arguments as for ``PoseDataset.evaluator``."""
    joints = f"{HUMAN36_JOINTS}, against those of the true mesh"
    motion = "mean of video means, consecutive rows of each video and person"
    euro = f"One-Euro filter (minimal cutoff 0.004, beta 0.005) along each video, {motion}"

    def figure(name, protocol):
        return Figure(name, protocol, line=f"{f'{name} (mm)':18} >> tot: %.2f\n")

    figures = [
        figure("H36M MPJPE", joints),
        figure("H36M PA-MPJPE", f"{joints}, {PA}"),
        figure("SMPL MPJPE", SMPL_JOINTS),
        figure("MPVPE", VERTICES),
        figure("PA-MPVPE", "all vertices, after similarity Procrustes per sample"),
        Figure("acceleration error", f"{joints}; {motion}", "mm/frame^2", over_groups=True),
        Figure("smoothed MPJPE", f"{joints}; {euro}", over_groups=True),
        Figure("smoothed PA-MPJPE", f"{joints}, {PA}; {euro}", over_groups=True),
        Figure("smoothed acceleration error", f"{joints}; {euro}", "mm/frame^2", over_groups=True),
    ]
    smooth, model = dataset.cfg.TEST.smooth, dataset.mesh_model
    chosen = tuple(figures if smooth else figures[:6])
    smpl, human36 = model_regressor(model, "smpl"), model_regressor(model, "human36")
    videos = _videos(dataset)
    return VideoEvaluator(joint_set, regressor, chosen, smpl, human36, groups=videos, full=full, smooth=smooth)
