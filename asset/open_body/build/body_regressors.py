"""Joint regressors of the open bodies (SMPL, Human3.6M and COCO joints), and the arrays of one body's file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asset.open_body.build import skeleton
from asset.open_body.build.body_mesh import FULL
from asset.open_body.build.fitting import band, family_weight, fit_rows, kintree_table, regress
from asset.open_body.build.skeleton import JOINTS, PARENTS
from lib.joints.tables import COCO, HUMAN36

if TYPE_CHECKING:
    from asset.open_body.build.body import BodyBuilder

HEAD = JOINTS.index("Head")
HEAD_POINTS = 5  # COCO's first points: nose, eyes, ears
# World axis along the limb at each joint of the T-pose; y where nothing is given
LIMB_AXIS = {"Toe": 2, "Thorax": 0, "Shoulder": 0, "Elbow": 0, "Wrist": 0, "Hand": 0}


def limb_band(vertices: np.ndarray, weights: np.ndarray, centre: np.ndarray, joint: int, count: int) -> np.ndarray:
    """Candidates (count,) of a point near a joint: a band around the limb, of the parts that meet at the joint."""
    axis = np.eye(3)[LIMB_AXIS.get(skeleton.split_side(JOINTS[joint])[1], 1)]
    return band(vertices, centre, axis, family_weight(weights, PARENTS, joint) >= 0.6, count)


@dataclass
class Goals:
    """Where a regressor's joints lie: at ``rest`` (S, J, 3) and ``posed`` (P, J, 3).

    ``owners`` (J,) is the model joint that each belongs to, ``mirror`` (J,) its mirror image.
    """

    rest: np.ndarray
    posed: np.ndarray
    owners: list[int]
    mirror: np.ndarray


def _with_head(body: BodyBuilder, points: np.ndarray) -> np.ndarray:
    """(P, n, 3) points (S, n, 3) at rest, moved rigidly with the head."""
    turn, shift = body.head_transforms[..., :3], body.head_transforms[:, None, :, 3]
    return np.einsum("bij,bnj->bni", turn, points[: len(turn)]) + shift


def model_goals(body: BodyBuilder) -> Goals:
    """The model's own 24 joints."""
    return Goals(body.joints, body.posed_joints, list(range(len(JOINTS))), skeleton.MIRROR)


def coco_goals(body: BodyBuilder) -> Goals:
    """The source's annotated COCO points; those of the head move rigidly with it."""
    posed = np.concatenate([_with_head(body, body.coco[:, :HEAD_POINTS]), body.posed_coco[:, HEAD_POINTS:]], axis=1)
    below = [JOINTS.index(joint) for joint in COCO.joints[HEAD_POINTS : COCO.keypoint_num]]
    return Goals(body.coco, posed, [HEAD] * HEAD_POINTS + below, skeleton.MIRROR_COCO)


def h36m_goals(body: BodyBuilder) -> Goals:
    """Human3.6M joints: the model's, but the pelvis is the hips' middle, the nose is COCO's and the head the crown."""
    top = body.template[np.argmax(body.template[:, 1])]
    crown = np.flatnonzero(np.linalg.norm(body.template - top, axis=1) < 0.02)
    on_head = {"Nose": body.coco[:, 0], "Head": body.vertices[:, crown].mean(axis=1)}
    members = {"Pelvis": [JOINTS.index("L_Hip"), JOINTS.index("R_Hip")], "Torso": [JOINTS.index("Spine")]}
    rest, posed, owners = [], [], []
    for name in HUMAN36.joints:
        if name in on_head:
            owners.append(HEAD)
            rest.append(on_head[name])
            posed.append(_with_head(body, on_head[name][:, None])[:, 0])
        else:
            joints = members.get(name) or [JOINTS.index(name)]
            owners.append(JOINTS.index(name) if name == "Pelvis" else joints[0])
            rest.append(body.joints[:, joints].mean(axis=1))
            posed.append(body.posed_joints[:, joints].mean(axis=1))
    return Goals(np.stack(rest, axis=1), np.stack(posed, axis=1), owners, skeleton.MIRROR_H36M)


def body_arrays(body: BodyBuilder, light: bool) -> tuple[dict[str, np.ndarray], dict[str, tuple[float, float]]]:
    """One body's arrays, and posed regressor errors (mean, 95th percentile) in mm by regressor."""
    mesh = body.mesh
    chosen = mesh.light if light else np.arange(FULL)
    flip = np.searchsorted(chosen, mesh.flip[chosen])
    template, weights = body.template[chosen], body.skin.weights[chosen]
    vertices, posed = body.vertices[:, chosen], body.posed[:, chosen]
    step = len(vertices) // 500

    def fit(goals, posed_factor=1.0):
        mean = goals.rest.mean(axis=0)

        def candidates(joint):
            if goals.owners[joint] == HEAD:  # the head is rigid: the nearest vertices will do
                nearest = np.argsort(np.linalg.norm(template - mean[joint], axis=1))
                return nearest[: 120 * len(chosen) // FULL + 20]
            return limb_band(template, weights, mean[joint], goals.owners[joint], 250 if light else 600)

        def terms(joint):
            mean_term = (template[None], mean[joint][None], 5.0)
            rest_term = (vertices[::step], goals.rest[::step, joint], 1.0)
            return [mean_term, rest_term, (posed, goals.posed[:, joint], posed_factor)]

        return fit_rows(terms, candidates, len(mean), goals.mirror, flip)

    goals = {"J": model_goals(body), "H36M": h36m_goals(body), "COCO": coco_goals(body)}
    # the full body's regressor defines the joints; the light one's imitates it
    regressors = {"J": fit(goals["J"], posed_factor=0.3) if light else body.J_regressor}
    regressors |= {name: fit(goals[name]) for name in ("H36M", "COCO")}
    errors = {}
    for name, regressor in regressors.items():
        error = 1e3 * np.linalg.norm(regress(regressor, posed) - goals[name].posed, axis=-1)
        errors[name] = (error.mean(), np.percentile(error, 95))

    middle = np.flatnonzero((np.abs(template[:, 0]) < 1e-6) & (weights[:, HEAD] > 0.9))
    face_ids = [middle[np.argmax(template[middle, 2])]]
    for point in body.coco.mean(axis=0)[[1, 3]]:  # left eye, left ear, each followed by its mirror image
        left = np.argmin(np.linalg.norm(template - point, axis=1))
        face_ids += [left, flip[left]]
    return {
        "v_template": template.astype(np.float32),
        "f": (mesh.light_faces if light else mesh.faces).astype(np.uint32),
        "shapedirs": body.shapedirs[chosen].astype(np.float16),
        "posedirs": body.skin.posedirs[chosen].astype(np.float16),
        "weights": weights.astype(np.float16),
        "J_regressor": regressors["J"].astype(np.float32),
        "kintree_table": kintree_table(PARENTS),
        "J": (regressors["J"] @ template).astype(np.float32),
        "J_regressor_h36m": regressors["H36M"].astype(np.float32),
        "J_regressor_coco": regressors["COCO"].astype(np.float32),
        "face_vertex_ids": np.array(face_ids, np.int32),
        "flip_vertex_ids": flip.astype(np.int32),
        "source_vertex_ids": body.source.vertex_ids[mesh.source_ids[chosen]].astype(np.int32),
    }, errors
