"""From a detector's frame to the poses that are lifted: joints mapped, people filtered, gaps filled."""

from dataclasses import dataclass, replace

import numpy as np

from lib.demo.options import DemoOptions
from lib.joints.lookup import get_joint_set
from lib.poses import Frame, complete, filter_people, map_pose, missing_joints


@dataclass(frozen=True)
class Selection:
    """The people of a frame that are lifted.

    Attributes:
        poses: (N, J, 2) float64 pixels.
        scores: (N, J) of the detector; 0 for joints that were filled.
        filled: (N, J) joints that were filled.
        rows: (N,) number of each person in the frame.
        tracks: (N,) track numbers; -1 where unknown.
        notes: who was left out and what was filled, in words.
    """

    poses: np.ndarray
    scores: np.ndarray
    filled: np.ndarray
    rows: np.ndarray
    tracks: np.ndarray
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def previous_of(self, tracks: np.ndarray | None) -> np.ndarray | None:
        """(M, J, 2) poses of the people with these track numbers; NaN for those who are not here."""
        if tracks is None:
            return None
        poses = np.full((len(tracks), *self.poses.shape[1:]), np.nan)
        place = {track: row for row, track in enumerate(self.tracks.tolist())}
        for row, track in enumerate(tracks.tolist()):
            if track in place:
                poses[row] = self.poses[place[track]]
        return poses

    def moved(self, poses: np.ndarray) -> "Selection":
        """The same people with other poses (N, J, 2)."""
        return replace(self, poses=poses)


def select(
    frame: Frame,
    source: str,
    options: DemoOptions,
    image_size: tuple[int, int] | None = None,
    previous: Selection | None = None,
) -> Selection:
    """Whom to lift, and the poses to lift.

    Args:
        frame: people of one image, in the joints of ``source``.
        source: key of ``lib.poses.SOURCES``, or the user's own joint set.
        options: ``joint_set``, ``min_score`` and ``fill`` count.
        image_size: width and height where known.
        previous: the frame before, in a sequence.
    """
    joint_set, min_score = str(options.joint_set), options.min_score
    joints = get_joint_set(joint_set)
    mapped = map_pose(frame.poses, source, joint_set)
    reasons = filter_people(mapped, joint_set, min_score)
    before = previous.previous_of(frame.tracks) if previous is not None else None
    result = complete(mapped, joint_set, min_score, before, image_size)
    if not options.fill:
        gone = missing_joints(mapped, min_score, image_size).sum(axis=1)
        reasons = [
            why or (f"{n} joint(s) missing, not filled as asked" if n else None) for why, n in zip(reasons, gone)
        ]
    reasons = [why or refused for why, refused in zip(reasons, result.refused)]
    keep = np.array([reason is None for reason in reasons], dtype=bool)
    names = np.array(joints.joints)
    notes = []
    for person, reason in enumerate(reasons):
        filled = result.filled[person, : joints.keypoint_num]
        if reason is not None:
            notes.append(f"person {person} left out: {reason}")
        elif filled.any():
            listed = ", ".join(names[: joints.keypoint_num][filled])
            notes.append(f"person {person}: {filled.sum()} missing joint(s) filled: {listed}")
    scores = np.where(result.filled, 0.0, np.nan_to_num(mapped[..., 2]))
    tracks = np.full(len(keep), -1) if frame.tracks is None else frame.tracks
    return Selection(
        result.poses[keep], scores[keep], result.filled[keep], np.flatnonzero(keep), tracks[keep], tuple(notes)
    )
