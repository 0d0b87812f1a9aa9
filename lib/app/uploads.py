"""Files that a browser sent, sorted into poses and pictures."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lib import ROOT
from lib.demo.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from lib.messages import shown_name, shown_names

_LONGEST = 200  # bytes of a name
_LABELS = ".txt"  # of YOLO-pose, which are read as folders


@dataclass(frozen=True)
class Inputs:
    """What is lifted.

    Attributes:
        poses: file or folder; None: those that are found in ``pictures``.
        pictures: image, folder of images or video; None: black.
        joint_set, hand_side: those of a sample of hands.
    """

    poses: Path | None = None
    pictures: Path | None = None
    joint_set: str = ""
    hand_side: str = ""


_DEMO = ROOT / "demo"
SAMPLES = {
    "scene": Inputs(Path(".")),
    "film": Inputs(_DEMO / "demo_input_video.json"),
    "hand": Inputs(_DEMO / "sample_pose_mano.npy", joint_set="mano", hand_side="left"),
}


def take_in(files: Sequence[tuple[str, Path]], folder: Path) -> Inputs:
    """Put uploaded files into a folder under the names that they had.

    Args:
        files: name that the browser gave, and where the file is.
        folder: a new one.

    Raises:
        ValueError: nothing, two files of one name, two videos, or a video and images.
    """
    named: dict[str, Path] = {}
    for name, path in files:
        name = harmless(name)
        if name in named:
            raise ValueError(f"two files are called {shown_name(name)}")
        named[name] = path
    pictures = [name for name in named if name.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))]
    poses = [name for name in named if name not in pictures]
    videos = [name for name in pictures if name.lower().endswith(VIDEO_SUFFIXES)]
    if not named:
        raise ValueError("drop a file of poses, a photo or a video first, or take a sample")
    kinds = {PurePosixPath(name).suffix.lower() for name in poses}
    if len(poses) > 1 and kinds not in ({".json"}, {_LABELS}):
        raise ValueError(
            f"several files of poses are a tool's folder, all .json or all .txt; found {shown_names(poses)}: drop one "
            "of them"
        )
    if videos and len(pictures) > 1:
        raise ValueError(f"one video at a time, without images beside it; found {shown_names(pictures)}")
    return Inputs(
        _placed(poses, named, folder / "poses", alone=not poses or not poses[0].lower().endswith(_LABELS)),
        _placed(pictures, named, folder / "images", alone=True),
    )


def harmless(name: str) -> str:
    """The name of a file alone, short enough for every file system, without what cannot be shown."""
    name = PurePosixPath(name.replace("\\", "/")).name
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    end = PurePosixPath(name).suffix if len(PurePosixPath(name).suffix) < 12 else ""
    name = name[: len(name) - len(end)].encode(errors="replace")[: _LONGEST - len(end.encode())].decode(errors="ignore")
    return f"{'file' if name.strip('. ') == '' else name}{end}"


def _placed(names: Sequence[str], files: dict[str, Path], folder: Path, alone: bool) -> Path | None:
    """The file of these names where there is one that may be alone, their folder else."""
    if not names:
        return None
    folder.mkdir(parents=True)
    for name in names:
        target = folder / name
        with contextlib.suppress(OSError):
            os.link(files[name], target)
        if not target.exists():
            shutil.copyfile(files[name], target)
    return folder / names[0] if alone and len(names) == 1 else folder
