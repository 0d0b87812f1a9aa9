"""Missing joints: which ones count as missing, how they are filled, when a person is refused.

The policy:

1. A joint is missing when a coordinate is NaN or infinite, when it lies at exactly (0, 0), when its score is at most
   the threshold, when it lies outside the image by more than the image's size, or when it is much further from the
   person than limbs reach (``STRAY``).
2. A person is refused, with the reason, when more than half of the joints are missing or when the trunk is gone: fewer
   than two of shoulders and hips, or of a hand's wrist and knuckles.
3. Any other missing joint is filled from the visible ones: a linear regression on the sample poses
   (``asset/pose_samples``) most like the person. It uses what bones, symmetry and typical posture tell at once.
4. In a sequence the joint keeps the offset from that estimate it had in the frame before, fading out, as long as the
   person did not jump: no flicker at the first missing frame, no drift in long gaps.

``lib/poses/README.md`` has the measured errors.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

import numpy as np

from lib.geometry.mirror import mirror_points
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.sources import JointSource

from .samples import sample_poses, sampled_joints

JOINT_SCORE = 0.1  # scores up to this are missing joints, as in the original demo
TRUNK = {
    "body": ("L_Shoulder", "R_Shoulder", "L_Hip", "R_Hip"),
    "hand": ("Wrist", "Index_1", "Middle_1", "Ring_1", "Pinky_1"),
}
TRUNK_NEEDED = 2
SMALLEST = 2.0  # pixels; a person of that size is a point
STRAY = 10.0  # times the median distance to the person's middle; 7.2 is the largest in the open benchmark
NEIGHBOURS = 400
RIDGE = 0.01
_CHUNK = 128  # people per block; bounds the memory
_FADE = 0.9  # per frame
_JUMP = 0.5  # of the person's size


@dataclass(frozen=True)
class Completion:
    """Poses without gaps.

    Attributes:
        poses: (N, J, 2) float64 pixels; rows of refused people hold NaN where nothing is known.
        filled: (N, J) joints that were filled; derived joints count when one they come from does.
        refused: reason per person, None for those that can be used.
    """

    poses: np.ndarray
    filled: np.ndarray
    refused: list[str | None]

    @property
    def usable(self) -> np.ndarray:
        """(N,) people that were not refused."""
        return np.array([reason is None for reason in self.refused], dtype=bool)


def missing_joints(
    poses: np.ndarray, joint_score: float = JOINT_SCORE, image_size: tuple[int, int] | None = None
) -> np.ndarray:
    """Joints that count as missing.

    Args:
        poses: (N, J, 3) x, y in pixels and score.
        joint_score: largest score of a missing joint.
        image_size: width and height, where known.

    Returns:
        (N, J) bool.
    """
    points, scores = poses[..., :2], poses[..., 2]
    missing = ~np.isfinite(points).all(axis=2) | (points == 0).all(axis=2) | ~(scores > joint_score)
    if image_size is not None:
        missing |= ((points < np.negative(image_size)) | (points > 2 * np.asarray(image_size))).any(axis=2)
    visible = np.where(missing[..., None], np.nan, points)
    distance = np.linalg.norm(visible - _nan_median(visible, axis=1), axis=2)
    with np.errstate(invalid="ignore"):
        return missing | (distance > STRAY * np.maximum(_nan_median(distance, axis=1), 1e-6))


def complete(
    poses: np.ndarray,
    joint_set: str | JointSet,
    joint_score: float = JOINT_SCORE,
    previous: np.ndarray | None = None,
    image_size: tuple[int, int] | None = None,
    left: np.ndarray | None = None,
) -> Completion:
    """Fill missing joints or refuse the person; see the policy above.

    Args:
        poses: (N, J, 3) x, y in pixels and score, all joints of the set.
        joint_set: see ``lib.joints.lookup.get_joint_set``.
        joint_score: largest score of a missing joint.
        previous: (N, J, 2) the same people's completed poses in the frame before; NaN for those who were not there.
        image_size: width and height, where known.
        left: (N,) bool, who is a left hand: the sample poses are of right ones; None: nobody is.

    Raises:
        ValueError: wrong shape or unknown joint set.
    """
    joints = get_joint_set(joint_set)
    if poses.ndim != 3 or poses.shape[1:] != (joints.joint_num, 3):
        raise ValueError(f"expected poses (N, {joints.joint_num}, 3) of joint set {joints.name!r}, got {poses.shape}")
    missing = missing_joints(poses, joint_score, image_size)
    points = np.where(missing[..., None], np.nan, poses[..., :2].astype(np.float64))
    for joint, parts in joints.derived:
        missing[:, joint] = missing[:, parts].any(axis=1)
        between = np.where(np.isnan(points[:, joint]), points[:, parts].mean(axis=1), points[:, joint])
        points[:, joint] = np.where(missing[:, joint, None], np.nan, between)
    refused = [_refusal(joints, gone) for gone in missing]
    usable = np.array([reason is None for reason in refused], dtype=bool)
    known = joints.keypoint_num
    chosen = usable & missing[:, :known].any(axis=1)
    if chosen.any():
        before = None if previous is None else np.asarray(previous, dtype=np.float64)[chosen, :known]
        full = points[chosen]
        mirrored = np.zeros(len(full), bool) if left is None else np.asarray(left)[chosen]
        before = None if before is None else mirror_points(before, mirrored)
        filled = _filled(mirror_points(full[:, :known], mirrored), missing[chosen, :known], joints, before)
        full[:, :known] = mirror_points(filled, mirrored)
        for joint, (a, b) in joints.derived:
            replace = missing[chosen, joint]
            full[replace, joint] = (full[replace, a] + full[replace, b]) / 2
        points[chosen] = full
    for person in np.flatnonzero(usable):
        size = np.ptp(points[person], axis=0)
        if size.min() < SMALLEST:
            refused[person] = "{:.3g} x {:.3g} in size, joints must be spread over at least {:g} pixels".format(
                *size, SMALLEST
            )
            usable[person] = False
    return Completion(points, missing & usable[:, None], refused)


def _refusal(joints: JointSet, missing: np.ndarray) -> str | None:
    """Why a person with these missing joints (J,) cannot be used; None when the person can."""
    gone = np.flatnonzero(missing[: joints.keypoint_num])
    if not len(gone):
        return None
    if len(gone) > joints.keypoint_num // 2:
        return f"{len(gone)} of {joints.keypoint_num} joints missing, more than half"
    sampled = sampled_joints(joints)
    unknown = [joints.joints[joint] for joint in gone if not sampled[joint]]
    if unknown:
        return (
            f"{', '.join(unknown)} missing, and no sample pose tells where: {joints.name} defines them by vertices; "
            "data/build/make_pose_samples.py --joint_set would draw samples"
        )
    trunk = trunk_joints(joints)
    seen = [joint for joint in trunk if not missing[joint]]
    needed = min(TRUNK_NEEDED, len(trunk))
    if len(seen) < needed:
        names = ", ".join(joints.joints[joint] for joint in trunk)
        return f"only {len(seen)} of {names} visible, {needed} are needed"
    return None


def trunk_joints(joints: JointSet) -> list[int]:
    """The trunk's joints that a set has, by their names or as the built-in sets' joints that they are defined by."""
    names = [
        {name, *(part.partition(".")[2] for part in source.mean if len(source.mean) == 1)}
        for name, source in zip_longest(joints.joints, joints.sources, fillvalue=JointSource())
    ]
    places = ([joint for joint, known in enumerate(names) if trunk in known] for trunk in TRUNK[joints.body])
    return [found[0] for found in places if found]


def _filled(points: np.ndarray, missing: np.ndarray, joints: JointSet, before: np.ndarray | None) -> np.ndarray:
    """(P, J, 2) keypoints with their gaps filled, people grouped by which joints are missing."""
    result = points.copy()
    sampled = sampled_joints(joints)
    patterns, members = np.unique(missing, axis=0, return_inverse=True)
    for number, gone in enumerate(patterns):
        people = np.flatnonzero(members.ravel() == number)
        samples, seen = _split_samples(joints, gone.tobytes()), ~gone & sampled
        for part in np.split(people, range(_CHUNK, len(people), _CHUNK)):
            estimate = _regressed(points[part][:, seen], *samples)
            if before is not None:
                near = _stayed(points[part], before[part], gone)
                rows = part[near]
                if len(rows):
                    offset = before[rows][:, gone] - _regressed(before[rows][:, seen], *samples)
                    estimate[near] += _FADE * offset
            result[np.ix_(part, np.flatnonzero(gone))] = estimate
    return result


def _regressed(visible: np.ndarray, seen: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Missing joints (P, M, 2) of people with visible joints (P, V, 2).

    Locally weighted ridge regression in a frame that is centred and scaled by the visible joints.

    Args:
        seen, hidden: (S, 2V) and (S, 2M), see ``_split_samples``.
    """
    centre, scale = _frame(visible)
    inputs = ((visible - centre) / scale).reshape(len(visible), -1)
    distance = np.square(inputs).sum(1)[:, None] + np.square(seen).sum(1) - 2 * inputs @ seen.T
    count = min(NEIGHBOURS, len(seen))
    near = np.argpartition(distance, count - 1, axis=1)[:, :count]
    weight = np.take_along_axis(distance, near, axis=1)
    weight = np.exp(-2 * weight / np.maximum(weight.max(axis=1, keepdims=True), 1e-12))[..., None]
    weight /= weight.sum(axis=1, keepdims=True)
    x, y = seen[near], hidden[near]
    x_mean, y_mean = (weight * x).sum(axis=1, keepdims=True), (weight * y).sum(axis=1, keepdims=True)
    x, y = x - x_mean, y - y_mean
    weighted = (weight * x).swapaxes(1, 2)
    normal = weighted @ x
    ridge = RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] / normal.shape[1]
    slope = np.linalg.solve(normal + (ridge + 1e-9) * np.eye(normal.shape[1]), weighted @ y)
    estimate = y_mean + (inputs[:, None] - x_mean) @ slope
    return estimate.reshape(len(visible), -1, 2) * scale + centre


def _frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle (N, 1, 2) and root mean square extent (N, 1, 1) of points (N, V, 2)."""
    centre = points.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(points - centre).sum(axis=2).mean(axis=1))
    return centre, np.maximum(scale, 1e-6)[:, None, None]


def _stayed(points: np.ndarray, before: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """(P,) people whose visible joints are near where they were one frame before, and who were complete then."""
    _, scale = _frame(points[:, ~gone])
    moved = np.linalg.norm(points - before, axis=2)[:, ~gone].max(axis=1)
    with np.errstate(invalid="ignore"):
        return np.isfinite(before).all(axis=(1, 2)) & (moved < _JUMP * scale[:, 0, 0])


def _nan_median(values: np.ndarray, axis: int) -> np.ndarray:
    """Median of the finite values along an axis, kept with length 1; NaN where there are none, without a warning."""
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=axis)  # NaN comes last
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.maximum(count // 2, 0).clip(max=values.shape[axis] - 1), axis=axis)
    return (low + high) / 2


@lru_cache(maxsize=64)
def _split_samples(joints: JointSet, gone: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Sample keypoints that are visible (S, 2V) and missing (S, 2M), in the frame of the visible ones.

    Joints without samples are in neither.

    Kept for the frames of a sequence, in which the same joints go missing again and again.

    Args:
        gone: (keypoints,) bool, as bytes so that it can be a key.
    """
    mask = np.frombuffer(gone, dtype=bool)
    samples, seen = sample_poses(joints)[:, : len(mask)], ~mask & sampled_joints(joints)
    centre, scale = _frame(samples[:, seen])
    samples = (samples - centre) / scale
    return samples[:, seen].reshape(len(samples), -1), samples[:, mask].reshape(len(samples), -1)
