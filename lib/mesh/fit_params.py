"""Pose, shape and translation of a body or hand model from the vertices of its mesh.

A predicted mesh is only a list of vertices; animation and analysis tools want the model's parameters.
``lib.body.param_solver`` has the method.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from lib.body.joint_prior import JointPrior
from lib.body.lbs import BodyParams, skin
from lib.body.param_solver import ParamSolver
from lib.body.points import BodyPoints, surface_patches
from lib.body.rotation import matrix_to_axis_angle
from lib.mesh.mesh_model import MeshModel

# Neighbours say the same: a mesh is fitted at the means of so many patches of its surface. What a prior does not tell,
# finer patches must.
PATCHES, FREE_PATCHES = 120, 600
_SHAPE_FRAMES = 64  # from which a person's shape is taken
_BATCH = 256  # meshes that are fitted together; the largest group if that is more


@dataclass(frozen=True)
class ParamFit:
    """Parameters of B meshes of a model with K joints and S shape components.

    ``lbs(params, pose, betas) + trans`` gives the fitted vertices (``lib.body.lbs``), as do SMPL's own layers.

    Attributes:
        pose: (B, 3K) axis-angle, radians: 72 of a body, 48 of a hand (relative to its mean pose, as MANO's layer
            takes it). The first three are the root's rotation.
        betas: (B, S) shape.
        trans: (B, 3) metres.
        residual: (B,) mean distance between given and fitted vertices, metres.
    """

    pose: torch.Tensor
    betas: torch.Tensor
    trans: torch.Tensor
    residual: torch.Tensor

    def __len__(self) -> int:
        return len(self.pose)

    @classmethod
    def joined(cls, parts: Iterable["ParamFit"]) -> "ParamFit":
        """One after the other."""
        return cls(*(torch.cat(values) for values in zip(*((f.pose, f.betas, f.trans, f.residual) for f in parts))))

    def __getitem__(self, rows) -> "ParamFit":
        """Some rows: slice, indices or mask."""
        return ParamFit(self.pose[rows], self.betas[rows], self.trans[rows], self.residual[rows])


@torch.no_grad()
def fit_params(
    vertices: torch.Tensor | np.ndarray,
    mesh_model: MeshModel,
    groups: torch.Tensor | np.ndarray | None = None,
    betas: torch.Tensor | np.ndarray | None = None,
    gender: str = "neutral",
    prior: JointPrior | None = None,
) -> ParamFit:
    """Fit a model's parameters to meshes.

    Memory does not grow with B, apart from the results and 0.2 MB for each mesh of the largest group: for a very long
    video fit the shape to some hundred frames and hand it over as ``betas`` for the rest.

    Args:
        vertices: (B, V, 3) metres, in the model's vertex order; any frame, anywhere in space.
        mesh_model: model of the meshes.
        groups: (B,) whole numbers, for example track ids: equal ones share one shape. None: a shape for each mesh.
        betas: (S,) or (B, S) a known shape that is kept, for example that of a video's first frames. Excludes
            ``groups``.
        gender: which of SMPL's files to fit.
        prior: ``lib.body.joint_prior.joint_prior`` of the kind of mesh, for meshes that are not exact: keeps joints
            within their ranges and likely where the mesh says little. None: any rotation.

    Returns:
        ParamFit on the device of ``vertices``, float32.

    Raises:
        ValueError: shapes that do not belong together, no meshes, values that are not finite, both groups and betas.
    """
    params = mesh_model.params(gender)
    target = torch.as_tensor(vertices).to(torch.float32)
    if target.ndim != 3 or not len(target) or target.shape[1:] != (params.vertex_num, 3):
        raise ValueError(
            f"expected vertices (B, {params.vertex_num}, 3) of {mesh_model.name}, got {tuple(target.shape)}"
        )
    if not torch.isfinite(target).all():
        raise ValueError("vertices hold NaN or infinite values")
    params = params.to(target.device)
    group, known = _check_shape_choice(params, target, groups, betas)

    points, share = _patches(params, FREE_PATCHES if prior is None else PATCHES)
    prior = None if prior is None else prior.to(params.weights)
    batches = list(_batches(group))
    fits = [
        _fit_batch(points, share, target[rows], group[rows], None if known is None else known[rows], prior)
        for rows in batches
    ]
    back = torch.cat(batches).argsort()
    return ParamFit(*(torch.cat(values)[back] for values in zip(*fits)))


@lru_cache(maxsize=4)  # of the same tensors: a twentieth of a second
def shape_frames(count: int) -> np.ndarray:
    """Which of a person's frames (int64, at most 64 of ``count``, spread evenly) the body shape is taken from."""
    return np.unique(np.linspace(0, count - 1, min(_SHAPE_FRAMES, count)).round().astype(int))


def _patches(params: BodyParams, count: int) -> tuple[BodyPoints, torch.Tensor]:
    """Means of patches of the surface, and the share (N,) of the vertices that each stands for."""
    patches = surface_patches(params, count)
    points = BodyPoints(params, patches / patches.sum(dim=1, keepdim=True))
    return points, patches.sum(dim=1) / params.vertex_num


def _batches(group: torch.Tensor) -> Iterator[torch.Tensor]:
    """Row numbers of whole groups, about ``_BATCH`` together, which bounds the memory."""
    order, start = group.argsort(stable=True), 0
    for end in torch.bincount(group).cumsum(0).tolist():
        if end - start >= _BATCH or end == len(group):
            yield order[start:end]
            start = end


def _fit_batch(points: BodyPoints, share, target, group, known, prior) -> tuple[torch.Tensor, ...]:
    """The fields of ``ParamFit``."""
    params = points.params
    group = torch.unique(group, return_inverse=True)[1]
    centre = target.mean(dim=1)  # near the origin float32 resolves a micrometre
    fit = ParamSolver(points, share, points.matrix @ (target - centre[:, None]), group, known, prior)
    fit.run()
    pose = matrix_to_axis_angle(fit.rotations).flatten(1) - params.pose_mean
    shape, trans = fit.shape[group], fit.trans + centre
    return pose, shape, trans, _distances(params, fit.rotations, shape, target - trans[:, None])


def _distances(params: BodyParams, rotations: torch.Tensor, betas: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(B,) mean distance of given and fitted vertices, metres."""
    blocks = (values.split(64) for values in (rotations, betas, target))
    return torch.cat([(skin(params, r, b)[0] - t).norm(dim=-1).mean(dim=1) for r, b, t in zip(*blocks)])


def _check_shape_choice(params: BodyParams, target: torch.Tensor, groups, betas):
    """Group number of each mesh (B,), and known betas (B, S) or None."""
    count, device = len(target), target.device
    if groups is not None and betas is not None:
        raise ValueError("give groups, whose shape is fitted, or betas, a shape that is kept, not both")
    if betas is not None:
        betas = torch.as_tensor(betas).to(device=device, dtype=torch.float32)
        if betas.shape not in ((params.shape_num,), (count, params.shape_num)):
            raise ValueError(
                f"expected betas ({params.shape_num},) or ({count}, {params.shape_num}), got {betas.shape}"
            )
        betas = betas.expand(count, -1)
    if groups is None:
        return torch.arange(count, device=device), betas
    groups = torch.as_tensor(groups).to(device)
    if groups.shape != (count,) or groups.is_floating_point():
        raise ValueError(f"expected groups as whole numbers ({count},), got {groups.dtype} {tuple(groups.shape)}")
    return torch.unique(groups, return_inverse=True)[1], betas
