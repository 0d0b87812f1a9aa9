"""Body and hand layers: SMPL-style models as torch modules with the buffers and rules of the original layers."""

import numpy as np
import torch
from torch import nn

from lib.body.hand import TIP_VERTICES_LAYER, hand_joints
from lib.body.lbs import BodyParams, skin
from lib.body.rotation import axis_angle_to_matrix, nearest_rotation, rotation_from_6d
from lib.units import MM_PER_M

# the palm of MANO's mesh: its two vertices beside the wrist joint
_PALM_VERTICES = (95, 22)


class _SkinnedLayer(nn.Module):
    """What body and hand layers share: buffers, default shape, translation or centring."""

    th_betas: torch.Tensor
    th_shapedirs: torch.Tensor
    th_posedirs: torch.Tensor
    th_v_template: torch.Tensor
    th_J_regressor: torch.Tensor
    th_weights: torch.Tensor
    th_faces: torch.Tensor

    def __init__(self, arrays: dict[str, np.ndarray], center_idx: int | None):
        super().__init__()
        self.center_idx = center_idx
        self.smpl_data = arrays
        self.kintree_table = arrays["kintree_table"]
        self.kintree_parents = self.kintree_table[0].tolist()
        self.num_joints = len(self.kintree_parents)
        self._params = params = BodyParams.from_arrays(arrays)
        self.register_buffer("th_betas", params.betas[None])
        self.register_buffer("th_shapedirs", params.shapedirs.contiguous())
        self.register_buffer("th_posedirs", params.posedirs.contiguous())
        self.register_buffer("th_v_template", params.v_template[None].contiguous())
        self.register_buffer("th_J_regressor", params.J_regressor)
        self.register_buffer("th_weights", params.weights)
        self.register_buffer("th_faces", params.faces)

    def _load_from_state_dict(self, *args, **kwargs):
        super()._load_from_state_dict(*args, **kwargs)
        arrays = {
            "v_template": self.th_v_template[0],
            "shapedirs": self.th_shapedirs,
            "posedirs": self.th_posedirs,
            "J_regressor": self.th_J_regressor,
            "weights": self.th_weights,
            "f": self.th_faces,
            "betas": self.th_betas[0],
        }
        arrays = {key: tensor.detach().cpu().numpy() for key, tensor in arrays.items()}
        self._params = BodyParams.from_arrays({**arrays, "kintree_table": self.kintree_table})

    def _body(self) -> BodyParams:
        """Parameters where the buffers are: ``.to()`` and replicas on other devices move only buffers."""
        place = self.th_weights
        if self._params.blend.device != place.device or self._params.blend.dtype != place.dtype:
            self._params = self._params.to(place.device, place.dtype)
        return self._params

    def _place(self, vertices, joints, translation):
        """Translation, or centring without one; the zero test is over the whole batch, as in the original."""
        if translation is not None and bool(torch.norm(translation) != 0):
            return vertices + translation[:, None], joints + translation[:, None]
        if self.center_idx is None:
            return vertices, joints
        center = joints[:, self.center_idx, None]
        return vertices - center, joints - center


class BodyLayer(_SkinnedLayer):
    """SMPL-style body.

    Args:
        arrays: checked model file (``lib.body.model_file.load_model_arrays``).
        center_idx: joint that becomes the origin where no translation is given; None leaves the model's origin.
        gender: kept as an attribute.

    Attributes:
        vertice_segmentation: (V,) joint with the largest skinning weight of each vertex.
    """

    def __init__(self, arrays: dict[str, np.ndarray], center_idx: int | None = None, gender: str = "neutral"):
        super().__init__(arrays, center_idx)
        self.gender = gender
        self.vertice_segmentation = torch.from_numpy(np.asarray(arrays["weights"]).argmax(axis=1))

    def forward(self, th_pose_axisang, th_betas=None, th_trans=None):
        """Vertices and joints of poses.

        Args:
            th_pose_axisang: (B, 3K) axis-angle, radians.
            th_betas: (B, S) shape. None or zero over the whole batch: the model file's own shape for all.
            th_trans: (B, 3) metres. None or zero over the whole batch: no translation, centring if set.

        Returns:
            vertices (B, V, 3) and joints (B, K, 3), metres.
        """
        batch = th_pose_axisang.shape[0]
        if th_betas is None or bool(torch.norm(th_betas) == 0):
            th_betas = self.th_betas
        rotations = axis_angle_to_matrix(th_pose_axisang.view(batch, -1, 3))
        vertices, joints = skin(self._body(), rotations, th_betas.expand(batch, -1))
        return self._place(vertices, joints, th_trans)


class HandLayer(_SkinnedLayer):
    """MANO-style hand.

    Args:
        arrays: checked model file (``lib.body.model_file.load_model_arrays``).
        center_idx: joint of the 21 that becomes the origin where no translation is given.
        flat_hand_mean: poses are relative to the flat hand instead of the file's mean pose.
        ncomps: number of PCA components of the finger pose, with ``use_pca``.
        side: ``right`` or ``left``.
        use_pca: the finger pose is given as PCA coefficients.
        root_rot_mode: ``axisang``, anything else: the first 6 numbers hold two 3-vectors (6D representation).
        joint_rot_mode: ``axisang``, anything else (without PCA): poses are (B, K, 3, 3) matrices.
        robust_rot: symmetric reading of the 6D representation.
    """

    th_hands_mean: torch.Tensor
    th_selected_comps: torch.Tensor

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        center_idx: int | None = None,
        flat_hand_mean: bool = True,
        ncomps: int = 6,
        side: str = "right",
        use_pca: bool = True,
        root_rot_mode: str = "axisang",
        joint_rot_mode: str = "axisang",
        robust_rot: bool = False,
    ):
        super().__init__(arrays, center_idx)
        self.flat_hand_mean = flat_hand_mean
        self.side = side
        self.use_pca = use_pca
        self.root_rot_mode = root_rot_mode
        self.joint_rot_mode = joint_rot_mode
        self.robust_rot = robust_rot
        self.rot = 3 if root_rot_mode == "axisang" else 6
        finger_values = 3 * (self.num_joints - 1)
        self.ncomps = ncomps if use_pca else finger_values
        self._is_mano = "fingertip_vertex_ids" not in arrays
        tips = TIP_VERTICES_LAYER[side] if self._is_mano else arrays["fingertip_vertex_ids"]
        self.tip_vertices = tuple(int(vertex) for vertex in tips)
        vertex_num = self.th_v_template.shape[1]
        if max(self.tip_vertices) >= vertex_num:
            raise ValueError(f"hand of {vertex_num} vertices without fingertip_vertex_ids; MANO has 778 vertices")
        mean = np.zeros(finger_values) if flat_hand_mean else arrays["hands_mean"]
        self.register_buffer("th_hands_mean", torch.tensor(mean, dtype=torch.float32)[None])
        components = torch.tensor(np.asarray(arrays["hands_components"])[:ncomps], dtype=torch.float32)
        self.register_buffer("th_selected_comps", components)

    def _rotations(self, pose: torch.Tensor) -> torch.Tensor:
        if not self.use_pca and self.joint_rot_mode != "axisang":
            if pose.dim() != 4:
                raise ValueError(f"joint_rot_mode {self.joint_rot_mode!r} takes (B, K, 3, 3), got {tuple(pose.shape)}")
            return nearest_rotation(pose)
        if pose.dim() != 2 or pose.shape[1] != self.rot + self.ncomps:
            raise ValueError(f"expected (B, {self.rot + self.ncomps}) pose values, got {tuple(pose.shape)}")
        fingers = pose[:, self.rot :]
        if self.use_pca:
            fingers = fingers @ self.th_selected_comps
        fingers = axis_angle_to_matrix((self.th_hands_mean + fingers).unflatten(1, (-1, 3)))
        root = pose[:, : self.rot]
        root = axis_angle_to_matrix(root) if self.rot == 3 else rotation_from_6d(root, symmetric=self.robust_rot)
        return torch.cat([root[:, None], fingers], dim=1)

    def forward(self, th_pose_coeffs, th_betas=None, th_trans=None, root_palm=False, share_betas=False):
        """Vertices and joints of poses.

        Args:
            th_pose_coeffs: (B, 3 + ncomps), (B, 3 + 45), the same with 6 for 3, or (B, 16, 3, 3); see the class.
            th_betas: (B, S) shape. None or a single number: the model file's own shape.
            th_trans: (B, 3) **metres**. None or zero over the whole batch: no translation, centring if set.
            root_palm: the first joint is the palm instead of the wrist (MANO's mesh only).
            share_betas: every sample takes the mean shape of the batch.

        Returns:
            vertices (B, V, 3) and joints (B, 21, 3) in the order of joint set ``mano``, **millimetres**.
        """
        batch = th_pose_coeffs.shape[0]
        if th_betas is None or th_betas.numel() == 1:
            th_betas = self.th_betas
        elif _is_set(share_betas):
            th_betas = th_betas.mean(dim=0, keepdim=True)
        vertices, joints = skin(self._body(), self._rotations(th_pose_coeffs), th_betas.expand(batch, -1))
        joints = hand_joints(vertices, joints, self.tip_vertices)
        if _is_set(root_palm):
            if not self._is_mano:
                raise ValueError("root_palm is defined by two vertices of MANO's mesh; this hand is another one")
            palm = vertices[:, list(_PALM_VERTICES)].mean(dim=1, keepdim=True)
            joints = torch.cat([palm, joints[:, 1:]], dim=1)
        vertices, joints = self._place(vertices, joints, th_trans)
        return vertices * MM_PER_M, joints * MM_PER_M


def _is_set(flag) -> bool:
    """Truth of a flag that callers give as bool, number or one-element tensor or list."""
    return bool(torch.as_tensor(flag).any())
