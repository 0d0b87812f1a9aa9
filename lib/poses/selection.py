"""From a detector's people to poses that can be lifted: joints mapped, people filtered, gaps filled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

from .filters import PERSON_SCORE, filter_people
from .mapping import map_pose
from .missing import JOINT_SCORE, complete, missing_joints
from .sources import Source


@dataclass(frozen=True)
class Selection:
    """The B people of an image that can be lifted, of N who were found.

    Attributes:
        poses: (B, J, 2) float64 pixels.
        scores: (B, J) float32 of the detector; 0 for joints that were filled.
        filled: (B, J) bool, joints that were filled.
        kept: (B,) int64, the people's numbers among the N.
        tracks: (B,) int64 track numbers; -1 where unknown.
        carried: (B,) bool, who is not seen here, but between two frames (``lib.demo.carrying``); None when nobody is.
        left: (B,) bool, who is a left hand; None when nobody is.
        reasons: N entries: why a person was left out, None for those who are here.
        notes: who was left out and what was filled, in words.
    """

    poses: np.ndarray
    scores: np.ndarray
    filled: np.ndarray
    kept: np.ndarray
    tracks: np.ndarray
    reasons: tuple[str | None, ...] = ()
    notes: tuple[str, ...] = ()
    carried: np.ndarray | None = None
    left: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.poses)

    def poses_of(self, tracks: np.ndarray) -> np.ndarray:
        """(M, J, 2) poses of the people with these track numbers; NaN for those who are not here."""
        poses = np.full((len(tracks), *self.poses.shape[1:]), np.nan)
        place = {track: row for row, track in enumerate(self.tracks.tolist())}
        for row, track in enumerate(tracks.tolist()):
            if track in place:
                poses[row] = self.poses[place[track]]
        return poses


def select_people(
    poses: np.ndarray,
    source: str | Path | JointSet | Source,
    joint_set: str | JointSet,
    joint_score: float = JOINT_SCORE,
    person_score: float = PERSON_SCORE,
    image_size: tuple[int, int] | None = None,
    fill: bool = True,
    tracks: np.ndarray | None = None,
    previous: Selection | None = None,
    left: np.ndarray | None = None,
) -> Selection:
    """Whom to lift, and the poses to lift.

    People are left out whose scores are too small, who are there twice, or of whom too little is visible.

    Args:
        poses: (N, J', 3) x, y in pixels and score, or (N, J', 2), taken as certain.
        source: whose joints these are, see ``lib.poses.get_source``.
        joint_set: of the result, see ``lib.joints.lookup.get_joint_set``.
        joint_score: largest score of a missing joint.
        person_score: smallest sum of a person's scores.
        image_size: width and height, where known: joints far outside are missing.
        fill: fill missing joints; else people who miss some are left out.
        tracks: (N,) track numbers, where known.
        previous: the frame before, in a sequence.
        left: (N,) bool, who is a left hand; None: nobody is.

    Raises:
        ValueError: unknown source, a hand for a body, a wrong number of joints, or left hands where there are no
            hands.
    """
    joints = get_joint_set(joint_set)
    check_left(left, len(poses), joints)
    mapped = map_pose(poses, source, joints)
    before = None if previous is None or tracks is None else previous.poses_of(tracks)
    result = complete(mapped, joints, joint_score, before, image_size, left)
    reasons = filter_people(mapped, joints, joint_score, person_score)
    if not fill:
        gone = missing_joints(mapped, joint_score, image_size).sum(axis=1)
        reasons = [
            why or (f"{n} joint(s) missing, not filled as asked" if n else None) for why, n in zip(reasons, gone)
        ]
    reasons = [why or refused for why, refused in zip(reasons, result.refused)]
    kept = np.array([person for person, reason in enumerate(reasons) if reason is None], dtype=np.int64)
    filled = result.filled[kept]
    return Selection(
        result.poses[kept],
        np.where(filled, 0, mapped[kept, :, 2]),
        filled,
        kept,
        np.full(len(kept), -1) if tracks is None else tracks[kept],
        tuple(reasons),
        tuple(_notes(joints, reasons, result.filled)),
        left=None if left is None else np.asarray(left)[kept],
    )


def check_left(left: np.ndarray | None, count: int, joint_set: JointSet) -> None:
    """Raises ValueError where ``left`` does not say of ``count`` hands which ones are left."""
    if left is None:
        return
    if np.shape(left) != (count,) or np.asarray(left).dtype != bool:
        raise ValueError(f"expected left ({count},) of bool, got {np.shape(left)} of {np.asarray(left).dtype}")
    if joint_set.body != "hand" and np.any(left):
        raise ValueError(f"joint set {joint_set.name!r} is of a body, of which there is no left one")


def _notes(joints: JointSet, reasons: list[str | None], filled: np.ndarray) -> list[str]:
    """Lines for the user about those of N people who were left out or had joints (N, J) filled."""
    names = np.array(joints.joints[: joints.keypoint_num])  # the others are derived from these
    notes = []
    for person, (reason, row) in enumerate(zip(reasons, filled[:, : len(names)])):
        if reason is not None:
            notes.append(f"person {person} left out: {reason}")
        elif row.any():
            notes.append(f"person {person}: {row.sum()} missing joint(s) filled: {', '.join(names[row])}")
    return notes
