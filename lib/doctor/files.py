"""Body models, regressors, weights and data sets."""

from collections.abc import Iterator
from pathlib import Path

from lib.doctor.finding import FAIL, OK, WARN, Finding

_OPEN_USED = "the open models are used instead; docs/licensed_models.md says where the files come from"


def models(root: Path) -> Iterator[Finding]:
    """Body and hand model files by any official name: readable, with the right mesh."""
    from lib.body.model_file import find_model_file
    from lib.mesh.mesh_model import MANO_FOLDER, OPEN_FILES, REGRESSOR_FILES, SMPL_FOLDER, MeshModel, load_mesh_model

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
    from lib.checkpoints.finding import checkpoint_at

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
    from lib.checkpoints.files import load_checkpoint
    from lib.checkpoints.messages import coarse_size
    from lib.graph.building import released_mesh

    try:
        checkpoint = load_checkpoint(path)
        joints = f"{checkpoint.joint_set.name} joints" if checkpoint.settings else "of the original release"
        text = f"{path.name}, {path.stat().st_size / 1e6:.0f} MB, {joints}"
        if not checkpoint.with_mesh:
            return Finding(OK, name, f"{text}, PoseNet")
        if checkpoint.graph is None:
            rows = coarse_size(checkpoint.state)
            mesh = released_mesh(rows) or f"an unknown mesh (coarsest level of {rows} rows)"
            return Finding(OK, name, f"{text}, for {mesh}")
        mesh = checkpoint.mesh_model(checkpoint.trained.MODEL.body, root).name
    except (OSError, ValueError, KeyError) as error:
        return Finding(FAIL, name, f"{path}: {error}", "remove it, or put the right file there")
    return Finding(OK, name, f"{text}, for {mesh}, level sizes {', '.join(map(str, checkpoint.graph.sizes))}")


def datasets(root: Path) -> Iterator[Finding]:
    """Which data sets have files."""
    from lib.datasets.registry import DATASETS, dataset_class

    for name in DATASETS:
        inspection = dataset_class(name).inspection
        if inspection is None:
            yield Finding(OK, name, "needs no files")
            continue
        found = next((root / "data" / name).glob(inspection.pattern), None)
        if found is None:
            advice = "only for training or testing on it: data/README.md; python data/tiny.py makes stand-ins"
            yield Finding(WARN, name, f"no data/{name}/{inspection.pattern}", advice)
        else:
            yield Finding(OK, name, f"{found.relative_to(root)} (python data/verify.py {name} looks inside)")
