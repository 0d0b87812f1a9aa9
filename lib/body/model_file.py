"""Finding, reading and checking body and hand model files (SMPL and MANO pickles, npz in the same layout)."""

import re
import zipfile
from pathlib import Path

import numpy as np

from lib.body.safe_pickle import load_arrays
from lib.files import read_arrays

OFFICIAL_SOURCE = {
    "body": "get the SMPL files from https://smpl.is.tue.mpg.de and the neutral one from https://smplify.is.tue.mpg.de",
    "hand": "get the MANO files from https://mano.is.tue.mpg.de",
}
SHAPE_NUM = 10  # shape components in use; version 1.1.0 files hold 300

_GENDER_NAMES = {"neutral": "neutral|n", "female": "female|f", "male": "male|m"}


def read_model_file(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a model file. Nothing in the file is executed.

    Args:
        path: pickle (Python 2 or 3, with or without chumpy objects) or npz; told apart by content.

    Returns:
        Arrays by key, sparse matrices as dense ones. Entries that are not arrays of numbers or texts are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, damaged, or a pickle that asks for anything but arrays (names it). One line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"model file {path} not found")
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            try:
                return load_arrays(file)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
    # if an array of Python objects is a needed one, the check of the keys names it
    return read_arrays(path, wanted="a whole npz, neither truncated nor damaged", skip_objects=True)


def load_model_arrays(path: str | Path, kind: str) -> dict[str, np.ndarray]:
    """The arrays of a model file, checked, with at most ``SHAPE_NUM`` shape components.

    Args:
        path: see ``read_model_file``.
        kind: ``body`` or ``hand``.

    Returns:
        v_template (V, 3) m, shapedirs (V, 3, S), posedirs (V, 3, 9(K-1)), J_regressor (K, V), weights (V, K),
        f (F, 3), kintree_table (2, K), for a hand also hands_mean (3(K-1),) and hands_components (n, 3(K-1)), and
        whatever else the file holds.

    Raises:
        FileNotFoundError: no such file.
        ValueError: see ``read_model_file``; missing keys, shapes that do not fit, values that are not finite. One line.
    """
    arrays = read_model_file(path)
    required = ["v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table"]
    if kind == "hand":
        required += ["hands_mean", "hands_components"]
    missing = [key for key in required if key not in arrays]
    if missing:
        raise ValueError(
            f"{path} is not a {kind} model: no {', '.join(missing)} (found {', '.join(sorted(arrays)) or 'nothing'}); "
            f"{OFFICIAL_SOURCE[kind]}"
        )
    problem = _problem(arrays, required)
    if problem:
        raise ValueError(f"{path} is not a {kind} model: {problem}; {OFFICIAL_SOURCE[kind]}")
    arrays["shapedirs"] = arrays["shapedirs"][..., :SHAPE_NUM]
    shape_num = arrays["shapedirs"].shape[-1]
    if "betas" in arrays:
        if arrays["betas"].dtype.kind not in "biuf" or not np.isfinite(arrays["betas"]).all():
            raise ValueError(f"{path}: betas hold something else than finite numbers")
        arrays["betas"] = arrays["betas"].ravel()[:shape_num]
        if len(arrays["betas"]) != shape_num:
            raise ValueError(f"{path}: {len(arrays['betas'])} betas for {shape_num} shape components")
    return arrays


def _problem(arrays: dict[str, np.ndarray], required: list[str]) -> str:
    """What is wrong with the shapes or values; empty when nothing is."""
    for key in required:
        if arrays[key].dtype.kind not in "biuf" or not np.isfinite(arrays[key]).all():
            return f"{key} holds something else than finite numbers"
    if arrays["v_template"].ndim != 2 or arrays["kintree_table"].ndim != 2 or arrays["shapedirs"].ndim != 3:
        return "v_template, kintree_table or shapedirs have the wrong number of dimensions"
    vertex_num, joint_num = arrays["v_template"].shape[0], arrays["kintree_table"].shape[1]
    wanted = {
        "v_template": (vertex_num, 3),
        "kintree_table": (2, joint_num),
        "shapedirs": (vertex_num, 3, arrays["shapedirs"].shape[2]),
        "posedirs": (vertex_num, 3, 9 * (joint_num - 1)),
        "J_regressor": (joint_num, vertex_num),
        "weights": (vertex_num, joint_num),
        "f": (*arrays["f"].shape[:1], 3),
    }
    if "hands_mean" in required:
        wanted["hands_mean"] = (3 * (joint_num - 1),)
        wanted["hands_components"] = (*arrays["hands_components"].shape[:1], 3 * (joint_num - 1))
    for key, shape in wanted.items():
        if arrays[key].shape != shape:
            return f"{key} has shape {arrays[key].shape}, expected {shape}"
    if arrays["f"].size == 0 or arrays["f"].min() < 0 or arrays["f"].max() >= vertex_num:
        return f"f holds indices outside 0 to {vertex_num - 1}"
    parents = arrays["kintree_table"][0, 1:].astype(np.int64)
    if (parents < 0).any() or (parents >= np.arange(1, joint_num)).any():
        return "kintree_table does not list parents before their children"
    return ""


def find_model_file(folder: str | Path, kind: str, variant: str) -> Path | None:
    """The licensed file of a body or hand in a folder, by any of its official names in any case.

    Args:
        folder: where to look; need not exist.
        kind: ``body`` (``basicModel_neutral_lbs_10_207_0_v1.0.0``, version 1.1.0, ``SMPL_NEUTRAL``) or ``hand``
            (``MANO_RIGHT``); ending ``.pkl`` or ``.npz``.
        variant: ``neutral``, ``female``, ``male``; ``right``, ``left``.

    Returns:
        The file, the original release's name first; None when there is none.

    Raises:
        ValueError: unknown variant.
    """
    if kind == "hand" and variant in ("right", "left"):
        stems = [f"mano_{variant}"]
    elif kind == "body" and variant in _GENDER_NAMES:
        stems = [rf"basicmodel_(?:{_GENDER_NAMES[variant]})_lbs_10_207_0_v1\.[01]\.0", f"smpl_{variant}"]
    else:
        raise ValueError(f"no {kind} model {variant!r}: choose neutral, female, male (body) or right, left (hand)")
    folder = Path(folder)
    if not folder.is_dir():
        return None
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    for stem in stems:
        for ending in (r"\.pkl", r"\.npz"):
            for name in names:
                if re.fullmatch(stem + ending, name, flags=re.IGNORECASE):
                    return folder / name
    return None


def official_name(kind: str, variant: str) -> str:
    """The name that the original release gives to the file of a body or hand; see ``find_model_file``."""
    short = {"female": "f", "male": "m"}.get(variant, variant)
    return f"MANO_{variant.upper()}.pkl" if kind == "hand" else f"basicModel_{short}_lbs_10_207_0_v1.0.0.pkl"


def require_model_file(folder: str | Path, kind: str, variant: str) -> Path:
    """``find_model_file``, or FileNotFoundError that says what to put where and where to get it."""
    path = find_model_file(folder, kind, variant)
    if path is None:
        missing = Path(folder) / official_name(kind, variant)
        raise FileNotFoundError(f"{missing} not found; {OFFICIAL_SOURCE[kind]} and put it there")
    return path
