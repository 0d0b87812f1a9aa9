"""Another reading of the same numbers: the joints of another source, x and y exchanged, y pointing up.

How well a reading explains poses is their distance from the nearest of the sample poses (``asset/pose_samples``),
mapped to the joints that are wanted, centred and scaled alike: the root mean square distance of the joints, as a share
of the person's extent (the root mean square distance from the middle). Networks cannot tell: they explain most wrong
readings as well as right ones.

Which source fits is decided turned and mirrored freely, so neither lying people nor exchanged axes count; which axes
fit is decided upright, with the source that fits. People who do lie or stand on their heads cannot be told from wrong
axes, as a mirrored person is as plausible as the person; the words leave it to the user. Hands are seen any way up, so
their axes are not looked at. ``lib/poses/README.md`` has the measured rates.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

from .mapping import map_pose
from .missing import JOINT_SCORE, missing_joints
from .people import PoseSequence
from .samples import sample_poses
from .sources import SOURCES, Source, get_source

_MOST_PEOPLE = 16  # of a sequence, evenly spaced
_FEWEST_JOINTS = 8
_BAD, _GOOD = 0.45, 0.55  # smallest distance as read, and largest of a reading that is said to fit
_NOWHERE = 0.8  # smallest distance of poses that no reading explains; 0.75 is the largest of training poses
_FAR_BETTER = 0.75  # largest share of the distance that another source leaves
_FAR_BETTER_AXES = 0.6
AS_READ = "as read"  # a key of ``_AXES``
_AXES: dict[str, np.ndarray] = {
    AS_READ: np.eye(2),
    "exchanged": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "up": np.array([[1.0, 0.0], [0.0, -1.0]]),
    "exchanged, up": np.array([[0.0, 1.0], [-1.0, 0.0]]),
}  # x and y of the picture from the two numbers as read
_AXES_WORDS = {
    "exchanged": ("lie on their sides", "x and y are exchanged", "poses[..., :2] = poses[..., 1::-1]"),
    "up": ("are upside down", "y points up", "poses[..., 1] = height - poses[..., 1]"),
    "exchanged, up": (
        "lie on their sides",
        "the picture was turned, or x and y are exchanged and y points up",
        "poses[..., :2] = np.stack([poses[..., 1], height - poses[..., 0]], axis=-1)",
    ),
}


@dataclass(frozen=True)
class Reading:
    """What explains poses far better than the reading at hand.

    Attributes:
        source: whose joints they are, a key of ``SOURCES``; "": those as read.
        axes: key of ``_AXES``. As read with the source as read: no known reading fits.
        as_read: distance as read, turned freely where the source differs; a share of the person's extent.
        distance: the same of this reading.
        before: name of the source as read.
    """

    source: str
    axes: str
    as_read: float
    distance: float
    before: str

    @property
    def lines(self) -> list[str]:
        """What is noticed and what to do, for the user."""
        lines = []
        if self.source:
            lines.append(
                f"Warning: the joints fit no known pose as those of {self.before}, {100 * self.as_read:.0f} % of a "
                f"person's extent away; they fit far better ({100 * self.distance:.0f} %) as {self.source}: --format "
                f"{self.source}"
            )
        elif self.axes == AS_READ:
            lines.append(
                f"Warning: the joints fit no known pose as those of {self.before}, {100 * self.as_read:.0f} % of a "
                "person's extent away: are they in the order that --check_input draws, or are some far off?"
            )
        if self.axes != AS_READ:
            seen, reason, way = _AXES_WORDS[self.axes]
            lines.append(f"Note: as read, the people {seen}; if they stand or sit in the picture, {reason}: {way}")
        return lines


def better_reading(
    poses: np.ndarray,
    source: str | Path | JointSet | Source,
    joint_set: str | Path | JointSet,
    joint_score: float = JOINT_SCORE,
    image_size: tuple[int, int] | None = None,
) -> Reading | None:
    """The reading that explains poses far better than the one at hand; None where that one fits or none is better.

    Args:
        poses: (N, J, 3) x, y in pixels and score, as read; the middle one of the N people decides.
        source: whose joints they are taken to be, see ``lib.poses.get_source``.
        joint_set: that is wanted, see ``lib.joints.lookup.get_joint_set``.
        joint_score: largest score of a missing joint.
        image_size: width and height, where known. Fractions of the picture with x and y exchanged were multiplied by
            the wrong side of it; this is tried, too.
    """
    origin, joints = get_source(source), get_joint_set(joint_set)
    readings = {origin.name: origin} | {other.name: other for other in _others(origin)}
    mapped = {name: _visible(poses, reading, joints, joint_score) for name, reading in readings.items()}
    usable = np.logical_and.reduce([_enough(points) for points in mapped.values()])
    if not usable.any():
        mapped, usable = {origin.name: mapped[origin.name]}, _enough(mapped[origin.name])
        if not usable.any():
            return None
    free = {name: float(np.median(_distances(points[usable], joints, turned=True))) for name, points in mapped.items()}
    best, as_read = min(free, key=free.__getitem__), free[origin.name]
    if as_read < _BAD or free[best] > min(_GOOD, _FAR_BETTER * as_read):
        best = origin.name
    axes = _better_axes(mapped[best][usable], joints, image_size) if joints.body == "body" else AS_READ
    if best == origin.name and axes == AS_READ and as_read < _NOWHERE:
        return None
    return Reading("" if best == origin.name else best, axes, as_read, free[best], origin.name)


def reading_of(
    sequence: PoseSequence,
    joint_set: str | Path | JointSet,
    joint_score: float = JOINT_SCORE,
    image_size: tuple[int, int] | None = None,
) -> Reading | None:
    """``better_reading`` of some of a sequence's people, evenly spaced over all of them."""
    places = [(number, row) for number, frame in enumerate(sequence.frames) for row in range(len(frame.poses))]
    if not places:
        return None
    chosen = np.unique(np.linspace(0, len(places) - 1, min(_MOST_PEOPLE, len(places))).round().astype(int))
    poses = np.stack([sequence.frames[number].poses[row] for number, row in (places[index] for index in chosen)])
    return better_reading(poses, sequence.source, joint_set, joint_score, image_size or sequence.image_size)


def _others(origin: Source) -> list[Source]:
    """Sources that arrays of as many joints may be of. Joints that the file itself names have no other."""
    if origin.joint_set is None and SOURCES.get(origin.name) is not origin:
        return []
    return [
        other
        for other in SOURCES.values()
        if other.body == origin.body and other.joint_num == origin.joint_num and other.joints != origin.joints
    ]


def _visible(poses: np.ndarray, source: Source, joints: JointSet, joint_score: float) -> np.ndarray:
    """(N, J) complex x + iy of the joints of the set; NaN for missing ones and those without samples."""
    mapped = map_pose(poses, source, joints)
    known = ~missing_joints(mapped, joint_score) & np.isfinite(sample_poses(joints)[0, :, 0])
    return np.where(known, mapped[..., 0] + 1j * mapped[..., 1], np.nan)


def _enough(points: np.ndarray) -> np.ndarray:
    """(N,) people with enough visible joints (N, J), not all in one place."""
    seen = np.isfinite(points)
    middle = np.where(seen, points, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    spread = np.abs(np.where(seen, points - middle[:, None], 0)).max(axis=1)
    return (seen.sum(axis=1) >= max(_FEWEST_JOINTS, points.shape[1] / 2)) & (spread > 1e-6)


def _better_axes(points: np.ndarray, joints: JointSet, image_size: tuple[int, int] | None) -> str:
    aspects = [1.0] if image_size is None else [1.0, image_size[0] / image_size[1]]

    def distance(axes: str) -> float:
        stretches = aspects if "exchanged" in axes else aspects[:1]
        moved = (np.diag([aspect, 1 / aspect]) @ _AXES[axes] for aspect in stretches)
        return min(float(np.median(_distances(_turned(points, matrix), joints))) for matrix in moved)

    found = {axes: distance(axes) for axes in _AXES}
    best, as_read = min(found, key=found.__getitem__), found[AS_READ]
    return AS_READ if as_read < _BAD or found[best] > min(_GOOD, _FAR_BETTER_AXES * as_read) else best


def _turned(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    x, y = matrix @ np.stack([points.real.ravel(), points.imag.ravel()])
    return (x + 1j * y).reshape(points.shape)


def _distances(points: np.ndarray, joints: JointSet, turned: bool = False) -> np.ndarray:
    """(N,) distances of people (N, J) from the nearest sample pose, by the joints that each has."""
    distances = np.empty(len(points))
    patterns, members = np.unique(np.isfinite(points), axis=0, return_inverse=True)
    for number, seen in enumerate(patterns):
        people = np.flatnonzero(members.ravel() == number)
        known = _unit_samples(joints, seen.tobytes()).conj().T
        here = _unit(points[people][:, seen])
        likeness = np.maximum(abs(here @ known), abs(here.conj() @ known)) if turned else (here @ known).real
        distances[people] = np.sqrt(np.maximum(2 - 2 * likeness.max(axis=1), 0))
    return distances


@lru_cache(maxsize=16)
def _unit_samples(joints: JointSet, seen: bytes) -> np.ndarray:
    """(S, V) sample poses by their visible joints, see ``_unit``."""
    mask = np.frombuffer(seen, dtype=bool)
    return _unit(sample_poses(joints)[:, mask] @ [1, 1j])


def _unit(points: np.ndarray) -> np.ndarray:
    """Complex points (N, J), centred, of length 1."""
    points = points - points.mean(axis=1, keepdims=True)
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
