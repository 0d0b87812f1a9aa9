"""The original's data set items and what they were made from (optional reference files)."""

import shutil
import zipfile
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np

from lib.datasets.batch import Batch
from lib.datasets.registry import dataset_class
from lib.mesh.mesh_model import (
    MANO_FOLDER,
    REGRESSOR_FILES,
    SMPL_FOLDER,
    load_mesh_model,
)
from lib.settings.reading import merge
from tests.helpers import SHARED, shared_path

TARGET_SETS = {"SURREAL": "smpl", "FreiHAND": "mano"}
POSENET_PARTS = {"inputs.pose2d": "img", "targets.lift_pose3d": "cam", "meta.lift_pose3d_valid": "valid"}


def make_root(folder: Path) -> Path:
    """A root with the annotation trees and the stand-in body models that the items were computed with."""
    with zipfile.ZipFile(shared_path("annots.zip")) as archive:
        archive.extractall(folder / "data")
    (folder / SMPL_FOLDER).mkdir(parents=True)
    (folder / MANO_FOLDER).mkdir(parents=True)
    for gender in ("neutral", "female", "male"):
        target = folder / SMPL_FOLDER / f"SMPL_{gender.upper()}.npz"
        shutil.copyfile(shared_path(f"models/pseudo_smpl_{gender}.npz"), target)
    shutil.copyfile(shared_path("models/pseudo_mano_right.npz"), folder / MANO_FOLDER / "MANO_RIGHT.npz")
    with np.load(shared_path("models/regressors.npz")) as regressors:
        for name, key in (("human36", "h36m"), ("coco", "coco")):
            np.save(folder / REGRESSOR_FILES[name], regressors[key])
    return folder


def load_models(root: Path) -> dict:
    return {"body": load_mesh_model("body", "smpl", root), "hand": load_mesh_model("hand", "mano", root)}


@lru_cache
def golden_items() -> dict[tuple[str, ...], dict[int, dict[str, np.ndarray]]]:
    """(data set, split, input set, model, kind) -> item number -> part -> array; empty without the reference file."""
    path = SHARED / "golden" / "dataset_items.npz"
    if not path.exists():
        return {}
    groups = defaultdict(lambda: defaultdict(dict))
    with np.load(path) as arrays:
        for key in arrays.files:
            *group, number, part = key.split(".", maxsplit=6) if key.count(".") >= 6 else ["", ""]
            if number.isdigit():
                groups[tuple(group)][int(number)][part] = arrays[key]
        groups["vid"] = arrays["vid"]
    return groups


def build(group: tuple[str, ...], root: Path, models: dict, **dataset):
    """The data set of a group."""
    name, split, input_set, model, kind = group
    cfg = merge(
        {
            "DATASET": {
                "input_joint_set": input_set,
                "target_joint_set": TARGET_SETS.get(name, "human36"),
                "use_gt_input": kind.startswith("gt"),
                "cache": "",
                **dataset,
            },
            "MODEL": {"name": model},
        }
    )
    mesh_model = models["hand" if input_set == "mano" else "body"]
    return dataset_class(name)(split, cfg, model=mesh_model, root=root)


def item_parts(batch: Batch, model: str) -> dict[str, np.ndarray]:
    """The first sample of a batch under the golden names of a model."""
    groups = batch._asdict().items()
    parts = {f"{group}.{name}": value[0].numpy() for group, values in groups for name, value in values.items()}
    return {name: parts.pop(key) for key, name in POSENET_PARTS.items()} | parts if model == "posenet" else parts


def stored_form(part: str, value: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """A value in the form in which ``part`` was stored: some rows, a sum, or smallest and largest."""
    _, _, form = part.partition("@")
    if form == "vid":
        return value[vertices]
    if form == "sum":
        return value.astype(np.float64).sum(axis=0)
    return np.array([value.min(), value.max()]) if "valid" in part else value
