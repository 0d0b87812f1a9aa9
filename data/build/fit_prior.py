"""Fit the body pose prior to motion of the training subjects.

    python data/build/fit_prior.py --motion data/AMASS/data/CMU --output asset/pose_prior/body.npz

Motion is in AMASS' layout (``data/convert/cmu_bvh.py`` makes it from CMU clips). Held-out subjects are never used.
``--trial`` fits without a few training subjects and reports how likely their poses are, to compare settings.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build.pose_distance import heading_free_joints, thin
from data.convert.cmu_bvh import DEFAULT_BODY, read_rest_joints
from data.Synthetic.split import in_split
from lib.body.pose_prior import BODY_FILE, DRIVEN, PosePrior, mixture_log_density
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from lib.datasets.storage.motion_files import find_motion, read_motion
from lib.joints.tables import SMPL

# Trunk, hips and shoulders move more of the body than toes and wrists do: weights for the choice of the latent space.
_WEIGHTS = {
    "Torso": 1.5,
    "Spine": 1.5,
    "Chest": 1.5,
    "Hip": 1.5,
    "Shoulder": 1.2,
    "Ankle": 0.6,
    "Toe": 0.3,
    "Wrist": 0.6,
}
_LEAN_WEIGHT = 2.0
_LIMIT_QUANTILE = 0.002
# Training subjects that the trial fit leaves out, to choose settings for persons never seen
_VALIDATION = frozenset({"03", "135", "AngryTalk-A", "AngryTalk-B", "indian"})


def mean_rotations(pose: torch.Tensor) -> torch.Tensor:
    """Mean rotation of each driven joint of poses (N, 72): (19, 3) axis-angle, nearest to the average matrix."""
    average = axis_angle_to_matrix(pose.view(len(pose), -1, 3)[:, DRIVEN].double()).mean(dim=0)
    u, _, v = torch.linalg.svd(average)
    sign = torch.ones(len(DRIVEN), 3, dtype=u.dtype)
    sign[:, 2] = torch.linalg.det(u @ v)
    return matrix_to_axis_angle((u * sign[:, None]) @ v).float()


def feature_weights() -> torch.Tensor:
    """(P,) weight of each feature when the latent space is chosen."""
    joints = [SMPL.joints[joint].removeprefix("L_").removeprefix("R_") for joint in DRIVEN]
    weights = [_LEAN_WEIGHT] * 2 + [_WEIGHTS.get(joint, 1.0) for joint in joints for _ in range(3)]
    return torch.tensor(weights)


def fit_mixture(points: torch.Tensor, components: int, strength: float, generator: torch.Generator, steps: int = 60):
    """Gaussian mixture by expectation-maximisation.

    Args:
        points: (N, D) float64. components: K. generator: for the choice of the starting means.
        strength: each covariance is drawn to the average one as if by so many further points; this keeps components
            that own few points from collapsing onto them.

    Returns:
        weights (K,), means (K, D), cholesky (K, D, D).
    """
    means = _starting_means(points, components, generator)
    owner = torch.cdist(points, means).argmin(dim=1)
    share = torch.nn.functional.one_hot(owner, components).to(points.dtype)
    previous = -torch.inf
    for _ in range(steps):
        count = share.sum(dim=0).clamp(min=1e-6)
        weights = count / count.sum()
        means = share.T @ points / count[:, None]
        scatter = torch.stack([_scatter(points, means[k], share[:, k]) for k in range(components)])
        average = scatter.sum(dim=0) / len(points)
        covariance = (scatter + strength * average) / (count + strength)[:, None, None]
        cholesky = torch.linalg.cholesky(covariance)
        parts = mixture_log_density(points, weights, means, cholesky, per_component=True)
        density = torch.logsumexp(parts, dim=1)
        share = (parts - density[:, None]).exp()
        if density.mean() - previous < 1e-3:
            break
        previous = density.mean()
    return weights, means, cholesky


def _scatter(points: torch.Tensor, mean: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    away = points - mean
    return (away * share[:, None]).T @ away


def _starting_means(points: torch.Tensor, components: int, generator: torch.Generator) -> torch.Tensor:
    """k-means++ choice of points, then a few rounds of k-means."""
    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    nearest = (points - points[chosen[0]]).square().sum(dim=1)
    for _ in range(components - 1):
        chosen.append(int(torch.multinomial(nearest, 1, generator=generator)))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(dim=1))
    means = points[chosen]
    for _ in range(10):
        owner = torch.cdist(points, means).argmin(dim=1)
        count = torch.bincount(owner, minlength=components).clamp(min=1)
        means = torch.zeros_like(means).index_add_(0, owner, points) / count[:, None]
    return means


def fit_prior(
    pose: torch.Tensor, *, latent: int, components: int, strength: float, spread: float, seed: int
) -> PosePrior:
    """The prior of poses (N, 72) float32, z up.

    ``strength`` is that of ``fit_mixture``. ``spread`` widens each component beyond the poses that it was fitted to:
    new persons move differently from the few that were recorded.
    """
    empty = torch.zeros(0)
    blank = {key: empty for key in ("noise", "lower", "upper", "weights", "means", "cholesky", "offset", "basis")}
    prior = PosePrior(mean_rotations=mean_rotations(pose), scale=feature_weights(), **blank)
    features = prior.encode(pose)
    weighted = ((features - features.mean(dim=0)) * prior.scale).double()
    _, _, directions = torch.linalg.svd(weighted, full_matrices=False)
    basis = directions[:latent]
    points = weighted @ basis.T
    rest = (weighted - points @ basis).float() / prior.scale
    weights, means, cholesky = fit_mixture(points, components, strength, torch.Generator().manual_seed(seed))
    limits = torch.quantile(features, torch.tensor([_LIMIT_QUANTILE, 1.0 - _LIMIT_QUANTILE]), dim=0)
    return PosePrior(
        mean_rotations=prior.mean_rotations,
        offset=features.mean(dim=0),
        scale=prior.scale,
        basis=basis.float(),
        noise=rest.std(dim=0),
        lower=limits[0],
        upper=limits[1],
        weights=weights.float(),
        means=means.float(),
        cholesky=spread * cholesky.float(),
    )


def read_poses(folders: list[Path], rest_joints: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Thinned poses (N, 72) float32 of the training subjects, and the subject of each (N,).

    Raises:
        FileNotFoundError: a folder without motion files, or no training subject.
    """
    poses, subjects = [], []
    for folder in folders:
        files = find_motion(folder)
        if not files:
            raise FileNotFoundError(f"no *_poses.npz below {folder}; data/convert/cmu_bvh.py makes them from CMU clips")
        for file in files:
            if in_split(file.parent.name, "train"):
                poses.append(read_motion(file).poses)
                subjects += [file.parent.name] * len(poses[-1])
    if not poses:
        raise FileNotFoundError(f"only held-out subjects below {', '.join(map(str, folders))}")
    joined = np.concatenate(poses)
    kept = thin(heading_free_joints(joined, rest_joints), distance)
    return joined[kept], np.array(subjects)[kept]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path, nargs="+", required=True, help="folders of AMASS-format motion files")
    parser.add_argument("--output", type=Path, default=BODY_FILE)
    parser.add_argument("--body", type=Path, default=DEFAULT_BODY, help="body model (.npz) for distances between poses")
    parser.add_argument("--distance", type=float, default=0.04, help="thinning: RMS joint distance in metres")
    parser.add_argument("--latent", type=int, default=40, help="dimensions of the latent space")
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--strength", type=float, default=150.0, help="pull of covariances to their average, in points")
    parser.add_argument("--spread", type=float, default=1.3, help="factor on the components' standard deviations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", action="store_true", help="only compare settings: fit without some subjects")
    options = parser.parse_args(arguments)
    settings = {key: getattr(options, key) for key in ("latent", "components", "strength", "spread", "seed")}
    try:
        poses, subjects = read_poses(options.motion, read_rest_joints(options.body), options.distance)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    poses = torch.from_numpy(poses)
    if options.trial:
        left_out = torch.from_numpy(np.isin(subjects, list(_VALIDATION)))
        prior = fit_prior(poses[~left_out], **settings)
        for name, part in (("fitted", poses[~left_out]), ("left out", poses[left_out])):
            density = prior.log_density(part)
            print(f"{name}: {len(part)} poses, log density mean {density.mean():.2f}, median {density.median():.2f}")
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    fit_prior(poses, **settings).save(options.output)
    print(f"{options.output}: fitted to {len(poses)} poses, {options.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
