"""The least-squares problem behind ``lib.mesh.fit_params``.

It starts from one rigid alignment per body part (Kabsch's closed form, with the skinning weights as weights) and goes
on with Levenberg-Marquardt steps on all rotations, the shape and the translation at once, with the exact derivatives
of linear blend skinning. Meshes that share one shape are solved together: each keeps its own rotations, the shape is
what remains after these have been eliminated (Schur complement).
"""

import torch

from lib.body.joint_prior import JointPrior
from lib.body.points import BodyPoints
from lib.body.rotation import axis_angle_to_matrix

# Vertex errors of a prediction are alike over whole limbs: a mesh counts as this many independent measurements
# against the standard normal prior of the shape. A mesh that the model can take exactly is fitted exactly.
EVIDENCE = 50.0
MAX_STEPS = 20
_CONVERGED = 3e-3  # relative decrease of the cost below which a fit ends
_CONVERGED_PRIOR = 2e-2  # with a prior: what is left then is far below a prediction's error
_EXACT = 1e-10  # square metres; a hundredth of a millimetre
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 1e3  # relative to the curvature
_FLOOR = 1e-9  # square metres per squared radian; a joint without points stays where it is
_MOST_EXPONENT = 60.0  # e to this is a float32
_BLOCK_NUMBERS = 1_500_000  # numbers in the derivatives of the samples that are linearised together


class ParamSolver:
    """State of a fit: rotations (B, K, 3, 3) local, shape (G, S) of the groups, trans (B, 3).

    The unknowns of a step are, per mesh, a small rotation of each joint about the axes of the world (3K) and the
    translation (3), and per group the shape (S).

    Args:
        points: that stand for the mesh.
        share: (N,) of the mesh that each point stands for; sums to 1.
        target: (B, N, 3) metres, where the points of the meshes are.
        group: (B,) numbers from 0 of the meshes that share one shape.
        known: (B, S) shapes that are kept; None: they are fitted.
        prior: makes unlikely poses costly, and keeps joints within their ranges; None: every rotation is as good.
    """

    def __init__(
        self,
        points: BodyPoints,
        share: torch.Tensor,
        target: torch.Tensor,
        group: torch.Tensor,
        known: torch.Tensor | None,
        prior: JointPrior | None = None,
    ):
        self.points, self.params, self.target, self.group = points, points.params, target, group
        self.share, self.prior = share, prior
        self.known = known is not None
        self.groups = int(group.max()) + 1
        self.count = torch.bincount(group, minlength=self.groups)
        self.evidence = EVIDENCE * self.count
        self.trans = target.new_zeros(len(target), 3)
        shape_num = self.params.shape_num
        self.shape = known.clone() if known is not None else target.new_zeros(self.groups, shape_num)
        self.own = 3 * self.params.joint_num + 3
        self.rotations = self._limited(self._align_parts())

    def run(self) -> None:
        everything = torch.arange(self.own, device=self.target.device)
        # with the parts aligned the best shape and translation are a linear problem
        active = torch.ones(self.groups, dtype=torch.bool, device=self.target.device)
        damping = torch.full((self.groups,), _FIRST_DAMPING, device=self.target.device)
        cost, _ = self._step(active, everything[-3:], damping, self._cost())
        enough = _CONVERGED if self.prior is None else _CONVERGED_PRIOR
        for _ in range(MAX_STEPS):
            before = cost
            cost, better = self._step(active, everything, damping, cost)
            damping = torch.where(better, damping / 10, damping * 10).clamp(_LEAST_DAMPING, _MOST_DAMPING)
            done = (better & (before - cost < enough * before)) | (cost < _EXACT) | (damping >= _MOST_DAMPING)
            active = active & ~done
            if not active.any():
                return

    def _rows(self, active: torch.Tensor | None) -> torch.Tensor:
        rows = torch.arange(len(self.target), device=self.target.device)
        return rows if active is None else rows[active[self.group]]

    def _blocks(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        numbers = 3 * len(self.points) * (self.own + self.params.shape_num)
        return rows.split(max(1, _BLOCK_NUMBERS // numbers))

    def _limited(self, rotations: torch.Tensor) -> torch.Tensor:
        return rotations if self.prior is None else self.prior.limited(rotations)

    def _cost(self, active: torch.Tensor | None = None) -> torch.Tensor:
        """(G,) mean squared distance of each group's meshes, raised by unlikely shapes and poses.

        It is the likelihood of the meshes times that of shape and poses, for an unknown size of the vertex errors: of
        that size the distance itself is the best estimate.
        """
        rows = self._rows(active)
        square, exponent = [], []
        for part in self._blocks(rows):
            found = self.points.pose(self.rotations[part], self.shape[self.group[part]]).points
            apart = self.target[part] - found - self.trans[part, None]
            square.append(apart.square().sum(dim=-1) @ self.share)
            if self.prior is not None:
                exponent.append(self.prior.distance(self.rotations[part]))
        cost = self._group_mean(torch.cat(square), rows) * self._shape_factor()
        if exponent:
            unlikely = self._group_mean(torch.cat(exponent), rows) / EVIDENCE
            cost = cost * unlikely.clamp_max(_MOST_EXPONENT).exp()
        return cost

    def _group_mean(self, values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(self.groups).index_add_(0, self.group[rows], values) / self.count

    def _shape_factor(self) -> torch.Tensor | float:
        if self.known:
            return 1.0
        return (self.shape.square().sum(dim=1) / self.evidence).clamp_max(_MOST_EXPONENT).exp()

    def _align_parts(self) -> torch.Tensor:
        """Local rotations of the best rigid alignment of each joint's part of the mesh."""
        points, parents = self.points, self.points.parents
        # squared shares: what moves with one joint alone counts most
        weights = (points.share.square() * self.share[:, None]).T
        total = weights.sum(dim=1)
        upright = torch.eye(3).to(self.target).expand(1, self.params.joint_num, 3, 3)
        rest = points.pose(upright, self.shape.mean(dim=0, keepdim=True)).points[0]
        rest_mean = weights @ rest / total[:, None].clamp_min(1e-12)
        offsets = weights[:, :, None] * (rest - rest_mean[:, None])  # (K, N, 3): rows sum to zero
        u, _, vh = torch.linalg.svd(torch.einsum("kni,bnj->bkji", offsets, self.target))
        sign = torch.ones_like(u[..., 0])
        sign[..., 2] = torch.linalg.det(u @ vh).sign()
        world = (u * sign[..., None, :]) @ vh
        ends = torch.bincount(parents, minlength=len(parents)) == 0
        for joint, parent in enumerate(self.params.parents):
            # without points of its own a joint turns with its parent; so it does, to begin with, where it ends a limb
            # and its range is known: feet and hands of a prediction say little
            if parent >= 0 and (total[joint] < 1e-9 or (self.prior is not None and ends[joint])):
                mean = upright[0, 0] if self.prior is None else self.prior.mean[joint - 1]
                world[:, joint] = world[:, parent] @ mean
        return torch.cat([world[:, :1], world[:, parents[1:]].mT @ world[:, 1:]], dim=1)

    def _step(self, active: torch.Tensor, own: torch.Tensor, damping: torch.Tensor, cost: torch.Tensor):
        """One damped Gauss-Newton step of the active groups in the unknowns ``own`` of each mesh and the shapes.

        Groups whose cost would grow stay where they are.

        Returns:
            cost (G,) and whether it fell (G,).
        """
        rows = self._rows(active)
        parts = [self._normal_equations(part, cost) for part in self._blocks(rows)]
        hessian, gradient, parent_turn = (torch.cat(values) for values in zip(*parts))
        change, shape_change = self._solve(hessian.double(), gradient.double(), rows, own, damping, cost)

        old = self.rotations, self.shape, self.trans
        turn, shift = change[:, :-3].unflatten(1, (-1, 3)), change[:, -3:]
        local = axis_angle_to_matrix((parent_turn.mT @ turn[..., None]).squeeze(-1))
        self.rotations = old[0].index_copy(0, rows, self._limited(local @ old[0][rows]))
        self.trans = old[2].index_add(0, rows, shift)
        self.shape = old[1] + shape_change
        new_cost = torch.where(active, self._cost(active), cost)
        better = active & (new_cost < cost)
        keep = better[self.group]
        self.rotations = torch.where(keep[:, None, None, None], self.rotations, old[0])
        self.trans = torch.where(keep[:, None], self.trans, old[2])
        self.shape = torch.where(better[:, None], self.shape, old[1])
        return torch.where(better, new_cost, cost), better

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

    def _normal_equations(self, rows: torch.Tensor, cost: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Curvature (b, P, P) and descent (b, P) of the cost, P = 3K + 3 + S unknowns; rotations of the parents."""
        group = self.group[rows]
        turns = 3 * self.params.joint_num
        # steps towards a mesh that is not exact need not be either
        exact = self.prior is None
        posed, change = self.points.linearise(
            self.rotations[rows], self.shape[group], shape=not self.known, pose_blend=exact
        )
        size = self.share.sqrt()[:, None]
        apart = (self.target[rows] - posed.points - self.trans[rows, None]) * size
        shifts = torch.eye(3).to(change).expand(*change.shape[:2], 3, 3)
        jacobian = torch.cat([change[..., :turns], shifts, change[..., turns:]], dim=3) * size[..., None]
        jacobian = jacobian.flatten(1, 2)
        hessian = jacobian.mT @ jacobian
        gradient = (jacobian.mT @ apart.flatten(1)[..., None]).squeeze(-1)
        if self.prior is not None:
            curvature, descent = self.prior.linearise(self.rotations[rows], posed.parent_turn)
            strength = cost[group] / EVIDENCE
            hessian[:, 3:turns, 3:turns] += strength[:, None, None] * curvature
            gradient[:, 3:turns] += strength[:, None] * descent
        return hessian, gradient, posed.parent_turn
