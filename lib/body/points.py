"""Points on a posed body that are weighted means of its vertices, with their derivatives.

Joints that a regressor takes from the mesh are such points, and so are the means of small patches of the surface.
Linear blend skinning is linear in the rest vertices, so the vertices that make up a point are summed beforehand, per
joint that carries them: posing a point costs as much as posing as many vertices as joints carry it, however large the
mesh.
"""

from dataclasses import dataclass

import torch

from lib.body.lbs import BodyParams, joint_transforms

_LEAST_SHARE = 1e-6  # of a joint in a point; smaller ones are left out
_WEIGHT_DISTANCE = 0.15  # metres that a vertex of another joint seems farther away when patches are formed


@dataclass(frozen=True)
class PosedPoints:
    """N points of B posed bodies with K joints; metres, without translation.

    Attributes:
        points: (B, N, 3).
        joints: (B, K, 3).
        turn: (B, K, 3, 3) rotation of each joint in the world.
        parent_turn: (B, K, 3, 3) that of its parent, the identity for the root.
    """

    points: torch.Tensor
    joints: torch.Tensor
    turn: torch.Tensor
    parent_turn: torch.Tensor

    def local(self, world: torch.Tensor) -> torch.Tensor:
        """Small rotations (B, K, 3) of the joints about the world's axes, in the frames of the joints' parents."""
        return (self.parent_turn.mT @ world[..., None]).squeeze(-1)


class BodyPoints:
    """Points of a body model.

    Args:
        params: the model.
        matrix: (N, V) weights of the vertices in the points.

    Attributes:
        params, matrix: as given.
        share: (N, K) how much of each point each joint carries.
        below: (K, K) 1 where the column's joint is the row's or above it.
        parents: (K,) parent of each joint, the root its own.
    """

    def __init__(self, params: BodyParams, matrix: torch.Tensor):
        self.params, self.matrix = params, matrix
        self.share = matrix @ params.weights
        self._point, self._joint = (matrix.abs() @ params.weights > _LEAST_SHARE).nonzero(as_tuple=True)
        self._part = self.share[self._point, self._joint]
        # in double, as thousands of vertices are summed; sparse, as most points are of few: a tenth of the time
        carried = (matrix[self._point] * params.weights.T[self._joint]).double().to_sparse()
        blend = torch.stack([carried @ axis.double() for axis in params.blend.unbind(1)], 1)
        self._blend = blend.to(matrix.dtype)
        poses = params.posedirs.unflatten(2, (params.joint_num - 1, 9))
        self._posedirs = torch.einsum("nv,vijc->njic", matrix, poses).flatten(1, 2)
        self.below = _descendants(params)
        self.parents = params.ancestors[0, : params.joint_num].clone()
        self.parents[0] = 0
        dirs = params.J_shapedirs
        self._bone_dirs = torch.cat([dirs[:1], dirs[1:] - dirs[self.parents[1:]]])

    def __len__(self) -> int:
        return len(self.matrix)

    def pose(self, rotations: torch.Tensor, betas: torch.Tensor) -> PosedPoints:
        """Points of joint rotations (B, K, 3, 3) in their parents and shapes (B, S)."""
        return self._posed(rotations, betas)[0]

    def _posed(self, rotations: torch.Tensor, betas: torch.Tensor) -> tuple[PosedPoints, torch.Tensor]:
        """Also what each joint carries of each point, (B, pairs, 3)."""
        params = self.params
        rest_joints = params.J_template + torch.einsum("kcs,bs->bkc", params.J_shapedirs, betas)
        world = joint_transforms(params, rotations, rest_joints)
        turn, joints = world[..., :3, :3], world[..., :3, 3]
        shift = joints - (turn @ rest_joints[..., None]).squeeze(-1)
        feature = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)
        factors = torch.cat([torch.ones_like(betas[:, :1]), betas, feature], dim=1)
        rest = (factors @ self._blend.flatten(0, 1).T).unflatten(1, (-1, 3))
        carried = (turn[:, self._joint] @ rest[..., None]).squeeze(-1) + self._part[:, None] * shift[:, self._joint]
        points = rest.new_zeros(len(betas), len(self), 3).index_add_(1, self._point, carried)
        first = torch.eye(3).to(turn).expand(len(betas), 1, 3, 3)
        parent_turn = torch.cat([first, turn[:, self.parents[1:]]], dim=1)
        return PosedPoints(points, joints, turn, parent_turn), carried

    def linearise(
        self, rotations: torch.Tensor, betas: torch.Tensor, shape: bool = True, pose_blend: bool = True
    ) -> tuple[PosedPoints, torch.Tensor]:
        """Points and their derivatives.

        Args:
            rotations, betas: as in ``pose``.
            shape: also by the shape.
            pose_blend: with the share of the pose blend shapes; without it steps are cheaper and, where steps follow
                steps, end at the same place.

        Returns:
            the points, and (B, N, 3, 3K + S): change by small rotations of each joint, with all below it, about the
            axes of the world, then by the shape (S is 0 without ``shape``).
        """
        params = self.params
        posed, carried = self._posed(rotations, betas)
        batch, joint_num, count = len(betas), params.joint_num, len(self)
        spread = carried.new_zeros(batch, count * joint_num, 3)
        spread[:, self._point * joint_num + self._joint] = carried
        arm = torch.einsum("bnkc,kj->bncj", spread.unflatten(1, (count, joint_num)), self.below)
        arm = arm - (self.share @ self.below)[:, None] * posed.joints.mT[:, None]
        change = carried.new_zeros(batch, count, 3, 3 * joint_num + (params.shape_num if shape else 0))
        turns = change[..., : 3 * joint_num].unflatten(3, (joint_num, 3))
        for axis in range(3):
            after, last = (axis + 1) % 3, (axis + 2) % 3
            # e_axis x arm
            turns[:, :, after, :, axis] = -arm[:, :, last]
            turns[:, :, last, :, axis] = arm[:, :, after]
        if pose_blend:
            turns[:, :, :, 1:] += self._pose_blend(rotations, posed)
        if shape:
            change[..., 3 * joint_num :] = self._shape_change(posed)
        return posed, change

    def _shape_change(self, posed: PosedPoints) -> torch.Tensor:
        """(B, N, 3, S) change by the shape."""
        params, turn = self.params, posed.turn
        joint_dirs = torch.einsum("ka,bacs->bkcs", self.below, posed.parent_turn @ self._bone_dirs)
        own = (joint_dirs - turn @ params.J_shapedirs)[:, self._joint] * self._part[:, None, None]
        own = own + turn[:, self._joint] @ self._blend[..., 1 : 1 + params.shape_num]
        return own.new_zeros(len(turn), len(self), *own.shape[2:]).index_add_(1, self._point, own)

    def _pose_blend(self, rotations: torch.Tensor, posed: PosedPoints) -> torch.Tensor:
        """(B, N, 3, K - 1, 3) change by what the pose blend shapes see of small rotations."""
        joint_num = self.params.joint_num
        # rows: the world's axes in the parent, as the blend shapes see the rotation of a joint in its parent
        axes = posed.parent_turn[:, 1:].mT
        columns = [
            torch.linalg.cross(axes[..., :, None, c].expand_as(axes), rotations[:, 1:], dim=-2) for c in range(3)
        ]
        turned = torch.stack(columns, dim=-1).flatten(-3, -2)  # (B, K - 1, 9, 3)
        dirs = self._posedirs.unflatten(1, (joint_num - 1, 3))  # (N, K - 1, 3, 9)
        change = torch.einsum("njic,bjcd->bnijd", dirs, turned)
        blended = torch.einsum("nk,bkij->bnij", self.share, posed.turn)
        return (blended @ change.flatten(3)).unflatten(3, (joint_num - 1, 3))


def surface_patches(params: BodyParams, count: int) -> torch.Tensor:
    """Patches of the surface of about equal size, each mostly carried by one joint.

    Vertices are gathered about ``count`` of them that are far from each other, in the rest pose and in the joints that
    carry them.

    Args:
        params: the model.
        count: number of patches, at most the model's vertices.

    Returns:
        (count, V) 1 where a vertex is of a patch: times the vertices, sums; divided by its row sums, for means.
    """
    place = torch.cat([params.v_template, _WEIGHT_DISTANCE * params.weights], dim=1)
    chosen = [0]
    nearest = (place - place[0]).norm(dim=1)
    for _ in range(min(count, params.vertex_num) - 1):
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (place - place[chosen[-1]]).norm(dim=1))
    patch = torch.cdist(place, place[chosen]).argmin(dim=1)
    return torch.nn.functional.one_hot(patch, len(chosen)).T.to(place)


def _descendants(params: BodyParams) -> torch.Tensor:
    """(K, K) 1 where the column's joint is the row's or above it."""
    below = torch.eye(params.joint_num)
    for joint, parent in enumerate(params.parents):
        if parent >= 0:
            below[joint] += below[parent]
    return below.to(params.weights)
