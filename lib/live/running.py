"""The course of ``demo/live.py``: opens everything, shows picture after picture, says at the end how fast it was."""

import sys
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import torch

from lib.demo.images import canvas_size
from lib.demo.lifting import Lifter
from lib.demo.options import AUTO, OFF, DemoOptions
from lib.demo.temporal import open_temporal
from lib.export.people import PeopleArrays
from lib.files import say_replaced
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.live.drawing import draw_figures, draw_people, scaled
from lib.live.figures import Figures
from lib.live.finding import FilePoses, Finder, Sighting, Watch
from lib.live.lifting import LiveLifter, warm_up
from lib.live.options import LIVE_SMOOTHING, SHOWS, LiveOptions
from lib.live.showing import Recorder, Show, open_show
from lib.live.sources import CAMERA_FPS, BlackFrames, CameraSource, FilmSource, Source, film_source
from lib.messages import naming, one_line
from lib.poses import Source as Joints
from lib.poses import read_poses
from lib.predictor import Pose2MeshPredictor, SequenceLifter
from lib.predictor.sequence_lifter import FPS_RANGE
from lib.render.mesh_renderer import MeshRenderer
from lib.runtime.failures import terminable
from lib.runtime.memory import keep_freed_memory

_MANY = 1000  # pictures, for the renderer's choice
_SWITCH = 0.0005  # seconds until another thread's Python gets its turn; ten times as long stops a mesh for a frame
_MOST_WAITING = 30
_LOOK = 0.2  # seconds between looks at the clock and at the window while no picture comes


def run_live(options: LiveOptions) -> Figures:
    """Everything that ``demo/live.py`` does; prints what is used and, at the end, the times.

    Raises:
        ValueError, OSError: unusable options, camera, film or poses; the message says what was wanted.
    """
    _check(options)
    with ExitStack() as stack:
        joints, find = _finder(options, stack)
        source = _source(options, find)
        stack.callback(source.close)
        predictor = Pose2MeshPredictor(
            options.joint_set, options.weights, options.device, options.body, options.root, options.mesh,
            options.precision,
        )  # fmt: skip
        for line in predictor.description:
            print(one_line(line))
        demo = DemoOptions(joint_set=options.joint_set, joint_score=options.joint_score, focal=options.focal)
        temporal = _temporal(options, predictor, source.fps)
        lifter = LiveLifter(Lifter(predictor, demo), joints, source.fps, options.smooth, temporal, options.lookahead)
        renderer = stack.enter_context(MeshRenderer(options.renderer, pictures=_MANY))
        show, lines = open_show(options)
        if show is not None:
            stack.callback(show.close)
        print("\n".join([f"Renderer: {renderer.note}", *lines]), flush=True)
        recorder = None
        if options.output is not None:
            say_replaced([options.output] if options.output.exists() else [])
            recorder = Recorder(options.output, source.fps)
            stack.callback(recorder.close)
        figures = Figures()
        with _computing(), _until_interrupted():
            warm_up(predictor, renderer)
            watch = stack.enter_context(Watch(source, find, options.every_frame))
            _loop(options, watch, lifter, renderer, show, recorder, figures)
    print("\n".join(figures.summary()))
    if recorder is not None and options.output is not None and figures.pictures:
        print(f"Wrote {options.output}")
    return figures


def _loop(options, watch: Watch, lifter: LiveLifter, renderer, show: Show | None, recorder, figures: Figures) -> None:
    """Picture after picture until there are no more, enough, or the user stops."""
    start, first, waiting = time.perf_counter(), None, deque[Sighting]()
    while options.frames is None or figures.pictures < options.frames:
        if options.seconds is not None and time.perf_counter() - start > options.seconds:
            return
        sighting = watch.newest.take(_LOOK)
        if sighting is None:
            if watch.newest.closed:
                return
            continue
        began = time.perf_counter()
        people = lifter(sighting.shot.number, sighting.frame, sighting.shot.picture.shape[1::-1])
        waiting.append(sighting)
        if len(waiting) <= options.lookahead:
            continue
        sighting = waiting.popleft()
        picture = _shown(options, sighting, people, time.perf_counter() - began, renderer, figures)
        first = sighting.shot.number if first is None else first
        figures.left_out = sighting.shot.number - first + 1 - figures.pictures
        if recorder is not None:
            recorder.write(sighting.shot.number, picture)
        if show is not None and not show.show(picture):
            return


def _shown(
    options, sighting: Sighting, people: PeopleArrays | None, seconds: float, renderer: MeshRenderer, figures: Figures
) -> np.ndarray:
    """The picture to show, (H, W, 3), with its people, whom lifting took some seconds."""
    shot = sighting.shot
    lifted = time.perf_counter()
    picture = draw_people(renderer, scaled(shot.picture, options.width), people)
    if options.mirror:
        picture = picture[:, ::-1].copy()
    count = 0 if people is None else len(people)
    drawn = time.perf_counter()
    figures.add(count, find=sighting.seconds, mesh=seconds, draw=drawn - lifted, all=drawn - shot.taken)
    return draw_figures(picture, figures.lines(count, options.poses is None))


def _check(options: LiveOptions) -> None:
    numbers = {"--fps": options.fps, "--seconds": options.seconds, "--frames": options.frames, "--width": options.width}
    for name, value in numbers.items():
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name} must be larger than 0, got {value:g}")
    if options.show not in SHOWS or options.smooth not in LIVE_SMOOTHING:
        raise ValueError(f"--show is one of {', '.join(SHOWS)}, --smooth one of {', '.join(LIVE_SMOOTHING)}")
    if options.temporal == AUTO:
        raise ValueError("--temporal is on, off, or the path of a temporal lifter's weights")
    if not 0 <= options.lookahead <= _MOST_WAITING or (options.lookahead and options.temporal == OFF):
        raise ValueError(f"--lookahead is 0 to {_MOST_WAITING} pictures, with --temporal; got {options.lookahead}")
    if not 0 <= options.port < 1 << 16:
        raise ValueError(f"--port is 0 (a free one) to {(1 << 16) - 1}, got {options.port}")
    if options.video is None and options.poses is None and (options.loop or options.every_frame or options.fps):
        raise ValueError("--loop, --every_frame and --fps are for --video and --poses; a camera has its own time")
    if options.output is not None and options.output.suffix.lower() not in (".mp4", ".gif"):
        raise ValueError(f"--output {options.output}: give a film, .mp4 or .gif")
    if options.output is not None and options.video is not None and options.output.resolve() == options.video.resolve():
        raise ValueError(f"--output {options.output} is --video itself, which it would replace; give another name")


def _temporal(options: LiveOptions, predictor: Pose2MeshPredictor, fps: float) -> SequenceLifter | None:
    """The temporal lifter, where it is asked for; says so, and how late pictures are shown."""
    if options.temporal == OFF:
        return None
    found = open_temporal(predictor, options.temporal, options.root)
    if isinstance(found, str):
        raise ValueError(f"--temporal {options.temporal}: {found}")
    if fps < FPS_RANGE[0]:
        raise ValueError(f"--temporal needs at least {FPS_RANGE[0]:g} frames per second, there are {fps:g}")
    late = (
        f"{options.lookahead} frames, {1000 * options.lookahead / fps:.0f} ms later" if options.lookahead else "at once"
    )
    print(one_line(f"Lifting: with what came before, {found.weights}; shown {late}"))
    return found


def _finder(options: LiveOptions, stack: ExitStack) -> tuple[str | JointSet | Joints, Finder]:
    """Whose joints the poses have, and what finds them."""
    if options.poses is not None:
        with naming(options.poses):
            sequence = read_poses(options.poses, options.format, options.joint_set, None)
            if not sequence.person_count:
                raise ValueError(f"{options.poses} holds nobody")
        print(one_line(f"Poses: {options.poses} ({sequence.format}), {len(sequence.frames)} frames, no detector"))
        return sequence.source, FilePoses(sequence)
    from lib.poses.detectors import choose_tool

    kind = get_joint_set(options.joint_set).body
    tool, notes = choose_tool(options.detector, kind, options.detector_model)
    detector = stack.enter_context(tool.open(kind, True, options.detector_model))
    print("\n".join([f"Detector: {tool.title}", *map(one_line, [*notes, *tool.notes(detector)])]))
    return detector.source, lambda shot: replace(detector(shot.picture), name=str(shot.number))


def _source(options: LiveOptions, find: Finder) -> Source:
    if options.video is not None:
        return film_source(options.video, options.fps, options.loop, options.every_frame)
    if isinstance(find, FilePoses):
        size = find.image_size or canvas_size(find.frames)
        return FilmSource(
            lambda: BlackFrames(size, find.count), options.fps or CAMERA_FPS, options.loop, options.every_frame
        )
    return CameraSource(options.camera)


@contextmanager
def _computing():
    """Memory, threads and their turns as short latency needs them."""
    keep_freed_memory()
    before = sys.getswitchinterval(), torch.get_num_threads()
    sys.setswitchinterval(_SWITCH)
    # for few people a second thread only waits, as busily as the first one computes: that core is the detector's
    torch.set_num_threads(1)
    try:
        yield
    finally:
        sys.setswitchinterval(before[0])
        torch.set_num_threads(before[1])


@contextmanager
def _until_interrupted():
    """Ctrl-C and SIGTERM end the block and nothing else."""
    try:
        with terminable():
            yield
    except KeyboardInterrupt:
        print("\nStopped")
