"""Clean surfaces in place of a network's vertices: the body model fitted to them, and that refined to the 2D joints."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lib.body.joint_prior import joint_prior
from lib.body.lbs import skin
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.joints.joint_set import JointSet
from lib.mesh.fit_params import ParamFit, fit_params
from lib.mesh.joint_points import joint_points, origin_point
from lib.mesh.mesh_model import MeshModel
from lib.mesh.refine import BodyState, Refiner, View


@dataclass(frozen=True)
class Surface:
    """Meshes of B bodies that a model's parameters give.

    Attributes:
        mesh: (B, V, 3) metres, relative to the root as the network's.
        fit: its parameters: ``lbs(params, pose, betas) + trans`` is the mesh; of fitted surfaces ``residual`` is the
            mean distance to the network's vertices, of refined ones too.
        translation: (B, 3) metres; mesh + translation stands before the camera of the 2D joints. None: no camera.
        apart: (B,) metres, mean distance of projected and given 2D joints at the person's distance; None: no camera.
    """

    mesh: torch.Tensor
    fit: ParamFit
    translation: torch.Tensor | None = None
    apart: torch.Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence["Surface"]) -> "Surface":
        """One after the other; all of them with or without cameras."""
        fit = ParamFit.joined(part.fit for part in parts)
        places = [part.translation for part in parts if part.translation is not None]
        distances = [part.apart for part in parts if part.apart is not None]
        mesh = torch.cat([part.mesh for part in parts])
        return cls(mesh, fit, torch.cat(places) if places else None, torch.cat(distances) if distances else None)


class SurfaceFitter:
    """Fits and refines the surfaces of one mesh model.

    Args:
        mesh_model: of the meshes.
        joint_set: of the network that makes them, and of the 2D joints.
        device: where.
    """

    def __init__(self, mesh_model: MeshModel, joint_set: JointSet, device: torch.device | str = "cpu"):
        self.mesh_model, self.joint_set = mesh_model, joint_set
        self.params = mesh_model.params().to(device)
        self.prior = joint_prior(mesh_model.kind).to(self.params.weights)
        template = self.params.v_template
        self.height = float((template.amax(dim=0) - template.amin(dim=0)).max())
        self._origin = origin_point(mesh_model, joint_set, device)
        self._refiner = Refiner(joint_points(mesh_model, joint_set, device), mesh_model.kind, self.prior, self.height)

    def fitted(
        self, mesh: torch.Tensor, groups: torch.Tensor | None = None, betas: torch.Tensor | None = None
    ) -> Surface:
        """The surfaces nearest to meshes (B, V, 3) in metres; ``groups`` and ``betas`` as in ``fit_params``."""
        fit = fit_params(mesh, self.mesh_model, groups, betas, prior=self.prior)
        return Surface(skin(self.params, self.rotations(fit), fit.betas)[0] + fit.trans[:, None], fit)

    def common_shape(self, mesh: torch.Tensor) -> torch.Tensor:
        """The shape (S,) of one body of which meshes (B, V, 3), metres, are frames."""
        groups = torch.zeros(len(mesh), dtype=torch.long, device=mesh.device)
        return self.fitted(mesh, groups).fit.betas[0]

    def refined(
        self,
        fit: ParamFit,
        view: View,
        keep_shape: bool = False,
        before: BodyState | None = None,
        followed: torch.Tensor | None = None,
    ) -> tuple[Surface, BodyState]:
        """Fitted surfaces, refined to the 2D joints of their camera.

        Args:
            fit: of ``fitted``.
            view: rays and weights of the joints without the derived ones.
            keep_shape, before, followed: see ``lib.mesh.refine.Refiner``.

        Returns:
            the surfaces, and what the next frame of a film takes as ``before``.
        """
        state, apart = self._refiner(self.state(fit), view, keep_shape, before, followed)
        origin = self._origin.pose(state.rotations, state.betas).points[:, 0]
        pose = matrix_to_axis_angle(state.rotations).flatten(1) - self.params.pose_mean
        mesh = skin(self.params, state.rotations, state.betas)[0] - origin[:, None]
        refined = ParamFit(pose, state.betas, -origin, fit.residual)
        return Surface(mesh, refined, state.trans + origin, apart), state

    def state(self, fit: ParamFit) -> BodyState:
        return BodyState(self.rotations(fit), fit.betas, fit.trans)

    def joints(self, fit: ParamFit) -> torch.Tensor:
        """(B, J, 3) metres, the joint set's joints without the derived ones."""
        return self._refiner.points.pose(self.rotations(fit), fit.betas).points + fit.trans[:, None]

    def rotations(self, fit: ParamFit) -> torch.Tensor:
        """(B, K, 3, 3) of fitted parameters."""
        return axis_angle_to_matrix((fit.pose + self.params.pose_mean).unflatten(1, (self.params.joint_num, 3)))
