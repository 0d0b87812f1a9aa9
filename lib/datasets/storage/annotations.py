"""Reading annotation files: COCO-style files, nested JSON, detections; errors name file and record."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.messages import one_line, shown, shown_name

GZIP = b"\x1f\x8b"  # first bytes of a compressed file
_MOST_JSON = 1 << 33  # bytes: MuCo's annotations and Human3.6M's are around one gigabyte
_LONGEST_TEXT = 1024  # bytes: a column of texts has room for the longest in every row


def read_json(path: Path, kind: type | None = None):
    """The content of a JSON file.

    Args:
        path: file.
        kind: ``dict`` or ``list``, what the top level must be; None accepts both.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, not JSON (for example cut off), or another top level.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} not found; data/README.md says where each annotation file comes from")
    if not path.is_file():
        raise ValueError(f"{path} is not a file, expected a JSON file")
    if path.stat().st_size > _MOST_JSON:
        raise ValueError(f"{path} is larger than an annotation file can be, {_MOST_JSON >> 30} GB")
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise ValueError(f"{path} needs more memory than there is, several times its size") from error
    except (ValueError, RecursionError) as error:
        with open(path, "rb") as file:
            packed = file.read(len(GZIP)) == GZIP
        cause = "it is compressed, unpack it first" if packed else "perhaps it was not copied completely"
        raise ValueError(f"{path} is not valid JSON, {cause}: {one_line(error, 200)}") from error
    if kind is not None and not isinstance(content, kind):
        raise ValueError(f"{path}: expected a JSON {kind.__name__}, found a {type(content).__name__}")
    return content


def field(path: Path, record: str, entry: dict, *keys: str):
    """``entry[keys[0]][keys[1]]...`` or a ValueError that names file, record and missing key."""
    value = entry
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"{path}: {record} has no {'.'.join(keys)}")
        value = value[key]
    return value


def find(path: Path, record: str, tree: dict, *keys: str):
    """``tree[keys[0]][keys[1]]...``, None where a key is missing; ValueError where a level has no keys at all."""
    for key in keys:
        if not isinstance(tree, dict):
            raise ValueError(
                f"{path}: looking for {record}: expected a dict with {'.'.join(keys)}, found {shown(tree)}"
            )
        if key not in tree:
            return None
        tree = tree[key]
    return tree


def whole_number(path: Path, record: str, entry: dict, key: str) -> int:
    """An integer field, perhaps written as 7.0.

    Raises:
        ValueError: missing, or something else; names file and record.
    """
    value = field(path, record, entry, key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(f"{path}: {record} has the {key} {shown(value)}, expected a whole number")
    return value


def text(path: Path, record: str, entry: dict, key: str) -> str:
    """A text field, not empty; see ``whole_number``."""
    value = field(path, record, entry, key)
    try:
        length = len(value.encode())  # JSON may hold halves of surrogate pairs, which no file name can
    except (AttributeError, UnicodeEncodeError):
        length = 0
    if not 0 < length <= _LONGEST_TEXT:
        raise ValueError(
            f"{path}: {record} has the {key} {shown(value)}, expected text of at most {_LONGEST_TEXT} bytes"
        )
    return value


def usable_box(path: Path, record: str, box) -> bool:
    """Whether an annotated box x, y, width, height has an area (at least one pixel either way).

    Raises:
        ValueError: not four finite numbers.
    """
    try:
        values = [float(value) for value in box]
    except (TypeError, ValueError, OverflowError):
        values = []
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise ValueError(
            f"{path}: {record} has the bbox {shown(box)}, expected four finite numbers x, y, width, height"
        )
    # a box of w pixels spans w - 1 between pixel centres, so nothing is left of 1 x 1
    return min(values[2:]) >= 1 and max(values[2:]) > 1


class CocoFile:
    """COCO-style annotations.

    Of entries with the same id the last one counts, as pycocotools has it, whose index these two dicts replace: the
    rest of that package (masks, COCO's own evaluation) has no use here. Other top-level keys are not looked at.

    Attributes:
        path: of the file.
        images: image id -> entry, in file order.
        annotations: entries in file order.
        replaced: what is said about entries that others of the same id replace -> their number.

    Raises:
        FileNotFoundError, ValueError: see ``read_json``; ``images`` or ``annotations`` missing, entries without ids.
    """

    def __init__(self, path: Path):
        self.path = path
        content = read_json(path, dict)
        self.replaced: dict[str, int] = {}
        self.images: dict[int, dict] = {image["id"]: image for image in self._entries("images", content.get("images"))}
        self.annotations: list[dict] = self._entries("annotations", content.get("annotations"))
        self._by_image: dict[int, list[dict]] = {}
        for annotation in self.annotations:
            self._by_image.setdefault(annotation["image_id"], []).append(annotation)

    def _entries(self, key: str, entries) -> list[dict]:
        if not isinstance(entries, list):
            raise ValueError(f"{self.path}: no list of {key}; a COCO-style file has 'images' and 'annotations'")
        needed = ("id",) if key == "images" else ("id", "image_id")
        by_id = {}
        for number, entry in enumerate(entries):
            for name in needed:
                entry[name] = whole_number(self.path, f"entry {number} of {key}", entry, name)
            by_id[entry["id"]] = entry
        if len(by_id) < len(entries):
            self.replaced[f"replaced by a later one of the same id in {key}"] = len(entries) - len(by_id)
        return list(by_id.values())

    def image_of(self, annotation: dict) -> dict:
        """The image entry of an annotation.

        Raises:
            ValueError: no such image.
        """
        image = self.images.get(annotation["image_id"])
        if image is None:
            raise ValueError(
                f"{self.path}: annotation {annotation['id']} is of image {annotation['image_id']}, which the file does "
                "not have"
            )
        return image

    def annotations_of(self, image: dict) -> list[dict]:
        """Annotations of an image, possibly none."""
        return self._by_image.get(image["id"], [])


class Detections:
    """Detected 2D poses, looked up by key: order and entries for other images do not matter.

    Args:
        path: file, for messages.
        poses: key -> nested list (J, >=2), pixels.
        joints: J.
        what: what a key is, e.g. ``image``.
    """

    def __init__(self, path: Path, poses: dict, joints: int, what: str):
        self.path, self.poses, self.joints, self.what = path, poses, joints, what

    @classmethod
    def from_list(cls, path: Path, joints: int, key: str) -> "Detections":
        """A list of ``{<key>, keypoints}`` entries, e.g. COCO results.

        Raises:
            FileNotFoundError, ValueError: see ``read_json``; missing keys, two entries of one key.
        """
        poses = {}
        for number, entry in enumerate(read_json(path, list)):
            value = whole_number(path, f"entry {number}", entry, key)
            if value in poses:
                raise ValueError(f"{path}: entry {number} is a second detection of {key} {value}")
            poses[value] = field(path, f"entry {number}", entry, "keypoints")
        return cls(path, poses, joints, key.removesuffix("_id"))

    def of(self, keys: Sequence) -> np.ndarray:
        """(N, J, 2) float32 joints of N keys.

        Raises:
            ValueError: no detection of a key, wrong number of joints, not finite, or without extent in x or y; names
                the first such key.
        """
        missing = [key for key in keys if key not in self.poses]
        if missing:
            raise ValueError(
                f"{self.path}: no detection of {self.what} {shown_name(missing[0])} (missing for {len(missing)} of "
                f"{len(keys)} samples; the file has {len(self.poses)}): are these the detections of other images? "
                "(DATASET.use_gt_input: True does without, except for FreiHAND)"
            )
        try:
            poses = np.asarray([self.poses[key] for key in keys], dtype=np.float32)
            self._check(poses, "")
        except (TypeError, ValueError, OverflowError):
            poses = None  # perhaps only because some entries have scores and some have none
        return np.stack([self._one(key) for key in keys]) if poses is None else poses[..., :2]

    def found(self, keys: Sequence) -> np.ndarray:
        """As ``of``, for frames of videos: NaN where a joint was not found.

        Those are all joints of frames without a detection, joints with a score of 0, at exactly (0, 0), or null.

        Raises:
            ValueError: no detection of most of the keys, or one with a wrong number of joints.
        """
        missing = [key for key in keys if key not in self.poses]
        if 2 * len(missing) > len(keys):
            self.of(keys)
        poses = np.full((len(keys), self.joints, 2), np.nan, dtype=np.float32)
        for row, key in enumerate(keys):
            if key in self.poses:
                pose = self._read(key, f"detection of {self.what} {shown_name(key)}")
                there = np.isfinite(pose).all(axis=1) & (pose[:, :2] != 0).any(axis=1)
                there &= (pose[:, 2:3] > 0).all(axis=1)
                poses[row, there] = pose[there, :2]
        return poses

    def _one(self, key) -> np.ndarray:
        record = f"detection of {self.what} {shown_name(key)}"
        pose = self._read(key, record)
        self._check(pose[None], record)
        return pose[:, :2]

    def _read(self, key, record: str) -> np.ndarray:
        """Numbers (J, >=2) of a detection."""
        try:
            pose = np.asarray(self.poses[key], dtype=np.float32)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{self.path}: {record} is not a list of numeric joints") from None
        if pose.ndim == 1 and pose.size in (2 * self.joints, 3 * self.joints):  # as COCO results have them
            pose = pose.reshape(self.joints, -1)
        self._check_shape(pose[None], record)
        return pose

    def _check_shape(self, poses: np.ndarray, record: str) -> None:
        if poses.ndim != 3 or poses.shape[1] != self.joints or poses.shape[2] < 2:
            raise ValueError(f"{self.path}: {record} has shape {poses.shape[1:]}, expected ({self.joints}, >=2)")

    def _check(self, poses: np.ndarray, record: str) -> None:
        self._check_shape(poses, record)
        points = poses[..., :2]
        if not np.isfinite(points).all() or not (np.ptp(points, axis=1) > 0).all():
            raise ValueError(f"{self.path}: {record} is not finite or has no extent in x or y")
