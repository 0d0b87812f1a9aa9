"""Which of the people in an image are worth a mesh: enough confident joints, and nobody twice."""

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

from .missing import JOINT_SCORE

PERSON_SCORE = 1.5  # people whose scores sum to less are left out, as in the original demo
DUPLICATE_DISTANCE = 20.0  # pixels, the original's, for people of the sizes that its pictures show:
USUAL_SIZES = 200.0, 800.0  # pixels; smaller and larger ones differ in proportion


def filter_people(
    poses: np.ndarray,
    joint_set: str | JointSet,
    joint_score: float = JOINT_SCORE,
    person_score: float = PERSON_SCORE,
    duplicate_distance: float = DUPLICATE_DISTANCE,
) -> list[str | None]:
    """Why each person should be left out, as the original's demo decides.

    A person whose scores sum to less than ``person_score`` is left out; so is one who lies on a person kept earlier in
    the list: mean of |dx| and |dy| over the joints that both show below ``duplicate_distance``. Unlike the original,
    this distance is for people whose longer side is 200 to 800 pixels, and proportional to it below and above (by
    default 10 % and 2.5 % of it; the larger one of the two counts): small people side by side are not the same.

    Unlike in the original, a person who shares no visible joint with a kept one stays, as nothing says that they are
    the same, and equal coordinates count as a distance of 0.

    Args:
        poses: (N, J, 3) x, y in pixels and score, all joints of the set; NaN scores count as 0.
        joint_set: see ``lib.joints.lookup.get_joint_set``. A derived joint counts with the product of the two scores it
            comes from.
        joint_score: largest score of a missing joint.
        person_score: smallest sum over all joints.
        duplicate_distance: pixels, of people of usual size.

    Returns:
        the reason per person, None for those to keep.
    """
    scores = np.nan_to_num(poses[..., 2].astype(np.float64))
    for joint, (a, b) in get_joint_set(joint_set).derived:
        scores[:, joint] = scores[:, a] * scores[:, b]
    visible = (scores > joint_score) & np.isfinite(poses[..., :2]).all(axis=2)
    points = np.where(visible[..., None], poses[..., :2].astype(np.float64), 0.0)
    sizes = _sizes(points, visible)
    reasons: list[str | None] = []
    kept: list[int] = []
    for person, total in enumerate(scores.sum(axis=1)):
        reason = None
        if total < person_score:
            reason = f"scores sum to {total:.2f}, less than {person_score:g}"
        elif kept:
            both = visible[person] & visible[kept]
            apart = (np.abs(points[person] - points[kept]).mean(axis=2) * both).sum(axis=1)
            shared = both.sum(axis=1)
            limit = duplicate_distance * _share(np.maximum(sizes[person], sizes[kept]))
            same = np.flatnonzero((shared > 0) & (apart < limit * shared))
            if len(same):
                first = same[0]
                reason = f"the same as person {kept[first]}: {apart[first] / shared[first]:.1f} pixels apart"
        if reason is None:
            kept.append(person)
        reasons.append(reason)
    return reasons


def duplicates(pose: np.ndarray, others: np.ndarray) -> bool:
    """Whether a person (J, 2) lies on one of others (N, J, 2), all joints of all known; see ``filter_people``."""
    visible = np.ones(others.shape[:2], bool)
    sizes = np.maximum(np.ptp(pose, axis=0).max(), _sizes(others, visible))
    return bool((np.abs(others - pose).mean(axis=(1, 2)) < DUPLICATE_DISTANCE * _share(sizes)).any())


def _sizes(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(N,) longer sides of the boxes of visible (N, J) joints (N, J, 2); 0 where none is."""
    low = np.where(visible[..., None], points, np.inf).min(axis=1)
    high = np.where(visible[..., None], points, -np.inf).max(axis=1)
    return np.where(visible.any(axis=1), (high - low).max(axis=1), 0.0)


def _share(sizes: np.ndarray) -> np.ndarray:
    """What people of these sizes have of the distance of usual ones."""
    smallest, largest = USUAL_SIZES
    return np.minimum(sizes / smallest, 1) * np.maximum(sizes / largest, 1)
