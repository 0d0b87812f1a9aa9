"""Who is who from frame to frame: track numbers for detections that have none."""

from dataclasses import dataclass, replace

import numpy as np

from .missing import JOINT_SCORE, missing_joints
from .people import Frame, PoseSequence

_MOMENTUM = 0.6  # share of the newest displacement in a track's velocity


@dataclass
class _Track:
    """A person seen before: the newest pose, where it heads, and when it was seen.

    Joints out of sight move on with the person. Without them, somebody of whom another person leaves two or three
    joints visible would have no place, and after the two have crossed their numbers would be swapped.
    """

    number: int
    left: bool  # a left hand
    pose: np.ndarray  # (J, 2), NaN for joints that were never seen
    velocity: np.ndarray  # (2,) pixels per frame
    frame: int

    def expected(self, frame: int) -> np.ndarray:
        return self.pose + self.velocity * (frame - self.frame)

    def update(self, pose: np.ndarray, frame: int) -> None:
        moved = (pose - self.pose)[np.isfinite(pose - self.pose).all(axis=1)]
        if len(moved):
            step = np.median(moved, axis=0) / (frame - self.frame)
            self.velocity = (1 - _MOMENTUM) * self.velocity + _MOMENTUM * step
        self.pose, self.frame = np.where(np.isnan(pose), self.expected(frame), pose), frame


def assign_tracks(
    sequence: PoseSequence, max_distance: float = 0.4, max_gap: int = 15, joint_score: float = JOINT_SCORE
) -> PoseSequence:
    """The sequence with track numbers.

    Each frame's people are matched to the tracks so far by the smallest sum of costs (Hungarian algorithm). The cost is
    the mean distance of the joints that both show, the track moved on at its latest velocity, in units of the larger
    box's longer side; 1 - IoU of the boxes where no joint is shared. People too far from every track start a new one;
    left hands only follow left ones.

    Args:
        sequence: frames in order of time. Numbers that the detector gave are kept when all frames have them.
        max_distance: largest cost of a match.
        max_gap: frames after which an unseen track ends.
        joint_score: largest score of a missing joint, which does not count.

    Returns:
        the same poses; numbers start at 0 in order of appearance.
    """
    if all(frame.tracks is not None for frame in sequence.frames):
        return sequence
    tracker = Tracker(max_distance, max_gap, joint_score)
    return replace(sequence, frames=[tracker(number, frame) for number, frame in enumerate(sequence.frames)])


class Tracker:
    """Follows people from frame to frame; arguments and costs are those of ``assign_tracks``.

    Memory is that of the people of the last ``max_gap`` frames.
    """

    def __init__(self, max_distance: float = 0.4, max_gap: int = 15, joint_score: float = JOINT_SCORE):
        self._max_distance, self._max_gap, self._joint_score = max_distance, max_gap, joint_score
        self._active: list[_Track] = []
        self._count = 0

    def __call__(self, number: int, frame: Frame) -> Frame:
        """The frame with track numbers; ``number`` grows from call to call."""
        from scipy.optimize import linear_sum_assignment  # slow to import, for videos only

        active = self._active = [track for track in self._active if number - track.frame <= self._max_gap]
        missing = missing_joints(frame.poses, self._joint_score)
        poses = np.where(missing[..., None], np.nan, frame.poses[..., :2].astype(np.float64))
        numbers = np.full(len(poses), -1, dtype=np.int64)
        cost = match_costs(poses, np.array([track.expected(number) for track in active]).reshape(-1, *poses.shape[1:]))
        left = np.zeros(len(poses), bool) if frame.left is None else frame.left
        cost[left[:, None] != np.array([track.left for track in active], bool)] = np.inf
        for person, place in zip(*linear_sum_assignment(np.minimum(cost, 2 * self._max_distance))):
            if cost[person, place] <= self._max_distance:
                active[place].update(poses[person], number)
                numbers[person] = active[place].number
        for person in np.flatnonzero(numbers < 0):
            numbers[person] = self._count
            if not missing[person].all():
                active.append(_Track(self._count, bool(left[person]), poses[person], np.zeros(2), number))
            self._count += 1
        return replace(frame, tracks=numbers)


def match_costs(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How little two groups of people resemble each other.

    Args:
        poses: (N, J, 2) and others (M, J, 2) pixels, NaN where missing.

    Returns:
        (N, M) see ``assign_tracks``; infinite where one of the two shows nothing.
    """
    distance = np.linalg.norm(poses[:, None] - others[None], axis=3)
    shared = np.isfinite(distance).sum(axis=2)
    boxes, other_boxes = _boxes(poses), _boxes(others)
    size = np.maximum(_longer_side(boxes)[:, None], _longer_side(other_boxes)[None])
    mean = np.nansum(distance, axis=2) / np.maximum(shared, 1)
    with np.errstate(invalid="ignore"):
        overlap = box_iou(boxes, other_boxes)
        cost = np.where(shared > 0, mean / np.maximum(size, 1e-6), 1 - overlap)
    return np.where(np.isfinite(cost), cost, np.inf)


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4): left, top, right, bottom."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(group[:, 2:] - group[:, :2], axis=1) for group in (boxes, others)]
    return inside / np.maximum(areas[0][:, None] + areas[1][None] - inside, 1e-6)


def _boxes(poses: np.ndarray) -> np.ndarray:
    """(N, 4) left, top, right, bottom of the joints (N, J, 2) that are not NaN; NaN where all are."""
    seen = np.isfinite(poses).all(axis=2)
    low = np.where(seen[..., None], poses, np.inf).min(axis=1)
    high = np.where(seen[..., None], poses, -np.inf).max(axis=1)
    return np.where(seen.any(axis=1)[:, None], np.concatenate([low, high], axis=1), np.nan)


def _longer_side(boxes: np.ndarray) -> np.ndarray:
    return np.max(boxes[:, 2:] - boxes[:, :2], axis=1, initial=0.0)
