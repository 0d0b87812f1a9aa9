"""The SMPL body layer."""

from lib.body.layer import BodyLayer
from lib.body.model_file import load_model_arrays, require_model_file


class SMPL_Layer(BodyLayer):
    """SMPL body layer of a licensed model file.

    Args:
        center_idx: joint that becomes the origin where no translation is given; None leaves the model's origin.
        gender: ``neutral``, ``female`` or ``male``.
        model_root: folder with ``basicModel_{neutral,f,m}_lbs_10_207_0_v1.0.0.pkl`` (or the 1.1.0 files).

    Raises:
        FileNotFoundError: no file of that gender in the folder.
        ValueError: unknown gender; damaged file, or one that is no SMPL model.
    """

    def __init__(self, center_idx=None, gender="neutral", model_root="smpl/native/models"):
        path = require_model_file(model_root, "body", gender)
        super().__init__(load_model_arrays(path, "body"), center_idx, gender)
        self.model_path = str(path)
