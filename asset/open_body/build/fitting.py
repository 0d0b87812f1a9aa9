"""Fits shared by body and hand: shape components, pose correctives, joint regressors.

S sampled shapes of V vertices and K joints, B poses; metres. "Rest" is the T-pose (hand: flat).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from asset.open_body.build.skinning import DeltaMush, chain, compose, linear_skin, rotation_matrices, target_skin

BATCH = 50  # meshes posed at once; bounds memory
POSED_NUM = 400  # sampled shapes that are also posed for the regressors

# Least-squares terms of one regressor row: (points (N, V, 3), goals (N, 3), factor on their mean squared error)
Terms = list[tuple[np.ndarray, np.ndarray, float]]


def principal_shapes(
    vertices: np.ndarray, references: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of sampled shapes, scaled so that coefficients have unit variance.

    Args:
        vertices: (S, V, 3); the decomposition runs in this dtype.
        references: one (S,) measurement per wanted component; its sign makes the correlation positive.

    Returns:
        mean (V, 3), directions (n, V, 3), coefficients (S, n), explained variance ratios of all components.
    """
    count, freedom = len(references), np.sqrt(len(vertices) - 1)
    mean = vertices.mean(axis=0, dtype=np.float64)
    centred = (vertices - mean).reshape(len(vertices), -1).astype(vertices.dtype)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    singular = singular.astype(np.float64)
    directions = (right[:count] * (singular[:count, None] / freedom)).reshape(count, *vertices.shape[1:])
    coefficients = left[:, :count] * freedom
    signs = np.array([np.sign(np.corrcoef(c, r)[0, 1]) for c, r in zip(coefficients.T, references)])
    variance = singular**2 / (singular**2).sum()
    return mean, directions * signs[:, None, None], coefficients * signs, variance


def pose_features(rotations: np.ndarray) -> np.ndarray:
    """(B, K-1, 9) what pose correctives are linear in: R - I of every joint but the root."""
    return (rotations[:, 1:] - np.eye(3)).reshape(len(rotations), -1, 9)


@dataclass
class Skin:
    """Skinning of the model that is being built: weights (V, K), posedirs (V, 3, 9(K-1)), parents (K,)."""

    weights: np.ndarray
    parents: np.ndarray
    posedirs: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def pose(
        self, vertices: np.ndarray, joints: np.ndarray, rotations: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Transforms (B, K, 3, 4), posed joints and posed vertices of B rest meshes under B poses."""
        transforms, posed_joints = chain(rotations, joints, self.parents)
        features = pose_features(rotations).reshape(len(rotations), -1)
        posed = np.empty_like(vertices)
        for s in range(0, len(vertices), BATCH):
            part = slice(s, s + BATCH)
            rest = vertices[part] + np.einsum("vcp,bp->bvc", self.posedirs, features[part], optimize=True)
            posed[part] = linear_skin(rest, self.weights, transforms[part])
        return transforms, posed_joints, posed


@dataclass
class PoseTarget:
    """Meshes that the correctives imitate: the source's own bones under ``target_skin``.

    ``vertices`` (1, V, 3) in the source's pose with its bone weights (V, C), ``to_rest`` (1, C, 3, 4) the transforms
    of the C source bones to the rest pose, ``joint_of_bone`` (C,), rest ``joints`` (1, K, 3), ``parents`` (K,).
    """

    vertices: np.ndarray
    bone_weights: np.ndarray
    to_rest: np.ndarray
    joint_of_bone: np.ndarray
    joints: np.ndarray
    parents: np.ndarray
    mush: DeltaMush

    def skin(self, transforms: np.ndarray) -> np.ndarray:
        """(B, V, 3) vertices under transforms (B, C, 3, 4) of the source bones."""
        batches = [transforms[s : s + BATCH] for s in range(0, len(transforms), BATCH)]
        return np.concatenate([target_skin(self.vertices, self.bone_weights, t, self.mush) for t in batches])

    def pose(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Joint transforms, pose features and target vertices of axis-angle poses (B, K, 3)."""
        rotations = rotation_matrices(poses)
        transforms, _ = chain(rotations, self.joints.repeat(len(poses), 0), self.parents)
        bones = compose(transforms[:, self.joint_of_bone], self.to_rest)
        return transforms, pose_features(rotations), self.skin(bones)


def fit_posedirs(
    rest: np.ndarray,
    weights: np.ndarray,
    transforms: np.ndarray,
    features: np.ndarray,
    targets: np.ndarray,
    local: np.ndarray,
    ridge: float = 0.003,
    floor: float = 1e-4,
) -> np.ndarray:
    """Pose correctives by ridge regression in posed space: ``LBS(rest + posedirs @ features)`` against the targets.

    Args:
        rest: (V, 3).
        weights: (V, K) skin weights.
        transforms: (B, K, 3, 4) of the joints.
        features: (B, K-1, 9).
        targets: (B, V, 3).
        local: (V, K-1) the joints that may correct each vertex.
        ridge: per pose.
        floor: vertices whose error never exceeds it are left without correctives.

    Returns:
        (V, 3, 9(K-1)) float32.
    """
    pose_num, vertex_num = targets.shape[:2]
    features, transforms = features.astype(np.float32), transforms.astype(np.float32)
    blend = np.einsum("vk,bkrc->bvrc", weights, transforms, optimize=True).astype(np.float32)
    residual = targets - (np.einsum("bvij,vj->bvi", blend[..., :3], rest) + blend[..., 3])
    needed = (np.abs(residual).max(axis=(0, 2)) > floor) & local.any(axis=1)
    # with the blend's 3x3 part M, the normal equations need only M'M and M' residual of every pose and vertex
    gram = np.einsum("bvki,bvkj->bvij", blend[..., :3], blend[..., :3], optimize=True)
    pulled = np.einsum("bvki,bvk->bvi", blend[..., :3], residual, optimize=True)
    posedirs = np.zeros((vertex_num, 3, features.shape[1] * 9), np.float32)
    for v in np.flatnonzero(needed):
        joints = np.flatnonzero(local[v])
        f = features[:, joints].reshape(pose_num, -1).astype(np.float64)
        size = f.shape[1]
        normal = np.zeros((3, size, 3, size))
        for i in range(3):
            for j in range(i, 3):
                normal[i, :, j] = normal[j, :, i] = f.T @ (f * gram[:, v, i, j][:, None])
        normal = normal.reshape(3 * size, 3 * size)
        normal[np.diag_indices(3 * size)] += ridge * pose_num
        solution = np.linalg.solve(normal, (f.T @ pulled[:, v].astype(np.float64)).T.reshape(-1))
        columns = (joints[:, None] * 9 + np.arange(9)).ravel()
        posedirs[v][:, columns] = solution.reshape(3, size)
    return posedirs


def corrective_error(rest: np.ndarray, skin: Skin, target: PoseTarget, poses: np.ndarray) -> np.ndarray:
    """(B, V) distance in mm between skinned and target vertices of axis-angle poses (B, K, 3)."""
    transforms, features, targets = target.pose(poses)
    offsets = np.einsum("vcp,bp->bvc", skin.posedirs, features.reshape(len(poses), -1), optimize=True)
    return 1e3 * np.linalg.norm(linear_skin(rest + offsets, skin.weights, transforms) - targets, axis=-1)


def family_weight(weights: np.ndarray, parents: np.ndarray, joint: int) -> np.ndarray:
    """(V,) skin weight of a joint, its parent and its children together."""
    family = [joint, *([parents[joint]] if joint else []), *np.flatnonzero(parents == joint)]
    return weights[:, family].sum(axis=1)


def kintree_table(parents: np.ndarray) -> np.ndarray:
    """(2, K) uint32 parents and joints as in SMPL's files, where the root's parent is -1 taken as unsigned."""
    return np.stack([parents, np.arange(len(parents))]).astype(np.int64).astype(np.uint32)


def band(vertices: np.ndarray, centre: np.ndarray, axis: np.ndarray, belongs: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` vertices nearest to a joint in a band around the limb.

    Distances along the unit ``axis`` count three times; vertices (V,) where ``belongs`` is false come last.
    """
    offset = vertices - centre
    distance = np.sqrt((offset**2).sum(axis=1) + 8 * (offset @ axis) ** 2)
    return np.argsort(np.where(belongs, distance, 9.0))[:count]


def fit_row(terms: Terms, candidates: np.ndarray, flip: np.ndarray | None = None) -> np.ndarray:
    """One regressor row (V,): non-negative weights on the candidates, sum 1, that map points to goals.

    Non-negative least squares on the normal equations; weights below 0.3 % are dropped. ``flip`` (V,) makes the row
    its own mirror image.
    """
    if flip is not None:
        candidates = np.unique(np.concatenate([candidates, flip[candidates]]))
        candidates = candidates[candidates <= flip[candidates]]
    size = len(candidates)
    normal, right = np.zeros((size, size)), np.zeros(size)
    for points, goals, factor in terms:
        a = points[:, candidates].astype(np.float64)
        if flip is not None:
            a = (a + points[:, flip[candidates]]) / 2
        # as long as the weights sum to 1, the error is the weighted sum of offsets from the goal
        a = (a - goals[:, None]).transpose(0, 2, 1).reshape(-1, size)
        normal += factor / len(goals) * (a.T @ a)
    normal += 10.0
    right += 10.0
    normal[np.diag_indices(size)] += 1e-6
    lower = np.linalg.cholesky(normal)
    weights = nnls(lower.T, np.linalg.solve(lower, right), maxiter=50 * size)[0]
    weights[weights < 3e-3 * weights.sum()] = 0
    weights /= weights.sum()
    row = np.zeros(terms[0][0].shape[1])
    if flip is None:
        row[candidates] = weights
    else:
        np.add.at(row, candidates, weights / 2)
        np.add.at(row, flip[candidates], weights / 2)
    return row


def fit_rows(
    terms: Callable[[int], Terms],
    candidates: Callable[[int], np.ndarray],
    joint_num: int,
    mirror: np.ndarray | None = None,
    flip: np.ndarray | None = None,
) -> np.ndarray:
    """Regressor (joint_num, V); ``mirror`` (joint_num,) and ``flip`` (V,), if given, make it mirror-symmetric."""
    rows = []
    for joint in range(joint_num):
        if mirror is not None and mirror[joint] < joint:
            rows.append(rows[mirror[joint]][flip])
        else:
            own = mirror is not None and mirror[joint] == joint
            rows.append(fit_row(terms(joint), candidates(joint), flip if own else None))
    return np.stack(rows)


def regress(regressor: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(B, J, 3) joints of (B, V, 3) vertices."""
    return np.einsum("jv,bvc->bjc", regressor, vertices)


def fit_joint_regressor(
    vertices: np.ndarray,
    joints: np.ndarray,
    skin: Skin,
    rotations: np.ndarray,
    candidates: Callable[[int], np.ndarray],
    scale: float = 1.0,
    mirror: np.ndarray | None = None,
    flip: np.ndarray | None = None,
) -> np.ndarray:
    """Joint regressor (K, V) for rest meshes that also tracks the joints of posed ones.

    A first fit to rest meshes defines joints to pose with. In the second fit the posed ring around a joint, taken
    back by the joint's own transform, has to give the rest joint too.

    Args:
        vertices, joints: (S, V, 3), (S, K, 3) sampled rest meshes.
        skin: skinning with correctives.
        rotations: (P, K, 3, 3) poses for the first P samples.
        candidates: joint -> vertices its row may use.
        scale: factor on the errors, against the ridge.
        mirror, flip: see ``fit_rows``.
    """
    mean, mean_joints, posed_num = vertices.mean(0, dtype=np.float64), joints.mean(0), len(rotations)
    step = max(1, len(vertices) // 500)

    def rest_terms(joint):
        mean_term = (mean[None], mean_joints[joint][None], 30 * scale)
        return [mean_term, (vertices[::step], joints[::step, joint], scale)]

    first = fit_rows(rest_terms, candidates, len(mean_joints), mirror, flip)
    transforms, _, posed = skin.pose(vertices[:posed_num], regress(first, vertices[:posed_num]), rotations)

    def all_terms(joint):
        turn, shift = transforms[:, joint, :, :3], transforms[:, joint, None, :, 3]
        back = np.einsum("bji,bvj->bvi", turn, posed - shift) - vertices[:posed_num] + mean_joints[joint]
        goals = np.repeat(mean_joints[joint][None], posed_num, 0)
        return [*rest_terms(joint), (back, goals, 0.7 * scale)]

    return fit_rows(all_terms, candidates, len(mean_joints), mirror, flip)
