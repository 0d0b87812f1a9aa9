"""Linear blend skinning of SMPL-style models, for whole batches at once (SMPL, Loper et al. 2015, section 3)."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch

from lib.body.rotation import axis_angle_to_matrix
from lib.body.vertex_tiles import VertexTiles


@dataclass(frozen=True)
class BodyParams:
    """Tensors of one body or hand model: V vertices, K joints, S shape components, F faces. Lengths in metres.

    Attributes:
        blend: (V, 3, 1 + S + 9(K-1)) template, shape and pose blend shapes side by side, so that one matrix product
            gives the rest shape; ``v_template``, ``shapedirs`` and ``posedirs`` are views of it.
        J_regressor: (K, V) rest joints from rest vertices; None in a subset.
        weights: (V, K) skinning weights, rows sum to 1.
        faces: (F, 3) int64 vertex indices.
        parents: parent of each joint, -1 for the root.
        betas: (S,) the file's own shape, used by the layers when the caller gives none.
        J_template, J_shapedirs: (K, 3) and (K, 3, S), J_regressor applied to v_template and shapedirs.
        pose_mean: (3K,) added to every pose by ``lbs``: zero for bodies, the mean finger pose for hands.
        ancestors: (steps, K+1) int64, row n holds the 2**n-th ancestor of each joint; K stands for "none",
            the last row holds nothing else.
    """

    blend: torch.Tensor
    J_regressor: torch.Tensor | None
    weights: torch.Tensor
    faces: torch.Tensor
    parents: tuple[int, ...]
    betas: torch.Tensor
    J_template: torch.Tensor
    J_shapedirs: torch.Tensor
    pose_mean: torch.Tensor
    ancestors: torch.Tensor

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], dtype: torch.dtype = torch.float32) -> "BodyParams":
        """Tensors of the arrays of a checked model file (``lib.body.model_file.load_model_arrays``)."""

        def double(key):
            return np.asarray(arrays[key], dtype=np.float64)

        def tensor(array):
            return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

        # float64 products: float32 sums over thousands of vertices would cost the joints a digit
        joints = double("J_regressor") @ double("v_template")
        joint_dirs = np.einsum("kv,vcs->kcs", double("J_regressor"), double("shapedirs"))
        parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0][1:]))
        pose_mean = np.zeros(3 * len(parents))
        if "hands_mean" in arrays:
            pose_mean[3:] = arrays["hands_mean"]
        blend = np.concatenate([double("v_template")[..., None], double("shapedirs"), double("posedirs")], axis=2)
        return cls(
            blend=tensor(blend),
            J_regressor=tensor(double("J_regressor")),
            weights=tensor(double("weights")),
            faces=torch.from_numpy(np.asarray(arrays["f"]).astype(np.int64)),
            parents=parents,
            betas=tensor(double("betas")) if "betas" in arrays else torch.zeros(joint_dirs.shape[-1], dtype=dtype),
            J_template=tensor(joints),
            J_shapedirs=tensor(joint_dirs),
            pose_mean=tensor(pose_mean),
            ancestors=_ancestors(parents),
        )

    @property
    def vertex_num(self) -> int:
        return self.blend.shape[0]

    @property
    def joint_num(self) -> int:
        return len(self.parents)

    @property
    def shape_num(self) -> int:
        return self.J_shapedirs.shape[-1]

    @property
    def v_template(self) -> torch.Tensor:
        """(V, 3) mean shape in rest pose."""
        return self.blend[..., 0]

    @property
    def shapedirs(self) -> torch.Tensor:
        """(V, 3, S) shape blend shapes."""
        return self.blend[..., 1 : 1 + self.shape_num]

    @property
    def posedirs(self) -> torch.Tensor:
        """(V, 3, 9(K-1)) pose blend shapes, for row-major R - I of joints 1 to K-1."""
        return self.blend[..., 1 + self.shape_num :]

    @cached_property
    def tiles(self) -> VertexTiles:
        """The model as large batches on a CPU read it."""
        return VertexTiles(self.blend, self.weights)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "BodyParams":
        """The model on ``device`` with floating-point tensors as ``dtype``; None leaves either as it is."""

        def move(value):
            if not isinstance(value, torch.Tensor):
                return value
            return value.to(device=device, dtype=dtype if value.is_floating_point() else None)

        return BodyParams(**{f.name: move(getattr(self, f.name)) for f in fields(self)})

    def subset(self, vertex_ids) -> "BodyParams":
        """The model restricted to some vertices, with the joints of the whole model.

        Args:
            vertex_ids: (n,) distinct indices; their order becomes the vertex order.

        Returns:
            BodyParams with n vertices, the faces that lie wholly within them, and no ``J_regressor``.
        """
        ids = torch.as_tensor(vertex_ids, dtype=torch.int64, device=self.blend.device)
        position = self.faces.new_full((self.vertex_num,), -1)
        position[ids] = torch.arange(len(ids), device=ids.device)
        faces = position[self.faces]
        return replace(
            self,
            blend=self.blend[ids],
            J_regressor=None,
            weights=self.weights[ids],
            faces=faces[(faces >= 0).all(dim=1)],
        )


def _ancestors(parents: tuple[int, ...]) -> torch.Tensor:
    joint_num = len(parents)
    row = np.array([parent if parent >= 0 else joint_num for parent in parents] + [joint_num])
    rows = [row]
    while (rows[-1] < joint_num).any():
        rows.append(rows[-1][rows[-1]])
    return torch.from_numpy(np.array(rows, dtype=np.int64))


def joint_transforms(params: BodyParams, rotations: torch.Tensor, rest_joints: torch.Tensor) -> torch.Tensor:
    """World transforms of the joints along the kinematic tree.

    Args:
        params: model.
        rotations: (B, K, 3, 3) local rotations.
        rest_joints: (B, K, 3) metres.

    Returns:
        (B, K, 4, 4): rotation and posed position of each joint.
    """
    batch, joint_num = rotations.shape[:2]
    # entry K, the "parent" of the root, is the world's origin
    padded = torch.cat([rest_joints, rest_joints.new_zeros(batch, 1, 3)], dim=1)
    offsets = rest_joints - padded[:, params.ancestors[0, :joint_num]]
    local = torch.cat([rotations, offsets[..., None]], dim=-1)
    identity = torch.eye(4, dtype=local.dtype, device=local.device)
    bottom = identity[3].expand(batch, joint_num, 1, 4)
    chain = torch.cat([torch.cat([local, bottom], dim=-2), identity.expand(batch, 1, 4, 4)], dim=1)
    # pointer doubling: each step joins a chain with the equally long chain above it, log2(depth) products in all; the
    # last row of ancestors has none
    for ancestor in params.ancestors[:-1]:
        chain = chain.index_select(1, ancestor) @ chain
    return chain[:, :joint_num]


def skin(
    params: BodyParams, rotations: torch.Tensor, betas: torch.Tensor, side_by_side: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and joints of given joint rotations; ``pose_mean`` is not applied.

    Args:
        params: model.
        rotations: (B, K, 3, 3) local joint rotations.
        betas: (B, S) shape.
        side_by_side: x, y and z of a vertex are neighbours in memory; False: they need not be, which saves a copy.

    Returns:
        vertices (B, V, 3) and joints (B, K, 3), metres, no translation.
    """
    batch, joint_num = rotations.shape[:2]
    if joint_num != params.joint_num or betas.shape != (batch, params.shape_num):
        raise ValueError(
            f"body model has {params.joint_num} joints and {params.shape_num} shape components, got rotations "
            f"{tuple(rotations.shape)} and betas {tuple(betas.shape)}"
        )
    rest_joints = params.J_template + torch.einsum("kcs,bs->bkc", params.J_shapedirs, betas)
    world = joint_transforms(params, rotations, rest_joints)
    turn, joints = world[..., :3, :3], world[..., :3, 3]
    shift = joints - (turn @ rest_joints[..., None]).squeeze(-1)

    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    pose_feature = (rotations[:, 1:] - identity).flatten(1)
    coefficients = torch.cat([torch.ones_like(betas[:, :1]), betas, pose_feature], dim=1).t().contiguous()
    bones = torch.cat([turn, shift[..., None]], dim=-1).permute(1, 3, 2, 0)
    if VertexTiles.take(coefficients, bones):
        vertices = params.tiles.pose(coefficients, bones).transpose(1, 2)
        return vertices.contiguous() if side_by_side else vertices, joints
    vertices = _blend(params.blend, params.weights, coefficients, bones.flatten(1)).permute(2, 0, 1)
    return vertices.contiguous(), joints


def _blend(blend: torch.Tensor, weights: torch.Tensor, coefficients: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
    """Posed vertices (V, 3, B), without translation.

    Vertex-major with the batch innermost: two matrix products, then long contiguous element-wise rows.

    Args:
        blend: (V, 3, C) as in ``BodyParams``. weights: (V, K).
        coefficients: (C, B) factors of the blend shapes.
        bones: (K, 12 B) transforms of the joints: columns of the matrices, their rows, samples.
    """
    vertex_num, batch = len(weights), coefficients.shape[1]
    rest = (blend.flatten(0, 1) @ coefficients).view(vertex_num, 3, 1, batch)
    blended = (weights @ bones).view(vertex_num, 4, 3, batch)
    vertices = blended[:, 3]
    for axis in range(3):
        vertices = torch.addcmul(vertices, blended[:, axis], rest[:, axis])
    return vertices


def lbs(
    params: BodyParams, pose: torch.Tensor, betas: torch.Tensor, side_by_side: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and joints of axis-angle poses.

    The root turns about its own rest position, so the root joint is not the origin.

    Args:
        params: model, on the device and with the dtype of ``pose``.
        pose: (B, 3K) axis-angle, radians; relative to ``params.pose_mean``.
        betas: (B, S) shape.
        side_by_side: as in ``skin``.

    Returns:
        vertices (B, V, 3) and joints (B, K, 3), metres, no translation.
    """
    rotations = axis_angle_to_matrix((pose + params.pose_mean).unflatten(1, (params.joint_num, 3)))
    return skin(params, rotations, betas, side_by_side)
