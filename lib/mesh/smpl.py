"""The body model with SMPL's joints, skeleton and regressors, under the attribute names of the original helper."""

from functools import cached_property
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.body.layer import BodyLayer
from lib.joints.tables import SMPL as SMPL_JOINTS
from lib.mesh.mesh_model import MeshModel, load_mesh_model

_FACE_JOINTS = ("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear")


class _LayerByGender(dict):
    """Layers by gender, each built when it is first asked for: the gendered files may not be there."""

    def __init__(self, mesh_model: MeshModel):
        super().__init__()
        self._mesh_model = mesh_model

    def __missing__(self, gender: str) -> BodyLayer:
        layer = BodyLayer(self._mesh_model.arrays(gender), gender=gender)
        self[gender] = layer
        return layer


class SMPL:
    """Body model helper: SMPL when its files are in place, the open body otherwise.

    Args:
        which: see ``lib.mesh.mesh_model.load_mesh_model``.
        root: repository root.

    Attributes:
        mesh_model: the ``MeshModel`` behind it.
        description: one line that says which files are in use.
        layer: body layers by gender (``neutral``, ``female``, ``male``), metres.
        vertex_num, face: number of vertices; (F, 3) int64.
        face_kps_vertex: vertices of nose, eyes and ears.
        joint_num, joints_name, flip_pairs, skeleton, root_joint_idx: the 24 joints followed by the 5 of the face.
        joint_regressor: (29, V) float32, rest joints and face vertices.
        joint_regressor_h36m, joint_regressor_coco: (17, V) float32.

    Raises:
        FileNotFoundError, ValueError: see ``load_mesh_model``; for regressors, when they are first asked for.
    """

    def __init__(self, which: str = "auto", root: str | Path = ROOT):
        self.mesh_model = load_mesh_model("body", which, root)
        self.description = self.mesh_model.description
        self.layer = _LayerByGender(self.mesh_model)
        self.vertex_num = self.mesh_model.vertex_num
        self.face = self.mesh_model.faces
        self.joints_name = SMPL_JOINTS.joints + _FACE_JOINTS
        self.joint_num = len(self.joints_name)
        self.flip_pairs = (*SMPL_JOINTS.flip_pairs, (25, 26), (27, 28))
        # as in the original: without (19, 21) and (12, 15), and (24, 14) where (24, 15) seems meant; no graph uses it
        dropped = ((19, 21), (12, 15))
        face_bones = ((12, 24), (24, 14), (24, 25), (24, 26), (25, 27), (26, 28))
        self.skeleton = tuple(bone for bone in SMPL_JOINTS.bones if bone not in dropped) + face_bones
        self.root_joint_idx = SMPL_JOINTS.root

    @property
    def face_kps_vertex(self) -> tuple[int, ...]:
        if self.mesh_model.face_vertex_ids is None:
            raise ValueError(f"{self.description}: no face_vertex_ids in the file")
        return tuple(int(vertex) for vertex in self.mesh_model.face_vertex_ids)

    @cached_property
    def joint_regressor(self) -> np.ndarray:
        face = np.zeros((len(self.face_kps_vertex), self.vertex_num), dtype=np.float32)
        face[np.arange(len(face)), self.face_kps_vertex] = 1
        return np.concatenate([self.mesh_model.joint_regressor("smpl"), face])

    @cached_property
    def joint_regressor_h36m(self) -> np.ndarray:
        return self.mesh_model.joint_regressor("human36")

    @cached_property
    def joint_regressor_coco(self) -> np.ndarray:
        return self.mesh_model.joint_regressor("coco")
