"""The least-squares problem behind ``lib.mesh.fit_params``.

It starts from one rigid alignment per body part (Kabsch's closed form, with the skinning weights as weights) and goes
on with Levenberg-Marquardt steps on all rotations, the shape and the translation at once, with the exact derivatives
of linear blend skinning. Meshes that share one shape are solved together: each keeps its own rotations, the shape is
what remains after these have been eliminated (Schur complement).
"""

import torch

from lib.body.lbs import BodyParams, joint_transforms, skin
from lib.body.rotation import axis_angle_to_matrix

# Vertex errors of a prediction are alike over whole limbs: a mesh counts as this many independent measurements
# against the standard normal prior of the shape. A mesh that the model can take exactly is fitted exactly.
EVIDENCE = 50.0
MAX_STEPS = 20
_CONVERGED = 3e-3  # relative decrease of the cost below which a fit ends
_EXACT = 1e-10  # square metres; a hundredth of a millimetre
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 1e3  # relative to the curvature
_FLOOR = 1e-9  # square metres per squared radian; a joint without vertices stays where it is
_MOST_EXPONENT = 60.0  # e to this is a float32
_BLOCK_NUMBERS = 12_000_000  # numbers in the derivatives of the samples that are linearised together


class ParamSolver:
    """State of a fit: rotations (B, K, 3, 3) local, shape (G, S) of the groups, trans (B, 3).

    The unknowns of a step are, per mesh, a small rotation of each joint about the axes of the world (3K) and the
    translation (3), and per group the shape (S).
    """

    def __init__(self, params: BodyParams, target: torch.Tensor, group: torch.Tensor, known: torch.Tensor | None):
        self.params, self.target, self.group = params, target, group
        self.known = known is not None
        self.groups = int(group.max()) + 1
        self.evidence = EVIDENCE * torch.bincount(group, minlength=self.groups)
        self.trans = target.new_zeros(len(target), 3)
        self.shape = known.clone() if known is not None else target.new_zeros(self.groups, params.shape_num)
        self.parents = params.ancestors[0, : params.joint_num]
        self.below = _descendants(params)
        self.own = 3 * params.joint_num + 3
        self.rotations = self._align_parts()

    def run(self) -> None:
        everything = torch.arange(self.own, device=self.target.device)
        # with the parts aligned the best shape and translation are a linear problem
        active = torch.ones(self.groups, dtype=torch.bool, device=self.target.device)
        damping = torch.full((self.groups,), _FIRST_DAMPING, device=self.target.device)
        cost, _ = self._step(active, everything[-3:], damping, self._cost())
        for _ in range(MAX_STEPS):
            before = cost
            cost, better = self._step(active, everything, damping, cost)
            damping = torch.where(better, damping / 10, damping * 10).clamp(_LEAST_DAMPING, _MOST_DAMPING)
            done = (better & (before - cost < _CONVERGED * before)) | (cost < _EXACT) | (damping >= _MOST_DAMPING)
            active = active & ~done
            if not active.any():
                return

    def _rows(self, active: torch.Tensor | None) -> torch.Tensor:
        rows = torch.arange(len(self.target), device=self.target.device)
        return rows if active is None else rows[active[self.group]]

    def _blocks(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        numbers = 3 * self.params.vertex_num * (self.own + self.params.shape_num)
        return rows.split(max(1, _BLOCK_NUMBERS // numbers))

    def _difference(self, rows: torch.Tensor) -> torch.Tensor:
        """(b, V, 3) given minus fitted vertices."""
        vertices, _ = skin(self.params, self.rotations[rows], self.shape[self.group[rows]])
        return self.target[rows] - vertices - self.trans[rows, None]

    def _cost(self, active: torch.Tensor | None = None) -> torch.Tensor:
        """(G,) mean squared vertex distance of each group's meshes, raised by an unlikely shape.

        It is the likelihood of the meshes times the shape's, for an unknown size of the vertex errors: of that size
        the distance itself is the best estimate.
        """
        return self._mean_square(active) * self._shape_factor()

    def _mean_square(self, active: torch.Tensor | None = None) -> torch.Tensor:
        rows = self._rows(active)
        square = torch.cat([self._difference(part).square().sum(dim=-1).mean(dim=1) for part in self._blocks(rows)])
        count = torch.bincount(self.group, minlength=self.groups)
        return square.new_zeros(self.groups).index_add_(0, self.group[rows], square) / count

    def _shape_factor(self) -> torch.Tensor | float:
        if self.known:
            return 1.0
        return (self.shape.square().sum(dim=1) / self.evidence).clamp_max(_MOST_EXPONENT).exp()

    def _align_parts(self) -> torch.Tensor:
        """Local rotations of the best rigid alignment of each joint's part of the mesh."""
        params = self.params
        # squared weights: what moves with one joint alone counts most
        weights = params.weights.square().t()
        total = weights.sum(dim=1)
        rest = params.v_template
        if self.known:
            rest = rest + (params.shapedirs @ self.shape.mean(dim=0))
        rest_mean = weights @ rest / total[:, None].clamp_min(1e-12)
        offsets = weights[:, :, None] * (rest - rest_mean[:, None])  # (K, V, 3): rows sum to zero
        covariance = torch.einsum("kvi,bvj->bkji", offsets, self.target)
        u, _, vh = torch.linalg.svd(covariance)
        sign = torch.ones_like(u[..., 0])
        sign[..., 2] = torch.linalg.det(u @ vh).sign()
        world = (u * sign[..., None, :]) @ vh
        # a joint without vertices turns with its parent
        for joint, parent in enumerate(params.parents):
            if total[joint] < 1e-6 and parent >= 0:
                world[:, joint] = world[:, parent]
        return torch.cat([world[:, :1], world[:, self.parents[1:]].mT @ world[:, 1:]], dim=1)

    def _step(self, active: torch.Tensor, own: torch.Tensor, damping: torch.Tensor, cost: torch.Tensor):
        """One damped Gauss-Newton step of the active groups in the unknowns ``own`` of each mesh and the shapes.

        Groups whose cost would grow stay where they are.

        Returns:
            cost (G,) and whether it fell (G,).
        """
        rows = self._rows(active)
        parts = [self._normal_equations(part) for part in self._blocks(rows)]
        hessian, gradient = (torch.cat(values).double() for values in zip(*parts))
        change, shape_change = self._solve(hessian, gradient, rows, own, damping, cost)

        old = self.rotations, self.shape, self.trans
        turn, shift = change[:, :-3].unflatten(1, (-1, 3)), change[:, -3:]
        world = self._world_rotations(self.rotations[rows])
        local = torch.cat([turn[:, :1], (world[:, self.parents[1:]].mT @ turn[:, 1:, :, None]).squeeze(-1)], dim=1)
        self.rotations = old[0].index_copy(0, rows, axis_angle_to_matrix(local) @ old[0][rows])
        self.trans = old[2].index_add(0, rows, shift)
        self.shape = old[1] + shape_change
        new_cost = torch.where(active, self._cost(active), cost)
        better = active & (new_cost < cost)
        keep = better[self.group]
        self.rotations = torch.where(keep[:, None, None, None], self.rotations, old[0])
        self.trans = torch.where(keep[:, None], self.trans, old[2])
        self.shape = torch.where(better[:, None], self.shape, old[1])
        return torch.where(better, new_cost, cost), better

    def _world_rotations(self, rotations: torch.Tensor) -> torch.Tensor:
        no_offsets = rotations.new_zeros(*rotations.shape[:2], 3)
        return joint_transforms(self.params, rotations, no_offsets)[..., :3, :3]

    def _solve(self, hessian, gradient, rows, own, damping, cost):
        """Changes (b, 3K + 3) of the meshes ``rows``, zero outside ``own``, and (G, S) of the shapes; float32."""
        group = self.group[rows]
        own_block = hessian[:, own[:, None], own]
        curvature = own_block.diagonal(dim1=1, dim2=2)
        own_block = own_block + torch.diag_embed(damping[group].double()[:, None] * curvature + _FLOOR)
        factor = torch.linalg.cholesky(own_block)
        own_gradient = gradient[:, own, None]
        shape_change = gradient.new_zeros(self.groups, self.params.shape_num)
        if not self.known:
            cross = hessian[:, own, self.own :]
            solved = torch.cholesky_solve(cross, factor)
            count = torch.bincount(group, minlength=self.groups)[:, None, None].clamp_min(1)
            shape_block = hessian[:, self.own :, self.own :]
            extra = damping[group].double()[:, None] * shape_block.diagonal(dim1=1, dim2=2)
            reduced = shape_block + torch.diag_embed(extra) - cross.mT @ solved
            reduced_gradient = gradient[:, self.own :, None] - solved.mT @ own_gradient
            left = reduced.new_zeros(self.groups, *reduced.shape[1:]).index_add_(0, group, reduced) / count
            right = reduced.new_zeros(self.groups, *reduced_gradient.shape[1:])
            right = right.index_add_(0, group, reduced_gradient) / count
            prior = (cost / self._shape_factor() / self.evidence).double().clamp_min(1e-15)[:, None]
            right = right - (prior * self.shape)[..., None]
            left = left + torch.diag_embed(prior.expand(-1, left.shape[-1]))
            idle = torch.bincount(group, minlength=self.groups) == 0
            shape_change = torch.linalg.solve(left, right).squeeze(-1).masked_fill(idle[:, None], 0)
            own_gradient = own_gradient - cross @ shape_change[group, :, None]
        change = gradient.new_zeros(len(rows), self.own)
        change[:, own] = torch.cholesky_solve(own_gradient, factor).squeeze(-1)
        return change.float(), shape_change.float()

    def _normal_equations(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Curvature (b, P, P) and descent (b, P) of the mean squared distance, P = 3K + 3 + S unknowns."""
        difference, jacobian = self._linearise(rows)
        jacobian, vertex_num = jacobian.flatten(1, 2), jacobian.shape[1]
        hessian = jacobian.mT @ jacobian / vertex_num
        return hessian, (jacobian.mT @ difference.flatten(1)[..., None]).squeeze(-1) / vertex_num

    def _linearise(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Given minus fitted vertices (b, V, 3) and the fitted ones' derivatives (b, V, 3, P)."""
        params, rotations = self.params, self.rotations[rows]
        shape = self.shape[self.group[rows]]
        batch, joint_num, vertex_num = len(rows), params.joint_num, params.vertex_num
        rest_joints = params.J_template + torch.einsum("kcs,bs->bkc", params.J_shapedirs, shape)
        world = joint_transforms(params, rotations, rest_joints)
        turn, joints = world[..., :3, :3], world[..., :3, 3]
        shift = joints - (turn @ rest_joints[..., None]).squeeze(-1)
        feature = (rotations[:, 1:] - torch.eye(3, device=turn.device)).flatten(1)
        factors = torch.cat([torch.ones_like(shape[:, :1]), shape, feature], dim=1)
        rest = torch.einsum("vcn,bn->bvc", params.blend, factors)

        # share of each joint in each vertex, (b, V, K, 3)
        carried = (rest @ turn.flatten(1, 2).mT + shift.flatten(1)[:, None]).unflatten(2, (joint_num, 3))
        carried = carried * params.weights[..., None]
        difference = self.target[rows] - carried.sum(dim=2) - self.trans[rows, None]
        blended = (params.weights @ turn.flatten(2)).unflatten(2, (3, 3))  # (b, V, 3, 3)

        jacobian = turn.new_zeros(batch, vertex_num, 3, self.own + params.shape_num)
        self._rotation_columns(jacobian[..., : 3 * joint_num], carried, joints, turn, rotations, blended)
        jacobian[..., 3 * joint_num : self.own] = torch.eye(3, device=turn.device)
        if not self.known:
            parent_turn = torch.cat(
                [torch.eye(3, device=turn.device).expand(batch, 1, 3, 3), turn[:, self.parents[1:]]], 1
            )
            rest_dirs = params.J_shapedirs
            bone_dirs = torch.cat([rest_dirs[:1], rest_dirs[1:] - rest_dirs[self.parents[1:]]])
            joint_dirs = torch.einsum("ka,bacs->bkcs", self.below, parent_turn @ bone_dirs)
            moved = params.weights @ (joint_dirs - turn @ rest_dirs).flatten(2)
            jacobian[..., self.own :] = moved.unflatten(2, (3, -1)) + blended @ params.shapedirs
        return difference, jacobian

    def _rotation_columns(self, columns, carried, joints, turn, rotations, blended) -> None:
        """Fill in the derivatives (b, V, 3, 3K) by small rotations of the joints about the world's axes."""
        joint_num = self.params.joint_num
        arm = torch.einsum("bvkc,kj->bvcj", carried, self.below)  # what each joint carries, itself and all below
        arm = arm - (self.params.weights @ self.below)[:, None] * joints.mT[:, None]
        columns = columns.unflatten(3, (joint_num, 3))
        for axis in range(3):
            after, last = (axis + 1) % 3, (axis + 2) % 3
            # e_axis x arm
            columns[:, :, after, :, axis] = -arm[:, :, last]
            columns[:, :, last, :, axis] = arm[:, :, after]
        # the pose blend shapes see the rotation of a joint in its parent
        axes = turn[:, self.parents[1:]].mT  # columns: the world's axes in the parent
        turned = _cross_columns(axes, rotations[:, 1:])
        blend = self.params.posedirs.unflatten(2, (joint_num - 1, 9))
        change = torch.einsum("vijn,bjnc->bvijc", blend, turned)
        columns[:, :, :, 1:] += (blended @ change.flatten(3)).unflatten(3, (joint_num - 1, 3))


def _cross_columns(axes: torch.Tensor, rotations: torch.Tensor) -> torch.Tensor:
    """(..., 9, 3): row-major change of each rotation (..., 3, 3) under small turns about the columns of ``axes``."""
    columns = [torch.linalg.cross(axes[..., :, None, c].expand_as(rotations), rotations, dim=-2) for c in range(3)]
    return torch.stack(columns, dim=-1).flatten(-3, -2)


def _descendants(params: BodyParams) -> torch.Tensor:
    """(K, K) 1 where the column's joint is the row's or above it."""
    below = torch.eye(params.joint_num)
    for joint, parent in enumerate(params.parents):
        if parent >= 0:
            below[joint] += below[parent]
    return below.to(params.weights)
