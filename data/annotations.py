"""Reading annotation files: COCO-style files, nested JSON, detections; errors name file and record."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def read_json(path: Path, kind: type | None = None):
    """The content of a JSON file.

    Args:
        path: file.
        kind: ``dict`` or ``list``, what the top level must be; None accepts both.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON (for example cut off), or another top level.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found; data/README.md says where each annotation file comes from")
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON, perhaps it was not copied completely: {error}") from error
    if kind is not None and not isinstance(content, kind):
        raise ValueError(f"{path}: expected a JSON {kind.__name__}, found a {type(content).__name__}")
    return content


class CocoFile:
    """COCO-style annotations (pycocotools), one file or several that are merged key by key.

    Attributes:
        path: of the first file, for messages.
        images: image id -> entry, in file order.
        annotations: entries in file order.

    Raises:
        FileNotFoundError, ValueError: see ``read_json``; ``images`` or ``annotations`` missing, entries without ids,
            an annotation of an image that the file does not have.
    """

    def __init__(self, paths: Sequence[Path]):
        from pycocotools.coco import COCO

        self.path = paths[0]
        merged: dict = {}
        for path in paths:
            content = read_json(path, dict)
            for key in ("images", "annotations"):
                _check_entries(path, key, content.get(key))
            for key, value in content.items():
                if len(paths) == 1:
                    merged[key] = value
                elif not isinstance(value, list):
                    raise ValueError(f"{path}: {key} must be a list to be merged, found a {type(value).__name__}")
                else:
                    merged.setdefault(key, []).extend(value)
        coco = COCO()
        coco.dataset = merged
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it reports each step
                coco.createIndex()
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.path}: COCO index cannot be made, an annotation has no {error}") from error
        self.images: dict[int, dict] = coco.imgs
        self.annotations: list[dict] = merged["annotations"]
        self._by_image = coco.imgToAnns

    def image_of(self, annotation: dict) -> dict:
        """The image entry of an annotation.

        Raises:
            ValueError: no such image.
        """
        image = self.images.get(annotation["image_id"])
        if image is None:
            raise ValueError(
                f"{self.path}: annotation {annotation.get('id')} is of image {annotation['image_id']}, which the file "
                "does not have"
            )
        return image

    def annotations_of(self, image: dict) -> list[dict]:
        """Annotations of an image, possibly none."""
        return self._by_image[image["id"]]


def _check_entries(path: Path, key: str, entries) -> None:
    if not isinstance(entries, list):
        raise ValueError(f"{path}: no list of {key}; a COCO-style file has 'images' and 'annotations'")
    needed = ("id",) if key == "images" else ("id", "image_id")
    for number, entry in enumerate(entries):
        missing = [name for name in needed if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise ValueError(f"{path}: entry {number} of {key} has no {' and no '.join(missing)}")


def field(path: Path, record: str, entry: dict, *keys: str):
    """``entry[keys[0]][keys[1]]...`` or a ValueError that names file, record and missing key."""
    value = entry
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"{path}: {record} has no {'.'.join(keys)}")
        value = value[key]
    return value


def usable_box(path: Path, record: str, box) -> bool:
    """Whether an annotated box x, y, width, height has an area (at least one pixel either way).

    Raises:
        ValueError: not four finite numbers.
    """
    try:
        values = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ValueError(f"{path}: {record} has the bbox {box!r}, expected four finite numbers x, y, width, height")
    # a box of w pixels spans w - 1 between pixel centres, so nothing is left of 1 x 1
    return bool(values[2:].min() >= 1 and values[2:].max() > 1)


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
        self._asked: set = set()

    @classmethod
    def from_list(cls, path: Path, joints: int, key: str) -> "Detections":
        """A list of ``{<key>, keypoints}`` entries, e.g. COCO results.

        Raises:
            FileNotFoundError, ValueError: see ``read_json``; missing keys, two entries of one key.
        """
        poses = {}
        for number, entry in enumerate(read_json(path, list)):
            value = field(path, f"entry {number}", entry, key)
            if value in poses:
                raise ValueError(f"{path}: entry {number} is a second detection of {key} {value}")
            poses[value] = field(path, f"entry {number}", entry, "keypoints")
        return cls(path, poses, joints, key.removesuffix("_id"))

    def __call__(self, key) -> np.ndarray:
        """(J, 2) float32 joints of one key.

        Raises:
            ValueError: no such detection, wrong number of joints, not finite, or without extent in x or y.
        """
        if key not in self.poses:
            raise ValueError(
                f"{self.path}: no detection of {self.what} {key}: are these the detections of other images? "
                "(DATASET.use_gt_input: True does without)"
            )
        self._asked.add(key)
        record = f"detection of {self.what} {key}"
        try:
            pose = np.asarray(self.poses[key], dtype=np.float32)
        except (TypeError, ValueError):
            raise ValueError(f"{self.path}: {record} is not a list of numeric joints") from None
        if pose.ndim != 2 or pose.shape[0] != self.joints or pose.shape[1] < 2:
            raise ValueError(f"{self.path}: {record} has shape {pose.shape}, expected ({self.joints}, >=2)")
        pose = pose[:, :2]
        if not np.isfinite(pose).all() or not (np.ptp(pose, axis=0) > 0).all():
            raise ValueError(f"{self.path}: {record} is not finite or has no extent in x or y")
        return pose

    @property
    def unused(self) -> int:
        """Number of detections that nobody asked for."""
        return len(self.poses) - len(self._asked)
