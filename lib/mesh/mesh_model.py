"""Mesh models: which body or hand is predicted, its faces, joint regressors and skinning parameters.

The licensed SMPL and MANO files are used when the user has put them in place, the open models of
``asset/open_body`` otherwise.
"""

from functools import cached_property
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.body.hand import TIP_VERTICES_LAYER, TIP_VERTICES_REGRESSOR, order_hand_joints
from lib.body.lbs import BodyParams
from lib.body.model_file import find_model_file, load_model_arrays, official_name, require_model_file
from lib.body.rig import on_smpl_joints
from lib.files import read_array
from lib.graph.topology import topology_hash
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.set_regressor import mesh_regressor
from lib.messages import one_line

GENDERS = ("neutral", "female", "male")

SMPL_FOLDER = Path("smplpytorch/smplpytorch/native/models")
MANO_FOLDER = Path("manopth/mano/models")
OPEN_FOLDER = Path("asset/open_body")
OPEN_MODELS = {"body": ("open_6890", "open_1723"), "hand": ("open_hand",)}
OPEN_FILES = {"open_6890": "open_body_6890.npz", "open_1723": "open_body_1723.npz", "open_hand": "open_hand_right.npz"}
_LARGEST_WEIGHT = 1000.0  # of a vertex in a joint regressor
REGRESSOR_FILES = {
    "human36": Path("data/Human36M/J_regressor_h36m_correct.npy"),
    "coco": Path("data/COCO/J_regressor_coco.npy"),
}
# keys under which a model file may bring its own regressors
_REGRESSOR_KEYS = {"human36": "J_regressor_h36m", "coco": "J_regressor_coco"}

# nose, left eye, right eye, left ear, right ear of SMPL's mesh
SMPL_FACE_VERTICES = (331, 2802, 6262, 3489, 3990)


class MeshModel:
    """One body or hand mesh: topology, regressors and skinning parameters. Lengths in metres.

    Attributes:
        name: ``smpl``, ``mano``, ``open_6890``, ``open_1723``, ``open_hand``, or a user's file
            (``mine.npz``).
        kind: ``body`` or ``hand``.
        path: the model file; the neutral one of SMPL.
        description: one line that says which files are in use.
        faces: (F, 3) int64.
        vertex_num: V.
        face_vertex_ids: (5,) nose, left eye, right eye, left ear, right ear; None when unknown.
        flip_vertex_ids: (V,) index of each vertex's mirror partner; None when unknown.
        fingertip_vertex_ids: (5,) thumb to little finger; None for a body.
    """

    def __init__(self, name: str, kind: str, path: Path, root: Path, description: str):
        """Reads the file.

        Args:
            name, kind, path, description: see the class.
            root: repository root, where SMPL's gendered and regressor files are looked for.

        Raises:
            FileNotFoundError, ValueError: see ``lib.body.model_file.load_model_arrays``.
        """
        self.name = name
        self.kind = kind
        self.path = path
        self.description = description
        self._root = root
        self._params: dict[str, BodyParams] = {}
        self._arrays = _load(path, kind)
        self.faces = self._arrays["f"].astype(np.int64)
        self.vertex_num = self._arrays["v_template"].shape[0]
        self.face_vertex_ids = self._vertex_ids("face_vertex_ids", SMPL_FACE_VERTICES if name == "smpl" else None)
        self.fingertip_vertex_ids = self._vertex_ids(
            "fingertip_vertex_ids", TIP_VERTICES_REGRESSOR if name == "mano" else None
        )
        self.flip_vertex_ids = self._vertex_ids("flip_vertex_ids", self._smpl_mirror())

    def _vertex_ids(self, key: str, default) -> np.ndarray | None:
        ids = self._arrays.get(key, default)
        if ids is None:
            return None
        ids = np.asarray(ids)
        if ids.dtype.kind not in "iuf" or not ids.size:
            raise ValueError(f"{self.description}: {key} {ids.dtype} {ids.shape} are no vertex numbers")
        with np.errstate(invalid="ignore"):  # what is no number is outside
            ids = ids.astype(np.int64).ravel()
        if ids.min() < 0 or ids.max() >= self.vertex_num:
            raise ValueError(f"{self.description}: {key} outside the {self.vertex_num} vertices")
        return ids

    def _smpl_mirror(self) -> np.ndarray | None:
        """Mirror partners as SMPL files give them; an unusable entry counts as none, as nothing needs it."""
        partner = self._arrays.get("vert_sym_idxs")
        if partner is None or partner.shape != (self.vertex_num,) or partner.dtype.kind not in "iu":
            return None
        vertices = np.arange(self.vertex_num)
        if not np.array_equal(np.sort(partner), vertices) or not np.array_equal(partner[partner], vertices):
            return None
        return partner

    @cached_property
    def topology_hash(self) -> str:
        """Hash of the faces, stored with weights that are trained for this mesh."""
        return topology_hash(self.faces)

    def _gender(self, gender: str) -> str:
        """The gender whose file serves a gender."""
        if gender not in GENDERS:
            raise ValueError(f"unknown gender {gender!r}; choose one of {', '.join(GENDERS)}")
        return gender if self.name == "smpl" else "neutral"

    def arrays(self, gender: str = "neutral") -> dict[str, np.ndarray]:
        """The checked arrays of the model file (``lib.body.model_file.load_model_arrays``).

        Args:
            gender: ``neutral``, ``female`` or ``male``; models without genders give the same for all.

        Raises:
            ValueError: unknown gender, or the gendered file has another mesh.
            FileNotFoundError: the file of that gender is not there.
        """
        if self._gender(gender) == "neutral":
            return self._arrays
        path = require_model_file(self._root / SMPL_FOLDER, "body", gender)
        arrays = _load(path, self.kind)
        if not np.array_equal(arrays["f"], self._arrays["f"]):
            raise ValueError(f"{path}: faces differ from those of {self.path}")
        return arrays

    def params(self, gender: str = "neutral") -> BodyParams:
        """Skinning parameters, float32 on the CPU; see ``arrays``."""
        key = self._gender(gender)
        if key not in self._params:
            self._params[key] = BodyParams.from_arrays(self.arrays(gender))
        return self._params[key]

    @property
    def layer_tips(self) -> tuple[int, ...]:
        """Fingertip vertices, thumb to little finger, that a hand layer gives as joints."""
        # MANO's layer and its 21-row regressor disagree about the middle finger's tip
        if self.name == "mano":
            return TIP_VERTICES_LAYER["right"]
        assert self.fingertip_vertex_ids is not None  # a hand's file has them
        return tuple(map(int, self.fingertip_vertex_ids))

    def joint_regressor(self, joint_set: str | dict | JointSet) -> np.ndarray:
        """Matrix that takes mesh vertices to joints.

        Args:
            joint_set: ``human36`` (17 joints), ``coco`` (17 keypoints; pelvis and neck follow by
                ``JointSet.add_derived``), ``smpl`` (24) for a body, ``mano`` (21) for a hand; or a user's set, see
                ``get_joint_set``.

        Returns:
            (joints, V) float32.

        Raises:
            ValueError: the joint set does not belong to this kind of mesh, or the file is for another mesh.
            FileNotFoundError: neither the model file nor, for SMPL's mesh, the data folder has the regressor.
        """
        joint_set = get_joint_set(joint_set)
        name = joint_set.name
        if joint_set.body != self.kind:
            raise ValueError(f"joint set {name!r} does not belong to a {self.kind} mesh")
        if joint_set.sources:
            return mesh_regressor(joint_set, self.name, self.vertex_num, self.joint_regressor)
        if name == "smpl":
            return self._arrays["J_regressor"].astype(np.float32)
        if name == "mano":
            return self._hand_regressor()
        key = _REGRESSOR_KEYS[name]
        own = key in self._arrays
        regressor = self._arrays[key] if own else self._regressor_file(name)
        expected = (joint_set.keypoint_num, self.vertex_num)
        if regressor.shape != expected:
            file = self.path if own else self._root / REGRESSOR_FILES[name]
            raise ValueError(
                f"{file}: {name} regressor of {self.name} has shape {regressor.shape}, expected {expected}"
            )
        if own and (regressor.dtype.kind not in "biuf" or not np.isfinite(regressor).all()):
            raise ValueError(f"{self.path}: {key} holds something else than finite numbers")
        if own and not (regressor.sum(axis=1) > 0).all():
            row = int((regressor.sum(axis=1) <= 0).argmax())
            raise ValueError(f"{self.path}: row {row} of {key} has no positive sum; the weights of a joint sum to 1")
        return regressor.astype(np.float32)

    def _hand_regressor(self) -> np.ndarray:
        if self.fingertip_vertex_ids is None:
            raise ValueError(f"{self.description}: no fingertip_vertex_ids, needed for the 21 hand joints")
        tips = np.zeros((len(self.fingertip_vertex_ids), self.vertex_num))
        tips[np.arange(len(tips)), self.fingertip_vertex_ids] = 1
        return order_hand_joints(np.concatenate([self._arrays["J_regressor"], tips]), axis=0).astype(np.float32)

    def _regressor_file(self, joint_set: str) -> np.ndarray:
        path, wanted = self._root / REGRESSOR_FILES[joint_set], "one array of finite real numbers"
        hint = (
            f"or {_REGRESSOR_KEYS[joint_set]} in {self.path.name}: SMPL's {joint_set} joint regressor comes with the "
            "data folder of the original release, https://github.com/hongsukchoi/Pose2Mesh_RELEASE"
        )
        matrix = read_array(path, wanted, hint)
        if not (np.abs(matrix) <= _LARGEST_WEIGHT).all():
            raise ValueError(f"{path} holds NaN, infinite or absurdly large numbers; expected {wanted}")
        return matrix


def _load(path: Path, kind: str) -> dict[str, np.ndarray]:
    arrays = load_model_arrays(path, kind)
    return on_smpl_joints(arrays, str(path)) if kind == "body" else arrays


def load_mesh_model(kind: str = "body", which: str = "auto", root: str | Path = ROOT) -> MeshModel:
    """The mesh model of a kind.

    Args:
        kind: ``body`` or ``hand``.
        which: body: ``auto``, ``smpl``, ``open_6890``, ``open_1723``; hand: ``auto``, ``mano``, ``open_hand``; or the
            path of a file in SMPL's / MANO's layout (``.npz``, ``.pkl``) with any number of vertices. ``auto`` takes
            the licensed files when model and regressors are all there, else the open ones.
        root: where licensed files are; the open models are part of the repository.

    Raises:
        ValueError: unknown kind or model, damaged file.
        FileNotFoundError: files of a model that was asked for are not there.
    """
    root = Path(root)
    choices = {"body": ("auto", "smpl", "open_6890", "open_1723"), "hand": ("auto", "mano", "open_hand")}
    if kind not in choices:
        raise ValueError(f"unknown kind of mesh {kind!r}; choose body or hand")
    if which not in choices[kind]:
        path = Path(which)
        if path.suffix.lower() not in (".npz", ".pkl"):
            raise ValueError(f"unknown {kind} model {which!r}; choose one of {', '.join(choices[kind])} or a file")
        return MeshModel(path.name, kind, path, root, f"{kind} model from {one_line(path, 200)}")

    reason = ""
    if which == "auto":
        missing = _missing_licensed(kind, root)
        licensed, fallback = ("smpl", "open_6890") if kind == "body" else ("mano", "open_hand")
        which = fallback if missing else licensed
        reason = f" ({licensed.upper()} is not in use: no {', '.join(missing)})" if missing else ""
    if which == "smpl":
        path = require_model_file(root / SMPL_FOLDER, "body", "neutral")
        return MeshModel("smpl", "body", path, root, f"SMPL body from {path.relative_to(root)}")
    if which == "mano":
        path = require_model_file(root / MANO_FOLDER, "hand", "right")
        return MeshModel("mano", "hand", path, root, f"MANO right hand from {path.relative_to(root)}")
    path = ROOT / OPEN_FOLDER / OPEN_FILES[which]
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found: it is part of the repository, restore it from there")
    label = "open hand" if kind == "hand" else "open body"
    return MeshModel(which, kind, path, root, f"{label} from {path.relative_to(ROOT)}{reason}")


def _missing_licensed(kind: str, root: Path) -> list[str]:
    """Licensed files that are not there, relative to the root."""
    if kind == "hand":
        found = find_model_file(root / MANO_FOLDER, "hand", "right")
        return [] if found else [str(MANO_FOLDER / official_name("hand", "right"))]
    missing = [str(path) for path in REGRESSOR_FILES.values() if not (root / path).is_file()]
    if find_model_file(root / SMPL_FOLDER, "body", "neutral") is None:
        missing.insert(0, str(SMPL_FOLDER / official_name("body", "neutral")))
    return missing
