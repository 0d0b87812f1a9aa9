"""Body models, regressors, weights and data sets."""

from collections.abc import Iterator
from pathlib import Path

from lib.doctor.finding import FAIL, OK, WARN, Finding

# data set: a file that it cannot do without
DATASETS = {
    "Human36M": "annotations/Human36M_subject*_data.json",
    "MuCo": "data/*.json",
    "COCO": "annotations/person_keypoints_train2017.json",
    "PW3D": "data/*.json",
    "AMASS": "data/**/*_poses.npz",
    "SURREAL": "data/*.json",
    "FreiHAND": "data/freihand_*_data.json",
}
_OPEN_USED = "the open models are used instead; README, Licensed models, says where the files come from"


def models(root: Path) -> Iterator[Finding]:
    """Body and hand model files by any official name: readable, with the right mesh."""
    from lib.body.model_file import find_model_file
    from lib.mesh.mesh_model import (
        MANO_FOLDER,
        OPEN_FILES,
        REGRESSOR_FILES,
        SMPL_FOLDER,
        MeshModel,
        load_mesh_model,
    )

    for name in OPEN_FILES:
        kind = "hand" if name == "open_hand" else "body"
        try:
            mesh = load_mesh_model(kind, name, root)
        except (OSError, ValueError) as error:
            yield Finding(FAIL, name, str(error), "git checkout asset/open_body")
            continue
        yield Finding(OK, name, f"{mesh.vertex_num} vertices, {len(mesh.faces)} faces")
    wanted = [("body", gender, SMPL_FOLDER) for gender in ("neutral", "female", "male")]
    wanted.append(("hand", "right", MANO_FOLDER))
    for kind, variant, folder in wanted:
        subject = f"{'SMPL' if kind == 'body' else 'MANO'} {variant}"
        path = find_model_file(root / folder, kind, variant)
        if path is None:
            yield Finding(WARN, subject, f"no file with an official name in {root / folder}", _OPEN_USED)
            continue
        try:
            mesh = MeshModel("smpl" if kind == "body" else "mano", kind, path, root, subject)
        except (OSError, ValueError) as error:
            yield Finding(FAIL, subject, str(error), "download the file again")
            continue
        yield Finding(OK, subject, f"{path.name}, {mesh.vertex_num} vertices")
        if variant in ("neutral", "right"):
            yield from _graph(mesh)
    has_smpl = find_model_file(root / SMPL_FOLDER, "body", "neutral") is not None
    for name, place in REGRESSOR_FILES.items():
        if not (root / place).is_file():
            level, advice = WARN, "part of the original release's data folder, needed for SMPL's mesh"
            yield Finding(level, f"{name} regressor", f"no {place}", advice)
        elif has_smpl:
            yield from _regressor(root, name, str(place))
        else:
            yield Finding(OK, f"{name} regressor", f"{place} (not in use: no neutral SMPL file)")


def _regressor(root: Path, name: str, place: str) -> Iterator[Finding]:
    from lib.mesh.mesh_model import load_mesh_model

    try:
        matrix = load_mesh_model("body", "smpl", root).joint_regressor(name)
    except (OSError, ValueError) as error:
        yield Finding(FAIL, f"{name} regressor", str(error), "take it from the original release's data folder")
    else:
        yield Finding(OK, f"{name} regressor", f"{place}, {matrix.shape[0]} joints, {matrix.shape[1]} vertices")


def _graph(mesh) -> Iterator[Finding]:
    """Level sizes of a licensed mesh against those that released weights were trained with."""
    import warnings

    from lib.graph.building import RELEASED_LEVEL_SIZES
    from lib.graph.mesh_graph import MeshGraph
    from lib.joints.lookup import get_joint_set

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said below
        graph = MeshGraph.build(mesh.faces, get_joint_set("human36" if mesh.kind == "body" else "mano"))
    found, expected = graph.sizes[:-1], RELEASED_LEVEL_SIZES[mesh.name]
    sizes = ", ".join(map(str, found))
    if found == expected[: len(found)]:
        yield Finding(OK, f"{mesh.name} graph", f"level sizes {sizes}, as released weights need them")
        return
    text = f"level sizes {sizes}, released weights need {', '.join(map(str, expected[: len(found)]))}"
    yield Finding(WARN, f"{mesh.name} graph", text, "the faces are not the official ones: take the official file")


def weights(root: Path) -> Iterator[Finding]:
    """Checkpoints below ``experiment/``: readable, for which joints and which mesh."""
    from lib.checkpoints.paths import checkpoint_at

    folders = sorted(folder for folder in (root / "experiment").glob("*") if folder.is_dir())
    found = [(folder, path) for folder in folders if (path := checkpoint_at(folder)) is not None]
    shared = [(folder, path) for folder, path in found if not folder.name.startswith("exp_")]
    runs = len(found) - len(shared)
    if runs:
        yield Finding(OK, "runs", f"{runs} training runs with checkpoints in experiment/")
    if not shared:
        advice = "git checkout experiment (open weights), or copy released weights to experiment/<name>/final.pth.tar"
        yield Finding(WARN, "weights", f"none in {root / 'experiment'}", advice)
    for folder, path in shared:
        yield _weights(folder.name, path, root)


def _weights(name: str, path: Path, root: Path) -> Finding:
    from lib.checkpoints.checkpoint import load_checkpoint
    from lib.checkpoints.mesh import mesh_of_graph
    from lib.graph.building import released_mesh
    from lib.graph.mesh_graph import MeshGraph
    from lib.joints.lookup import get_joint_set

    try:
        checkpoint = load_checkpoint(path)
        config = checkpoint["config"]
        joints = get_joint_set(config["DATASET"]["input_joint_set"]) if config else None
        size = f"{path.stat().st_size / 1e6:.0f} MB"
        text = f"{path.name}, {size}, {joints.name + ' joints' if joints else 'of the original release'}"
        state = checkpoint["model_state_dict"]
        if not any(".cl.0." in f".{key}" for key in state):
            return Finding(OK, name, f"{text}, PoseNet")
        if checkpoint["graph"] is None:
            width = next(value for key, value in state.items() if key.endswith("cl.3.weight")).shape[1] // 3
            rows = next(value for key, value in state.items() if key.endswith("pose2mesh.fc.bias")).shape[0] // width
            mesh = released_mesh(rows)
            return Finding(OK, name, f"{text}, for {mesh or f'an unknown mesh (coarsest level of {rows} rows)'}")
        graph = MeshGraph.from_state(checkpoint["graph"])
        body = config["MODEL"]["body"] if config else "auto"
        mesh = mesh_of_graph(graph, joints.body if joints else "body", body, root)
    except (OSError, ValueError, KeyError, StopIteration) as error:
        return Finding(FAIL, name, f"{path}: {error}", "remove it, or put the right file there")
    return Finding(OK, name, f"{text}, for {mesh.name}, level sizes {', '.join(map(str, graph.sizes))}")


def datasets(root: Path) -> Iterator[Finding]:
    """Which data sets have files."""
    yield Finding(OK, "Synthetic", "needs no files")
    for name, pattern in DATASETS.items():
        found = next((root / "data" / name).glob(pattern), None)
        if found is None:
            advice = "only for training or testing on it: data/README.md; python data/tiny.py makes stand-ins"
            yield Finding(WARN, name, f"no data/{name}/{pattern}", advice)
        else:
            yield Finding(OK, name, f"{found.relative_to(root)} (python data/verify.py {name} looks inside)")
