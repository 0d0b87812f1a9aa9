"""Make the joint priors (``lib.body.joint_prior``) from samples of the pose priors.

    python data/build/fit_joint_prior.py --output asset/pose_prior

Writes ``joints_body.npz`` and ``joints_hand.npz``.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lib.body.hand_prior import HandPosePrior
from lib.body.joint_prior import FILES, JointPrior
from lib.body.pose_prior import PosePrior, mirror_pose
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from lib.joints.tables import SMPL

SAMPLES = 200_000
MARGIN = 0.1  # radians by which ranges are wider than those of the samples
LEAST_SPREAD = 0.03  # radians; hinges give a little in all directions
# joints that do not move in the source of the body's prior: half the range of people's collars (radians)
COLLARS, COLLAR_RANGE = ("L_Thorax", "R_Thorax"), 0.5
# no pose says how they turn against the wrists, and AMASS' bodies have fingers in their place
HANDS = ("L_Hand", "R_Hand")


def fit(rotations: torch.Tensor) -> JointPrior:
    """The prior of samples (N, K - 1, 3, 3)."""
    mean = nearest_rotation(rotations.mean(dim=0))
    found = matrix_to_axis_angle(mean.mT @ rotations)
    flat = found.flatten(1)
    covariance = torch.cov(flat.T) + LEAST_SPREAD**2 * torch.eye(flat.shape[1]).to(flat)
    lower, upper = found.amin(dim=0) - MARGIN, found.amax(dim=0) + MARGIN
    prior = JointPrior(mean, flat.mean(dim=0), torch.linalg.inv(covariance), lower, upper)
    return prior.to(torch.zeros(0, dtype=torch.float32))


def body_samples(generator: torch.Generator) -> torch.Tensor:
    """Left and right alike: each sample also in the mirror."""
    pose = PosePrior.load().sample(SAMPLES // 2, generator)
    pose = torch.cat([pose, mirror_pose(pose)]).double()
    return axis_angle_to_matrix(pose.unflatten(1, (-1, 3)))[:, 1:]


def hand_samples(generator: torch.Generator) -> torch.Tensor:
    prior = HandPosePrior.load()
    fingers = prior.sample(SAMPLES, generator)[:, 3:] + prior.mean
    return axis_angle_to_matrix(fingers.double().unflatten(1, (-1, 3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=FILES["body"].parent, help="folder (default: asset/pose_prior)")
    folder = parser.parse_args().output
    body = fit(body_samples(torch.Generator().manual_seed(0)))
    for name in COLLARS:
        row = SMPL.joints.index(name) - 1
        body.lower[row], body.upper[row] = -COLLAR_RANGE, COLLAR_RANGE
    for name in HANDS:
        row = SMPL.joints.index(name) - 1
        body.mean[row], body.lower[row], body.upper[row] = torch.eye(3), 0.0, 0.0
    hand = fit(hand_samples(torch.Generator().manual_seed(0)))
    for kind, prior in (("body", body), ("hand", hand)):
        prior.save(folder / FILES[kind].name)
        print(f"{folder / FILES[kind].name}: {len(prior.mean)} joints")


if __name__ == "__main__":
    main()
