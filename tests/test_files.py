"""Reading NumPy files: nothing is executed, and one line says which file, what was found, what is wanted."""

import contextlib
import os

import numpy as np
import pytest

from lib.files import hidden_beside, read_array, read_arrays, read_yaml, staged


def test_arrays_come_back(tmp_path):
    matrix = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", matrix)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), matrix)
    assert isinstance(read_array(tmp_path / "a.npy", mmap_mode="r"), np.memmap)
    np.savez(tmp_path / "a.npz", first=matrix, second=np.arange(3), name=np.array("text"))
    assert list(read_arrays(tmp_path / "a.npz")) == ["first", "second", "name"]
    assert list(read_arrays(str(tmp_path / "a.npz"), ("second", "first"), unread=["name"])) == ["second", "first"]
    assert list(read_arrays(tmp_path / "a.npz", lambda names: names[1:2])) == ["second"]
    np.savez(tmp_path / "none.npz")
    assert read_arrays(tmp_path / "none.npz") == {}


def objects(path):
    with open(path, "wb") as file:
        np.save(file, np.array([{}, 1], dtype=object), allow_pickle=True)


def half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda path: path.unlink(), "not found"),
        (lambda path: path.write_bytes(b""), "is no NumPy file"),
        (lambda path: path.write_text("hello"), "is no NumPy file"),
        (objects, "holds Python objects"),
        (half, "cannot be read \\(.*\\)"),
        (lambda path: np.save(path, np.array(["a"])), r"holds an array of <U1 \(1,\)"),
    ],
)
def test_no_array_of_numbers(tmp_path, spoil, found):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(100))
    spoil(path)
    kind = FileNotFoundError if found == "not found" else ValueError
    with pytest.raises(kind, match=rf"a\.npy {found}; expected numbers; make them$") as error:
        read_array(path, "numbers", "make them")
    assert "\n" not in str(error.value)


def test_no_arrays(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"a\.npz not found; expected a \.npz file of arrays$"):
        read_arrays(path)
    np.savez(path, first=np.zeros(3), other=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz has no second, third, only first, other; expected a pair"):
        read_arrays(path, ("first", "second"), "a pair", unread=("third",))
    with pytest.raises(ValueError, match="holds Python objects"):
        read_arrays(path)
    assert list(read_arrays(path, skip_objects=True)) == ["first"]
    with pytest.raises(ValueError, match="is an archive; expected"):
        read_array(path)
    half(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_arrays(path, ("first",))
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="is a single array; expected"):
        read_arrays(path)


def test_hidden_names_are_new_each_time(tmp_path):
    names = {hidden_beside(tmp_path / "a.npz") for _ in range(9)}
    assert len(names) == 9
    assert all(name.parent == tmp_path and name.name.startswith(".a.npz.") and name.suffix == ".tmp" for name in names)


def _laugh(levels: int, line: str) -> str:
    """YAML with ``levels`` lines of which each holds the one before ten times."""
    return "x0: &x0 {a: 1}\n" + "".join(
        f"x{level + 1}: &x{level + 1} {line.format(', '.join([f'*x{level}'] * 10))}\n" for level in range(levels)
    )


@pytest.mark.parametrize(
    "text",
    [
        _laugh(9, "[{}]"),
        _laugh(9, "{{<<: [{}]}}"),
        "{a: " * 2000 + "1" + "}" * 2000,
        "a: &a [*a]",
        "a: 2020-99-99",
        "a: " + "1" * 5000,
        "a: !!python/object/apply:os.getcwd []",
        "a: 1\na: 2",
        "? [1]\n: 2",
        "a: \x07",
        "\udcff",
    ],
)
def test_yaml_that_is_no_plain_content_is_refused_in_one_short_line(text, tmp_path):
    path = tmp_path / "a.yml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"a\.yml") as refused:
        read_yaml(path)
    assert len(str(refused.value)) < 600
    assert str(refused.value).isprintable()


def test_yaml_may_share_a_few_parts_and_be_large(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("a: &a [1, 2]\nb: [*a, *a]\nc: [" + "0, " * 5000 + "0]\n")
    assert read_yaml(path)["b"] == [[1, 2], [1, 2]]
    (tmp_path / "large.yml").write_text("#" * (5 << 20))
    with pytest.raises(ValueError, match=r"large\.yml: larger than 4 MB"):
        read_yaml(tmp_path / "large.yml")


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_whoever_is_stopped_while_results_change_leaves_no_mixture(tmp_path, monkeypatch, stop):
    names, moved, replace = ("a.txt", "b.txt", "in/c.txt"), [], os.replace
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / name).write_text("old")
    abandoned, foreign = tmp_path / ".results.7-0123abcd.tmp", tmp_path / ".results.mine-.tmp"
    for folder in (abandoned, foreign):
        folder.mkdir()
        os.utime(folder, (0, 0))

    def move(source, target):
        if len(moved) == stop:
            raise KeyboardInterrupt
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", move)
    with (
        pytest.raises(KeyboardInterrupt) if stop < 3 else contextlib.nullcontext(),
        staged(tmp_path, [tmp_path / name for name in names]) as aside,
    ):
        (aside / "in").mkdir()
        for name in names:
            (aside / name).write_text("new")
    assert [path.read_text() for path in tmp_path.rglob("*.txt")] == ["new"] * stop
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == [foreign]
