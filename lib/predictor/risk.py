"""How likely a refined body is far from the truth: the one number that a 2D overlay does not show.

A small network reads what the steps before disagree about (the lift's bone lengths, its distance from the 2D joints,
the surface's from the network's vertices, the pose from the prior, what refinement moved) and gives a distribution of
the logarithm of MPVPE; the probability that it exceeds ``LIMIT`` follows. ``data/build/fit_risk.py`` fits it to poses
of the training subjects and of the pose prior, and measures it on the open benchmark.
"""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib import ROOT
from lib.body.rotation import matrix_to_axis_angle
from lib.files import atomic_write, read_arrays
from lib.joints.joint_set import JointSet
from lib.mesh.mesh_model import MeshModel
from lib.mesh.surface import Surface, SurfaceFitter

LIMIT = 0.150  # metres of MPVPE
FILE = ROOT / "asset" / "risk" / "body.npz"
FEATURES = 18
_SIGNED = (14, 15)  # features that are taken as they are; of the others the logarithm
_TINY = 1e-4
_SPREAD = (-3.0, 1.0)  # range of the logarithm of the spread


@dataclass(frozen=True)
class RiskModel:
    """Weights of the network: features (F,) to mean and logarithm of the spread of log(MPVPE in metres).

    Attributes:
        mean, scale: (F,) of the features.
        hidden, hidden_bias: (H, F), (H,). out, out_bias: (2, H), (2,).
    """

    mean: Tensor
    scale: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    out: Tensor
    out_bias: Tensor

    @classmethod
    def load(cls, path: str | Path = FILE) -> "RiskModel":
        """
        Raises:
            FileNotFoundError: no such file.
            ValueError: arrays are missing, or of other features.
        """
        keys = [field.name for field in fields(cls)]
        arrays = read_arrays(path, keys, "weights of the risk", "data/build/fit_risk.py makes them")
        if arrays["hidden"].shape[1:] != (FEATURES,) or arrays["mean"].shape != (FEATURES,):
            raise ValueError(f"{path}: weights for {arrays['mean'].shape} features, not {FEATURES}")
        return cls(**{key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()})

    def save(self, path: str | Path) -> None:
        with atomic_write(path, "wb") as stream:
            np.savez(stream, **{field.name: getattr(self, field.name).numpy() for field in fields(self)})

    def log_error(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the spread, (B,) each, of log(MPVPE) given features (B, F)."""
        model = RiskModel(**{field.name: getattr(self, field.name).to(features) for field in fields(self)})
        hidden = torch.tanh((features - model.mean) / model.scale @ model.hidden.T + model.hidden_bias)
        mean, spread = (hidden @ model.out.T + model.out_bias).unbind(1)
        return mean, spread.clamp(*_SPREAD)

    def probability(self, features: Tensor) -> Tensor:
        """(B,) that MPVPE exceeds ``LIMIT``."""
        mean, spread = self.log_error(features)
        return torch.special.ndtr((mean - np.log(LIMIT)) / spread.exp())


@cache
def risk_model() -> RiskModel:
    """The one in ``asset/risk``; for bodies with the joints of people."""
    return RiskModel.load()


class RiskFeatures:
    """What the risk is read from, for one mesh model and joint set.

    Args:
        fitter: of the surfaces.
    """

    def __init__(self, fitter: SurfaceFitter, mesh_model: MeshModel, joint_set: JointSet):
        self.fitter = fitter
        like = fitter.params.weights
        regressor = joint_set.add_derived(mesh_model.joint_regressor(joint_set))
        self._regressor = torch.from_numpy(np.asarray(regressor, np.float32)).to(like)
        self._start, self._end = (torch.tensor(ends, device=like.device) for ends in zip(*joint_set.bones))
        self._bones = self._lengths((self._regressor @ fitter.params.v_template)[None])[0]
        self._height = fitter.height

    def __call__(self, mesh: Tensor, pose3d: Tensor, pose2d: Tensor, fitted: Surface, refined: Surface) -> Tensor:
        """(B, F).

        Args:
            mesh: (B, V, 3) the network's vertices, metres.
            pose3d: (B, J, 3) the lift, metres. pose2d: (B, J, 2) any unit.
            fitted, refined: surfaces of the same people.
        """
        prior, joints = self.fitter.prior, self._regressor @ mesh
        before, after = (self.fitter.rotations(surface.fit) for surface in (fitted, refined))
        turned = matrix_to_axis_angle(before.mT @ after).norm(dim=-1)
        lift, own = self._odd_bones(pose3d), self._odd_bones(joints)
        assert refined.apart is not None  # there is a camera
        found = [
            _weak_residual(joints, pose2d),
            _weak_residual(pose3d, pose2d),
            refined.apart / self._height,
            fitted.fit.residual,
            prior.distance(before) / prior.centre.numel(),
            prior.distance(after) / prior.centre.numel(),
            (_centred(pose3d) - _centred(joints)).norm(dim=-1).mean(dim=1),
            lift.mean(dim=1),
            lift.amax(dim=1),
            own.mean(dim=1),
            own.amax(dim=1),
            turned[:, 1:].square().mean(dim=1).sqrt(),
            turned[:, 0],
            (refined.mesh - fitted.mesh).norm(dim=-1).mean(dim=1),
            after[:, 0, 1, 1],
            after[:, 0, 2, 1],
            refined.fit.betas.norm(dim=1),
            pose3d[..., 2].std(dim=1),
        ]
        features = torch.stack(found, dim=1)
        signed = torch.zeros(FEATURES, dtype=torch.bool, device=features.device)
        signed[list(_SIGNED)] = True
        return torch.where(signed, features, (features.clamp_min(0) + _TINY).log())

    def _lengths(self, joints: Tensor) -> Tensor:
        return (joints[:, self._start] - joints[:, self._end]).norm(dim=-1)

    def _odd_bones(self, joints: Tensor) -> Tensor:
        """(B, bones) how far the logarithms of lengths, relative to the template's, are from their median."""
        ratio = (self._lengths(joints) / self._bones.clamp_min(_TINY)).clamp_min(0.05).log()
        return (ratio - ratio.median(dim=1, keepdim=True).values).abs()


def _centred(points: Tensor) -> Tensor:
    return points - points.mean(dim=1, keepdim=True)


def _weak_residual(joints: Tensor, pose2d: Tensor) -> Tensor:
    """(B,) distance of a weak-perspective projection and 2D joints, as a share of the pose's size."""
    flat, seen = _centred(joints[..., :2]), _centred(pose2d.to(joints))
    scale = (flat * seen).sum(dim=(1, 2)) / flat.square().sum(dim=(1, 2)).clamp_min(1e-6)
    apart = (scale[:, None, None] * flat - seen).norm(dim=-1).mean(dim=1)
    return apart / seen.norm(dim=-1).mean(dim=1).clamp_min(1e-6)
