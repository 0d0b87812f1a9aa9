"""Body models that ``data/verify.py`` looks for; data sets say which files of their own they need."""

from pathlib import Path

from lib.body.model_file import OFFICIAL_SOURCE, find_model_file
from lib.datasets.protocol import RELEASE, NeededFile
from lib.mesh.mesh_model import MANO_FOLDER, REGRESSOR_FILES, SMPL_FOLDER


def model_files(kind: str, gendered: bool, root: Path) -> list[NeededFile]:
    """The body or hand model files and regressors that a data set needs, found or missing."""
    files = []
    if kind == "hand":
        found = find_model_file(root / MANO_FOLDER, "hand", "right")
        return [NeededFile(found or root / MANO_FOLDER / "MANO_RIGHT.pkl", "model", OFFICIAL_SOURCE["hand"])]
    for gender, short in (("neutral", "neutral"), ("female", "f"), ("male", "m"))[: 3 if gendered else 1]:
        found = find_model_file(root / SMPL_FOLDER, "body", gender)
        path = root / SMPL_FOLDER / f"basicModel_{short}_lbs_10_207_0_v1.0.0.pkl"
        files.append(NeededFile(found or path, "model", OFFICIAL_SOURCE["body"]))
    return files + [NeededFile(root / path, "model", f"get it from {RELEASE}") for path in REGRESSOR_FILES.values()]
