"""The right-hand model with MANO's joints, skeleton and regressor, under the attribute names of the original helper."""

from pathlib import Path

from lib import ROOT
from lib.body.layer import HandLayer
from lib.joints.tables import MANO as MANO_JOINTS
from lib.mesh.mesh_model import load_mesh_model


class MANO:
    """Hand model helper: MANO when its file is in place, the open hand otherwise.

    Args:
        which: see ``lib.mesh.mesh_model.load_mesh_model``.
        root: repository root.

    Attributes:
        mesh_model: the ``MeshModel`` behind it.
        description: one line that says which files are in use.
        layer: hand layer, 48 axis-angle values relative to the file's mean pose, **millimetres**.
        vertex_num, face: number of vertices; (F, 3) int64.
        joint_num, joints_name, skeleton, root_joint_idx: the 21 joints.
        flip_pairs: empty, a single hand has none.
        horizontal_links: pairs of neighbouring fingers' joints, further edges of the joint graph.
        joint_regressor: (21, V) float32. Its middle fingertip of MANO's mesh is vertex 445, the layer's is 444:
            released weights were trained with both.

    Raises:
        FileNotFoundError, ValueError: see ``load_mesh_model``.
    """

    def __init__(self, which: str = "auto", root: str | Path = ROOT):
        self.mesh_model = load_mesh_model("hand", which, root)
        self.description = self.mesh_model.description
        self.layer = HandLayer(self.mesh_model.arrays(), flat_hand_mean=False, use_pca=False)
        self.vertex_num = self.mesh_model.vertex_num
        self.face = self.mesh_model.faces
        self.joints_name = MANO_JOINTS.joints
        self.joint_num = len(self.joints_name)
        self.skeleton = MANO_JOINTS.bones
        self.flip_pairs = MANO_JOINTS.flip_pairs
        self.horizontal_links = MANO_JOINTS.graph_links
        self.root_joint_idx = MANO_JOINTS.root
        self.joint_regressor = self.mesh_model.joint_regressor("mano")
