"""Reading BVH motion capture files.

A BVH file is text: a HIERARCHY of joints with offsets and channel lists, then MOTION with one row of numbers per
frame. Rotation channels are applied in the order in which they are listed: ``Zrotation Yrotation Xrotation`` means
R = Rz @ Ry @ Rx for column vectors.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.messages import naming, shown

_MOST_BYTES = 1 << 25  # of a clip, unpacked: an hour at 120 frames per second
_MOST_ROTATIONS = 4_000_000  # joints times frames
_MOST_LEVELS = 200  # of joints below joints
_AXES = {"X": 0, "Y": 1, "Z": 2}
_POSITIONS = tuple(f"{axis}position" for axis in "XYZ")
_ROTATIONS = tuple(f"{axis}rotation" for axis in "XYZ")
_CHANNELS = {name.lower(): name for name in _POSITIONS + _ROTATIONS}


@dataclass(frozen=True)
class BvhMotion:
    """One BVH clip: F frames of a skeleton of J joints (end sites are not joints).

    Attributes:
        joints: names, parents before children.
        parents: (J,) index of the parent, -1 for the root.
        offsets: (J, 3) rest position relative to the parent, in file units.
        end_offsets: end-site offset (3,) of each joint that has one, in file units.
        channels: channel names per joint, in file order.
        values: (F, C) the motion rows; angles in degrees, positions in file units.
        frame_time: seconds between frames.
    """

    joints: tuple[str, ...]
    parents: np.ndarray
    offsets: np.ndarray
    end_offsets: dict[str, np.ndarray]
    channels: tuple[tuple[str, ...], ...]
    values: np.ndarray
    frame_time: float

    def __len__(self) -> int:
        return len(self.values)

    @property
    def fps(self) -> float:
        return 1.0 / self.frame_time

    def index(self, joint: str) -> int:
        """Index of a joint name; ValueError lists the names when it is unknown."""
        if joint not in self.joints:
            raise ValueError(f"the skeleton has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self.joints.index(joint)

    def _channels(self, names: tuple[str, ...]) -> Iterator[tuple[int, int, np.ndarray]]:
        """Joint, axis and values (F,) of the channels among ``names``, in file order."""
        channels = [(joint, channel) for joint, channels in enumerate(self.channels) for channel in channels]
        for (joint, channel), values in zip(channels, self.values.T):
            if channel in names:
                yield joint, _AXES[channel[0]], values

    def local_rotations(self) -> np.ndarray:
        """Rotation of each joint relative to its parent, (F, J, 3, 3)."""
        rotations = np.tile(np.eye(3), (len(self), len(self.joints), 1, 1))
        for joint, axis, degrees in self._channels(_ROTATIONS):
            rotations[:, joint] = rotations[:, joint] @ _axis_rotation(axis, np.radians(degrees))
        return rotations

    def global_rotations(self) -> np.ndarray:
        """Rotation of each joint relative to the world, (F, J, 3, 3)."""
        rotations = self.local_rotations()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
        return rotations

    def translations(self) -> np.ndarray:
        """Position of each joint in its parent's frame, (F, J, 3) file units.

        Position channels take the place of the joint's offset, which is how exporters use them.
        """
        translations = np.tile(self.offsets, (len(self), 1, 1))
        for joint, axis, values in self._channels(_POSITIONS):
            translations[:, joint, axis] = values
        return translations


def read_bvh(path) -> BvhMotion:
    """Read a ``.bvh`` or ``.bvh.gz`` file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a BVH file; the message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no BVH file at {path}")
    with naming(path), open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(_MOST_BYTES + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path}: damaged{' gzip' if packed else ''} file ({error})") from error
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{path}: more than {_MOST_BYTES >> 20} MB of text, which no clip is")
    return parse_bvh(data.decode("utf-8-sig", errors="replace"), str(path))


def parse_bvh(text: str, name: str = "<text>") -> BvhMotion:
    """Parse the text of a BVH file; ``name`` is used in error messages. Raises ValueError naming the line."""
    lines = text.splitlines()
    motion_line = next((i for i, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if motion_line is None:
        raise ValueError(f"{name}: no MOTION section in {len(lines)} lines; is the file complete?")
    skeleton = _Hierarchy(name, lines[:motion_line]).parse()
    width = sum(len(channels) for channels in skeleton["channels"])
    values, frame_time = _parse_motion(name, lines, motion_line, width, len(skeleton["joints"]))
    return BvhMotion(values=values, frame_time=frame_time, **skeleton)


class _Hierarchy:
    """Reads the tokens of the HIERARCHY section."""

    def __init__(self, name: str, lines: list[str]):
        self.name = name
        spaced = (line.replace("{", " { ").replace("}", " } ") for line in lines)
        self.tokens = [(token, number) for number, line in enumerate(spaced, 1) for token in line.split()]
        self.at = 0
        self.joints, self.parents, self.offsets, self.channels = [], [], [], []
        self.end_offsets = {}

    def parse(self) -> dict:
        self.expect("HIERARCHY")
        self.expect("ROOT")
        self.joint(-1)
        if self.at < len(self.tokens):
            self.fail(f"one ROOT and then MOTION expected, found {shown(self.peek())}")
        return {
            "joints": tuple(self.joints),
            "parents": np.array(self.parents),
            "offsets": np.array(self.offsets),
            "end_offsets": self.end_offsets,
            "channels": tuple(self.channels),
        }

    def joint(self, parent: int, level: int = 0) -> None:
        if level > _MOST_LEVELS:
            self.fail(f"more than {_MOST_LEVELS} joints, each the next one's parent")
        words = []
        while self.peek() != "{":
            words.append(self.take())
        joint = " ".join(words)
        if not joint or joint in self.joints:
            self.fail(f"joint name {shown(joint)} is {'a duplicate' if joint else 'empty'}")
        self.expect("{")
        index = len(self.joints)
        self.joints.append(joint)
        self.parents.append(parent)
        self.expect("OFFSET")
        self.offsets.append(self.numbers(3))
        self.channels.append(self.channel_list() if self.peek().upper() == "CHANNELS" else ())
        while self.peek() != "}":
            token = self.take().upper()
            if token == "JOINT":
                self.joint(index, level + 1)
            elif token == "END" and self.peek().upper() == "SITE":
                while self.peek() != "{":
                    self.take()
                self.expect("{")
                self.expect("OFFSET")
                self.end_offsets[joint] = self.numbers(3)
                self.expect("}")
            else:
                self.fail(f"JOINT, 'End Site' or }} expected in joint {shown(joint)}, found {shown(token)}", back=1)
        self.expect("}")

    def channel_list(self) -> tuple[str, ...]:
        self.expect("CHANNELS")
        count = self.take()
        if not (count.isdecimal() and len(count) < 3):
            self.fail(f"number of channels expected, found {shown(count)}", back=1)
        channels = []
        for _ in range(int(count)):
            channel = self.take()
            if channel.lower() not in _CHANNELS:
                self.fail(f"channel expected ({', '.join(_CHANNELS.values())}), found {shown(channel)}", back=1)
            channels.append(_CHANNELS[channel.lower()])
        if len(set(channels)) != len(channels):
            self.fail(f"repeated channel in {' '.join(channels)}", back=1)
        return tuple(channels)

    def numbers(self, count: int) -> np.ndarray:
        tokens = [self.take() for _ in range(count)]
        try:
            return np.array(tokens, dtype=np.float64)
        except ValueError:
            self.fail(f"{count} numbers expected, found {shown(' '.join(tokens))}", back=1)

    def peek(self) -> str:
        if self.at >= len(self.tokens):
            self.fail("the HIERARCHY section ends too early (a } is missing?)", back=1)
        return self.tokens[self.at][0]

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, word: str) -> None:
        if self.peek().upper() != word:
            self.fail(f"{word} expected, found {shown(self.peek())}")
        self.at += 1

    def fail(self, message: str, back: int = 0):
        token = min(max(self.at - back, 0), len(self.tokens) - 1)
        line = self.tokens[token][1] if self.tokens else 1
        raise ValueError(f"{self.name}, line {line}: {message}")


def _parse_motion(name: str, lines: list[str], start: int, width: int, joints: int) -> tuple[np.ndarray, float]:
    """The (F, width) values and the frame time; ``lines[start]`` holds the word MOTION."""
    header = [(i, lines[i]) for i in range(start + 1, len(lines)) if lines[i].strip()][:2]
    found = []
    for key, (i, line) in zip(("frames", "frame time"), header + [(len(lines), "")] * (2 - len(header))):
        label, _, value = line.partition(":")
        try:
            if " ".join(label.split()).lower() != key:
                raise ValueError
            found.append(int(value) if key == "frames" else float(value))
        except ValueError:
            raise ValueError(f"{name}, line {i + 1}: '{key}: NUMBER' expected, found {shown(line.strip())}") from None
    frames, frame_time = found
    if not 1e-6 <= frame_time <= 3600:
        line = header[1][0] + 1
        raise ValueError(f"{name}, line {line}: the frame time must be positive, seconds; found {frame_time}")
    if frames * joints > _MOST_ROTATIONS:
        raise ValueError(f"{name}: {shown(frames)} frames of {joints} joints, more than are read at once")
    first = header[1][0] + 1
    rows = lines[first:]
    try:
        values = np.array(" ".join(rows).split(), dtype=np.float64)
        if values.size == frames * width and np.isfinite(values).all():
            return values.reshape(frames, width), frame_time
    except ValueError:
        pass
    raise ValueError(_motion_complaint(name, rows, first, frames, width))


def _motion_complaint(name: str, rows: list[str], first: int, frames: int, width: int) -> str:
    """What is wrong with motion rows that could not be read as a whole."""
    count = 0
    for number, row in enumerate(rows, first + 1):
        tokens = row.split()
        if not tokens:
            continue
        try:
            finite = bool(np.isfinite(np.array(tokens, dtype=np.float64)).all())
        except ValueError:
            finite = False
        if not finite:
            return f"{name}, line {number}: a motion row must hold finite numbers, found {shown(row.strip())}"
        if len(tokens) != width:
            return f"{name}, line {number}: {width} numbers expected (one per channel), found {len(tokens)}"
        count += 1
    return f"{name}: {shown(frames)} frames announced, {count} found; is the file complete?"


def _axis_rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations about a coordinate axis: (F,) radians -> (F, 3, 3)."""
    sine, cosine = np.sin(angle), np.cos(angle)
    rotation = np.zeros((len(angle), 3, 3))
    u, v = (axis + 1) % 3, (axis + 2) % 3
    rotation[:, axis, axis] = 1.0
    rotation[:, u, u] = rotation[:, v, v] = cosine
    rotation[:, u, v], rotation[:, v, u] = -sine, sine
    return rotation
