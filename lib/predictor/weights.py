"""Which weights the predictor uses for a joint set, and whether they take it."""

from pathlib import Path

import numpy as np

from lib import ROOT
from lib.checkpoints.checkpoint import LICENSED
from lib.checkpoints.finding import RELEASE, checkpoint_at, newest_checkpoint
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.settings.config import Config

# folders below experiment/: weights of the original release, and those for the open models that ship with this one
ORIGINAL_WEIGHTS = {
    "human36": "pose2mesh_human36J_train_human36",
    "coco": "pose2mesh_cocoJ_train_human36_coco_muco",
    "smpl": "pose2mesh_smplJ_train_surreal",
    "mano": "pose2mesh_manoJ_train_freihand",
}
OPEN_WEIGHTS = {
    "human36": "pose2mesh_human36J_open",
    "coco": "pose2mesh_cocoJ_open",
    "smpl": "pose2mesh_smplJ_open",
    "mano": "pose2mesh_manoJ_open",
}
# of temporal lifters, which are made for some joint sets only
TEMPORAL_WEIGHTS = {"coco": "posenet_cocoJ_temporal_open"}
_SAME_WEIGHT = 1e-4  # regressors of one joint set differ less between files
_WAY_OUT = "take the joint set in the weights (joint_set=None), train again, or use other weights"


def find_weights(joint_set: JointSet, root: str | Path = ROOT) -> Path:
    """The weights to use when none are named.

    Those of the original release when they and the licensed model files are in place, else the open weights, which
    bring their own mesh model: the two are never mixed, as weights belong to one mesh. For a user's own set the newest
    Pose2Mesh below ``experiment/`` that was trained with it.

    Raises:
        FileNotFoundError: none is there; says where it looked and how to get some.
    """
    if JOINT_SETS.get(joint_set.name) != joint_set:
        return _own_weights(joint_set, root)
    original_place = Path(root) / "experiment" / ORIGINAL_WEIGHTS[joint_set.name]
    open_place = ROOT / "experiment" / OPEN_WEIGHTS[joint_set.name]
    original, shipped = checkpoint_at(original_place), checkpoint_at(open_place)
    if original and load_mesh_model(joint_set.body, "auto", root).name == LICENSED[joint_set.body]:
        return original
    if shipped:
        return shipped
    why = f" (it needs the {LICENSED[joint_set.body].upper()} files as well)" if original else ""
    raise FileNotFoundError(
        f"no weights for joint set {joint_set.name!r}: looked for final.pth.tar in {open_place}, which is part of the "
        f"repository, and in {original_place}{why}, which is in the original release's downloads, {RELEASE}"
    )


def ships(weights: Path, joint_set: JointSet) -> bool:
    """Whether weights are the open ones of the repository, which its temporal lifters were trained beside."""
    shipped = checkpoint_at(ROOT / "experiment" / OPEN_WEIGHTS.get(joint_set.name, joint_set.name))
    return shipped is not None and shipped.resolve() == weights.resolve()


def find_temporal_weights(joint_set: JointSet) -> Path:
    """The temporal lifter's weights to use when none are named: those that ship with the repository.

    Raises:
        FileNotFoundError: there are none for the joint set, or they are not installed.
    """
    if joint_set.name not in TEMPORAL_WEIGHTS or JOINT_SETS.get(joint_set.name) != joint_set:
        raise FileNotFoundError(
            f"no temporal lifter for joint set {joint_set.name!r}; there are some for {', '.join(TEMPORAL_WEIGHTS)}"
        )
    place = ROOT / "experiment" / TEMPORAL_WEIGHTS[joint_set.name]
    found = checkpoint_at(place)
    if found is None:
        raise FileNotFoundError(f"no temporal lifter for joint set {joint_set.name!r}: no final.pth.tar in {place}")
    return found


def _own_weights(joint_set: JointSet, root: str | Path) -> Path:
    def takes(stored: Config) -> bool:
        own = get_joint_set(stored.DATASET.input_joint_set)
        same = all(getattr(own, key) == getattr(joint_set, key) for key in ("joints", "body", "derived", "root"))
        return same and stored.MODEL.with_mesh

    places = dict.fromkeys(Path(folder).resolve() / "experiment" for folder in (root, ROOT))
    found = (newest_checkpoint(place, takes, "best", folders="*") for place in places)
    newest = next((path for path in found if path is not None), None)
    if newest is None:
        raise FileNotFoundError(
            f"no weights for your joint set {joint_set.name!r}: no Pose2Mesh below "
            f"{' or '.join(map(str, places))} was trained with just these joints. Name its checkpoint (--weights), or "
            "train one: set DATASET.input_joint_set to the file in copies of asset/yaml/posenet_body25J_train_"
            "synthetic.yml and pose2mesh_body25J_train_synthetic.yml, and run main/train.py on both; "
            "asset/joint_sets/README.md has the example"
        )
    return newest


def check_joints(joint_set: JointSet, trained: JointSet, source: Path) -> None:
    """Whether weights that were trained with one joint set take the joints of another.

    Names of the sets, bones and evaluated joints may differ.

    Raises:
        ValueError: they do not; says what differs and what to do.
    """
    if (trained.joints, trained.body) != (joint_set.joints, joint_set.body):
        raise ValueError(
            f"{source} takes {trained.name} joints, not {joint_set.name}; use --joint_set {trained.name} or other "
            f"weights. Its joints: {trained.describe()}"
        )
    if trained.derived != joint_set.derived or trained.root != joint_set.root:
        raise ValueError(
            f"{source} was trained with another root or other derived joints of {trained.name}; {_WAY_OUT}"
        )


def check_regressor(joint_set: JointSet, trained: JointSet, mesh_model: MeshModel, source: Path) -> np.ndarray:
    """The joint regressor (J, V) of a joint set, when it is that of the set which weights were trained with.

    Raises:
        ValueError: joints of the same names are elsewhere on the mesh; names them.
    """
    regressor = mesh_model.joint_regressor(joint_set)
    if trained != joint_set:
        moved = np.abs(regressor - mesh_model.joint_regressor(trained)).max(axis=1) > _SAME_WEIGHT
        if moved.any():
            names = ", ".join(joint_set.joints[joint] for joint in np.flatnonzero(moved))
            raise ValueError(f"{source} was trained with {names} elsewhere on {mesh_model.name}; {_WAY_OUT}")
    return regressor
