"""How far meshes are that programs for animation skin from those that were predicted."""

from dataclasses import replace

import torch

from lib.body.lbs import BodyParams, lbs
from lib.export.animation.skeleton import strongest_weights
from lib.export.params import mirrored_fit
from lib.export.people import PeopleArrays
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import MeshModel
from lib.units import MM_PER_M


def plainly_skinned(params: BodyParams) -> BodyParams:
    """A model as glTF skins it: at most ``INFLUENCES`` joints for a vertex, no pose blend shapes."""
    blend = params.blend.clone()
    blend[..., 1 + params.shape_num :] = 0
    return replace(params, blend=blend, weights=strongest_weights(params))


class SkinnedDistance:
    """Collects distances of skinned vertices from the meshes.

    Args:
        mesh_model: of the meshes.
    """

    def __init__(self, mesh_model: MeshModel):
        self._params = plainly_skinned(mesh_model.params())
        self._sum, self._count, self._largest = 0.0, 0, 0.0

    def add(self, fit: ParamFit, people: PeopleArrays) -> None:
        """Some people and their parameters."""
        fit = mirrored_fit(fit, people.left)
        skinned = lbs(self._params, fit.pose, fit.betas)[0] + fit.trans[:, None]
        distance = (skinned - torch.from_numpy(people.model_vertices)).norm(dim=-1)
        self._sum += float(distance.sum(dtype=torch.float64))
        self._count += distance.numel()
        self._largest = max(self._largest, float(distance.max()))

    @property
    def line(self) -> str:
        """For the user."""
        mean, largest = MM_PER_M * self._sum / max(self._count, 1), MM_PER_M * self._largest
        return f"Rigged: skinned vertices are {mean:.1f} mm from the meshes' on average, at most {largest:.0f} mm"
