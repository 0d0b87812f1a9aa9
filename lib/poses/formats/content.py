"""What the readers of detector files share: JSON, keypoint lists, which source a number of joints stands for."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.files import read_text
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.messages import one_line, shown_names
from lib.poses.people import Frame, PoseSequence
from lib.poses.sources import SOURCES, get_source, sources_of, sources_with

_MOST_JSON = 1 << 29  # bytes: a day of video with several people
_MOST_TRACKS = 2**53

# lists that hold a body and hands: source and place of the part that is used
_PARTS = {
    133: {"body": ("wholebody23", slice(0, 23)), "hand": ("mano21", slice(112, 133))},
    136: {"body": ("halpe26", slice(0, 26)), "hand": ("mano21", slice(115, 136))},
}


@dataclass(frozen=True)
class Request:
    """What the user said about the file.

    Attributes:
        joint_set: joint set that is wanted, where it is known: decides between body and hand, and between sources with
            as many joints.
        source: source that was named; None finds it by the number of joints.
        image_size: width and height, needed for coordinates that are fractions of the image.
    """

    joint_set: str | Path | JointSet | None = None
    source: str | None = None
    image_size: tuple[int, int] | None = None

    @property
    def own_joint_set(self) -> JointSet | None:
        """The user's own joint set, when that is what is wanted."""
        joint_set = None if self.joint_set is None else get_joint_set(self.joint_set)
        return joint_set if joint_set is not None and joint_set.sources else None

    @property
    def body(self) -> str:
        """``body`` or ``hand``."""
        if self.source is not None:
            return get_source(self.source).body
        return "body" if self.joint_set is None else get_joint_set(self.joint_set).body


def read_json(path: Path):
    """The content of a JSON file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, for example cut off; too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"pose file {path} not found")
    text = read_text(path, _MOST_JSON)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = one_line(error, 200)
        raise ValueError(f"{path} is not valid JSON, perhaps it was not copied completely: {reason}") from error


def found(content, levels: int = 3) -> str:
    """A JSON value in a few words, for messages."""
    if isinstance(content, dict):
        return f"a dict with the keys {shown_names(content)}" if content else "an empty dict"
    if isinstance(content, list):
        first = f", the first {found(content[0], levels - 1)}" if levels and content else ""
        return f"a list of {len(content)}{first}" if content else "an empty list"
    return "a number" if isinstance(content, int | float) else f"a {type(content).__name__}"


def numbers(values, where: str, layout: str) -> np.ndarray:
    """A (nested) list of numbers as float64; ``null`` becomes NaN.

    Raises:
        ValueError: text, ragged lists or numbers beyond float64; names the place and the layout that was expected.
    """
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        what = "too large a number" if isinstance(error, OverflowError) else "something else than numbers"
        raise ValueError(f"{where} holds {what}: {found(values)}; expected {layout}") from error


def people_in(values, where: str, layout: str) -> list:
    """A list of people.

    Raises:
        ValueError: something else; names the place and the layout that was expected.
    """
    if not isinstance(values, list):
        raise ValueError(f"{where} is {found(values)} instead of a list of people; expected {layout}")
    return values


def track_number(value) -> int | None:
    """A track number as files write it, alone or in lists, as a whole or real number; None for anything else."""
    while isinstance(value, list) and value:
        value = value[0]
    known = isinstance(value, int | float) and 0 <= value < _MOST_TRACKS
    return int(value) if known else None


def triples(values, where: str, layout: str) -> np.ndarray:
    """A flat list x, y, score, x, y, score, ... as (J, 3).

    Raises:
        ValueError: not numbers, or their count does not divide by three.
    """
    flat = numbers(values, where, layout)
    if flat.ndim != 1 or len(flat) % 3 or not len(flat):
        raise ValueError(f"{where} holds numbers of shape {flat.shape}; expected {layout}")
    return flat.reshape(-1, 3)


def source_of(joint_num: int, request: Request, where: str, detector: bool = True) -> tuple[str | JointSet, slice]:
    """The source that poses with a number of joints come from, and the part of them it takes.

    Args:
        joint_num: joints in the file.
        request: what the user said.
        where: file or record, for messages.
        detector: the file format is one of detectors, so 17 joints are COCO's unless the user names another source;
            otherwise the joint set decides between sources of as many joints.

    Raises:
        ValueError: no source has so many joints, or several have.
    """
    part = _PARTS.get(joint_num, {}).get(request.body)
    if part is not None and request.source in (None, part[0]):
        return part
    if request.source is not None:
        source = get_source(request.source)
        if source.joint_num != joint_num:
            raise ValueError(
                f"{where} has {joint_num} joints; {source.name} has {source.joint_num}: {source.describe()}"
            )
        return source.name, slice(None)
    names = sources_with(joint_num, request.joint_set)
    own = request.own_joint_set
    if own is not None and joint_num in (own.joint_num, own.keypoint_num) and not (detector and names):
        return (own if isinstance(request.joint_set, JointSet) else str(request.joint_set)), slice(None)
    if not names:
        known = sorted({(source.joint_num, source.name) for source in SOURCES.values() if source.body == request.body})
        raise ValueError(
            f"{where} has {joint_num} joints, which no known source of a {request.body} has; known: "
            f"{', '.join(f'{count} {name}' for count, name in known)}; 133 and 136 with hands and face{_order(request)}"
        )
    if detector and "coco17" in names:
        return "coco17", slice(None)
    if len(names) == 1 or names[0] in sources_of(request.joint_set):
        return names[0], slice(None)
    if SOURCES[names[0]].joints == SOURCES[names[1]].joints:
        return names[0], slice(None)
    own_order = "" if own is None else f" ({own.keypoint_num} in {request.joint_set})"
    raise ValueError(
        f"{where} has {joint_num} joints{own_order}, which may be {' or '.join(names)}; name the joints with --format "
        f"{names[0]}, or with --joint_set"
    )


def _order(request: Request) -> str:
    """The joints of the joint set that is wanted, for messages."""
    if request.joint_set is None:
        return ""
    joint_set = get_joint_set(request.joint_set)
    return f"; {joint_set.name} has {joint_set.joint_num} in this order: {joint_set.describe()}"


def natural_key(name: str) -> tuple:
    """Sort key by which frame 10 comes after frame 9."""
    parts = (part for part in re.split(r"([0-9]+)", name) if part)
    # the digits as text: Python makes no number of thousands of them
    return tuple(
        (0, len(part.lstrip("0")), part.lstrip("0")) if "0" <= part[0] <= "9" else (1, 0, part) for part in parts
    )


@dataclass
class FrameBuilder:
    """Collects the people of a file, frame by frame, and checks that all have the same joints.

    Args:
        path: file, for messages. request: what the user said. layout: expected layout, for messages.
    """

    path: Path
    request: Request
    layout: str

    def __post_init__(self) -> None:
        self.names: list[str] = []
        self._poses: dict[str, list[np.ndarray]] = {}
        self._tracks: dict[str, list[int | None]] = {}
        self._joints: tuple[int, str | JointSet, slice] | None = None

    def add_frame(self, name: str) -> None:
        """A frame, which may stay empty."""
        if name not in self._poses:
            self.names.append(name)
            self._poses[name], self._tracks[name] = [], []

    def add(self, name: str, pose: np.ndarray, where: str, track: int | None = None) -> None:
        """One person: pose (J, 3) of x, y, score."""
        if self._joints is None:
            self._joints = (len(pose), *source_of(len(pose), self.request, f"{self.path}: {where}"))
        count, source, part = self._joints
        if len(pose) != count:
            raise ValueError(
                f"{self.path}: {where} has {len(pose)} joints, others have {count}; expected {self.layout}"
            )
        self.add_frame(name)
        self._poses[name].append(get_source(source).with_derived(pose[part]))
        self._tracks[name].append(track)

    @property
    def tracked(self) -> bool:
        """Everybody has a track number."""
        return all(track is not None for tracks in self._tracks.values() for track in tracks)

    def sequence(self, format_name: str, is_video: bool = False, notes: Iterable[str] = ()) -> PoseSequence:
        """The frames.

        Raises:
            ValueError: nobody in any frame.
        """
        if self._joints is None:
            raise ValueError(f"{self.path} holds no people: {len(self.names)} frame(s), all empty")
        source = self._joints[1]
        joint_num = get_source(source).joint_num
        frames = [
            Frame(
                name,
                np.array(self._poses[name], dtype=np.float32).reshape(-1, joint_num, 3),
                np.array(self._tracks[name], dtype=np.int64) if self.tracked else None,
            )
            for name in self.names
        ]
        return PoseSequence(frames, source, self.request.image_size, is_video, format_name, tuple(notes))
