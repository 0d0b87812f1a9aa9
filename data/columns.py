"""From annotation records to columns: known shapes, counted skips, errors that name the record."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from lib.mesh_model import GENDERS

from .annotations import field, usable_box

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


class People:
    """Collects annotated persons and turns them into columns.

    Args:
        path: file that the persons come from, for messages.
        shapes: columns whose values have another shape than in ``COLUMNS``.
    """

    def __init__(self, path: Path, **shapes: tuple[int, ...]):
        self.path = path
        self._shapes = {name: shape for name, (shape, _) in COLUMNS.items()} | shapes
        self._records: list[str] = []
        self._values: dict[str, list] = {}
        self._skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._records)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that are left out."""
        if count:
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
            name = field(self.path, f"image {image['id']}", image, "file_name")
        values |= {
            "bbox": annotation.get("bbox", (0, 0, 0, 0)),
            "image_size": (image.get("width", 0), image.get("height", 0)),
            "image_id": image["id"],
            "annotation_id": annotation["id"],
            "image": name,
        }
        self._records.append(f"annotation {annotation['id']}")
        for column, value in values.items():
            self._values.setdefault(column, []).append(value)

    def columns(self) -> tuple[dict[str, np.ndarray], dict[str, int]]:
        """The columns, rows in the order they were added, and the counts of left-out records.

        Raises:
            ValueError: no records, a value of the wrong size, or one that is not finite; names the first such record.
        """
        if not self._records:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._skipped.items()) or "nothing"
            raise ValueError(f"{self.path}: no sample is left (left out: {reasons}); see data/README.md")
        return {name: self._array(name) for name in self._values}, dict(self._skipped)

    def _array(self, name: str) -> np.ndarray:
        shape, values = self._shapes[name], self._values[name]
        if shape is None:
            return np.array([str(value).encode() for value in values])
        try:
            # (21, 3) joints may also be written as 63 numbers
            array = np.asarray(values, dtype=COLUMNS[name][1]).reshape(len(values), *shape)
        except (TypeError, ValueError, OverflowError):
            array = None
        if array is None or not np.isfinite(array).all():
            self._raise_first_bad(name, shape)
        return array

    def _raise_first_bad(self, name: str, shape: tuple[int, ...]):
        size = int(np.prod(shape))
        for record, value in zip(self._records, self._values[name], strict=True):
            try:
                numbers = np.asarray(value, dtype=np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"{self.path}: {record}: {name} is not numeric: {str(value)[:60]}") from None
            if numbers.size != size:
                raise ValueError(f"{self.path}: {record}: {name} has {numbers.size} numbers, expected {size} {shape}")
            if not np.isfinite(numbers).all():
                raise ValueError(f"{self.path}: {record}: {name} holds values that are not finite")
        raise ValueError(f"{self.path}: column {name} has values of different layouts")


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
        if name not in GENDERS:
            raise ValueError(f"{path}: {record} has the gender {name!r}, expected one of {', '.join(GENDERS)}")
        values["gender"] = GENDERS.index(name)
    return values


def camera(path: Path, image: dict) -> dict:
    """Columns focal and princpt of an image entry with ``cam_param {focal, princpt}``."""
    view = f"image {image['id']}"
    return {column: field(path, view, image, "cam_param", column) for column in ("focal", "princpt")}


def clamp_betas(betas: np.ndarray) -> np.ndarray:
    """Shapes (N, 10) with the mean shape where any component is larger than 3 (a failed fit), as published."""
    return np.where((np.abs(betas) > MAX_BETA).any(axis=1, keepdims=True), 0, betas)


def warn_skipped(name: str, kept: int, counts: dict[str, int]) -> None:
    """One warning that says how many records were left out and why."""
    if counts:
        reasons = ", ".join(f"{number} {reason}" for reason, number in counts.items())
        warnings.warn(f"{name}: {kept} samples; left out: {reasons}", stacklevel=4)
