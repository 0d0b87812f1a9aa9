"""Predictions as an ``.npz`` file: every array of ``lib.export.people.PeopleArrays`` under its name.

The keys, shapes and units are listed there. ``numpy.load`` reads the file without pickled objects; ``vertices`` alone
needs 83 kB for each person and frame of a 6,890-vertex mesh.
"""

import shutil
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from lib.export.hands import COMMON as HAND_COMMON
from lib.export.hands import HandArrays
from lib.export.people import COMMON, PeopleArrays
from lib.files import atomic_write, hidden_beside, read_arrays

_LATER = ("lens", "pose", "betas", "trans", "lift_residual", "risk", "carried", "left")  # keys that files of 0.1 lack
_COPY_BYTES = 1 << 20


def save_npz(path: str | Path, people: PeopleArrays) -> None:
    """Write all arrays of some people.

    Args:
        path: file to write; missing folders are created.
        people: keys, shapes and units are those of ``PeopleArrays``.
    """
    with NpzWriter(path) as writer:
        writer.append(people)


def load_npz(path: str | Path) -> PeopleArrays:
    """The arrays of a file of ``save_npz`` or ``NpzWriter``; older ones have the network's vertices.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file.
    """
    keys = [field.name for field in fields(PeopleArrays) if field.name != "hands"]
    hand_keys = [field.name for field in fields(HandArrays)]

    def wanted(names) -> list[str]:
        with_hands = hand_keys if hand_keys[0] in names else []
        return [key for key in keys if key in names or key not in _LATER] + with_hands

    arrays = read_arrays(path, wanted, "an .npz file of predictions")
    count = len(arrays["vertices"])
    unknown, none = np.full(count, np.nan, np.float32), np.zeros((count, 0), np.float32)
    given = {"lens": np.full((count, 3), np.nan, np.float32), "lift_residual": arrays["residual"], "risk": unknown}
    given["carried"] = np.zeros(count, bool)
    given["left"] = np.zeros(count, bool)
    hands = {key: arrays.pop(key) for key in hand_keys if key in arrays}
    own = {**dict.fromkeys(("pose", "betas", "trans"), none), **given, **arrays}
    return PeopleArrays(**own, hands=HandArrays(**hands) if hands else None)


class NpzWriter:
    """Collects people batch by batch in memory that does not grow, and writes one ``.npz`` file at the end.

    Usage::

        with NpzWriter("result.npz") as writer:
            for people in batches:
                writer.append(people)

    The rows wait in files beside ``path``. When the block raises nothing is written.

    Args:
        path: file to write; missing folders are created.
        name_length: characters for the texts of ``frame``; more when those of the first batch are longer.
    """

    def __init__(self, path: str | Path, name_length: int = 64):
        self.path = Path(path)
        self._name_length = name_length
        self.rows = 0
        self._common: dict[str, np.ndarray] = {}
        self._columns: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
        self._folder = hidden_beside(self.path)
        self._folder.mkdir(parents=True)

    def append(self, people: PeopleArrays) -> None:
        """Add rows.

        Raises:
            ValueError: another mesh, joint set, image size or focal length than before, or longer frame names; hands
                where there were none.
        """
        arrays = people.arrays()
        common = {key: arrays.pop(key) for key in (*COMMON, *HAND_COMMON) if key in arrays}
        arrays["frame"] = arrays["frame"].astype(self._frame_type(arrays["frame"]))
        columns = {key: (values.dtype, values.shape[1:]) for key, values in arrays.items()}
        if self.rows == 0 and not self._columns:
            self._common, self._columns = common, columns
        if {*common, *columns} != {*self._common, *self._columns}:
            raise ValueError(f"{self.path}: some people have hands of their own, others do not")
        for key, values in common.items():
            if not np.array_equal(values, self._common[key]):
                raise ValueError(f"{self.path}: {key} differs from that of the people before")
        for key, layout in columns.items():
            if layout != self._columns[key]:
                raise ValueError(f"{self.path}: {key} is {layout}, before it was {self._columns[key]}")
            with open(self._folder / key, "ab") as stream:
                stream.write(np.ascontiguousarray(arrays[key]).tobytes())
        self.rows += len(people)

    def _frame_type(self, frames: np.ndarray) -> np.dtype:
        if not self._columns:
            return np.dtype(f"<U{max(self._name_length, frames.dtype.itemsize // 4)}")
        kept = self._columns["frame"][0]
        if frames.dtype.itemsize > kept.itemsize:
            raise ValueError(f"{self.path}: frame names are longer than {kept.itemsize // 4} characters")
        return kept

    def close(self) -> None:
        """Write the file; without any people there is nothing to write and an error.

        Raises:
            ValueError: nothing was appended.
        """
        try:
            if not self._columns:
                raise ValueError(f"{self.path}: no people to write")
            with atomic_write(self.path, "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
                for key, values in self._common.items():
                    with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, np.asarray(values), allow_pickle=False)
                for key, (dtype, shape) in self._columns.items():
                    with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
                        self._copy(entry, key, dtype, shape)
        finally:
            self.discard()

    def _copy(self, entry, key: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        descr = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.rows, *shape)}
        np.lib.format.write_array_header_2_0(entry, header)
        with open(self._folder / key, "rb") as rows:
            shutil.copyfileobj(rows, entry, _COPY_BYTES)

    def discard(self) -> None:
        """Remove the waiting rows."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "NpzWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
