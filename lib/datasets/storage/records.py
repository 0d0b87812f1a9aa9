"""Records: annotations as equal-length columns, parsed once and memory-mapped from then on.

A parser gives one row per record; ``load_records`` keeps the columns in a cache folder (``record_cache``). A
second start checks every byte against checksums, some gigabytes per second, and maps the files: nothing is parsed, and
all processes of a machine share one copy in memory. A cache that is damaged, half-written or no longer fits its sources
is made again, with one line that says why.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lib.datasets.storage import record_cache
from lib.datasets.storage.record_cache import DTYPE_KINDS, Columns

Parser = Callable[[], tuple[Columns, dict]]


class PoseRecords(Mapping[str, np.ndarray]):
    """Equal-length read-only columns.

    Cached records pickle as their folder, so that loading processes map the same files; others pickle with their data.

    Attributes:
        count: rows of every column.
        notes: what the parser reports beside the columns, e.g. how many records were left out and why.
        folder: cache folder, None for records in memory.
    """

    def __init__(self, columns: Columns, notes: dict, folder: Path | None = None):
        self._columns = {key: _read_only(column) for key, column in columns.items()}
        self.notes, self.folder = notes, folder
        self.count = len(next(iter(self._columns.values())))

    @classmethod
    def open(cls, folder: Path) -> "PoseRecords":
        """Map the columns of a complete cache folder; checksums are not looked at.

        Raises:
            FileNotFoundError: the folder was removed.
            ValueError: files that do not fit ``meta.json``.
        """
        return cls(*record_cache.map_columns(folder), folder)

    def __getitem__(self, column: str) -> np.ndarray:
        return self._columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Number of columns; rows are ``count``."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"PoseRecords({self.count} rows of {', '.join(self._columns)}; {self.folder or 'in memory'})"

    def __reduce__(self):
        # a folder may be replaced, when its sources change, while a training still uses it
        if self.folder is not None and (self.folder / record_cache.META).is_file():
            return PoseRecords.open, (self.folder,)
        return PoseRecords, (self._columns, self.notes)


def load_records(
    name: str, sources: Sequence[Path], options: dict, version: int, parse: Parser, cache: Path | None
) -> PoseRecords:
    """Records of a data set, from the cache when it fits and from the parser otherwise.

    Args:
        name: of the data set; begins the folder's name.
        sources: every file that ``parse`` reads.
        options: whatever else changes the outcome, e.g. mode and subsets; JSON values.
        version: to be raised when the parser's outcome changes.
        parse: gives columns (N, ...) of numbers, booleans or bytes, and notes (JSON values).
        cache: folder of all caches; None parses each time and keeps the records in memory.

    Raises:
        FileNotFoundError: a source is missing.
        ValueError: the parser gave no rows, columns of different length, or values of a kind that is not kept.
    """
    if cache is None:
        return PoseRecords(*_parsed(name, parse))
    material = record_cache.key_material(name, sources, options, version)
    folder = record_cache.folder_for(Path(os.path.abspath(cache)), material)
    records, reason = _cached(folder, material)
    if records is not None:
        return records
    with record_cache.lock(folder):
        records, reason = _cached(folder, material)  # another process may have parsed meanwhile
        if records is not None:
            return records
        stale = record_cache.stale_caches(folder, material)
        reason = reason or next(iter(stale.values()), None)
        how = f"again: {reason} (" if reason else "(once; "
        print(f"Parsing {name} annotations {how}cached in {folder})", flush=True)
        columns, notes = _parsed(name, parse)
        try:
            record_cache.write(folder, material, columns, notes)
        except OSError as error:
            warnings.warn(f"{name}: no record cache, annotations stay in memory: {error}", stacklevel=2)
            return PoseRecords(columns, notes)
        record_cache.tidy(stale, folder.parent, name)
    records, _ = _cached(folder, material)
    return PoseRecords(columns, notes) if records is None else records


def _cached(folder: Path, material: dict) -> tuple[PoseRecords | None, str | None]:
    """Records of a good cache; otherwise None and, where there is a cache, what is wrong with it."""
    found = record_cache.damage(folder, material)
    if found != record_cache.GOOD:
        return None, found
    try:
        return PoseRecords.open(folder), None
    except (OSError, ValueError) as error:  # another process has just removed it
        return None, str(error)


def _parsed(name: str, parse: Parser) -> tuple[Columns, dict]:
    """The parser's outcome, checked; notes as a cached start would give them."""
    columns, notes = parse()
    if not columns:
        raise ValueError(f"{name}: the parser gave no columns")
    checked = {}
    for key, value in columns.items():
        column = np.asarray(value)
        if not key.isidentifier():
            raise ValueError(f"{name}: column name {key!r} must be an identifier, it names a file")
        if column.dtype.kind not in DTYPE_KINDS:
            raise ValueError(f"{name}: column {key} has dtype {column.dtype}; numbers, booleans or bytes are kept")
        if column.ndim == 0 or column.size == 0:
            raise ValueError(f"{name}: column {key} has shape {column.shape}: there is no record")
        checked[key] = np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))
    first, *others = checked
    for key in others:
        if len(checked[key]) != len(checked[first]):
            lengths = f"{len(checked[key])} rows, column {first} {len(checked[first])}"
            raise ValueError(f"{name}: column {key} has {lengths}")
    return checked, json.loads(json.dumps(notes))


def _read_only(column: np.ndarray) -> np.ndarray:
    view = column.view()
    view.flags.writeable = False
    return view
