"""Body and hand pose priors: determinism, limits, statistics against the open benchmark, the mixture's mathematics."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.build import fit_prior
from lib.body.hand_prior import _FINGERS, HandPosePrior
from lib.body.pose_prior import (
    DRIVEN,
    FEATURES,
    STILL,
    STILL_LIMIT,
    PosePrior,
    lean_of,
    mirror_pose,
    mixture_log_density,
)
from lib.body.rotation import axis_angle_to_matrix
from lib.joints.tables import SMPL

JOINT = {name: index for index, name in enumerate(SMPL.joints)}


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    return PosePrior.load()


@pytest.fixture(scope="module")
def hand() -> HandPosePrior:
    return HandPosePrior.load()


@pytest.fixture(scope="module")
def poses(prior) -> torch.Tensor:
    return prior.sample(4000, generator(0))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_body_samples_depend_on_the_generator_only(prior):
    state = torch.random.get_rng_state()
    first = prior.sample(16, generator(1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, prior.sample(16, generator(1)))
    assert not torch.equal(first, prior.sample(16, generator(2)))
    assert (first.shape, first.dtype) == ((16, 72), torch.float32)


def test_body_samples_have_no_heading(poses):
    rotations = axis_angle_to_matrix(poses.view(-1, 24, 3))
    np.testing.assert_allclose(torch.linalg.det(rotations).numpy(), 1.0, atol=1e-5)
    root = Rotation.from_rotvec(poses[:, :3].double().numpy())
    heading_and_lean = (root * Rotation.from_rotvec([np.pi / 2, 0, 0]).inv()).as_quat()
    # upside down bodies have no heading of their own
    upright = np.abs(heading_and_lean[:, 3]) > 0.1
    assert upright.mean() > 0.99
    np.testing.assert_allclose(heading_and_lean[upright, 2], 0.0, atol=1e-5)
    up = root.apply([0, 1, 0])[:, 2]
    assert np.median(up) > 0.95


def test_body_samples_stay_within_the_joints_limits(prior, poses):
    bodies = poses.view(-1, 24, 3)
    assert bodies[:, STILL].abs().max() <= STILL_LIMIT + 1e-6
    # each sample, or its mirror image, lies within the limits of the fit
    inside = []
    for pose in (poses, mirror_pose(poses)):
        features = prior.encode(pose)
        inside.append(((features >= prior.lower - 1e-3) & (features <= prior.upper + 1e-3)).all(dim=1))
    assert (inside[0] | inside[1]).float().mean() > 0.995
    # hinges bend one way: knees backwards (about +x), elbows forwards (left about -y, right about +y)
    for knee in ("L_Knee", "R_Knee"):
        assert torch.rad2deg(bodies[:, JOINT[knee], 0]).quantile(0.005) > -15
    assert torch.rad2deg(bodies[:, JOINT["L_Elbow"], 1]).quantile(0.995) < 25
    assert torch.rad2deg(bodies[:, JOINT["R_Elbow"], 1]).quantile(0.005) > -25


def test_body_samples_are_symmetric_in_distribution(poses):
    mirrored = mirror_pose(poses)
    np.testing.assert_allclose(poses.mean(0), mirrored.mean(0), atol=0.08)
    np.testing.assert_allclose(poses.std(0), mirrored.std(0), atol=0.06)
    assert torch.equal(mirror_pose(mirrored), poses)


def test_body_samples_resemble_real_motion(poses):
    """Spread of the joint angles against the benchmark, whose persons the prior has never seen."""
    from data.build.make_benchmark import DEFAULT_OUTPUT
    from data.build.pose_distance import heading_free_joints, thin
    from data.convert.cmu_bvh import DEFAULT_BODY, read_rest_joints

    with np.load(DEFAULT_OUTPUT, allow_pickle=False) as rows:
        real = rows["poses"].astype(np.float32)
    # the prior was fitted to poses that are this far apart, so that walking does not outweigh the rest
    real = torch.from_numpy(real[thin(heading_free_joints(real, read_rest_joints(DEFAULT_BODY)), 0.04)])
    driven = [joint for joint in DRIVEN if SMPL.joints[joint] not in ("L_Toe", "R_Toe")]
    angles = [x.view(-1, 24, 3)[:, driven].norm(dim=-1) for x in (poses, real)]
    medians = [angle.median(dim=0).values for angle in angles]
    assert (medians[0] - medians[1]).abs().max() < 0.30  # radians
    ratio = angles[0].std(dim=0) / angles[1].std(dim=0)
    assert ratio.min() > 0.5
    assert ratio.max() < 2.0


def test_encode_and_decode_are_inverse(prior):
    rng = generator(3)
    features = prior.lower + (prior.upper - prior.lower) * torch.rand(64, FEATURES, generator=rng)
    pose = prior.decode(features)
    np.testing.assert_allclose(prior.decode(prior.encode(pose)), pose, atol=2e-3)
    outside = prior.decode(features + 100.0)
    np.testing.assert_allclose(outside, prior.decode(prior.upper.expand(64, -1)), atol=1e-5)


def test_lean_ignores_heading():
    rng = np.random.default_rng(5)
    lean = np.concatenate([rng.uniform(-1.5, 1.5, (20, 2)), np.zeros((20, 1))], axis=1)
    upright = Rotation.from_rotvec([np.pi / 2, 0, 0])
    for heading in (0.0, 2.5, -3.0):
        root = Rotation.from_rotvec([0, 0, heading]) * Rotation.from_rotvec(lean) * upright
        found = lean_of(torch.from_numpy(root.as_matrix()))
        np.testing.assert_allclose(found, lean[:, :2], atol=1e-6)
    # a handstand has none, and must not divide by zero
    assert lean_of(torch.from_numpy((Rotation.from_rotvec([np.pi, 0, 0]) * upright).as_matrix())[None]).isfinite().all()


def test_mirror_image():
    """Mirroring a pose mirrors the posed joints (the body's rest joints are symmetric)."""
    from data.build.pose_distance import heading_free_joints

    rest = np.random.default_rng(6).normal(size=(24, 3))
    order = list(range(24))
    for a, b in SMPL.flip_pairs:
        order[a], order[b] = b, a
    rest = 0.5 * (rest + rest[order] * [-1, 1, 1])
    pose = 0.5 * torch.randn(8, 72, generator=generator(7))
    joints, mirrored = (heading_free_joints(p.double().numpy(), rest) for p in (pose, mirror_pose(pose)))
    np.testing.assert_allclose(mirrored, joints[:, order] * [-1, 1, 1], atol=1e-6)


def test_mixture_log_density_is_that_of_the_formula():
    rng = generator(8)
    points, means = torch.randn(5, 3, generator=rng).double(), torch.randn(2, 3, generator=rng).double()
    weights = torch.tensor([0.3, 0.7]).double()
    cholesky = torch.tril(torch.randn(2, 3, 3, generator=rng).double()) + 2 * torch.eye(3).double()
    covariance = cholesky @ cholesky.mT
    away = points[:, None] - means
    squares = torch.einsum("bki,kij,bkj->bk", away, torch.linalg.inv(covariance), away)
    parts = weights.log() - 0.5 * (squares + torch.logdet(2 * torch.pi * covariance))
    np.testing.assert_allclose(mixture_log_density(points, weights, means, cholesky, True), parts, rtol=1e-12)
    expected = torch.logsumexp(parts, dim=1)
    np.testing.assert_allclose(mixture_log_density(points, weights, means, cholesky), expected, rtol=1e-12)


def test_expectation_maximisation_finds_the_clusters():
    rng = generator(9)
    centres = torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 9.0]]).double()
    share = torch.tensor([0.2, 0.3, 0.5])
    spread = torch.tensor([[1.0, 0.3], [0.3, 0.5]]).double()
    owner = torch.multinomial(share, 6000, replacement=True, generator=rng)
    noise = torch.randn(6000, 2, generator=rng).double() @ torch.linalg.cholesky(spread).T
    weights, means, cholesky = fit_prior.fit_mixture(centres[owner] + noise, 3, 1.0, rng)
    order = torch.cdist(centres, means).argmin(dim=1)
    np.testing.assert_allclose(means[order], centres, atol=0.1)
    np.testing.assert_allclose(weights[order], share, atol=0.02)
    np.testing.assert_allclose(cholesky @ cholesky.mT, spread.expand(3, 2, 2), atol=0.1)


def test_fit_save_and_load(prior, tmp_path):
    """A prior fitted to samples of the shipped one likes them better than a lone Gaussian does."""
    data, fresh = prior.sample(3000, generator(10)), prior.sample(500, generator(11))
    few, many = (fit_prior.fit_prior(data, latent=12, components=k, strength=30.0, spread=1.0, seed=0) for k in (1, 6))
    assert many.log_density(fresh).mean() > few.log_density(fresh).mean() + 0.3
    assert torch.equal(many.scale, fit_prior.feature_weights())
    path = tmp_path / "prior.npz"
    many.save(path)
    again = PosePrior.load(path)
    np.testing.assert_allclose(again.log_density(fresh), many.log_density(fresh), atol=0.05)
    np.testing.assert_allclose(again.sample(8, generator(1)), many.sample(8, generator(1)), atol=0.02)


def test_mean_rotation_of_poses_around_one():
    centre = torch.randn(24, 3, generator=generator(12))
    centre = centre / centre.norm(dim=1, keepdim=True) * 1.2
    away = 0.3 * torch.randn(2000, 24, 3, generator=generator(13))
    away = torch.cat([away, -away])
    turned = axis_angle_to_matrix(centre) @ axis_angle_to_matrix(away)
    pose = torch.from_numpy(Rotation.from_matrix(turned.view(-1, 3, 3).double().numpy()).as_rotvec()).view(-1, 72)
    np.testing.assert_allclose(fit_prior.mean_rotations(pose.float()), centre[list(DRIVEN)], atol=1e-3)


def test_missing_or_damaged_prior_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="fit_prior"):
        PosePrior.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError, match="open hand"):
        HandPosePrior.load(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    np.savez(broken, weights=np.ones(3))
    with pytest.raises(ValueError, match="mean_rotations"):
        PosePrior.load(broken)
    with pytest.raises(ValueError, match="v_template"):
        HandPosePrior.load(broken)


def test_hand_samples_depend_on_the_generator_only(hand):
    first = hand.sample(16, generator(1))
    assert torch.equal(first, hand.sample(16, generator(1)))
    assert not torch.equal(first, hand.sample(16, generator(2)))
    assert (first.shape, first.dtype) == ((16, 48), torch.float32)


def test_hand_orientation_is_uniform(hand):
    turns = axis_angle_to_matrix(hand.sample(4000, generator(3))[:, :3])
    # of uniform rotations every matrix entry has mean 0 and variance 1/3
    np.testing.assert_allclose(turns.mean(dim=0), np.zeros((3, 3)), atol=0.04)
    np.testing.assert_allclose(turns.var(dim=0), np.full((3, 3), 1 / 3), atol=0.02)


def test_fingers_bend_within_the_range_of_motion(hand):
    pose = hand.sample(4000, generator(4))
    fingers = (pose[:, 3:] + hand.mean).view(-1, 15, 3)
    flexion = torch.rad2deg((fingers * hand.flexion[1:]).sum(dim=-1))
    for finger in ("index", "middle", "ring", "little"):
        knuckle, middle, end = (flexion[:, joint - 1] for joint in _FINGERS[finger])
        assert knuckle.min() > -16
        assert knuckle.max() < 91
        assert middle.min() > -6
        assert middle.max() < 111
        assert end.min() > -9
        assert end.max() < 81
        # middle and end joint are hinges
        for joint in _FINGERS[finger][1:]:
            off_axis = (
                fingers[:, joint - 1] - (fingers[:, joint - 1] @ hand.flexion[joint])[:, None] * hand.flexion[joint]
            )
            assert off_axis.abs().max() < 1e-3
        # straight and closed fingers both occur
        assert (middle < 15).float().mean() > 0.1
        assert (middle > 75).float().mean() > 0.1


def test_flexion_brings_fingertips_towards_the_palm(hand):
    for row, (finger, joints) in enumerate(_FINGERS.items()):
        turned = axis_angle_to_matrix(0.5 * hand.flexion[joints[2]]) @ hand.tips[row]
        if finger == "thumb":
            assert turned[2] < hand.tips[row][2]  # across the palm, away from the thumb's side
        else:
            assert turned[1] < hand.tips[row][1]


def test_thumb_and_fingers_rarely_meet(hand):
    pose = hand.sample(2000, generator(5))
    fingers = axis_angle_to_matrix((pose[:, 3:] + hand.mean).view(-1, 15, 3))
    wrist = torch.eye(3).expand(len(pose), 1, 3, 3)
    clearance = hand.clearance(torch.cat([wrist, fingers], dim=1))
    assert (clearance < 0.013).float().mean() < 0.01
    flat = hand.clearance(torch.eye(3).expand(1, 16, 3, 3))
    assert 0.03 < flat < 0.2
