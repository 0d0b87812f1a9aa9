"""How the joints of a body or hand turn: a Gaussian over all of them together, and the range of each.

It keeps fitted rotations where anatomy allows them (``lib.body.param_solver``, ``lib.mesh.refine``). One Gaussian and
not the mixture of ``lib.body.pose_prior``: its derivatives cost one product, and what it must tell is a foot that
points backwards, not one way of dancing from another. ``data/build/fit_joint_prior.py`` makes the files from samples of
the pose priors.
"""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.files import atomic_write, read_arrays

FILES = {kind: ROOT / "asset" / "pose_prior" / f"joints_{kind}.npz" for kind in ("body", "hand")}


@dataclass(frozen=True)
class JointPrior:
    """Distribution and ranges of the rotations of the K - 1 joints below the root.

    Features of a pose are, for each joint, the rotation vector (radians) from the joint's mean rotation to its own.

    Attributes:
        mean: (K - 1, 3, 3) mean rotation of each joint in its parent.
        centre: (3K - 3,) mean of the features.
        precision: (3K - 3, 3K - 3) inverse of their covariance.
        lower, upper: (K - 1, 3) range of the features.
    """

    mean: torch.Tensor
    centre: torch.Tensor
    precision: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor

    @classmethod
    def load(cls, path: str | Path) -> "JointPrior":
        """
        Raises:
            FileNotFoundError: no such file.
            ValueError: arrays are missing, or of wrong shapes.
        """
        keys = [field.name for field in fields(cls)]
        stored = read_arrays(path, keys, "a joint prior", "data/build/fit_joint_prior.py makes one")
        arrays = {key: torch.from_numpy(value.astype(np.float32)) for key, value in stored.items()}
        joints = len(arrays["mean"])
        shapes = {
            "mean": (joints, 3, 3),
            "centre": (3 * joints,),
            "precision": (3 * joints, 3 * joints),
            "lower": (joints, 3),
            "upper": (joints, 3),
        }
        for key, shape in shapes.items():
            if arrays[key].shape != shape:
                raise ValueError(f"{path}: {key} has the shape {tuple(arrays[key].shape)}, not {shape}")
        return cls(**arrays)

    def save(self, path: str | Path) -> None:
        """Write the prior as a compressed npz."""
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, **{field.name: getattr(self, field.name).numpy() for field in fields(self)})

    def to(self, like: torch.Tensor) -> "JointPrior":
        """The prior on the device and with the dtype of a tensor."""
        return JointPrior(**{field.name: getattr(self, field.name).to(like) for field in fields(self)})

    def features(self, rotations: torch.Tensor) -> torch.Tensor:
        """(B, K - 1, 3) of rotations (B, K, 3, 3)."""
        return matrix_to_axis_angle(self.mean.mT @ rotations[:, 1:])

    def limited(self, rotations: torch.Tensor) -> torch.Tensor:
        """Rotations (B, K, 3, 3) with each joint brought into its range; what is in range stays as it is."""
        found = self.features(rotations)
        inside = found.clamp(self.lower, self.upper)
        outside = (inside != found).any(dim=-1)[..., None, None]
        below = torch.where(outside, self.mean @ axis_angle_to_matrix(inside), rotations[:, 1:])
        return torch.cat([rotations[:, :1], below], dim=1)

    def distance(self, rotations: torch.Tensor) -> torch.Tensor:
        """(B,) squared Mahalanobis distance of rotations (B, K, 3, 3); 3K - 3 on average for drawn poses."""
        away = self.features(rotations).flatten(1) - self.centre
        return ((away @ self.precision) * away).sum(dim=1)

    def linearise(self, rotations: torch.Tensor, parent_turn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Half the squared distance as a quadratic function of small rotations of the joints about the world's axes.

        Args:
            rotations: (B, K, 3, 3). parent_turn: (B, K, 3, 3) rotations of the parents in the world.

        Returns:
            curvature (B, 3K - 3, 3K - 3) and descent, minus the gradient (B, 3K - 3).
        """
        found = self.features(rotations)
        batch, joints = found.shape[:2]
        change = left_jacobian_inverse(found) @ self.mean.mT @ parent_turn[:, 1:].mT  # of each joint's features
        steep = torch.einsum("fjd,bjde->bfje", self.precision.unflatten(1, (joints, 3)), change)
        curvature = torch.einsum("bkfd,bkfje->bkdje", change, steep.unflatten(1, (joints, 3)))
        pull = (self.centre - found.flatten(1)) @ self.precision
        descent = (change.mT @ pull.view(batch, joints, 3, 1)).flatten(1)
        return curvature.reshape(batch, 3 * joints, 3 * joints), descent


@cache
def joint_prior(kind: str) -> JointPrior:
    """The prior of ``body`` or ``hand`` in ``asset/pose_prior``, float32 on the CPU."""
    return JointPrior.load(FILES[kind])


def left_jacobian_inverse(vector: torch.Tensor) -> torch.Tensor:
    """How rotation vectors change when their rotation is turned further: log(exp(d) exp(v)) = v + J d for small d.

    Args:
        vector: (..., 3) radians, shorter than 2 pi.

    Returns:
        J, (..., 3, 3).
    """
    half = vector.norm(dim=-1)[..., None, None].clamp_min(1e-4) / 2
    factor = (1 - half * half.cos() / half.sin()) / (4 * half.square())
    identity = torch.eye(3).to(vector).expand(*vector.shape, 3)
    cross = torch.linalg.cross(identity, vector[..., None, :].expand_as(identity), dim=-1)  # times d is vector x d
    return identity - cross / 2 + factor * (cross @ cross)
