"""Damaged annotation files: records are left out and counted, or one error names file and record."""

import contextlib
import gzip
import json
import os

import pytest

from lib.datasets.registry import dataset_class
from lib.settings.reading import merge
from tests.support.files.damaged_files import JSON_SETS, MISSING, SPLITS, mesh_model, places, put

NAN = float("nan")


def refusal(data) -> str:
    """The one-line error; the data set's files are what it talks about."""
    with pytest.raises((ValueError, OSError)) as error:
        data.build()
    words = str(error.value)
    assert str(data.root) in words
    assert "\n" not in words
    return words


@pytest.mark.parametrize("name", SPLITS)
def test_sound_files_are_read(damaged, name):
    assert len(damaged(name).build()) >= 8


FILE_DAMAGE = {
    "missing": (lambda path: path.unlink(), "not found"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "not a file"),
    "empty": (lambda path: path.write_bytes(b""), "not valid JSON"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "not copied completely"),
    "compressed": (lambda path: path.write_bytes(gzip.compress(path.read_bytes())), "unpack it"),
    "latin-1": (lambda path: path.write_bytes('{"images": "é"}'.encode("latin-1")), "not valid JSON"),
    "nested": (lambda path: path.write_text("[" * 200_000), "not valid JSON"),
    "number": (lambda path: path.write_text("7"), "expected a JSON"),
    "null": (lambda path: path.write_text("null"), "expected a JSON"),
    "other top level": (
        lambda path: path.write_text("[]" if path.read_text().startswith("{") else "{}"),
        "expected a JSON",
    ),
}


@pytest.mark.parametrize("kind", FILE_DAMAGE)
@pytest.mark.parametrize("name", JSON_SETS)
def test_damaged_files_are_named(damaged, name, kind):
    data = damaged(name)
    damage, words = FILE_DAMAGE[kind]
    for path in data.files:
        damage(path)
        message = refusal(data)
        assert str(path) in message
        assert words in message
        data.restore()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read everything")
@pytest.mark.parametrize("name", SPLITS)
def test_unreadable_files_are_named(damaged, name):
    data = damaged(name)
    data.files[0].chmod(0)
    assert "Permission denied" in refusal(data)


@pytest.mark.parametrize("name", JSON_SETS)
def test_whatever_is_wrong_there_is_no_other_error(damaged, name):
    """Every key of every file, one after the other: gone, null, text, an empty list, NaN."""
    data = damaged(name)
    words = set()
    for path in {*data.files[:4], data.files[-1]}:
        sound = path.read_text(encoding="utf-8")
        for keys in places(json.loads(sound)):
            for value in (MISSING, None, "abc", [], NAN):
                content = json.loads(sound)
                put(content, keys, value)
                path.write_text(json.dumps(content), encoding="utf-8")
                with contextlib.suppress(ValueError):
                    data.build()
                    continue
                words.add(refusal(data))
        path.write_text(sound, encoding="utf-8")
    assert len(words) > 30
    assert max(map(len, words)) < 500


def test_human36_detections_are_refused_for_coco_joints_cached_or_not(tiny_root, tmp_path):
    def build(joint_set: str):
        settings = {"input_joint_set": joint_set, "use_gt_input": False, "cache": str(tmp_path)}
        model = mesh_model(tiny_root, "body")
        return dataset_class("Human36M")(
            "test", merge({"DATASET": settings, "MODEL": {"name": "posenet"}}), model, root=tiny_root
        )

    for _ in range(2):
        with pytest.raises(ValueError, match="holds human36 joints"):
            build("coco")
        assert len(build("human36"))
