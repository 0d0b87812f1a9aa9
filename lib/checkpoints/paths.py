"""Where checkpoints are: what a path of the settings or the command line means, and what to do when nothing is there.

A run's checkpoints are in ``experiment/exp_*/checkpoint/``; weights to share, and those of the original release, in
``experiment/<name>/final.pth.tar``.
"""

from pathlib import Path

from lib import ROOT

FOLDER_ORDER = ("final.pth.tar", "best.pth.tar", "checkpoint/final.pth.tar", "checkpoint/best.pth.tar")
RELEASE = "https://github.com/hongsukchoi/Pose2Mesh_RELEASE"
# folders below experiment/ that the original release's downloads belong to
RELEASED = tuple(
    f"{network}_{name}"
    for network in ("posenet", "pose2mesh")
    for name in (
        "human36J_train_human36",
        "cocoJ_train_human36_coco_muco",
        "smplJ_train_surreal",
        "manoJ_train_freihand",
        "human36J_gt_train_human36",
        "cocoJ_gt_train_human36_coco",
    )
)


def search_places(path: str | Path, experiment: Path | None = None, root: Path = ROOT) -> list[Path]:
    """Where a path is looked for, in this order.

    An absolute path is itself. A relative one is taken from the working directory, then from ``root``, then from the
    repository, so that settings work wherever a program is started; one that starts with ``experiment/`` first of all
    from the folder of ``--experiment``, when that is another one than the repository's.

    Args:
        path: file or folder.
        experiment: parent of run folders in use; None = the repository's.
        root: folder that holds ``data/`` and the licensed models.
    """
    path = Path(path)
    if path.is_absolute():
        return [path]
    places = [path, Path(root) / path, ROOT / path]
    if path.parts[:1] == ("experiment",) and experiment is not None and Path(experiment) != ROOT / "experiment":
        places.insert(0, Path(experiment, *path.parts[1:]))
    return list({place.resolve(): place for place in places}.values())


def checkpoint_at(path: Path) -> Path | None:
    """The file that a path means, None when there is none.

    A folder means the first of ``FOLDER_ORDER`` inside it. ``final.pth.tar`` may also lie there as ``best.pth.tar``:
    the original release tells its users to copy the latter, while its settings name the former.
    """
    if path.is_file():
        return path
    names = FOLDER_ORDER if path.is_dir() else ()
    candidates = [path / name for name in names]
    if path.name == "final.pth.tar":
        candidates.append(path.with_name("best.pth.tar"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def find_checkpoint(
    path: str | Path, experiment: Path | None = None, root: Path = ROOT, setting: str = "", hint: str = ""
) -> Path:
    """The checkpoint file that a path means (see ``search_places`` and ``checkpoint_at``).

    Args:
        path, experiment, root: see ``search_places``.
        setting: where the path comes from (``TEST.weight_path``), named in the error.
        hint: what else would help, added to the error.

    Raises:
        FileNotFoundError: nothing there; the message says where it looked, what is there instead and where to get it.
    """
    places = search_places(path, experiment, root)
    for place in places:
        found = checkpoint_at(place)
        if found is not None:
            return found
    folders = dict.fromkeys(place if place.is_dir() else place.parent for place in places)
    sentences = [
        "No checkpoint exists!" + (f" {setting} is {path}." if setting else ""),
        f"Looked for: {', '.join(map(_candidates, places))}.",
        *(f"{_contents(folder)}." for folder in folders if folder.is_dir()),
        *(f"{source}." for source in _sources(Path(path))),
        f"{hint}." if hint else "",
        f"Or set {setting or 'TEST.weight_path, MODEL.posenet_path or TRAIN.resume_path'} to a checkpoint file or its "
        "folder.",
    ]
    raise FileNotFoundError("\n".join(sentence for sentence in sentences if sentence))


def _candidates(place: Path) -> str:
    """What was looked for at a place."""
    if place.is_dir():
        return f"{' or '.join(FOLDER_ORDER)} in {place}"
    return f"{place} (or best.pth.tar beside it)" if place.name == "final.pth.tar" else str(place)


def _contents(folder: Path) -> str:
    """The checkpoints below a folder, or what else it has."""
    near = sorted(str(p) for pattern in ("*.pth*", "*/*.pth*", "*/*/*.pth*") for p in folder.glob(pattern))[:5]
    if near:
        return f"Checkpoints below {folder}: {', '.join(near)}"
    names = sorted(p.name for p in folder.iterdir())
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{folder} holds no checkpoint, but {', '.join(names[:5])}{more}" if names else f"{folder} is empty"


def _sources(path: Path) -> list[str]:
    """Where weights of a known name come from."""
    names = [part for part in path.parts if part.startswith(("posenet_", "pose2mesh_"))]
    if not names:
        return []
    name, sources = names[-1], []
    if name in RELEASED:
        sources.append(f"It is among the original release's downloads, {RELEASE}: put it into experiment/{name}/")
    settings = Path("asset") / "yaml" / f"{name}.yml"
    if (ROOT / settings).is_file():
        sources.append(
            f"Train it with python main/train.py --cfg {settings}, then copy best.pth.tar or final.pth.tar of its "
            f"experiment/exp_*/checkpoint/ to experiment/{name}/"
        )
    return sources


def latest_checkpoint(run: str | Path) -> Path | None:
    """The checkpoint of a run folder with the most epochs: its ``final`` or highest ``checkpoint{N}``.

    None when the folder has neither.
    """
    files = [p for folder in (Path(run), Path(run) / "checkpoint") for p in folder.glob("*.pth.tar")]
    numbered = {p: p.name.removeprefix("checkpoint").removesuffix(".pth.tar") for p in files}
    epochs = {p: int(number) for p, number in numbered.items() if number.isdecimal()}
    newest = max(epochs, key=epochs.get, default=None)
    final = next((p for p in files if p.name == "final.pth.tar"), None)
    if final is None or newest is None:
        return final or newest
    # a run that was continued beyond its first end has numbered files that are newer than its final one
    return newest if newest.stat().st_mtime > final.stat().st_mtime else final
