"""Model files that are refused without being run: foreign names, damage, wrong contents."""

import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from lib.body.model_file import load_model_arrays, read_model_file
from tests.support.files.model_builders import Python2, same, small_body


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


DANGEROUS = [
    "os system", "posix system", "nt system", "builtins eval", "__builtin__ eval", "builtins exec", "builtins getattr",
    "builtins open", "builtins __import__", "subprocess Popen", "importlib import_module", "operator attrgetter",
    "functools partial", "numpy load", "numpy fromfile", "numpy memmap", "numpy.core.multiarray fromfile",
    "numpy.testing rundocs", "numpy.testing._private.utils runstring", "numpy.f2py.diagnose run_command",
    "numpy.lib.npyio load", "numpy.core numeric", "scipy.sparse load_npz", "scipy.io loadmat", "chumpy.ch depends_on",
    "chumpy.utils row", "chumpy.ch Ch.__init__", "torch load", "pickle loads", "lib.body.safe_pickle pickle",
    "numpy.core.multiarray _reconstruct.__globals__", "collections OrderedDict", "builtins object.__subclasses__",
]  # fmt: skip


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize("wanted", [True, False])
def test_any_other_name_is_refused_by_name(tmp_path, name, wanted):
    module, attribute = name.split()
    marker = tmp_path / "ran"
    protocol4 = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    protocol4 += b"\x8c" + bytes([len(attribute)]) + attribute.encode() + b"\x93"
    call = b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"
    command = b"(S'touch " + str(marker).encode() + b"'\ntR."
    for payload in (call + command, protocol4 + command):
        if wanted:  # hidden in an otherwise good model
            payload = b"}S'extra'\n" + payload[:-1].replace(b"\x80\x04", b"") + b"s."
        path = tmp_path / "model.pkl"
        path.write_bytes(payload)
        with pytest.raises(ValueError, match="was not executed") as error:
            load_model_arrays(path, "body")
        assert f"{module}.{attribute}" in str(error.value)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
        assert isinstance(error.value.__cause__.__cause__, pickle.UnpicklingError)
    assert not marker.exists()


def test_nothing_runs(tmp_path):
    marker = tmp_path / "ran"
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({**small_body(), "extra": Call(os.system, f"touch {marker}")}))
    with pytest.raises(ValueError, match=r"system, which no body model needs; the file was not executed"):
        load_model_arrays(path, "body")
    assert not marker.exists()
    # the very bytes do act when they are unpickled without protection
    pickle.loads(path.read_bytes())
    assert marker.exists()


def test_a_file_cannot_change_the_reader(tmp_path):
    """State for a class instead of an object would stay behind for the next file."""
    path = tmp_path / "model.pkl"
    for name in (
        b"chumpy.ch\nCh",
        b"numpy\ndtype",
        b"copy_reg\n_reconstructor",
        b"numpy.core.multiarray\n_reconstruct",
    ):
        for state in (b"}S'array'\nI5\ns", b"(N}S'array'\nI5\nst"):
            path.write_bytes(b"}S'v_template'\nc" + name + b"\n" + state + b"bs.")
            with pytest.raises(ValueError, match="damaged pickle"):
                read_model_file(path)
    path.write_bytes(Python2(2).dump(small_body(5, 2)))
    same(small_body(5, 2), read_model_file(path))


def test_object_arrays_are_refused(tmp_path):
    model = small_body()
    model["v_template"] = model["v_template"].astype(object)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(ValueError, match="no v_template"):
        load_model_arrays(path, "body")
    np.savez(tmp_path / "model.npz", **model)
    with pytest.raises(ValueError, match="no v_template"):
        load_model_arrays(tmp_path / "model.npz", "body")


def test_truncated_and_damaged_files_say_so(tmp_path):
    model = small_body(20, 4)
    np.savez(tmp_path / "whole.npz", **model)
    stored = {"pickle": pickle.dumps(model, protocol=2), "npz": (tmp_path / "whole.npz").read_bytes()}
    rng = np.random.default_rng(0)
    path = tmp_path / "model.bin"
    for content in stored.values():
        for length in [0, 1, 2, *rng.integers(3, len(content) - 1, size=60)]:
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match=str(path)) as error:
                load_model_arrays(path, "body")
            assert "\n" not in str(error.value)


def test_flipped_bytes_never_raise_anything_but_value_error(tmp_path):
    content = Python2(2).dump({**small_body(5, 2), "J_regressor": sparse.csc_matrix(small_body(5, 2)["J_regressor"])})
    rng = np.random.default_rng(1)
    path = tmp_path / "model.pkl"
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            load_model_arrays(path, "body")
        except ValueError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    "change, message",
    [
        ({"weights": None}, r"is not a body model: no weights \(found J_regressor, f, .*smpl.is.tue.mpg.de"),
        ({"weights": None, "f": None}, "no weights, f"),
        ({"posedirs": np.zeros((40, 3, 9))}, r"posedirs has shape \(40, 3, 9\), expected \(40, 3, 207\)"),
        ({"v_template": np.zeros(40)}, "wrong number of dimensions"),
        ({"f": np.array([[0, 1, 40]])}, "f holds indices outside 0 to 39"),
        ({"f": np.zeros((0, 3))}, "f holds indices outside 0 to 39"),
        ({"v_template": np.full((40, 3), np.nan)}, "v_template holds something else than finite numbers"),
        ({"weights": np.full((40, 24), "x")}, "no weights"),
        ({"weights": "x"}, "weights holds something else than finite numbers"),
        ({"kintree_table": np.tile(np.arange(24)[::-1], (2, 1))}, "does not list parents before their children"),
        ({"betas": np.zeros(3)}, "3 betas for 10 shape components"),
    ],
)
def test_wrong_contents_are_named(tmp_path, change, message):
    model = {key: value for key, value in {**small_body(), **change}.items() if value is not None}
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(ValueError, match=message) as error:
        load_model_arrays(path, "body")
    assert "\n" not in str(error.value)


def test_other_problems_with_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="not found"):
        read_model_file(tmp_path / "none.pkl")
    path = tmp_path / "list.pkl"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="does not hold a dict"):
        read_model_file(path)
    path.write_bytes(pickle.dumps(small_body()))
    with pytest.raises(ValueError, match=r"is not a hand model: no hands_mean, hands_components .*mano.is.tue.mpg.de"):
        load_model_arrays(path, "hand")
