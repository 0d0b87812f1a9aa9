"""The MANO hand layer."""

from lib.body.layer import HandLayer
from lib.body.model_file import load_model_arrays, require_model_file


class ManoLayer(HandLayer):
    """MANO hand layer of a licensed model file; results are in millimetres.

    Args:
        mano_root: folder with ``MANO_RIGHT.pkl`` / ``MANO_LEFT.pkl``.
        center_idx, flat_hand_mean, ncomps, side, use_pca, root_rot_mode, joint_rot_mode, robust_rot: see
            ``lib.body.layer.HandLayer``.

    Raises:
        FileNotFoundError: no file of that side in the folder.
        ValueError: unknown side; damaged file, or one that is no MANO model.
    """

    def __init__(
        self,
        center_idx=None,
        flat_hand_mean=True,
        ncomps=6,
        side="right",
        mano_root="mano/models",
        use_pca=True,
        root_rot_mode="axisang",
        joint_rot_mode="axisang",
        robust_rot=False,
    ):
        path = require_model_file(mano_root, "hand", side)
        super().__init__(
            load_model_arrays(path, "hand"),
            center_idx=center_idx,
            flat_hand_mean=flat_hand_mean,
            ncomps=ncomps,
            side=side,
            use_pca=use_pca,
            root_rot_mode=root_rot_mode,
            joint_rot_mode=joint_rot_mode,
            robust_rot=robust_rot,
        )
        self.mano_path = str(path)
