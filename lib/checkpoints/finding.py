"""Which checkpoint file is meant: by a path, or by none.

| to | by a path | without one, in run folders |
| --- | --- | --- |
| use (--weights, TEST.weight_path, MODEL.posenet_path, TRAIN.init_path) | ``named`` | newest that fits: ``best`` |
| train on (TRAIN.resume_path) | ``last`` | newest of the same experiment: ``last`` |

``named``: the file, or of a folder its ``final``, else its ``best``, there or in its ``checkpoint/``. ``best``: weights
to share, else a run's ``best``, else those of most epochs. ``last``: those of most epochs, else as ``named``.

A run's checkpoints are in ``experiment/exp_*/checkpoint/``; weights to share, and those of the original release, in
``experiment/<name>/final.pth.tar``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from lib import ROOT
from lib.settings.agreement import weights_fit
from lib.settings.config import Config
from lib.settings.reading import load_config

Wish = Literal["named", "best", "last"]
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


def checkpoint_at(path: Path, wish: Wish = "named") -> Path | None:
    """The file that a path means, None when there is none.

    ``final.pth.tar`` may also lie there as ``best.pth.tar``: the original release tells its users to copy the latter,
    while its settings name the former.
    """
    if path.is_file():
        return path
    names = [name for name in FOLDER_ORDER if wish != "best" or name != "checkpoint/final.pth.tar"]
    candidates = [path / name for name in names] if path.is_dir() else []
    if path.name == "final.pth.tar":
        candidates.append(path.with_name("best.pth.tar"))
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    last = None if wish == "named" else next(iter(newest_first(path)), None)
    return last or found if wish == "last" else found or last


def newest_first(run: Path) -> list[Path]:
    """The checkpoints of a run folder: its ``final`` and ``checkpoint{N}`` by their epochs, then its ``best``."""
    files = [file for folder in (run, run / "checkpoint") for file in folder.glob("*.pth.tar")]
    numbered = {file: file.name.removeprefix("checkpoint").removesuffix(".pth.tar") for file in files}
    epochs = {file: int(number) for file, number in numbered.items() if number.isdecimal()}
    order = sorted(epochs, key=epochs.__getitem__, reverse=True)
    for final in (file for file in files if file.name == "final.pth.tar"):
        # a run that was continued beyond its first end has numbered files that are newer than its final one
        newer = [file for file in order if file.stat().st_mtime > final.stat().st_mtime]
        order = [*newer, final, *(file for file in order if file not in newer)]
    return order + [file for file in files if file.name == "best.pth.tar"]


def stored_settings(run: Path) -> Config | None:
    """Settings in a run's ``config.yml``; None where it is missing, damaged or of another version."""
    try:
        return load_config(run / "config.yml") if (run / "config.yml").is_file() else None
    except (FileNotFoundError, ValueError):
        return None


def newest_checkpoint(
    experiment: Path,
    fits: Callable[[Config], bool],
    wish: Wish = "best",
    folders: str = "exp_*",
    settings: Callable[[Path], Config | None] = stored_settings,
) -> Path | None:
    """The last written checkpoint of the folders below ``experiment`` whose settings fit; None without any."""
    found = []
    for folder in Path(experiment).glob(folders):
        stored = settings(folder)
        if stored is not None and fits(stored):
            found.append(checkpoint_at(folder, wish))
    return max((file for file in found if file is not None), key=lambda file: file.stat().st_mtime, default=None)


def find_checkpoint(
    path: str | Path,
    experiment: Path | None = None,
    root: Path = ROOT,
    setting: str = "",
    hint: str = "",
    wish: Wish = "named",
) -> Path:
    """The checkpoint file that a path means (see ``search_places`` and ``checkpoint_at``).

    Args:
        path, experiment, root: see ``search_places``.
        setting: where the path comes from (``TEST.weight_path``), named in the error.
        hint: what else would help, added to the error.
        wish: see ``lib.checkpoints.finding``.

    Raises:
        FileNotFoundError: nothing there; the message says where it looked, what is there instead and where to get it.
    """
    places = search_places(path, experiment, root)
    for place in places:
        found = checkpoint_at(place, wish)
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


def weights_path(configured: str, cfg: Config, model_name: str, key: str, experiment: Path, root: Path = ROOT) -> Path:
    """The checkpoint whose weights a model is used with or starts from.

    Args:
        configured: path of the settings, see ``find_checkpoint``; empty means the newest run below ``experiment`` that
            was trained with the same data, joint sets and network sizes.
        model_name: ``posenet`` or ``pose2mesh_net``.
        key: the settings key, named in the error.
        experiment, root: see ``search_places``.

    Raises:
        FileNotFoundError: nothing at the configured path, or no path configured and no fitting run.
    """
    newest = newest_checkpoint(experiment, lambda stored: weights_fit(cfg, stored, model_name))
    if configured:
        hint = f"A fitting run is there: {newest}; {key} '' takes the newest fitting run" if newest else ""
        return find_checkpoint(configured, experiment, root, key, hint)
    if newest is None:
        raise FileNotFoundError(
            f"{key} is empty and {experiment.name}/ has no {model_name} run with these data, joint sets and sizes: "
            f"train one first (main/train.py), or set {key} to a checkpoint"
        )
    return newest


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
