"""Joint sets of users: read from YAML files, checked, and turned into a `JointSet`.

Wherever a joint set is named (``DATASET.input_joint_set``, ``--joint_set``), the path of such a file may stand instead.
``asset/joint_sets/README.md`` describes the format by an example; in short::

    name: upper9                       # default: the file's name
    body: body                         # or hand
    mesh: open_1723                    # the mesh that plain vertex numbers and regressor files below belong to
    joints:                            # in order; where each one is on the mesh:
      Neck: coco.Neck                  #   a joint of a built-in set
      L_Palm: {vertices: [612, 640]}   #   mean of vertices, or by mesh: {vertices: {open_1723: [...], smpl: [...]}}
      Chest: {mean: [Neck, human36.Torso]}
      R_Palm: {regressor: mine.npy, row: 0}
    root: Neck
    bones: [[Neck, Chest], [Chest, L_Palm], [Chest, R_Palm]]
    flip_pairs: [[L_Palm, R_Palm]]

Settings carry the content of the file, not its path (see `joint_set_setting`): checkpoints and run folders that hold
settings therefore stay usable wherever the file is.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.files import read_array, read_yaml
from lib.joints.joint_set import JointSet
from lib.joints.parsing import checked_names, parse, unique
from lib.joints.tables import JOINT_SETS
from lib.messages import one_line, shown, shown_name, shown_names

SUFFIXES = (".yml", ".yaml")
KEYS = (
    "name", "body", "mesh", "joints", "regressor", "root", "bones", "flip_pairs", "graph_links", "eval_joints",
    "derived",
)  # fmt: skip
SOURCE_KEYS = ("mean", "vertices", "weights", "regressor", "row")
_ROW_SUM_TOLERANCE = 0.01
_LARGEST_WEIGHT = 1000.0


# -------------------------------------------------------------------------------------------------------- settings


def joint_set_setting(value: str | Path | Mapping, source: str = "joint set") -> str | dict:
    """A joint set as settings carry it.

    Args:
        value: name of a built-in set, path of a joint set file, or the content of one.
        source: named in errors.

    Returns:
        The name, or the checked content with regressor files replaced by the numbers in them.

    Raises:
        ValueError: unknown name, or a file that does not describe a joint set.
        FileNotFoundError: no such file, or a regressor that it names is not there.
    """
    return _checked(value, source)[0]


def read_joint_set(value: str | Path | Mapping, source: str = "joint set") -> JointSet:
    """The joint set of a file or of its content; see `joint_set_setting`."""
    return _checked(value, source)[1]


def _checked(value: str | Path | Mapping, source: str) -> tuple[str | dict, JointSet]:
    """A joint set as settings carry it, and itself."""
    folder = Path()
    if isinstance(value, Mapping):
        content = dict(value)
    elif Path(value).suffix.lower() in SUFFIXES:
        path = find_file(value)
        content, folder, source = _read_yaml(path), path.parent, str(path)
        content.setdefault("name", path.stem)
    elif value in JOINT_SETS:
        return value, JOINT_SETS[value]
    else:
        raise ValueError(f"{source}: {shown(value)} is not one of {', '.join(JOINT_SETS)}, nor a joint set file (.yml)")
    try:
        content = with_numbers(content, folder, source)
        return content, parse(content, source)
    except (TypeError, AttributeError, LookupError, RecursionError) as error:  # a list or number in a text's place
        raise ValueError(f"{source}: an entry is no joint set's ({one_line(error, 100)})") from error


def find_file(path: str | Path) -> Path:
    """A joint set file: from the working directory, else from the repository.

    Raises:
        FileNotFoundError: in neither.
    """
    places = [Path(path), ROOT / path]
    for place in places:
        if place.is_file():
            return place
    shipped = ", ".join(sorted(str(p.relative_to(ROOT)) for p in (ROOT / "asset" / "joint_sets").glob("*.yml")))
    raise FileNotFoundError(f"joint set file {path} not found (nor {places[1]}); shipped examples: {shipped or 'none'}")


# --------------------------------------------------------------------------------------------------------- reading


def _read_yaml(path: Path) -> dict:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected the keys {', '.join(KEYS)} at the top level, got {shown(content)}")
    return content


def with_numbers(content: dict, folder: Path, source: str) -> dict:
    """The content of a joint set file with the numbers of its regressor files in the place of their names.

    Args:
        content: of the file; stays as it is.
        folder: that file names are relative to.
        source: named in errors.
    """
    content = dict(content)
    unknown = [key for key in content if key not in KEYS]
    if unknown:
        raise ValueError(f"{source}: unknown key {shown(unknown[0])}; a joint set has {', '.join(KEYS)}")
    joints, mesh = content.get("joints"), content.pop("mesh", None)
    if isinstance(joints, list):
        joints = dict.fromkeys(unique(checked_names(joints, source), f"{source}: joints"))
    if not isinstance(joints, Mapping) or not joints:
        raise ValueError(f"{source}: joints: expected joint names with their sources, or a list of names")
    checked_names(list(joints), source)
    derived = content.get("derived") or {}
    rest = [name for name, value in joints.items() if value is None and name not in derived]
    if "regressor" in content:
        files = _by_mesh(content.pop("regressor"), mesh, f"{source}: regressor")
        matrices = {m: _matrix(folder, file, f"{source}: regressor") for m, file in files.items()}
        for name, matrix in matrices.items():
            if len(matrix) != len(rest):
                raise ValueError(
                    f"{source}: {shown_name(files[name])}, the regressor for {name}, has {len(matrix)} rows, but "
                    f"{len(rest)} joints have no source of their own ({shown_names(rest)})"
                )
        rows = {joint: _weights({m: matrix[i] for m, matrix in matrices.items()}) for i, joint in enumerate(rest)}
        joints = {name: rows.get(name, value) for name, value in joints.items()}
    elif rest:
        raise ValueError(
            f"{source}: joint {rest[0]!r} has no source; give a joint of a built-in set (coco.Nose), {{mean: [...]}}, "
            "{vertices: [...]}, {regressor: file.npy, row: 0}, or one regressor file for all such joints"
        )
    content["joints"] = {
        name: _source_with_numbers(value, mesh, folder, f"{source}: joint {name!r}") for name, value in joints.items()
    }
    return content


def _source_with_numbers(value, mesh: str | None, folder: Path, source: str):
    """A joint's source with vertex numbers by mesh and without files."""
    if not isinstance(value, Mapping):
        return value
    value = dict(value)
    unknown = [key for key in value if key not in SOURCE_KEYS]
    if unknown:
        raise ValueError(f"{source}: unknown key {shown(unknown[0])}; a source has {', '.join(SOURCE_KEYS)}")
    if len(set(value) & {"mean", "vertices", "regressor"}) != 1:
        raise ValueError(f"{source}: give one of mean, vertices, regressor")
    if "regressor" in value:
        row, rows = value.get("row"), {}
        for name, file in _by_mesh(value["regressor"], mesh, source).items():
            matrix = _matrix(folder, file, source)
            if type(row) is not int or not 0 <= row < len(matrix):
                raise ValueError(
                    f"{source}: row {shown(row)} is not among the {len(matrix)} rows of {shown_name(file)}"
                )
            rows[name] = matrix[row]
        return _weights(rows)
    for key in {"vertices", "weights"} & set(value):
        value[key] = _by_mesh(value[key], mesh, f"{source}: {key}")
    return value


def _by_mesh(value, mesh: str | None, source: str) -> dict:
    """``{mesh name: value}``; a plain value belongs to the mesh that the file is for."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(mesh, str):
        raise ValueError(
            f"{source}: which mesh is that for? Vertex numbers differ between meshes: add mesh: open_1723 (or "
            "open_6890, smpl, open_hand, mano, a model file's name) to the file, or give a value per mesh"
        )
    return {mesh: value}


def _matrix(folder: Path, file, source: str) -> np.ndarray:
    """(rows, V) of a regressor file."""
    if not isinstance(file, str):
        raise ValueError(f"{source}: expected the name of a .npy file, got {shown(file)}")
    path, wanted = folder / file, "one array (joints, vertices) of numbers"
    matrix = read_array(path, wanted, f"named in {source}")
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"{source}: {path} holds {matrix.shape}; expected {wanted}")
    if not (np.abs(matrix) <= _LARGEST_WEIGHT).all():
        raise ValueError(f"{source}: {path} holds NaN, infinite or absurdly large numbers")
    if not matrix.any(axis=1).all():
        raise ValueError(f"{source}: {path}: row {int((~matrix.any(axis=1)).argmax())} has no number but 0")
    sums = matrix.sum(axis=1)
    if np.abs(sums - 1).max() > _ROW_SUM_TOLERANCE:
        worst = int(np.abs(sums - 1).argmax())
        warnings.warn(
            f"{path}: row {worst} sums to {sums[worst]:.3f}, not 1: its joint moves with the origin", stacklevel=2
        )
    return matrix


def _weights(rows: dict[str, np.ndarray]) -> dict:
    """Rows of regressors by mesh, as vertices and weights."""
    used = {mesh: np.flatnonzero(row) for mesh, row in rows.items()}
    return {
        "vertices": {mesh: ids.tolist() for mesh, ids in used.items()},
        # nine digits give back every float32
        "weights": {mesh: [float(f"{w:.9g}") for w in rows[mesh][ids]] for mesh, ids in used.items()},
    }
