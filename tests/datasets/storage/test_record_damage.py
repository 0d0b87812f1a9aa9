"""Record caches that cannot be trusted, cannot be written, or are wanted by several processes at once."""

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lib.datasets.storage import record_cache
from lib.datasets.storage.records import PoseRecords
from tests.helpers import ROOT
from tests.support.record_starts import COLUMNS, NOTES, Parser, Starts, assert_right


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x01
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("file", ["pose.npy", "image.npy", "action.npy", "meta.json"])
@pytest.mark.parametrize(
    ("spoil", "why"), [(flip, "damaged"), (truncate, "damaged"), (empty, "damaged"), (Path.unlink, "missing")]
)
def test_a_damaged_cache_is_made_again(start, capsys, file, spoil, why):
    parser = Parser()
    folder = start(parser).folder
    capsys.readouterr()
    spoil(folder / file)
    assert_right(start(parser))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Parsing Set annotations again: {file} of the cache is {why} (cached in {folder})"]
    assert_right(start(parser))
    assert parser.calls == 2
    assert start.caches(hidden=True) == []


def test_no_flipped_bit_of_the_description_is_believed(start):
    folder = start(Parser()).folder
    whole = (folder / "meta.json").read_bytes()
    material = json.loads(whole)["content"]["material"]
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 0x04
        (folder / "meta.json").write_bytes(content)
        if record_cache.damage(folder, material) == record_cache.GOOD:  # e.g. white space
            assert PoseRecords.open(folder).notes == NOTES


def test_columns_that_do_not_fit_the_description_are_not_mapped(start):
    folder = start(Parser()).folder
    np.save(folder / "pose.npy", COLUMNS["pose"][:4])
    with pytest.raises(ValueError, match=r"pose\.npy is <f4 \(4, 6\), meta\.json says otherwise"):
        PoseRecords.open(folder)


def test_an_older_map_survives_a_rebuild(start):
    parser = Parser()
    records = start(parser)
    os.replace(records.folder / "action.npy", records.folder / "gone")
    start(parser)
    assert_right(records)


class Killed(BaseException):
    """Stands for a signal."""


def test_a_half_written_cache_is_not_seen_and_old_leftovers_go(start, monkeypatch):
    parser = Parser()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)

        def killed(*args, **kwargs):
            raise Killed

        patch.setattr(record_cache, "_meta_checksum", killed)
        with pytest.raises(Killed):
            start(parser)
    assert start.caches() == []
    (left,) = start.cache.glob(".Set-*.tmp")
    assert (left / "pose.npy").is_file()
    assert_right(start(parser))
    assert left.exists()  # it may be another process's
    os.utime(left, (time.time() - 7200,) * 2)
    start(parser, options={"mode": "test"})
    assert not left.exists()


def test_a_cache_that_cannot_be_written_leaves_the_records_in_memory(start, tmp_path):
    (tmp_path / "file").write_text("")
    parser = Parser()
    with pytest.warns(UserWarning, match="Set: no record cache, annotations stay in memory: .*file"):
        records = start(parser, cache=tmp_path / "file" / "cache")
    assert_right(records)
    assert records.folder is None


def test_a_full_disk_leaves_the_records_in_memory(start, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert_right(start(Parser()))
    assert os.listdir(start.cache) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="folder permissions do not bind root")
def test_a_read_only_folder_with_a_good_cache_is_used(start, tmp_path):
    parser = Parser()
    start(parser)
    start.cache.chmod(0o555)
    assert_right(start(parser))
    assert parser.calls == 1


# several processes

WORKER = """
import pickle, sys
import numpy as np
records = pickle.loads(bytes.fromhex(sys.argv[1]))
rng = np.random.default_rng(0)
total = 0.0
for _ in range(200):
    rows = np.sort(rng.integers(records.count, size=64))
    total += float(records["pose"][rows].sum()) + float(records["betas"][rows].sum())
facts = dict(line.split(":") for line in open("/proc/self/smaps_rollup").read().splitlines()[1:])
print(total, facts["Anonymous"].split()[0])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="the system does not tell private memory")
def test_memory_of_a_worker_does_not_grow_with_the_rows(start):
    """Private memory of a process that reads all over the table, 4 MB of rows against 98 MB."""
    used = []
    for rows in (12_500, 300_000):
        columns = {"pose": np.ones((rows, 72), dtype=np.float32), "betas": np.ones((rows, 10), dtype=np.float32)}
        records = start(Parser(columns), options={"rows": rows})
        command = [sys.executable, "-c", WORKER, pickle.dumps(records).hex()]
        total, private = subprocess.check_output(command, cwd=ROOT, text=True).split()
        assert float(total) == 200 * 64 * 82
        used.append(int(private))
    assert abs(used[1] - used[0]) < 2000  # kB


class SlowParser(Parser):
    """Leaves a mark in a folder for each time it is asked."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def __call__(self):
        (self.folder / f"parsed-{os.getpid()}").touch()
        time.sleep(0.3)
        return super().__call__()


def no_locks(*args, **kwargs):
    raise OSError(37, "No locks available")


def start_with_others(folder, barrier, locks):
    if not locks:
        record_cache.FileLock = no_locks
    barrier.wait()
    records = Starts(folder)(SlowParser(folder))
    assert_right(records)
    assert_right(pickle.loads(pickle.dumps(records)))


@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize("state", ["none", "damaged"])
def test_processes_that_start_together(start, tmp_path, locks, state):
    if state == "damaged":
        flip(start(Parser()).folder / "pose.npy")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    others = [context.Process(target=start_with_others, args=(tmp_path, barrier, locks)) for _ in range(3)]
    for process in others:
        process.start()
    for process in others:
        process.join(60)
    assert [process.exitcode for process in others] == [0, 0, 0]
    parsed = len(list(tmp_path.glob("parsed-*")))
    assert parsed == 1 if locks else parsed >= 1
    assert len(start.caches()) == 1
    assert start.caches(hidden=True) == []
    parser = Parser()
    assert_right(start(parser))
    assert parser.calls == 0
