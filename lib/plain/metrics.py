"""Errors of meshes, one sample at a time (slow reference of ``lib.evaluation.metrics``)."""

import numpy as np


def rigid_align(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n, 3) source after the best similarity transform to the target."""
    count = len(source)
    centre_s, centre_t = np.mean(source, axis=0), np.mean(target, axis=0)
    covariance = np.dot(np.transpose(source - centre_s), target - centre_t) / count
    u, s, v = np.linalg.svd(covariance)
    rotation = np.dot(np.transpose(v), np.transpose(u))
    if np.linalg.det(rotation) < 0:
        s[-1] = -s[-1]
        v[2] = -v[2]
        rotation = np.dot(np.transpose(v), np.transpose(u))
    scale = np.sum(s) / np.var(source, axis=0).sum()
    translation = -np.dot(scale * rotation, np.transpose(centre_s)) + np.transpose(centre_t)
    return np.transpose(np.dot(scale * rotation, np.transpose(source))) + translation


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum((a - b) ** 2, axis=1))


def evaluate_meshes(
    pred: np.ndarray, target: np.ndarray, model_regressor: np.ndarray, human36_regressor: np.ndarray, eval_joints
) -> dict[str, np.ndarray]:
    """The 3DPW protocol with PA-MPVPE.

    Args:
        pred, target: (N, V, 3) mm.
        model_regressor: (K, V), joint 0 is the root.
        human36_regressor: (17, V).
        eval_joints: the 14 joints that count.

    Returns:
        (N,) mm each: ``SMPL MPJPE``, ``MPVPE``, ``H36M MPJPE``, ``H36M PA-MPJPE``, ``PA-MPVPE``.
    """
    count, eval_joints = len(pred), list(eval_joints)
    smpl_error = np.zeros((count, len(model_regressor)))
    joint_error, pa_joint_error = np.zeros((count, len(eval_joints))), np.zeros((count, len(eval_joints)))
    mesh_error, pa_mesh_error = np.zeros(count), np.zeros(count)
    for n in range(count):
        mesh, true_mesh = pred[n], target[n]
        joints, true_joints = np.dot(model_regressor, mesh), np.dot(model_regressor, true_mesh)
        mesh, true_mesh = mesh - joints[None, 0], true_mesh - true_joints[None, 0]
        smpl_error[n] = distances(joints - joints[None, 0], true_joints - true_joints[None, 0])
        mesh_error[n] = distances(mesh, true_mesh).mean()

        joints, true_joints = np.dot(human36_regressor, mesh), np.dot(human36_regressor, true_mesh)
        joints, true_joints = joints - joints[None, 0], true_joints - true_joints[None, 0]
        joints, true_joints = joints[eval_joints], true_joints[eval_joints]
        joint_error[n] = distances(joints, true_joints)
        pa_joint_error[n] = distances(rigid_align(joints, true_joints), true_joints)
        pa_mesh_error[n] = distances(rigid_align(mesh, true_mesh), true_mesh).mean()
    return {
        "SMPL MPJPE": smpl_error.mean(axis=1),
        "MPVPE": mesh_error,
        "H36M MPJPE": joint_error.mean(axis=1),
        "H36M PA-MPJPE": pa_joint_error.mean(axis=1),
        "PA-MPVPE": pa_mesh_error,
    }


def batch_errors(pred_mesh, target_mesh, pred_joint, target_joint, root: int, eval_joints) -> tuple[float, float]:
    """Joint and mesh error of a batch of tensors, as logged after each batch of a test."""
    pred_mesh = pred_mesh - pred_joint[:, root, None]
    target_mesh = target_mesh - target_joint[:, root, None]
    pred_joint = (pred_joint - pred_joint[:, root, None])[:, list(eval_joints)]
    target_joint = (target_joint - target_joint[:, root, None])[:, list(eval_joints)]
    joint_error = ((pred_joint - target_joint) ** 2).sum(2).sqrt().mean().item()
    mesh_error = ((pred_mesh - target_mesh) ** 2).sum(2).sqrt().mean().item()
    return joint_error, mesh_error
