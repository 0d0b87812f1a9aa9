"""Model files: what is read, and under which names files are found."""

import pickle
import shutil
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from lib.body.model_file import find_model_file, load_model_arrays, read_model_file, require_model_file
from smplpytorch.pytorch.smpl_layer import SMPL_Layer
from tests.helpers import shared_path
from tests.support.files.model_builders import NEUTRAL, Chumpy, Python2, same, small_body


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
