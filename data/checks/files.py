"""Body models that ``data/verify.py`` looks for; data sets say which files of their own they need."""

from pathlib import Path

from lib.body.model_file import OFFICIAL_SOURCE, find_model_file, official_name
from lib.datasets.protocol import RELEASE, NeededFile
from lib.mesh.mesh_model import GENDERS, MANO_FOLDER, REGRESSOR_FILES, SMPL_FOLDER


def model_files(kind: str, gendered: bool, root: Path) -> list[NeededFile]:
    """The body or hand model files and regressors that a data set needs, found or missing."""
    folder = root / (MANO_FOLDER if kind == "hand" else SMPL_FOLDER)
    variants = ("right",) if kind == "hand" else GENDERS if gendered else GENDERS[:1]
    files = [find_model_file(folder, kind, variant) or folder / official_name(kind, variant) for variant in variants]
    needed = [NeededFile(file, "model", OFFICIAL_SOURCE[kind]) for file in files]
    regressors = REGRESSOR_FILES.values() if kind == "body" else ()
    return needed + [NeededFile(root / path, "model", f"get it from {RELEASE}") for path in regressors]
