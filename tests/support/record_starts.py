"""A small parser's outcome, starts that use its cache, and what must come out of them."""

from pathlib import Path

import numpy as np
import pytest

from lib.datasets.storage.records import PoseRecords, load_records

COLUMNS = {
    "pose": np.arange(30, dtype=np.float32).reshape(5, 6),
    "image": np.array([b"a.jpg", "ü.jpg".encode(), b"", b"d", b"e/f.png"]),
    "action": np.array([0, 3, 14, -1, 2], dtype=np.int8),
}
NOTES = {"left out": {"no fit": 3, "NaN joints": 1}}


class Parser:
    """Gives the columns and counts how often it is asked."""

    def __init__(self, columns=COLUMNS):
        self.columns, self.calls = columns, 0

    def __call__(self):
        self.calls += 1
        return dict(self.columns), NOTES


class Starts:
    """Starts of a training: ``starts(parser)`` gives records as a new process would get them.

    Attributes:
        source: annotation file.
        cache: folder of caches.
    """

    def __init__(self, folder: Path):
        self.source, self.cache = folder / "annotations.json", folder / "cache"
        if not self.source.exists():
            self.source.write_text("{}")

    def __call__(self, parser, *, name="Set", sources=None, options=None, version=1, cache=...) -> PoseRecords:
        cache = self.cache if cache is ... else cache
        return load_records(name, sources or [self.source], options or {"mode": "train"}, version, parser, cache)

    def caches(self, hidden: bool = False) -> list[str]:
        """Names in the cache folder, either the hidden ones or the others."""
        return sorted(path.name for path in self.cache.iterdir() if path.name.startswith(".") == hidden)


def assert_right(records: PoseRecords, columns=COLUMNS) -> None:
    """Same columns, types and notes as the parser gave; not writable."""
    assert list(records) == list(columns)
    assert records.count == len(columns["pose"])
    assert records.notes == NOTES
    for key, column in columns.items():
        assert records[key].dtype == column.dtype
        np.testing.assert_array_equal(records[key], column)
        assert type(records[key]) is np.ndarray
        with pytest.raises(ValueError, match="read-only"):
            records[key][0] = column[0]
