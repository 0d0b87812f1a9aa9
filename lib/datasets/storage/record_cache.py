"""Cache folders of records: ``<cache>/<name>-<key>/`` with one ``<column>.npy`` per column and ``meta.json``.

The key is a digest of the source files' paths, sizes and modification times, of the options and of the parser's
version. A folder is written aside, ``meta.json`` last, and renamed, so that readers see all of it or nothing. Processes
that start together wait for the first one to parse; where the folder cannot be locked each of them parses, and the
first folder stays.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock

from lib.files import hidden_beside, read_array

Columns = dict[str, np.ndarray]

FORMAT = 1  # of the folder; a parser has a version of its own
META = "meta.json"
DTYPE_KINDS = "biufS"  # of columns
GOOD = "good"
CHUNK = 1 << 22  # bytes read at once for a checksum
THREADS = 8
ABANDONED = 3600.0  # seconds after which a folder aside is left over: columns are written within seconds


def key_material(name: str, sources: Sequence[Path], options: dict, version: int) -> dict:
    """What a cache must have been made from to be used.

    Raises:
        FileNotFoundError: a source is missing.
    """
    files = []
    for source in sources:
        facts = _file_facts(os.path.abspath(source))
        if facts is None:
            raise FileNotFoundError(f"{name}: annotation file {source} is missing; see data/README.md")
        files.append(facts)
    options = json.loads(json.dumps(options))  # tuples become lists, as in the stored material
    return {"format": FORMAT, "name": name, "version": version, "options": options, "sources": files}


def _file_facts(path: str) -> list | None:
    """[path, bytes, modification time in ns]; None when there is no such file."""
    try:
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [path, facts.st_size, facts.st_mtime_ns]


def folder_for(cache: Path, material: dict) -> Path:
    """Where records of this material are kept."""
    digest = hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()
    return cache / f"{material['name']}-{digest[:16]}"


# reading


def damage(folder: Path, material: dict) -> str | None:
    """What is wrong with a cache: ``GOOD`` when every byte is right, None when there is none."""
    if not folder.is_dir():
        return None
    try:
        meta = _read_meta(folder)
        if meta["material"] != material:
            return f"{META} of the cache describes other annotations"
        paths = [folder / f"{key}.npy" for key in meta["columns"]]
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            sums = list(pool.map(_checksum, paths))
        for path, found, facts in zip(paths, sums, meta["columns"].values()):
            if found != facts["crc32"]:
                return f"{path.name} of the cache is damaged"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} of the cache is missing"
    except (OSError, ValueError) as error:
        return str(error)
    return GOOD


def map_columns(folder: Path) -> tuple[Columns, dict]:
    """Columns of a cache, mapped read-only, and its notes.

    Raises:
        FileNotFoundError: there is no cache.
        ValueError: damaged ``meta.json``, or columns that do not fit it; their checksums are not looked at.
    """
    meta = _read_meta(folder)
    columns = {}
    for key, facts in meta["columns"].items():
        column = read_array(folder / f"{key}.npy", kinds=DTYPE_KINDS, mmap_mode="r")
        if column.dtype.str != facts["dtype"] or list(column.shape) != facts["shape"]:
            raise ValueError(f"{folder}: {key}.npy is {column.dtype.str} {column.shape}, {META} says otherwise")
        columns[key] = np.asarray(column)  # a plain array over the map: indexing np.memmap is slow
    return columns, meta["notes"]


def _read_meta(folder: Path) -> dict:
    """Contents of ``meta.json``, which carries a checksum of its own."""
    try:
        stored = json.loads((folder / META).read_bytes())
        content, expected = stored["content"], stored["crc32"]
    except (ValueError, TypeError, KeyError, RecursionError):
        content, expected = None, None
    if content is None or _meta_checksum(content) != expected:
        raise ValueError(f"{META} of the cache is damaged")
    return content


def _meta_checksum(content: dict) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _checksum(path: Path) -> int:
    """CRC-32 of a file, read piecewise so that a check leaves nothing in memory."""
    value, buffer = 0, memoryview(bytearray(CHUNK))
    with open(path, "rb", buffering=0) as file:
        while size := file.readinto(buffer):
            value = zlib.crc32(buffer[:size], value)
    return value


# writing


def write(folder: Path, material: dict, columns: Columns, notes: dict) -> None:
    """Write a folder aside and give it its name, unless a good one has it already.

    Raises:
        OSError: the folder cannot be written.
    """
    aside = hidden_beside(folder)
    try:
        aside.mkdir(parents=True)
        facts = {}
        for key, column in columns.items():
            path = aside / f"{key}.npy"
            np.save(path, column, allow_pickle=False)
            shape = list(column.shape)
            facts[key] = {"dtype": column.dtype.str, "shape": shape, "crc32": _checksum(path)}
        content = {"material": material, "columns": facts, "notes": notes}
        meta = {"content": content, "crc32": _meta_checksum(content)}
        (aside / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        if folder.exists() and damage(folder, material) != GOOD:
            _discard(folder)
        try:
            aside.rename(folder)
        except OSError:
            if damage(folder, material) != GOOD:  # else another process was first
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _discard(folder: Path) -> None:
    """Remove a cache; nobody sees it half removed, and those who have mapped its columns keep them."""
    aside = hidden_beside(folder)
    with contextlib.suppress(FileNotFoundError):  # another process was first
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def stale_caches(folder: Path, material: dict) -> dict[Path, str]:
    """Caches of the same data set and options that will not be used again, each with what changed."""
    stale = {}
    for other in sorted(folder.parent.glob(f"{material['name']}-*")):
        if other == folder or not re.fullmatch(r".*-[0-9a-f]{16}", other.name):
            continue
        try:
            old = _read_meta(other)["material"]
            same = (old["name"], old["options"]) == (material["name"], material["options"])
            change = _change(old, material) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not written by us, or too damaged to tell
        if change:
            stale[other] = change
    return stale


def _change(old: dict, new: dict) -> str | None:
    """Why a cache will not be used again; None when it may be, e.g. one of files elsewhere that still stand."""
    if (old["format"], old["version"]) < (new["format"], new["version"]):
        return "the parser is newer than the cache"
    for path, size, modified in old["sources"]:
        if _file_facts(path) != [path, size, modified]:
            return f"{path} has changed since"
    return None


def tidy(stale: Mapping[Path, str], cache: Path, name: str) -> None:
    """Remove stale caches and what killed processes left aside; what cannot be removed stays."""
    for folder in stale:
        with contextlib.suppress(OSError):
            _discard(folder)
    for aside in cache.glob(f".{name}-*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - aside.stat().st_mtime > ABANDONED:
                shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Let one process at a time parse, where the folder can be locked; nothing but saved work relies on it."""
    path = folder.with_name(f".{folder.name}.lock")
    with contextlib.ExitStack() as stack:
        # no permission, or a file system without locks: no soft ones, which a killed process would leave behind
        with contextlib.suppress(OSError):
            stack.enter_context(FileLock(path, fallback_to_soft=False))
            stack.callback(_unlink, path)
        yield


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows lets nobody remove it here; there the lock itself does
        path.unlink()
