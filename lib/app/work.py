"""The process that lifts: one task after the other, with predictors that stay loaded between them."""

import io
import re
import signal
import sys
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from lib.app.form import Form
from lib.app.uploads import Inputs
from lib.demo.command import lift_input, load_predictor
from lib.demo.images import VideoImages, open_images
from lib.demo.inputs import load_input
from lib.demo.options import DemoOptions
from lib.messages import one_line

if TYPE_CHECKING:
    from lib.predictor import Pose2MeshPredictor

ALL = "all_files.zip"
_KEPT = 2  # predictors: more than the one of a user who compares takes memory for nothing
_MOST_TURNED = 1500  # poses of a page, 55 kB each
_NUMBERED = re.compile(r"_(\d+)\.png")
_BAR = re.compile(r"(?:(?P<what>[a-z ]+): +)?\d+%\|.*\| (?P<done>\d+)/(?P<total>\d+) \[")
_COUNT = re.compile(r"(?P<what>[a-z ]+): (?P<done>\d+)[a-z]+ \[")
# what a wrong input can raise; anything else is a fault of ours
REFUSALS = (ValueError, OSError, RuntimeError, MemoryError, OverflowError)


@dataclass(frozen=True)
class Task:
    """What to do.

    Attributes:
        form: the user's choices.
        inputs: what is lifted.
        base: options of the app; its ``output`` is the folder of the results.
        most_frames: of a film.
    """

    form: Form
    inputs: Inputs
    base: DemoOptions
    most_frames: int


@dataclass(frozen=True)
class Line:
    """A line that the demo printed."""

    text: str


@dataclass(frozen=True)
class Progress:
    """How far the work is; ``total`` is None where nobody knows."""

    what: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Refused:
    """Why there is no result, in words."""

    reason: str


@dataclass(frozen=True)
class Picture:
    """Files of one picture, or of a film; names within the results' folder.

    Attributes:
        name: for the user.
        joints: 2D joints; None: they are in the scene.
        overlay: meshes over the picture; None: they are in the film.
        scene: page to turn the meshes in; None: there are too many.
        film: None of pictures.
        people: numbers of those who are shown.
    """

    name: str
    joints: str | None
    overlay: str | None
    scene: str | None
    film: str | None
    people: tuple[int, ...]


@dataclass(frozen=True)
class Done:
    """A finished task.

    Attributes:
        pictures: what to show.
        files: names and sizes in bytes, the archive of all of them first.
    """

    pictures: tuple[Picture, ...]
    files: tuple[tuple[str, int], ...]


Report = Line | Progress | Refused | Done


def serve(pipe: Connection, base: DemoOptions) -> None:
    """Do the tasks that come through a pipe and report on them, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    # the lock that tqdm would take otherwise is a semaphore of the system, left behind when this process is killed
    tqdm.set_lock(threading.RLock())
    loaded = Predictors()
    with suppress(*REFUSALS), redirect_stdout(io.StringIO()):
        loaded(base)  # what is wrong is told to whoever asks for it
    with suppress(EOFError, BrokenPipeError):
        while True:
            task = pipe.recv()
            pipe.send(_answer(task, loaded, pipe.send))


def _answer(task: Task, loaded: "Predictors", report: Callable[[Report], None]) -> Refused | Done:
    lines, bars = _Output(report, _line), _Output(report, _progress, terminal=True)
    try:
        with redirect_stdout(lines), redirect_stderr(bars):
            done = run(task, loaded)
    except REFUSALS as error:
        return Refused(one_line(error) or type(error).__name__)
    except Exception:
        traceback.print_exc(file=sys.__stderr__)
        return Refused("this input meets a fault of the program; what happened is in the terminal of the app")
    return done


class Predictors:
    """Loads predictors as ``load_predictor`` and keeps the last ones."""

    def __init__(self) -> None:
        self._kept: dict[tuple, Pose2MeshPredictor] = {}

    def __call__(self, options: DemoOptions) -> "Pose2MeshPredictor":
        key = (options.joint_set, options.weights, options.device, options.body, options.mesh, options.precision)
        predictor = self._kept.pop(key, None)
        if predictor is None:
            for old in list(self._kept)[: len(self._kept) - _KEPT + 1]:
                del self._kept[old]
            predictor = load_predictor(options)
        self._kept[key] = predictor
        return predictor


def run(task: Task, load: Callable[[DemoOptions], "Pose2MeshPredictor"]) -> Done:
    """Lift, and say what there is to show; prints what the demo prints.

    Raises:
        ValueError, FileNotFoundError: unusable input, or a film of too many frames.
    """
    options = task.form.options(task.inputs, task.base)
    if options.input_img is not None and Path(options.input_img).is_file():
        images = open_images(options.input_img)
        if isinstance(images, VideoImages):
            _check_frames(images.count, task.most_frames)  # before people are looked for in each
    source = load_input(options)
    sequence = source.sequence
    is_video = sequence.is_video
    if is_video:
        _check_frames(len(sequence.frames), task.most_frames)
    note = task.form.ignored(is_video)
    if note:
        print(note)
    scene = sequence.person_count <= _MOST_TURNED
    if not scene:
        print(f"Note: no 3D view of {sequence.person_count} poses, more than {_MOST_TURNED}; take a shorter film")
    files = lift_input(source, task.form.saved(options, is_video, scene), load)
    return _done(Path(options.output), files)


def _check_frames(count: int, most: int) -> None:
    if count > most:
        raise ValueError(
            f"the film has {count} frames, this page takes up to {most}; give a shorter one, use demo/run.py, or start "
            "the app with a larger --max_frames"
        )


def _done(folder: Path, files: Sequence[Path]) -> Done:
    inside = [path for place in files if place.is_dir() for path in place.rglob("*")]
    names = [path.relative_to(folder).as_posix() for path in sorted({*files, *inside}) if path.is_file()]
    with zipfile.ZipFile(folder / ALL, "w", zipfile.ZIP_STORED) as archive:  # what is large is packed already
        for name in names:
            archive.write(folder / name, name)
    sizes = [(name, (folder / name).stat().st_size) for name in (ALL, *names)]
    return Done(tuple(_pictures(folder, names)), tuple(sizes))


def _pictures(folder: Path, names: Sequence[str]) -> Iterator[Picture]:
    """What is shown, of the names of all files; the demo's names say what is what."""
    numbers: dict[str, list[int]] = {}
    for name in names:
        stem, kind = name.rpartition("_mesh")[::2]
        scene = f"{stem}_mesh.html" if f"{stem}_mesh.html" in names else None
        if kind == ".mp4":
            yield Picture(stem, None, None, scene, name, _tracks(folder / f"{stem}_mesh.npz"))
        elif kind == ".png":
            yield Picture(stem, f"{stem}_pose2d.png", name, scene, None, ())
        elif match := _NUMBERED.fullmatch(kind):
            numbers.setdefault(stem, []).append(int(match[1]))
    for stem, people in numbers.items():
        scene = f"{stem}_mesh.html" if f"{stem}_mesh.html" in names else None
        last = max(people)  # whose pictures show the people before, too
        yield Picture(stem, f"{stem}_pose2d_{last}.png", f"{stem}_mesh_{last}.png", scene, None, tuple(sorted(people)))


def _tracks(arrays: Path) -> tuple[int, ...]:
    """Numbers of the people of a film, where its arrays were asked for."""
    if not arrays.is_file():
        return ()
    import numpy as np

    with np.load(arrays) as stored:
        return tuple(np.unique(stored["track"]).tolist())


class _Output(io.TextIOBase):
    """A stream whose pieces become reports."""

    encoding = "utf-8"

    def __init__(self, report: Callable[[Report], None], read: Callable[[str], Report | None], terminal: bool = False):
        self._report, self._read, self._terminal = report, read, terminal
        self._rest = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._terminal  # else there would be no bars

    def write(self, text: str) -> int:
        parts = re.split(r"[\r\n]", self._rest + text)
        self._rest = "" if self._terminal else parts.pop()  # bars have no end
        for part in parts:
            found = self._read(part)
            if found is not None:
                self._report(found)
        return len(text)


def _line(text: str) -> Line | None:
    return Line(one_line(text)) if text.strip() else None


def _progress(text: str) -> Progress | None:
    match = _BAR.search(text) or _COUNT.search(text)
    if match is None:
        return None
    total = match.groupdict().get("total")
    return Progress(match["what"] or "lifting", int(match["done"]), int(total) if total else None)
