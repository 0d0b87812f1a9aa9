"""From annotation records to columns: known shapes, counted skips, errors that name the record."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.datasets.storage.annotations import (
    CocoFile,
    field,
    text,
    usable_box,
)
from lib.mesh.mesh_model import GENDERS
from lib.messages import shown

MAX_BETA = 3.0  # shapes beyond this are taken for failed fits

# column -> shape of one value (None: text) and type; see data/README.md for meanings and units
COLUMNS = {
    "pose": ((72,), np.float32),
    "betas": ((10,), np.float32),
    "trans": ((3,), np.float32),
    "gender": ((), np.int8),
    "cam_R": ((3, 3), np.float32),
    "cam_t": ((3,), np.float32),
    "focal": ((2,), np.float32),
    "princpt": ((2,), np.float32),
    "weak": ((4,), np.float32),
    "joint_cam": ((17, 3), np.float32),
    "keypoints": ((17, 3), np.float32),
    "bbox": ((4,), np.float32),
    "image_size": ((2,), np.int32),
    "image_id": ((), np.int64),
    "annotation_id": ((), np.int64),
    "person_id": ((), np.int64),
    "db_idx": ((), np.int64),
    "action": ((), np.int8),
    "image": (None, np.bytes_),
    "video": (None, np.bytes_),
}


# columns that come from an entry with SMPL or MANO parameters, and from one with a camera
BODY_COLUMNS = ("pose", "betas", "trans", "gender")
CAMERA_COLUMNS = ("cam_R", "cam_t", "focal", "princpt")


class People:
    """Collects annotated persons and turns them into columns.

    Args:
        shapes: columns whose values have another shape than in ``COLUMNS``.

    Attributes:
        path: the file that was opened last.
    """

    path: Path

    def __init__(self, **shapes: tuple[int, ...]):
        self._shapes = {**{name: shape for name, (shape, _) in COLUMNS.items()}, **shapes}
        self._values: dict[str, list] = {}
        self._skipped: Counter[str] = Counter()
        self._sources: list[tuple[int, dict[str, Path]]] = []  # first row of an opened file, column -> its file

    def open(self, path: Path, *others: tuple[Path, Sequence[str]]) -> CocoFile:
        """Read the file that the next persons come from.

        Args:
            path: COCO-style file.
            others: further files and the columns that come from them, for messages.
        """
        data = CocoFile(path)
        self.path = path
        self._sources.append((len(self), {"": path} | {column: file for file, columns in others for column in columns}))
        for reason, number in data.replaced.items():
            self.skip(reason, number)
        return data

    def __len__(self) -> int:
        return len(self._values.get("annotation_id", ()))

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that are left out."""
        self._skipped[reason] += count

    def usable(self, annotation: dict) -> bool:
        """Whether an annotation's box has an area; counted as left out otherwise."""
        record = f"annotation {annotation['id']}"
        usable = usable_box(self.path, record, field(self.path, record, annotation, "bbox"))
        if not usable:
            self.skip("with a box below one pixel")
        return usable

    def add(self, annotation: dict, image: dict, name: str | None = None, **values) -> None:
        """One person.

        Args:
            annotation, image: entries of the COCO-style file; box, size and ids are taken from them.
            name: image name; None takes ``file_name``.
            values: further columns, the same ones for every person.
        """
        if name is None:
            name = text(self.path, f"image {image['id']}", image, "file_name")
        values |= {
            "bbox": annotation.get("bbox") or (0, 0, 0, 0),
            "image_size": (image.get("width", 0), image.get("height", 0)),
            "image_id": image["id"],
            "annotation_id": annotation["id"],
            "image": name,
        }
        for column, value in values.items():
            self._values.setdefault(column, []).append(value)

    def columns(self) -> tuple[dict[str, np.ndarray], dict[str, int]]:
        """The columns, rows in the order they were added, and the counts of left-out records.

        Raises:
            ValueError: no records, a value of the wrong size, or one that is not finite; names the first such record.
        """
        if not self._values:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._skipped.items()) or "nothing"
            where = self.path if len(self._sources) == 1 else self.path.parent
            raise ValueError(f"{where}: no sample is left (left out: {reasons}); see data/README.md")
        return {name: self._array(name) for name in self._values}, dict(self._skipped)

    def _array(self, name: str) -> np.ndarray:
        values, (shape, dtype) = self._values[name], (self._shapes[name], COLUMNS[name][1])
        if shape is None:
            return np.array([value.encode() for value in values])
        try:
            array = np.asarray(values, dtype=dtype)
        except (TypeError, ValueError, OverflowError):
            array = None
        if array is None or not _fits(array.shape[1:], shape) or not np.isfinite(array).all():
            self._raise_first_bad(name, shape, dtype)
            array = np.stack([np.reshape(np.asarray(value, dtype=dtype), shape) for value in values])  # in two layouts
        return array.reshape(len(values), *shape)

    def _raise_first_bad(self, name: str, shape: tuple[int, ...], dtype) -> None:
        for row, value in enumerate(self._values[name]):
            source = next(source for first, source in reversed(self._sources) if first <= row)
            ids = (self._values[column][row] for column in ("annotation_id", "image_id"))
            record = "{}: annotation {} (image {})".format(source.get(name, source[""]), *ids)
            try:
                numbers = np.asarray(value, dtype=dtype)
                finite = np.isfinite(numbers).all()
            except OverflowError:
                raise ValueError(f"{record}: {name} is too large: {shown(value)}") from None
            except (TypeError, ValueError):
                raise ValueError(f"{record}: {name} is not numeric and regular: {shown(value)}") from None
            if not _fits(numbers.shape, shape):
                raise ValueError(f"{record}: {name} has the shape {numbers.shape}, expected {shape}")
            if not finite:
                raise ValueError(f"{record}: {name} holds values that are missing or not finite")


def _fits(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array of one shape is another one written differently: (17, 3) as 51 numbers, (72,) as (24, 3)."""
    return found == wanted or (math.prod(found) == math.prod(wanted) and (len(wanted) < 2 or len(found) == 1))


def sort_rows(columns: dict[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    """All columns with their rows in another order."""
    return {name: column[order] for name, column in columns.items()}


def body_fit(path: Path, record: str, fit: dict, gender: bool = False, trans: bool = True) -> dict:
    """Columns pose, betas, and if wanted trans and gender, of an entry with ``pose``, ``shape``, ``trans``, ``gender``.

    Raises:
        ValueError: a key is missing, or an unknown gender.
    """
    values = {"pose": field(path, record, fit, "pose"), "betas": field(path, record, fit, "shape")}
    if trans:
        values["trans"] = field(path, record, fit, "trans")
    if gender:
        name = field(path, record, fit, "gender")
        if not isinstance(name, str) or name not in GENDERS:
            raise ValueError(f"{path}: {record} has the gender {shown(name)}, expected one of {', '.join(GENDERS)}")
        values["gender"] = GENDERS.index(name)
    return values


def camera(path: Path, image: dict) -> dict:
    """Columns focal and princpt of an image entry with ``cam_param {focal, princpt}``."""
    view = f"image {image['id']}"
    return {column: field(path, view, image, "cam_param", column) for column in ("focal", "princpt")}


def clamp_betas(betas: np.ndarray) -> np.ndarray:
    """Shapes (N, 10) with the mean shape where any component is larger than 3 (a failed fit), as published."""
    return np.where((np.abs(betas) > MAX_BETA).any(axis=1, keepdims=True), 0, betas)


def report_skipped(name: str, kept: int, counts: dict[str, int]) -> None:
    """Print how many records were left out and why; nothing when all were kept."""
    if counts:
        reasons = ", ".join(f"{number} {reason}" for reason, number in counts.items())
        print(f"{name}: {kept} samples; left out: {reasons}", flush=True)
