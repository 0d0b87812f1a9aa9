"""Where the original's figures are in the golden files, and how ours are compared with them."""

import numpy as np

MILLIMETRES = 1e-3
MESH_SET = {"Human36M": "human36", "PW3D": "human36", "SURREAL": "smpl", "FreiHAND": "mano"}
LIFT_SET = {**MESH_SET, "PW3D": "coco"}
PER_SAMPLE = {
    "Human36M": {
        "H36M MPJPE": "evaluate.pose_error_h36m",
        "H36M PA-MPJPE": "evaluate.pose_pa_error_h36m",
        "SMPL MPJPE": "evaluate.pose_error",
        "MPVPE": "evaluate.mesh_error",
    },
    "PW3D": {
        "H36M MPJPE": "evaluate.mpjpe_h36m",
        "H36M PA-MPJPE": "evaluate.pampjpe_h36m",
        "SMPL MPJPE": "evaluate.mpjpe_smpl",
        "MPVPE": "evaluate.mpvpe",
        "PA-MPVPE": "true_pa_mpvpe",
    },
    "SURREAL": {"SMPL MPJPE": "evaluate.pose_error", "MPVPE": "evaluate.mesh_error"},
}


def per_sample(values):
    values = np.asarray(values, dtype=np.float64)
    return values.mean(1) if values.ndim > 1 else values


def text(evaluator):
    return "".join(f"{line}\n" for line in evaluator.lines(evaluator.results()))
