"""Model files: what is read, what is refused without being run, how mesh models pick their files."""

import os
import pickle
import shutil
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from lib import ROOT
from lib._mano import MANO
from lib.body.model_file import find_model_file, load_model_arrays, read_model_file, require_model_file
from lib.joint_sets import HUMAN36
from lib.mesh_model import MANO_FOLDER, OPEN_FOLDER, REGRESSOR_FILES, SMPL_FOLDER, load_mesh_model
from lib.smpl import SMPL
from smplpytorch.pytorch.smpl_layer import SMPL_Layer
from tests.helpers import golden, shared_path

NEUTRAL = "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"


# -------------------------------------------------------------------------------------------------- small models


def small_body(vertex_num: int = 40, joint_num: int = 24, shape_num: int = 10, seed: int = 0) -> dict:
    """A body-shaped dict of random numbers with a chain of joints; faces make a closed strip."""
    rng = np.random.default_rng(seed)
    regressor = rng.random((joint_num, vertex_num)) * (rng.random((joint_num, vertex_num)) < 0.3)
    weights = rng.random((vertex_num, joint_num))
    ring = np.arange(vertex_num)
    parents = np.concatenate([[4294967295], np.arange(joint_num - 1)])
    return {
        "v_template": rng.normal(size=(vertex_num, 3)),
        "shapedirs": rng.normal(size=(vertex_num, 3, shape_num)),
        "posedirs": rng.standard_normal((vertex_num, 3, 9 * (joint_num - 1)), dtype=np.float32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": np.stack([ring, np.roll(ring, 1), np.roll(ring, 2)], axis=1).astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(joint_num)]).astype(np.uint32),
    }


def small_hand(seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    model = small_body(778, 16, seed=seed)
    return {**model, "hands_mean": rng.normal(size=45), "hands_components": rng.normal(size=(45, 45))}


@pytest.fixture
def chumpy(monkeypatch):
    """Stand-ins for chumpy's classes while a test writes a file; reading must work without them."""

    class Ch:
        def __init__(self, **state):
            self.__dict__.update(state)

    class Select:
        def __init__(self, **state):
            self.__dict__.update(state)

    for module, cls in (("chumpy.ch", Ch), ("chumpy.reordering", Select)):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
        setattr(sys.modules[module], cls.__name__, cls)
        cls.__module__, cls.__qualname__ = module, cls.__name__
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    return types.SimpleNamespace(Ch=Ch, Select=Select)


class Python2:
    """Writes values as Python 2's pickle module did, protocol 0 (text) or 2 (binary)."""

    def __init__(self, protocol: int):
        self.binary = protocol == 2
        self.out = [b"\x80\x02"] if self.binary else []

    def dump(self, value) -> bytes:
        self.write(value)
        return b"".join(self.out) + b"."

    def add(self, *parts: bytes):
        self.out.extend(parts)

    def text(self, value: bytes):
        if not self.binary:
            self.add(b"S" + repr(value)[1:].encode() + b"\n")
        elif len(value) < 256:
            self.add(b"U", bytes([len(value)]), value)
        else:
            self.add(b"T", struct.pack("<i", len(value)), value)

    def write(self, value):
        if isinstance(value, dict):
            self.add(b"(d" if not self.binary else b"}")
            for key, item in value.items():
                self.write(key)
                self.write(item)
                self.add(b"s")
        elif isinstance(value, str):
            self.text(value.encode())
        elif isinstance(value, int):
            self.add(f"I{value}\n".encode())
        elif isinstance(value, tuple):
            self.add(b"(")
            for item in value:
                self.write(item)
            self.add(b"t")
        elif sparse.issparse(value):
            self.object("scipy.sparse.csc", "csc_matrix")
            self.write({"_shape": value.shape, "data": value.data, "indices": value.indices, "indptr": value.indptr})
            self.add(b"b")
        elif isinstance(value, Chumpy):
            self.object(*value.name)
            self.write(value.state)
            self.add(b"b")
        else:
            self.array(value)

    def object(self, module: str, name: str):
        self.add(f"ccopy_reg\n_reconstructor\n(c{module}\n{name}\nc__builtin__\nobject\nNtR".encode())

    def array(self, array: np.ndarray):
        self.add(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt")
        self.text(b"b")
        self.add(b"tR(I1\n")
        self.write(tuple(array.shape))
        self.add(b"cnumpy\ndtype\n(")
        self.text(array.dtype.str[1:].encode())
        self.add(b"I0\nI1\ntR(I3\n")
        self.text(array.dtype.str[:1].encode())
        self.add(b"NNNI-1\nI-1\nI0\ntbI00\n")
        self.text(array.tobytes())
        self.add(b"tb")


class Chumpy:
    """A chumpy object for ``Python2``: module and class name, state."""

    def __init__(self, module: str, name: str, **state):
        self.name = ("chumpy." + module, name)
        self.state = state


def same(model: dict, arrays: dict):
    for key, array in model.items():
        np.testing.assert_array_equal(arrays[key], array, err_msg=key)


# ---------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("protocol", [0, 2])
def test_python2_pickle_with_chumpy_and_old_scipy(tmp_path, protocol):
    model = small_body()
    shuffled = np.random.default_rng(1).permutation(model["shapedirs"].size)
    source = np.empty(model["shapedirs"].size)
    source[shuffled] = model["shapedirs"].ravel()
    select = Chumpy(
        "reordering",
        "Select",
        a=Chumpy("ch", "Ch", x=source, _status="new"),
        idxs=shuffled,
        preferred_shape=model["shapedirs"].shape,
    )
    stored = {
        **model,
        "v_template": Chumpy("ch", "Ch", x=model["v_template"]),
        "shapedirs": select,
        "J_regressor": sparse.csc_matrix(model["J_regressor"]),
        "bs_type": "lrotmin",
        "pose_training_info": {"dummy": "none"},
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(Python2(protocol).dump(stored))
    assert "chumpy" not in sys.modules
    arrays = load_model_arrays(path, "body")
    same(model, arrays)
    assert str(arrays["bs_type"]) == "lrotmin"
    assert "pose_training_info" not in arrays
    assert "chumpy" not in sys.modules


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
def test_python3_pickle_of_every_protocol(tmp_path, chumpy, protocol, kind):
    model = small_body()
    stored = {
        **model,
        "v_template": np.asfortranarray(model["v_template"]),
        "weights": model["weights"].astype(">f4"),
        "shapedirs": chumpy.Ch(x=model["shapedirs"]),
        "J_regressor": getattr(sparse, kind + "_matrix")(model["J_regressor"]),
        "scale": np.float64(2.5),
        "names": {"a", "b"},
        "flags": np.array([True, False]),
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(stored, protocol=protocol))
    arrays = load_model_arrays(path, "body")
    same({**model, "weights": model["weights"].astype("f4"), "scale": 2.5, "flags": [True, False]}, arrays)
    assert arrays["weights"].dtype == np.float32


def test_npz_and_pickle_are_told_apart_by_content(tmp_path):
    model = small_body()
    np.savez(tmp_path / "model.npz", **model, unused=np.array([{}], dtype=object))
    shutil.move(tmp_path / "model.npz", tmp_path / "model.pkl")
    (tmp_path / "other.npz").write_bytes(pickle.dumps(model))
    same(model, load_model_arrays(tmp_path / "model.pkl", "body"))
    same(model, load_model_arrays(tmp_path / "other.npz", "body"))


@pytest.mark.parametrize(
    "archive, plain, kind",
    [
        ("chumpy_flavour_MANO_RIGHT.pkl.gz", "pseudo_mano_right.npz", "hand"),
        ("chumpy_flavour_basicModel_neutral_lbs_10_207_0_v1.0.0.pkl.gz", "pseudo_smpl_neutral.npz", "body"),
    ],
)
def test_full_size_chumpy_files(tmp_path, archive, plain, kind):
    import gzip

    path = tmp_path / "model.pkl"
    with gzip.open(shared_path(f"models/{archive}")) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    same(read_model_file(shared_path(f"models/{plain}")), load_model_arrays(path, kind))


def test_300_shape_components_are_cut_to_10(tmp_path):
    model = small_body(shape_num=300)
    np.savez(tmp_path / "model.npz", **model, betas=np.arange(300.0))
    arrays = load_model_arrays(tmp_path / "model.npz", "body")
    np.testing.assert_array_equal(arrays["shapedirs"], model["shapedirs"][..., :10])
    np.testing.assert_array_equal(arrays["betas"], np.arange(10))


# ---------------------------------------------------------------------------------------------------- refusing


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


# ------------------------------------------------------------------------------------------------ finding files


@pytest.mark.parametrize(
    "name, gender",
    [
        (NEUTRAL, "neutral"),
        ("basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", "neutral"),
        ("SMPL_NEUTRAL.pkl", "neutral"),
        ("smpl_neutral.NPZ", "neutral"),
        ("basicModel_f_lbs_10_207_0_v1.0.0.pkl", "female"),
        ("basicmodel_f_lbs_10_207_0_v1.1.0.pkl", "female"),
        ("SMPL_FEMALE.npz", "female"),
        ("basicmodel_m_lbs_10_207_0_v1.1.0.pkl", "male"),
        ("SMPL_MALE.pkl", "male"),
    ],
)
def test_official_names(tmp_path, name, gender):
    (tmp_path / name).touch()
    for other in ("neutral", "female", "male"):
        found = find_model_file(tmp_path, "body", other)
        assert found == (tmp_path / name if other == gender else None)


def test_the_original_release_name_comes_first(tmp_path):
    for name in ("SMPL_NEUTRAL.pkl", NEUTRAL, "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"):
        (tmp_path / name).touch()
    assert find_model_file(tmp_path, "body", "neutral").name == NEUTRAL
    (tmp_path / NEUTRAL).unlink()
    assert find_model_file(tmp_path, "body", "neutral").name.endswith("v1.1.0.pkl")


def test_hand_names_and_missing_files(tmp_path):
    (tmp_path / "mano_right.pkl").touch()
    assert find_model_file(tmp_path, "hand", "right") == tmp_path / "mano_right.pkl"
    assert find_model_file(tmp_path, "hand", "left") is None
    assert find_model_file(tmp_path / "none", "hand", "right") is None
    with pytest.raises(FileNotFoundError, match=r"basicModel_f_lbs_10_207_0_v1.0.0.pkl not found; get the SMPL files"):
        require_model_file(tmp_path, "body", "female")
    with pytest.raises(FileNotFoundError, match=r"basicModel_neutral.*smplify.is.tue.mpg.de"):
        SMPL_Layer(model_root=str(tmp_path))
    with pytest.raises(ValueError, match="choose neutral, female, male"):
        SMPL_Layer(gender="other", model_root=str(tmp_path))


# -------------------------------------------------------------------------------------------------- mesh models


@pytest.fixture
def root(tmp_path) -> Path:
    """A repository root with the open models only."""
    (tmp_path / OPEN_FOLDER).mkdir(parents=True)
    for file in (ROOT / OPEN_FOLDER).glob("*.npz"):
        (tmp_path / OPEN_FOLDER / file.name).symlink_to(file)
    return tmp_path


def add_smpl(root: Path, genders=("neutral",), regressors=("human36", "coco"), vertex_num: int = 6890) -> dict:
    """Random stand-ins of SMPL's files with the real names and vertex count."""
    folder = root / SMPL_FOLDER
    folder.mkdir(parents=True)
    models = {}
    for seed, gender in enumerate(genders):
        models[gender] = {**small_body(vertex_num, seed=seed), "f": small_body(vertex_num)["f"]}
        short = {"female": "f", "male": "m"}.get(gender, gender)
        (folder / f"basicModel_{short}_lbs_10_207_0_v1.0.0.pkl").write_bytes(pickle.dumps(models[gender], protocol=2))
    for name in regressors:
        file = root / REGRESSOR_FILES[name]
        file.parent.mkdir(parents=True)
        np.save(file, np.random.default_rng(5).random((17, vertex_num)))
    return models


def test_open_models_without_licensed_files(root):
    body = load_mesh_model("body", root=root)
    assert (body.name, body.kind, body.vertex_num, body.faces.shape) == ("open_6890", "body", 6890, (13776, 3))
    assert body.faces.dtype == np.int64
    assert "SMPL is not in use: no" in body.description
    assert "J_regressor_coco.npy" in body.description
    assert "\n" not in body.description
    hand = load_mesh_model("hand", root=root)
    assert (hand.name, hand.vertex_num, hand.faces.shape) == ("open_hand", 778, (1538, 3))
    assert len(body.topology_hash) == len(hand.topology_hash) == 16
    assert body.topology_hash != hand.topology_hash
    for gender in ("neutral", "female", "male"):
        assert body.params(gender) is body.params()
    with pytest.raises(ValueError, match="unknown gender"):
        body.params("other")


@pytest.mark.parametrize("which", ["open_6890", "open_1723"])
def test_open_body_regressors(which):
    body = load_mesh_model("body", which)
    for joint_set, rows in (("human36", 17), ("coco", 17), ("smpl", 24)):
        regressor = body.joint_regressor(joint_set)
        assert regressor.shape == (rows, body.vertex_num)
        assert regressor.dtype == np.float32
        np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-5)
    joints = body.joint_regressor("human36") @ body.arrays()["v_template"]
    left = [i for i, name in enumerate(HUMAN36.joints) if name.startswith("L_")]
    assert (joints[left, 0] > 0).all()  # x points to the body's left
    assert joints[HUMAN36.index("Head"), 1] > joints[HUMAN36.index("Pelvis"), 1] + 0.4
    np.testing.assert_allclose(
        body.joint_regressor("smpl") @ body.arrays()["v_template"], body.arrays()["J"], atol=1e-6
    )
    assert body.face_vertex_ids.shape == (5,)
    np.testing.assert_array_equal(body.flip_vertex_ids[body.flip_vertex_ids], np.arange(body.vertex_num))
    with pytest.raises(ValueError, match="'mano' does not belong to a body"):
        body.joint_regressor("mano")


def test_smpl_is_used_when_model_and_regressors_are_there(root):
    models = add_smpl(root, ("neutral", "female"))
    body = load_mesh_model("body", root=root)
    assert body.name == "smpl"
    assert body.description == f"SMPL body from {SMPL_FOLDER / NEUTRAL}"
    np.testing.assert_allclose(body.params().v_template, models["neutral"]["v_template"], rtol=1e-6)
    np.testing.assert_allclose(body.params("female").v_template, models["female"]["v_template"], rtol=1e-6)
    assert body.joint_regressor("coco").shape == (17, 6890)
    np.testing.assert_allclose(body.joint_regressor("smpl"), models["neutral"]["J_regressor"], rtol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"basicModel_m_lbs.*not found; get the SMPL files"):
        body.params("male")
    assert load_mesh_model("body", "open_1723", root).vertex_num == 1723


def test_smpl_without_regressors(root):
    add_smpl(root, regressors=("coco",))
    assert load_mesh_model("body", root=root).name == "open_6890"
    assert "no data/Human36M/J_regressor_h36m_correct.npy)" in load_mesh_model("body", root=root).description
    body = load_mesh_model("body", "smpl", root)
    assert body.joint_regressor("coco").shape == (17, 6890)
    with pytest.raises(FileNotFoundError, match=r"J_regressor_h36m_correct.npy not found.* original release"):
        body.joint_regressor("human36")
    file = root / REGRESSOR_FILES["human36"]
    file.parent.mkdir(parents=True)
    np.save(file, np.zeros((17, 1723)))
    with pytest.raises(ValueError, match=r"human36 regressor of smpl has shape \(17, 1723\), expected \(17, 6890\)"):
        body.joint_regressor("human36")
    file.write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"not a \.npy file"):
        body.joint_regressor("human36")


def test_licensed_models_that_are_not_there(root):
    with pytest.raises(FileNotFoundError, match=r"basicModel_neutral.*smplify.is.tue.mpg.de and put it there"):
        load_mesh_model("body", "smpl", root)
    with pytest.raises(FileNotFoundError, match=r"MANO_RIGHT.pkl.*mano.is.tue.mpg.de"):
        load_mesh_model("hand", "mano", root)
    with pytest.raises(ValueError, match="choose one of auto, smpl, open_6890, open_1723 or a file"):
        load_mesh_model("body", "star", root)
    with pytest.raises(ValueError, match="choose body or hand"):
        load_mesh_model("face", root=root)


def test_a_damaged_licensed_file_is_an_error_not_a_reason_to_fall_back(root):
    add_smpl(root)
    (root / SMPL_FOLDER / NEUTRAL).write_bytes(b"\x80\x02}q")
    with pytest.raises(ValueError, match="truncated or damaged pickle"):
        load_mesh_model("body", root=root)


def test_any_body_file_of_any_vertex_count(tmp_path):
    model = {
        **small_body(50),
        "J_regressor_h36m": np.random.default_rng(0).random((17, 50)),
        "face_vertex_ids": np.arange(5),
    }
    np.savez(tmp_path / "mine.npz", **model)
    body = load_mesh_model("body", str(tmp_path / "mine.npz"))
    assert (body.name, body.vertex_num) == ("mine.npz", 50)
    assert body.flip_vertex_ids is None
    np.testing.assert_allclose(body.joint_regressor("human36"), model["J_regressor_h36m"], rtol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"nor J_regressor_coco in mine\.npz"):
        load_mesh_model("body", str(tmp_path / "mine.npz"), tmp_path).joint_regressor("coco")
    np.savez(tmp_path / "bad.npz", **{**model, "face_vertex_ids": np.array([0, 1, 2, 3, 50])})
    with pytest.raises(ValueError, match="face_vertex_ids outside the 50 vertices"):
        load_mesh_model("body", str(tmp_path / "bad.npz"))


def test_mano_is_used_when_it_is_there(root):
    folder = root / MANO_FOLDER
    folder.mkdir(parents=True)
    model = small_hand()
    (folder / "MANO_RIGHT.pkl").write_bytes(pickle.dumps(model, protocol=2))
    hand = load_mesh_model("hand", root=root)
    assert hand.name == "mano"
    np.testing.assert_allclose(hand.params().pose_mean[3:], model["hands_mean"], rtol=1e-6)
    regressor = hand.joint_regressor("mano")
    tips = regressor[[4, 8, 12, 16, 20]]
    np.testing.assert_array_equal(tips.argmax(axis=1), [745, 317, 445, 556, 673])
    np.testing.assert_array_equal(tips.sum(axis=1), 1)
    np.testing.assert_allclose(regressor[[0, 5, 17, 13, 1]], model["J_regressor"][[0, 1, 7, 10, 13]], rtol=1e-6)
    helper = MANO(root=root)
    np.testing.assert_array_equal(helper.joint_regressor, regressor)
    assert helper.layer.tip_vertices == (745, 317, 444, 556, 673)


def test_mano_regressor_golden(tmp_path):
    hand = load_mesh_model("hand", str(shared_path("models/pseudo_mano_right.npz")))
    with pytest.raises(ValueError, match="no fingertip_vertex_ids"):
        hand.joint_regressor("mano")
    (tmp_path / MANO_FOLDER).mkdir(parents=True)
    (tmp_path / MANO_FOLDER / "MANO_RIGHT.npz").symlink_to(hand.path)
    regressor = load_mesh_model("hand", "mano", tmp_path).joint_regressor("mano")
    with np.load(shared_path("golden/body_models.npz"), allow_pickle=False) as reference:
        np.testing.assert_array_equal(regressor, reference["mano_regressor"])
    np.testing.assert_array_equal(
        regressor[[4, 8, 12, 16, 20]].argmax(1), golden("body_layers")["mano_regressor_tip_vertex"]
    )


def test_smpl_helper(root):
    add_smpl(root)
    helper = SMPL(root=root)
    assert (helper.vertex_num, helper.joint_num, helper.root_joint_idx) == (6890, 29, 0)
    assert helper.joints_name[24:] == ("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear")
    assert helper.flip_pairs[-2:] == ((25, 26), (27, 28))
    assert helper.face_kps_vertex == (331, 2802, 6262, 3489, 3990)
    assert helper.joint_regressor.shape == (29, 6890)
    np.testing.assert_array_equal(helper.joint_regressor[24:].argmax(axis=1), helper.face_kps_vertex)
    assert helper.joint_regressor_h36m.shape == helper.joint_regressor_coco.shape == (17, 6890)
    assert len(helper.skeleton) == 27
    assert (24, 14) in helper.skeleton
    assert (19, 21) not in helper.skeleton
    assert helper.layer["neutral"].gender == "neutral"
    assert helper.layer["neutral"] is helper.layer["neutral"]
    with pytest.raises(FileNotFoundError, match="basicModel_f"):
        helper.layer["female"]


def test_helpers_on_open_models(root):
    body, hand = SMPL(root=root), MANO(root=root)
    assert body.vertex_num == 6890
    assert body.layer["male"].gender == "male"
    assert body.joint_regressor.shape == (29, 6890)
    assert "open body" in body.description
    assert hand.joint_num == len(hand.joints_name) == 21
    assert hand.joint_regressor.shape == (21, 778)
    assert hand.face.shape == (1538, 3)
    assert "open hand" in hand.description
    np.testing.assert_array_equal(
        hand.joint_regressor[[4, 8, 12, 16, 20]].argmax(axis=1), hand.mesh_model.fingertip_vertex_ids
    )
