"""Collects the people of a file, frame by frame, and makes a sequence of them."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.messages import shown_names
from lib.poses.people import Frame, PoseSequence
from lib.poses.reading.joint_parts import HAND, JointParts, joint_parts
from lib.poses.reading.numbering import close, film_like, film_numbers, films
from lib.poses.reading.one_person import is_one_person
from lib.poses.reading.records import Person, plain_scores
from lib.poses.reading.request import Format, Request
from lib.poses.sources import Source, get_source

_HAND_JOINTS = get_source(HAND).joint_num


_LEAST_FRAMES = 3  # poses in a row of one person; two may be one person found twice


@dataclass
class _Found:
    """A frame: its people with what their joints are."""

    number: int | None
    people: list[tuple[Person, JointParts]] = field(default_factory=list)


class FrameBuilder:
    """Collects people and checks that all have the same joints.

    Args:
        path: file, for messages.
        request: what the user said.
        form: the file's format.

    Attributes:
        image_size: width and height that the file tells.
        folder: the frames come from files of their own.
        film_names: numbers in the frames' names are a film's; else only with numbers of people.
        first_number: of the tool's count of frames; 1 where a tool counts from there.
        perhaps_frames: people of one frame may be one person's frames, as lists of poses do not say.
        notes: remarks for the user.
    """

    def __init__(self, path: Path, request: Request, form: Format):
        self.path, self.request, self.form = path, request, form
        self.image_size: tuple[int, int] | None = None
        self.folder, self.film_names = False, True
        self.first_number = 0
        self.perhaps_frames = False
        self.notes: list[str] = []
        self._frames: dict[str, _Found] = {}
        self._joints: tuple[int, tuple[str, ...] | None, JointParts] | None = None
        self._skipped: Counter[str] = Counter()

    @property
    def names(self) -> list[str]:
        """Names of the frames so far, in their order."""
        return list(self._frames)

    def add_frame(self, name: str, number: int | None = None) -> None:
        """A frame, which may stay empty; its number where the file counts frames."""
        self._frames.setdefault(name, _Found(number))

    def sort(self, key) -> None:
        """Order the frames by a key of their names."""
        self._frames = dict(sorted(self._frames.items(), key=lambda entry: key(entry[0])))

    def add(self, name: str, person: Person | None, where: str, number: int | None = None) -> None:
        """One person of a frame; None for a record without joints, which is counted.

        Raises:
            ValueError: unknown joints, or others than the people before have.
        """
        self.add_frame(name, number)
        if person is None:
            self.skip("person(s) without joints left out")
            return
        self._frames[name].people.append((person, self._parts(person, where)))

    def skip(self, why: str) -> None:
        """Count something that is left out, for the notes."""
        self._skipped[why] += 1

    def sized(self, width, height) -> None:
        """The picture's size as the file tells it, where that makes sense."""
        if all(isinstance(value, int | float) and 0 < value < 1e6 for value in (width, height)):
            self.image_size = (round(width), round(height))

    def _parts(self, person: Person, where: str) -> JointParts:
        if person.pose is None:
            return JointParts(None)
        count = len(person.pose)
        if self._joints is None:
            parts = joint_parts(count, person.names, self.request, f"{self.path}: {where}")
            self._joints = (count, person.names, parts)
        known, names, parts = self._joints
        if count != known:
            raise ValueError(
                f"{self.path}: {where} has {count} joints, others have {known}; expected {self.form.layout}"
            )
        if person.names != names:
            parts = joint_parts(count, person.names, self.request, f"{self.path}: {where}")
            if parts != self._joints[2]:
                raise ValueError(f"{self.path}: {where} has other joints than the people before; give one file of each")
        return parts

    def sequence(self) -> PoseSequence:
        """The frames, scores from 0 to 1, coordinates as in the file.

        Raises:
            ValueError: nobody in any frame, or nobody of the wanted kind.
        """
        people = [entry for frame in self._frames.values() for entry in frame.people]
        if self.perhaps_frames:
            self._split()
        if not people:
            raise ValueError(
                f"{self.path} ({self.form.title}) holds no people: {len(self._frames)} frame(s), all empty; the "
                f"detector found nobody, or its results are in another file"
                + "".join(f"; {text}" for text in self._left_out)
            )
        hand = self.request.body == "hand"
        rows = {name: self._hands(found) if hand else self._bodies(found) for name, found in self._frames.items()}
        source = self._source(people, hand)
        if not any(len(frame_rows) for frame_rows in rows.values()):
            raise ValueError(self._nobody(people, hand))
        frames = self._numbered(self._framed(rows, get_source(source).joint_num))
        frames, notes = self._with_scores(frames, people)
        is_video = frames[0].number is not None and len(frames) > 1
        notes = [*self.notes, *self._left_out, *notes]
        starts = [] if is_video else films(self.names)
        if starts:
            notes.append(
                f"frames of {len(starts)} films by their names ({shown_names(starts)}): taken for single pictures; "
                "for a film give its frames alone"
            )
        return PoseSequence(frames, source, self.image_size, is_video, self.form.title, tuple(notes))

    def _split(self) -> None:
        """The people of the only frame as frames of one person, where each is nearly where the one before was."""
        people = next(iter(self._frames.values())).people
        poses = [person.pose for person, _ in people if person.pose is not None]
        apart = len(self._frames) > 1 or len(people) < _LEAST_FRAMES or len(poses) < len(people)
        if apart or not is_one_person(np.array(poses)):
            return
        self._frames = {str(number): _Found(number, [entry]) for number, entry in enumerate(people)}
        self.notes.append(f"{len(people)} poses of nearly the same place: taken for frames of one person")

    @property
    def _left_out(self) -> list[str]:
        return [f"{count} {why}" for why, count in self._skipped.items()]

    def _source(self, people, hand: bool) -> str | JointSet | Source:
        sources = [parts.source for _, parts in people if parts.source is not None]
        if hand:
            return next((source for source in sources if get_source(source).body == "hand"), HAND)
        return sources[0] if sources else HAND

    def _nobody(self, people, hand: bool) -> str:
        if not hand:
            return f"{self.path} ({self.form.title}) holds {len(people)} hand(s) and no body: add --joint_set mano"
        return (
            f"{self.path} ({self.form.title}) holds {len(people)} person(s) without hands; hands come from OpenPose's "
            "--hand, whole-body models (133 or 136 joints) and MediaPipe's hand or holistic landmarks"
        )

    def _bodies(self, found: _Found) -> list[tuple]:
        """Rows of pose, hands (2, 21, 3) or None, left, track."""
        rows = []
        for person, parts in found.people:
            if person.pose is None or parts.source is None or get_source(parts.source).body == "hand":
                continue
            pose = person.pose if parts.body is None else person.pose[list(parts.body)]
            hands = _both_hands(person, parts)
            seen = np.isfinite(hands[..., 0]).any()
            rows.append((get_source(parts.source).with_derived(pose), hands if seen else None, False, person.track))
        return rows

    def _hands(self, found: _Found) -> list[tuple]:
        rows: list[tuple] = []
        for person, parts in found.people:
            if person.pose is not None and parts.source is not None and get_source(parts.source).body == "hand":
                rows.append((person.pose, None, person.side == "left", person.track))
                continue
            for left, hand in zip((False, True), _both_hands(person, parts)[::-1]):
                if np.isfinite(hand[:, 0]).any():
                    track = None if person.track is None else 2 * person.track + left
                    rows.append((hand, None, left, track))
        return rows

    def _framed(self, rows: dict[str, list[tuple]], joint_num: int) -> list[Frame]:
        tracked = _trackable([[row[3] for row in frame_rows] for frame_rows in rows.values()])
        any_left = any(row[2] for frame_rows in rows.values() for row in frame_rows)
        any_hands = any(row[1] is not None for frame_rows in rows.values() for row in frame_rows)
        none = np.full((2, _HAND_JOINTS, 3), np.nan)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which counts as missing
            return [
                Frame(
                    name,
                    np.array([row[0] for row in frame_rows], dtype=np.float32).reshape(-1, joint_num, 3),
                    np.array([row[3] for row in frame_rows], dtype=np.int64) if tracked else None,
                    self._frames[name].number,
                    np.array([row[2] for row in frame_rows], dtype=bool) if any_left else None,
                    np.array([none if row[1] is None else row[1] for row in frame_rows], dtype=np.float32).reshape(
                        -1, 2, _HAND_JOINTS, 3
                    )
                    if any_hands
                    else None,
                )
                for name, frame_rows in rows.items()
            ]

    def _numbered(self, frames: list[Frame]) -> list[Frame]:
        """The frames with their places in the film, where they are frames of one."""
        known = [frame.number for frame in frames if frame.number is not None]
        numbers: list[int] | None = known
        if len(known) < len(frames):
            numbers = self._numbers_in_names([frame.name for frame in frames], frames[0].tracks is not None)
        if len(frames) < 2 or numbers is None or not close(numbers):
            return [replace(frame, number=None) for frame in frames]
        first = self.first_number if min(numbers) >= self.first_number else 0
        return [replace(frame, number=number - first) for frame, number in zip(frames, numbers)]

    def _numbers_in_names(self, names: list[str], tracked: bool) -> list[int] | None:
        numbers = film_numbers(names) if self.film_names or tracked else None
        if numbers is None:
            return None
        return numbers if tracked or self.folder or film_like(names) else None

    def _with_scores(self, frames: list[Frame], people) -> tuple[list[Frame], list[str]]:
        poses = np.concatenate([frame.poses for frame in frames])
        scores, note = plain_scores(poses[..., 2])
        notes = [note] if note else []
        if not any(person.scored for person, _ in people):
            notes.append("no scores found: every joint counts as seen")
        ends = np.cumsum([len(frame.poses) for frame in frames])
        scored = []
        for frame, end in zip(frames, ends):
            part = scores[end - len(frame.poses) : end, :, None]
            hands = frame.hands
            if note and "per cent" in note and hands is not None:
                hands = hands / np.array([1, 1, 100], np.float32)
            scored.append(replace(frame, poses=np.concatenate([frame.poses[..., :2], part], axis=2), hands=hands))
        return scored, notes


def _both_hands(person: Person, parts: JointParts) -> np.ndarray:
    """(2, 21, 3) left and right hand, NaN where there is none."""
    hands = np.full((2, _HAND_JOINTS, 3), np.nan)
    for row, (own, places) in enumerate(zip((person.left_hand, person.right_hand), parts.hands)):
        if own is None and places and person.pose is not None:
            own = person.pose[list(places)]
        # OpenPose writes zeros for hands that it does not see; the wrist may be the body's
        if own is not None and ((own[:, 2] > 0) & np.nan_to_num(own[:, :2]).any(axis=1)).sum() > 1:
            hands[row] = own
    return hands


def _trackable(tracks: list[list[int | None]]) -> bool:
    """Numbers say who is who: everybody has one and nobody's is twice in a frame.

    Tools that were not asked to follow anybody write 0 for all, others the places in each frame's list, which begin
    anew in frames with fewer people.
    """
    known = [track for frame in tracks for track in frame]
    if not known or None in known or any(len(set(frame)) < len(frame) for frame in tracks):
        return False
    counts = {len(frame) for frame in tracks if frame}
    rows = any(all(frame == list(range(first, first + len(frame))) for frame in tracks) for first in (0, 1))
    return not (rows and (len(counts) > 1 or set(known) == {0}))
