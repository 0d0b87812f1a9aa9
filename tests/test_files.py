"""Reading NumPy files: nothing is executed, and one line says which file, what was found, what is wanted."""

import numpy as np
import pytest

from lib.files import hidden_beside, read_array, read_arrays


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
