"""The record cache: parsed once, found again by sources, options and version."""

import os
import pickle
import shutil

import numpy as np
import pytest

from tests.support.record_starts import NOTES, Parser, assert_right


def test_a_second_start_reads_the_cache(start, capsys):
    parser = Parser()
    assert_right(start(parser))
    (folder,) = start.caches()
    assert capsys.readouterr().out == f"Parsing Set annotations (once; cached in {start.cache / folder})\n"
    records = start(parser)
    assert_right(records)
    assert records.folder == start.cache / folder
    assert parser.calls == 1
    assert capsys.readouterr().out == ""
    assert start.caches(hidden=True) == []


def test_without_a_cache_records_stay_in_memory(start, capsys):
    parser = Parser()
    records = start(parser, cache=None)
    assert_right(records)
    assert records.folder is None
    assert_right(pickle.loads(pickle.dumps(records)))
    start(parser, cache=None)
    assert parser.calls == 2
    assert capsys.readouterr().out == ""


def test_text_columns_keep_their_bytes(start):
    for _ in range(2):
        assert [text.decode() for text in start(Parser())["image"].tolist()] == ["a.jpg", "ü.jpg", "", "d", "e/f.png"]


def test_a_changed_source_is_parsed_again_and_its_old_cache_removed(start, capsys):
    parser = Parser()
    start(parser)
    before = start.caches()
    capsys.readouterr()
    start.source.write_text("{ }")
    assert_right(start(parser))
    assert parser.calls == 2
    assert capsys.readouterr().out.startswith(
        f"Parsing Set annotations again: {start.source} has changed since (cached in"
    )
    assert len(start.caches()) == 1
    assert start.caches() != before
    facts = start.source.stat()
    os.utime(start.source, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    start(parser)
    assert parser.calls == 3
    assert len(start.caches()) == 1


def test_a_newer_parser_replaces_the_cache_and_an_older_one_does_not(start, capsys):
    parser = Parser()
    start(parser, version=1)
    start(parser, version=2)
    assert "again: the parser is newer than the cache" in capsys.readouterr().out
    assert len(start.caches()) == 1
    start(parser, version=1)
    assert len(start.caches()) == 2
    start(parser, version=2)
    assert parser.calls == 3


def test_options_names_and_other_sources_have_caches_of_their_own(start):
    parser = Parser()
    other = start.cache.parent / "other.json"
    other.write_text("[]")
    kinds = [
        {},
        {"options": {"mode": "test"}},
        {"options": {"subjects": (1, 5)}},
        {"name": "Set2"},
        {"sources": [other]},
    ]
    for _ in range(2):
        for kind in kinds:
            assert_right(start(parser, **kind))
    assert parser.calls == len(start.caches()) == len(kinds)


def test_only_own_stale_caches_are_removed(start):
    start(Parser())
    cache = start.cache
    (old,) = start.caches()
    shutil.copytree(cache / old, cache / "Set-notes")  # a user's copy
    for name in ("Set-0123456789abcdef", "Other-0123456789abcdef"):
        (cache / name).mkdir()
        (cache / name / "meta.json").write_text('{"content": {}, "crc32": 0}')
    start.source.write_text("changed")
    start(Parser())
    assert old not in start.caches()
    assert {"Set-notes", "Set-0123456789abcdef", "Other-0123456789abcdef"} < set(start.caches())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"pose": np.zeros((3, 2)), "betas": np.zeros((2, 2))}, "Set: column betas has 2 rows, column pose 3"),
        ({"pose": np.array([None, 1])}, "Set: column pose has dtype object"),
        ({"image": np.array(["a", "b"])}, "Set: column image has dtype <U1"),
        ({"pose": np.zeros((0, 72))}, r"Set: column pose has shape \(0, 72\): there is no record"),
        ({"pose": np.float32(1)}, r"Set: column pose has shape \(\)"),
        ({"../pose": np.zeros(3)}, "column name '../pose' must be an identifier"),
        ({}, "Set: the parser gave no columns"),
    ],
)
def test_what_a_parser_must_not_give(start, tmp_path, columns, message):
    for cache in (None, start.cache):
        with pytest.raises(ValueError, match=message):
            start(Parser(columns), cache=cache)
    assert start.caches() == []


def test_a_missing_source_is_named(start, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Set: annotation file .*nothing\.json is missing"):
        start(Parser(), sources=[tmp_path / "nothing.json"])


def test_records_pickle_as_their_folder(start):
    big = {"pose": np.zeros((20000, 72), dtype=np.float32)}
    records = start(Parser(big))
    sent = pickle.dumps(records)
    assert len(sent) < 500
    received = pickle.loads(sent)
    assert received.notes == NOTES
    assert received.folder == records.folder
    np.testing.assert_array_equal(received["pose"], big["pose"])
    shutil.rmtree(records.folder)  # its sources changed and another training made it anew
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(records))["pose"], big["pose"])
