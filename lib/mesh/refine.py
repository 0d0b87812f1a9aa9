"""A fitted body, refined until it looks from the camera as its 2D pose says.

The network's lift decides what a picture does not show, depth; the 2D joints decide where everything appears. Damped
Gauss-Newton steps on all rotations, the shape and the place before a perspective camera minimise

* the distances of projected and given 2D joints, in metres at the person's distance, robustly (Geman and McClure 1987),
  each weighted by its score: a joint of weight 0 says nothing, whatever its coordinates are;
* how far each joint turns away from the fitted lift, measured by how far lifts usually are from the truth;
* how unlikely the pose is (``lib.body.joint_prior``), within the ranges of the joints;
* for films, how far pose and place are from those of the frame before.

It follows SMPLify (Bogo et al., ECCV 2016) with the lift in place of the generic start, and takes into account where
the person is in the image (CLIFF, Li et al., ECCV 2022).
"""

from dataclasses import dataclass, fields

import torch

from lib.body.joint_prior import JointPrior, left_jacobian_inverse
from lib.body.points import BodyPoints, PosedPoints
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.joints.joint_set import JointSet

# Steps of a person, and how much farther 2D joints may be meanwhile before they count less: first all of them pull
STEPS = ((2, 2.0), (3, 1.0))
# Of the mesh model's height: usual distance of 2D joints from the truth, beyond half as much again they count less
SIGMA, _ROBUST = 0.0115, 1.5
# Radians about each axis by which lifted rotations miss the truth, on poses of the training subjects: of the root,
# joints that turn much, others; of hands
_SPREAD = {
    "body": (
        0.13, 0.16, 0.15, 0.11, 0.11, 0.11, 0.06, 0.27, 0.25, 0.08, 0.22, 0.23, 0.15, 0.06, 0.06, 0.14, 0.26, 0.26,
        0.26, 0.28, 0.42, 0.45, 0.02, 0.02,
    ),
    "hand": (0.15,) * 16,
}  # fmt: skip
_PRIOR = 0.3  # how much the pose prior counts; the lift knows most of it
_SHAPE_SPREAD = 1.0  # standard deviations of the shape
_LONGEST_TURN = 0.6  # radians of a joint in one step
_FIRST_DAMPING, _MOST_DAMPING = 1e-4, 1e6
# Of the mesh model's height: what joints are seen at, at least, and bodies are away from the camera
_NEAREST, _CLOSEST = 0.2, 0.5
# spread per frame between frames of a film: radians of a joint, metres of the place as a share of the distance
_FILM_TURN, _FILM_PLACE = 0.12, 0.02


@dataclass(frozen=True)
class View:
    """2D poses as a camera sees them.

    Attributes:
        rays: (B, J, 2) x/z and y/z of the viewing rays of the joints: (pixel - principal point) / focal length.
        weight: (B, J) 0 to 1, how much each joint counts; 0 where it is missing.
    """

    rays: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, rays: torch.Tensor, joint_set: JointSet, weight: torch.Tensor | None = None) -> "View":
        """The view of a set's joints, without the derived ones; ``weight`` None: all count alike."""
        rays = rays[:, : joint_set.keypoint_num]
        weight = torch.ones_like(rays[..., 0]) if weight is None else weight[:, : joint_set.keypoint_num]
        return cls(rays, weight.clamp(0, 1))


@dataclass(frozen=True)
class BodyState:
    """B bodies: rotations (B, K, 3, 3) of joints in their parents, betas (B, S), trans (B, 3) metres."""

    rotations: torch.Tensor
    betas: torch.Tensor
    trans: torch.Tensor

    def __getitem__(self, rows) -> "BodyState":
        return BodyState(*(getattr(self, field.name)[rows] for field in fields(self)))

    def where(self, mask: torch.Tensor, other: "BodyState") -> "BodyState":
        """This one in the rows of a mask (B,), the other elsewhere."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return BodyState(*(torch.where(mask.view(-1, *[1] * (own.ndim - 1)), own, rest) for own, rest in pairs))


@dataclass(frozen=True)
class _Problem:
    """What a body is refined to: its lift, the view, and in films the frame before of those (B,) followed."""

    lift: BodyState
    view: View
    before: BodyState | None
    followed: torch.Tensor


class Refiner:
    """The least-squares problem of a mesh model and its 2D joints.

    Args:
        points: the 2D joints as points of the body.
        kind: ``body`` or ``hand``.
        prior: of the joints.
        height: metres, extent of the mesh model: the unit of 2D errors.
    """

    def __init__(self, points: BodyPoints, kind: str, prior: JointPrior, height: float):
        self.points, self.prior = points, prior
        self.sigma, self.nearest, self.closest = SIGMA * height, _NEAREST * height, _CLOSEST * height
        like = points.matrix
        spread = torch.tensor(_SPREAD[kind]).to(like)
        self._stiffness = spread.square().reciprocal()  # (K,)
        self._joints = points.params.joint_num

    def __call__(
        self,
        start: BodyState,
        view: View,
        keep_shape: bool = False,
        before: BodyState | None = None,
        followed: torch.Tensor | None = None,
    ) -> tuple[BodyState, torch.Tensor]:
        """Refine.

        Args:
            start: the fitted lift; its place counts for nothing.
            view: of the same bodies.
            keep_shape: the shape stays as it is.
            before: the bodies in the frame before, of a film.
            followed: (B,) which of them were there.

        Returns:
            the refined bodies, in the camera's frame; and the mean distance (B,) of projected and given 2D joints,
            weighted, metres at the person's distance.
        """
        # what a joint of weight 0 says is not even read
        seen = (view.weight > 0)[..., None]
        view = View(torch.where(seen, view.rays, torch.zeros_like(view.rays)), view.weight)
        state = BodyState(self.prior.limited(start.rotations), start.betas, self._placed(start, view))
        if before is not None:
            assert followed is not None  # they come together
            state = BodyState(before.rotations, start.betas, before.trans).where(followed, state)
        nobody = view.weight.new_zeros(len(view.weight), dtype=torch.bool)
        problem = _Problem(start, view, before, nobody if followed is None else followed)
        for steps, wide in STEPS:
            state = self._descended(state, problem, steps, wide, keep_shape)
        return state, self._mean_distance(state, view)

    def _descended(self, state: BodyState, problem: "_Problem", steps: int, wide: float, keep_shape: bool) -> BodyState:
        """The best state of some damped steps."""
        best, cost = state, torch.full_like(problem.view.weight[:, 0], torch.inf)
        damping = torch.full_like(cost, _FIRST_DAMPING)
        for _ in range(steps):
            new_cost, hessian, descent, posed = self._normal_equations(state, problem, wide)
            better = new_cost < cost
            best, cost = state.where(better, best), torch.where(better, new_cost, cost)
            damping = torch.where(better, damping / 10, damping * 100).clamp_max(_MOST_DAMPING)
            state = self._stepped(state, hessian, descent, damping, posed, keep_shape).where(better, best)
        return state.where(self._cost(state, problem, wide) < cost, best)

    def _placed(self, start: BodyState, view: View) -> torch.Tensor:
        """(B, 3) places at which a body's size and middle agree with the rays."""
        points = self.points.pose(start.rotations, start.betas).points
        weight = view.weight[..., None] / view.weight.sum(dim=1).clamp_min(1e-6)[:, None, None]
        middle, seen = (points * weight).sum(dim=1), (view.rays * weight).sum(dim=1)
        own, other = points[..., :2] - middle[:, None, :2], view.rays - seen[:, None]
        least = (own.square() * weight).sum(dim=(1, 2)).clamp_min(1e-9)
        scale = (own * other * weight).sum(dim=(1, 2)) / least
        # where the lift has no likeness with the pose, their sizes still have
        size = ((other.square() * weight).sum(dim=(1, 2)) / least).sqrt()
        depth = 1 / torch.maximum(scale, 0.3 * size).clamp_min(1e-4)
        place = torch.cat([seen * depth[:, None] - middle[:, :2], (depth - middle[:, 2])[:, None]], dim=1)
        return self._before(place)

    def _apart(self, points: torch.Tensor, state: BodyState, view: View):
        """Given minus projected joints (B, J, 2), metres; what they are divided by (B, J, 1), where they are seen."""
        place = points + state.trans[:, None]
        depth = place[..., 2:].clamp_min(self.nearest)
        distance = depth.mean(dim=1, keepdim=True)
        seen = place[..., :2] / depth
        return (view.rays - seen) * distance, depth, distance, seen

    def _mean_distance(self, state: BodyState, view: View) -> torch.Tensor:
        """(B,) metres, of projected and given joints."""
        apart = self._apart(self.points.pose(state.rotations, state.betas).points, state, view)[0]
        distance = apart.square().sum(dim=-1).sqrt()
        return (view.weight * distance).sum(dim=1) / view.weight.sum(dim=1).clamp_min(1e-6)

    def _cost(
        self, state: BodyState, problem: "_Problem", wide: float = 1.0, points: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B,) cost; ``points`` (B, J, 3): the state's, where they are known."""
        lift, view, before = problem.lift, problem.view, problem.before
        points = self.points.pose(state.rotations, state.betas).points if points is None else points
        apart = self._apart(points, state, view)[0]
        square = apart.square().sum(dim=-1)
        limit = (_ROBUST * wide * self.sigma) ** 2
        cost = (view.weight * square / (1 + square / limit)).sum(dim=1) / self.sigma**2
        cost = cost + _PRIOR * self.prior.distance(state.rotations)
        away = matrix_to_axis_angle(lift.rotations.mT @ state.rotations).square().sum(dim=-1)
        cost = cost + away @ self._stiffness + ((state.betas - lift.betas) / _SHAPE_SPREAD).square().sum(dim=1)
        if before is not None:
            turned = matrix_to_axis_angle(before.rotations.mT @ state.rotations).square().sum(dim=(1, 2))
            moved = ((state.trans - before.trans) / before.trans[:, 2:].clamp_min(self.nearest)).square().sum(dim=1)
            cost = cost + problem.followed * (turned / _FILM_TURN**2 + moved / _FILM_PLACE**2)
        return cost

    def _normal_equations(self, state: BodyState, problem: "_Problem", wide: float):
        """Cost (B,), curvature (B, P, P), descent (B, P) of P = 3K + S + 3 unknowns, and the posed points."""
        lift, view, before = problem.lift, problem.view, problem.before
        turns = 3 * self._joints
        posed, change = self.points.linearise(state.rotations, state.betas, pose_blend=False)
        apart, depth, distance, seen = self._apart(posed.points, state, view)
        project = apart.new_zeros(*apart.shape, 3)
        project[..., 0, 0] = project[..., 1, 1] = (distance / depth)[..., 0]
        project[..., 2] = -seen * distance / depth
        jacobian = torch.cat([project @ change, project], dim=3)
        square = apart.square().sum(dim=-1)
        limit = (_ROBUST * wide * self.sigma) ** 2
        weight = view.weight / self.sigma**2 / (1 + square / limit).square()
        weighted = (jacobian * weight[..., None, None]).flatten(1, 2)
        hessian = weighted.mT @ jacobian.flatten(1, 2)
        descent = (weighted.mT @ apart.flatten(1)[..., None]).squeeze(-1)

        curvature, pull = self.prior.linearise(state.rotations, posed.parent_turn)
        hessian[:, 3:turns, 3:turns] += _PRIOR * curvature
        descent[:, 3:turns] += _PRIOR * pull
        stiffness = self._stiffness.expand(len(apart), -1)
        self._hold(hessian, descent, state.rotations, lift.rotations, posed, stiffness)
        hessian.diagonal(dim1=1, dim2=2)[:, turns:-3] += _SHAPE_SPREAD**-2
        descent[:, turns:-3] += (lift.betas - state.betas) / _SHAPE_SPREAD**2
        if before is not None:
            known = problem.followed[:, None].to(apart)
            self._hold(hessian, descent, state.rotations, before.rotations, posed, known / _FILM_TURN**2)
            strength = known / (_FILM_PLACE * before.trans[:, 2:].clamp_min(self.nearest)).square()
            hessian.diagonal(dim1=1, dim2=2)[:, -3:] += strength
            descent[:, -3:] += strength * (before.trans - state.trans)
        return self._cost(state, problem, wide, posed.points), hessian, descent, posed

    def _hold(self, hessian, descent, rotations, wanted, posed: PosedPoints, stiffness) -> None:
        """Add the squared angles (B, K) between rotations and wanted ones, times half their stiffness (B, K or 1)."""
        away = matrix_to_axis_angle(wanted.mT @ rotations)
        change = left_jacobian_inverse(away) @ wanted.mT @ posed.parent_turn.mT
        blocks = stiffness[..., None, None] * (change.mT @ change)
        joints = torch.arange(self._joints, device=hessian.device)
        turns = 3 * self._joints
        grid = hessian[:, :turns, :turns].unflatten(2, (self._joints, 3)).unflatten(1, (self._joints, 3))
        grid[:, joints, :, joints] += blocks.transpose(0, 1)
        descent[:, :turns] -= (stiffness[..., None] * (change.mT @ away[..., None]).squeeze(-1)).flatten(1)

    def _stepped(self, state, hessian, descent, damping, posed: PosedPoints, keep_shape: bool) -> BodyState:
        turns = 3 * self._joints
        diagonal = hessian.diagonal(dim1=1, dim2=2)
        diagonal += damping[:, None] * diagonal + 1e-6
        if keep_shape:
            hessian[:, turns:-3] = 0
            hessian[:, :, turns:-3] = 0
            diagonal[:, turns:-3] = 1
            descent[:, turns:-3] = 0
        # in double: between the rotation of a toe and the place of a far person lie many powers of ten
        factor, failed = torch.linalg.cholesky_ex(hessian.double())
        change = torch.cholesky_solve(descent[..., None].double(), factor).squeeze(-1).to(descent)
        sound = (failed == 0) & change.isfinite().all(dim=1)  # numbers beyond all bounds leave a body as it is
        change = torch.where(sound[:, None], change, torch.zeros_like(change))
        turn = posed.local(change[:, :turns].unflatten(1, (self._joints, 3)))
        turn = turn * (_LONGEST_TURN / turn.norm(dim=-1, keepdim=True).clamp_min(_LONGEST_TURN))
        rotations = self.prior.limited(axis_angle_to_matrix(turn) @ state.rotations)
        return BodyState(rotations, state.betas + change[:, turns:-3], self._before(state.trans + change[:, -3:]))

    def _before(self, trans: torch.Tensor) -> torch.Tensor:
        """Places (B, 3) no nearer than bodies can be."""
        return torch.cat([trans[:, :2], trans[:, 2:].clamp_min(self.closest)], dim=1)
