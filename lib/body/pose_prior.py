"""Plausible body poses drawn from a small generative model, for training without motion capture files.

The prior is a Gaussian mixture over joint rotations, fitted to CMU motion of the training subjects by
``data/build/fit_prior.py``. ``lib.body.hand_prior`` has its counterpart for hands.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from lib import ROOT
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_quaternion, quaternion_to_matrix
from lib.files import atomic_write, read_arrays
from lib.joints.tables import SMPL

BODY_FILE = ROOT / "asset" / "pose_prior" / "body.npz"

# Joints with a rotation of their own in the motion data. Collars and hands never move there.
DRIVEN = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 20, 21)
STILL = (13, 14, 22, 23)
# Real shoulder girdles and fingers do move, so small rotations stand in for what the data lacks (radians).
STILL_SPREAD, STILL_LIMIT = 0.10, 0.25
FEATURES = 2 + 3 * len(DRIVEN)


@dataclass(frozen=True)
class PosePrior:
    """Distribution of body poses: SMPL's joint rotations and the lean of the body, without heading.

    A pose is described by features: the lean of the body (2 numbers, a rotation vector about a horizontal axis) and
    the log-rotation of each driven joint away from its mean rotation. The features are a linear map of D latent
    numbers, which follow a mixture of K Gaussians, plus a little independent noise.

    Attributes:
        mean_rotations: (19, 3) axis-angle, mean rotation of each driven joint.
        offset, scale: (P,) mean of the features and weight of each when the latent space was chosen.
        basis: (D, P) orthonormal directions of the weighted features.
        noise: (P,) standard deviation of the features' part outside the latent space, features' unit.
        lower, upper: (P,) limits of the features: the joints' ranges of motion.
        weights, means, cholesky: (K,), (K, D), (K, D, D) the mixture; covariance = cholesky @ cholesky^T.
    """

    mean_rotations: torch.Tensor
    offset: torch.Tensor
    scale: torch.Tensor
    basis: torch.Tensor
    noise: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor
    weights: torch.Tensor
    means: torch.Tensor
    cholesky: torch.Tensor

    @classmethod
    def load(cls, path=None) -> "PosePrior":
        """Read a prior from ``path`` (default: the one in ``asset/pose_prior``).

        Raises:
            FileNotFoundError: no such file.
            ValueError: arrays are missing, or of wrong shapes.
        """
        path = BODY_FILE if path is None else path
        keys = [field.name for field in fields(cls)]
        arrays = read_arrays(path, keys, "a pose prior", "data/build/fit_prior.py makes one")
        latent, count = arrays["basis"].shape[0], len(arrays["weights"])
        shapes: dict[str, tuple[int, ...]] = {
            "mean_rotations": (len(DRIVEN), 3),
            "basis": (latent, FEATURES),
            "means": (count, latent),
            "cholesky": (count, latent * (latent + 1) // 2),
        }
        shapes |= {key: (FEATURES,) for key in ("offset", "scale", "noise", "lower", "upper")}
        wrong = [
            f"{key} {arrays[key].shape}, not {shape}" for key, shape in shapes.items() if arrays[key].shape != shape
        ]
        if wrong:
            raise ValueError(f"{path}: wrong shapes: {'; '.join(wrong)}")
        tensors = {key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()}
        cholesky = torch.zeros(count, latent, latent)
        rows, columns = torch.tril_indices(latent, latent)
        cholesky[:, rows, columns] = tensors["cholesky"]
        return replace(cls(**tensors), cholesky=cholesky)

    def save(self, path) -> None:
        """Write the prior as a compressed npz; the covariances' factors as float16 lower triangles."""
        arrays = {field.name: getattr(self, field.name).cpu().numpy() for field in fields(self)}
        rows, columns = np.tril_indices(self.basis.shape[0])
        arrays["cholesky"] = arrays["cholesky"][:, rows, columns].astype(np.float16)
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, **arrays)

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw poses.

        Args:
            count: number of poses.
            generator: source of randomness; its device is where the poses are drawn.

        Returns:
            (count, 72) float32 axis-angle, radians. The world is z up as in AMASS files; upright bodies face -y (turn
            the camera or the root for other headings). Left and right are equally likely in everything.
        """
        prior = self.to(generator.device)
        component = torch.multinomial(prior.weights, count, replacement=True, generator=generator)
        latent = prior._draw(count, prior.basis.shape[0], generator)[..., None]
        latent = prior.means[component] + (prior.cholesky[component] @ latent).squeeze(-1)
        features = prior.offset + latent @ prior.basis / prior.scale
        features = features + prior.noise * prior._draw(count, FEATURES, generator)
        pose = prior.decode(features)
        still = STILL_SPREAD * prior._draw(count, 3 * len(STILL), generator).clamp(-STILL_LIMIT / STILL_SPREAD, None)
        pose.view(count, -1, 3)[:, STILL] = still.clamp(max=STILL_LIMIT).view(count, -1, 3)
        mirror = torch.rand(count, 1, generator=generator, device=generator.device) < 0.5
        return torch.where(mirror, mirror_pose(pose), pose)

    def encode(self, pose: torch.Tensor) -> torch.Tensor:
        """Features (B, P) of poses (B, 72); heading and still joints are left out."""
        rotations = axis_angle_to_matrix(pose.view(len(pose), -1, 3))
        lean = lean_of(rotations[:, 0])
        away = axis_angle_to_matrix(self.mean_rotations).transpose(-1, -2) @ rotations[:, DRIVEN]
        return torch.cat([lean, matrix_to_axis_angle(away).flatten(1)], dim=1)

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Poses (B, 72) of features (B, P), which are first brought within the joints' limits."""
        features = torch.minimum(torch.maximum(features, self.lower), self.upper)
        count = len(features)
        lean = torch.cat([features[:, :2], torch.zeros_like(features[:, :1])], dim=1)
        root = axis_angle_to_matrix(lean) @ _upright(lean)
        away = axis_angle_to_matrix(features[:, 2:].reshape(count, -1, 3))
        pose = features.new_zeros(count, SMPL.joint_num, 3)
        pose[:, 0] = matrix_to_axis_angle(root)
        pose[:, DRIVEN] = matrix_to_axis_angle(axis_angle_to_matrix(self.mean_rotations) @ away)
        return pose.flatten(1)

    def latent(self, features: torch.Tensor) -> torch.Tensor:
        """Latent numbers (B, D) of features (B, P)."""
        return (features - self.offset) * self.scale @ self.basis.T

    def log_density(self, pose: torch.Tensor) -> torch.Tensor:
        """Log density (B,) of the mixture at poses (B, 72), in nats of the latent space."""
        return mixture_log_density(self.latent(self.encode(pose)), self.weights, self.means, self.cholesky)

    def to(self, device) -> "PosePrior":
        """The same prior on another device."""
        return PosePrior(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def _draw(self, count: int, width: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(count, width, generator=generator, device=generator.device)


def mixture_log_density(points, weights, means, cholesky, per_component: bool = False) -> torch.Tensor:
    """Log density of a Gaussian mixture.

    Args:
        points: (B, D). weights: (K,). means: (K, D). cholesky: (K, D, D) lower factors of the covariances.
        per_component: return (B, K), the summands' logarithms, instead of (B,).
    """
    identity = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)
    inverse = torch.linalg.solve_triangular(cholesky, identity, upper=False)
    # one component at a time: all (B, K, D) differences at once would need gigabytes in a fit
    squares = [((points - mean) @ factor.T).square().sum(dim=1) for mean, factor in zip(means, inverse)]
    log_det = cholesky.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    constant = -0.5 * points.shape[1] * math.log(2.0 * math.pi)
    parts = constant + weights.log() - log_det - 0.5 * torch.stack(squares, dim=1)
    return parts if per_component else torch.logsumexp(parts, dim=1)


def lean_of(root: torch.Tensor) -> torch.Tensor:
    """How a body leans: root orientations (B, 3, 3), z up -> rotation vectors (B, 2) about horizontal axes.

    The heading (the turn about the vertical in the swing-twist split) is left out.
    """
    quaternion = matrix_to_quaternion(root @ _upright(root).transpose(-1, -2))
    heading = torch.zeros_like(quaternion)
    heading[:, 0], heading[:, 3] = quaternion[:, 0], -quaternion[:, 3]
    # a body that is exactly upside down has no heading
    heading[:, 0] = torch.where(heading.norm(dim=1) < 1e-6, torch.ones_like(heading[:, 0]), heading[:, 0])
    return matrix_to_axis_angle(quaternion_to_matrix(heading) @ quaternion_to_matrix(quaternion))[:, :2]


def mirror_pose(pose: torch.Tensor) -> torch.Tensor:
    """Poses (B, 72) seen in a mirror (x = 0): left and right joints swap."""
    order = list(range(SMPL.joint_num))
    for a, b in SMPL.flip_pairs:
        order[a], order[b] = b, a
    return (pose.view(len(pose), -1, 3)[:, order] * pose.new_tensor([1.0, -1.0, -1.0])).flatten(1)


def _upright(like: torch.Tensor) -> torch.Tensor:
    """Root orientation of SMPL standing in a z-up world, (3, 3): +90 degrees about x."""
    return like.new_tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
