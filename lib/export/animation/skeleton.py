"""The skeleton and the skin of one person: a mesh model at rest, in the person's shape."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from lib.body.hand import order_hand_joints
from lib.body.lbs import BodyParams
from lib.geometry.mirror import mirror_points
from lib.joints.tables import MANO, SMPL
from lib.mesh.mesh_model import MeshModel

INFLUENCES = 4  # joints that move a vertex, which every reader of glTF takes
_HAND_JOINTS = 16
_END = 0.5  # length of a last bone that moves nothing, of the one before


@dataclass(frozen=True)
class Skeleton:
    """K joints and V vertices at rest, metres: y up, x to the left of a body, which looks along z.

    Attributes:
        joints: (K,) names, those of the joint set ``smpl``, or of a hand's joints in ``mano``.
        parents: of each joint, -1 of the first.
        rest: (K, 3) joints.
        tips: last joints, and where what they move ends (3,): fingers, toes, the top of the head.
        vertices: (V, 3).
        faces: (F, 3) counter-clockwise seen from outside.
        weights: (V, K) skinning weights, at most ``INFLUENCES`` in a row, which sum to 1.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    rest: np.ndarray
    tips: dict[int, np.ndarray]
    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, mesh_model: MeshModel, betas: torch.Tensor, left: bool = False, gender: str = "neutral") -> "Skeleton":
        """The skeleton of a shape (S,); ``left``: of a left hand, the mirror image of the model's."""
        params = mesh_model.params(gender)
        betas = betas.cpu().double()
        rest = params.J_template.double() + params.J_shapedirs.double() @ betas
        vertices = params.v_template.double() + params.shapedirs.double() @ betas
        side = np.array([left])
        rest, vertices = (mirror_points(points.numpy()[None], side)[0] for points in (rest, vertices))
        owner = params.weights.argmax(dim=1).numpy()
        last = set(range(params.joint_num)) - set(params.parents)
        return cls(
            joints=_joint_names(mesh_model, params.joint_num),
            parents=params.parents,
            rest=rest,
            tips={joint: _tip(joint, params.parents[joint], rest, vertices[owner == joint]) for joint in sorted(last)},
            vertices=vertices,
            faces=mesh_model.faces[:, ::-1] if left else mesh_model.faces,
            weights=strongest_weights(params).numpy(),
        )

    @property
    def offsets(self) -> np.ndarray:
        """(K, 3) of joints from their parents, of the first from the origin."""
        parents = np.array(self.parents[1:], dtype=int)
        return np.concatenate([self.rest[:1], self.rest[1:] - self.rest[parents]])


@lru_cache(maxsize=4)  # one array for all people
def strongest_weights(params: BodyParams) -> torch.Tensor:
    """Skinning weights (V, K) with the largest ``INFLUENCES`` of each row alone, scaled to sum 1."""
    count = min(INFLUENCES, params.joint_num)
    largest, joints = params.weights.double().topk(count, dim=1)
    kept = torch.zeros_like(params.weights, dtype=torch.float64).scatter(1, joints, largest.clamp_min(0))
    return (kept / kept.sum(dim=1, keepdim=True)).to(params.weights.dtype)


def _joint_names(mesh_model: MeshModel, joint_num: int) -> tuple[str, ...]:
    if mesh_model.kind == "body":
        return SMPL.joints
    if joint_num != _HAND_JOINTS:
        return tuple(f"Joint_{joint}" for joint in range(joint_num))
    order = order_hand_joints(np.arange(MANO.joint_num), axis=0).tolist()
    return tuple(MANO.joints[order.index(joint)] for joint in range(joint_num))


def _tip(joint: int, parent: int, rest: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(3,) the vertex of those that a joint moves which is farthest from the joint before."""
    if not len(own):
        return rest[joint] + _END * (rest[joint] - rest[parent])
    return own[np.linalg.norm(own - rest[parent], axis=1).argmax()]
