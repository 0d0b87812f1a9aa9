"""Stand-ins for the licensed model files, made from the open body and hand in the licensed files' formats.

Vertices change places so that nose, eyes, ears and fingertips have the numbers that SMPL's and MANO's meshes give them;
programs that know those numbers then find the right places.
"""

import pickle
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from lib import ROOT
from lib.body.hand import TIP_VERTICES_LAYER, TIP_VERTICES_REGRESSOR
from lib.body.lbs import BodyParams
from lib.body.model_file import official_name
from lib.files import atomic_write, read_arrays
from lib.mesh.mesh_model import MANO_FOLDER, OPEN_FILES, OPEN_FOLDER, REGRESSOR_FILES, SMPL_FACE_VERTICES, SMPL_FOLDER

# Women and men differ from the neutral body by a shape: (component, amount).
_GENDER_SHAPES = {"neutral": (), "female": ((0, -0.6), (1, 0.4)), "male": ((0, 0.6), (1, -0.4))}
_NO_PARENT = 4294967295
_MIDDLE = 2  # place of the middle finger in lists of fingertips


class StandIns:
    """The stand-in models in memory.

    Attributes:
        bodies: gender -> arrays of the file.
        hand: arrays of the right hand's file.
        regressors: ``human36`` and ``coco`` -> (17, V) float64.
    """

    def __init__(self):
        body = _read("open_6890")
        order = _place(len(body["v_template"]), body["face_vertex_ids"], SMPL_FACE_VERTICES)
        body = _reorder(body, order)
        regressors = {"human36": body.pop("J_regressor_h36m"), "coco": body.pop("J_regressor_coco")}
        self.regressors = {name: matrix.astype(np.float64) for name, matrix in regressors.items()}
        mirror = _inverse(order)[body.pop("flip_vertex_ids")[order]]
        common = _official(body)
        common |= {
            "vert_sym_idxs": mirror.astype(np.int64),
            "J_regressor_prior": common["J_regressor"],
            "weights_prior": common["weights"],
            "pose_training_info": {"training_set": "none: open body"},
        }
        self.bodies = {gender: _shaped(common, shape) for gender, shape in _GENDER_SHAPES.items()}

        hand = _read("open_hand")
        hand = _reorder(hand, _place(len(hand["v_template"]), *_hand_places(hand)))
        self.hand = _official(hand) | {
            "hands_components": hand["hands_components"].astype(np.float64),
            "hands_mean": hand["hands_mean"].astype(np.float64),
            "hands_coeffs": np.zeros((1, 45)),
        }

    def params(self, gender: str) -> BodyParams:
        """Skinning parameters of a body, float64; ``hand`` gives the hand."""
        arrays = self.hand if gender == "hand" else self.bodies[gender]
        return BodyParams.from_arrays(arrays | {"J_regressor": arrays["J_regressor"].toarray()}, torch.float64)

    def write(self, root: Path) -> None:
        """Write the files below a root, where the programs look for the licensed ones."""
        for gender, arrays in self.bodies.items():
            _write_pickle(root / SMPL_FOLDER / official_name("body", gender), arrays)
        _write_pickle(root / MANO_FOLDER / official_name("hand", "right"), self.hand)
        for name, matrix in self.regressors.items():
            with atomic_write(root / REGRESSOR_FILES[name], "wb") as file:
                np.save(file, matrix)


def _read(name: str) -> dict[str, np.ndarray]:
    return read_arrays(ROOT / OPEN_FOLDER / OPEN_FILES[name])


def _hand_places(hand: dict[str, np.ndarray]) -> tuple[list[int], list[int]]:
    """Vertices of the open hand and the numbers that MANO gives them."""
    tips = [int(vertex) for vertex in hand["fingertip_vertex_ids"]]
    # MANO's layer and its 21-joint regressor take neighbouring vertices for the middle finger's tip
    middle = tips[_MIDDLE]
    triangles = hand["f"][(hand["f"] == middle).any(axis=1)]
    neighbour = next(int(vertex) for vertex in triangles.ravel() if vertex != middle)
    return [*tips, neighbour], [*TIP_VERTICES_LAYER["right"], TIP_VERTICES_REGRESSOR[_MIDDLE]]


def _place(count: int, vertices, numbers) -> np.ndarray:
    """An order of ``count`` vertices in which ``vertices[i]`` comes at ``numbers[i]``; few others move."""
    order = np.arange(count)
    for vertex, number in zip(vertices, numbers):
        at = int(np.flatnonzero(order == vertex)[0])
        order[[at, number]] = order[[number, at]]
    return order


def _inverse(order: np.ndarray) -> np.ndarray:
    return np.argsort(order)


def _reorder(arrays: dict[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    """A model file's arrays with its vertices in another order."""
    result = dict(arrays)
    for key in ("v_template", "shapedirs", "posedirs", "weights"):
        result[key] = arrays[key][order]
    for key in ("J_regressor", "J_regressor_h36m", "J_regressor_coco"):
        if key in arrays:
            result[key] = arrays[key][:, order]
    result["f"] = _inverse(order)[arrays["f"]]
    return result


def _official(arrays: dict[str, np.ndarray]) -> dict:
    """The entries that body and hand files share, with the types of the official files."""
    tree = arrays["kintree_table"].astype(np.uint32)
    tree[0, 0] = _NO_PARENT
    floats = {key: arrays[key].astype(np.float64) for key in ("v_template", "shapedirs", "posedirs", "weights")}
    regressor = arrays["J_regressor"].astype(np.float64)
    return floats | {
        "J_regressor": sparse.csc_matrix(regressor),
        "J": regressor @ floats["v_template"],
        "f": arrays["f"].astype(np.uint32),
        "kintree_table": tree,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def _shaped(arrays: dict, shape: tuple[tuple[int, float], ...]) -> dict:
    """The model with another mean shape."""
    template = arrays["v_template"] + sum(amount * arrays["shapedirs"][..., number] for number, amount in shape)
    return arrays | {"v_template": template, "J": arrays["J_regressor"] @ template}


def _write_pickle(path: Path, arrays: dict) -> None:
    with atomic_write(path, "wb") as file:
        pickle.dump(arrays, file, protocol=2)  # the newest that Python 2 reads, as the official files
