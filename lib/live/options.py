"""Settings of ``demo/live.py``; its help text explains them to users."""

from dataclasses import dataclass
from pathlib import Path

from lib import ROOT
from lib.demo.options import OFF
from lib.poses.missing import JOINT_SCORE
from lib.settings.setting import FLOAT32, NETWORK

PAGE, WINDOW, NOTHING = "page", "window", "none"
SHOWS = (PAGE, WINDOW, NOTHING)
LIVE_SMOOTHING = ("input", "output", "both", "none")


@dataclass(frozen=True)
class LiveOptions:
    """Command-line options of ``demo/live.py``.

    Attributes:
        camera: number of a camera; taken where no other source is named.
        video: film that is played as a camera.
        poses: file of poses that are taken for what a detector found, of the video or before black.
        format, joint_set, joint_score, detector, detector_model, focal, mesh, weights, body, device, precision,
            renderer, root: see ``lib.demo.options.DemoOptions``.
        fps: pictures per second of video and poses; None: the video's, or 30.
        every_frame: no picture is left out.
        loop: play the video, or the poses, again and again.
        smooth: one of ``LIVE_SMOOTHING``.
        temporal: lift people with what came before: ``on``, ``off``, or the path of a temporal lifter's weights.
        lookahead: pictures that are waited for, so that people are lifted with these, too.
        show: one of ``SHOWS``.
        host, port: of the page; port 0: a free one.
        mirror: show pictures as a mirror does.
        width: pixels that pictures are drawn in at most; None: as they are.
        output: film of what is shown; None: none.
        frames, seconds: stop after so many; None: at the end, or by Ctrl-C.
    """

    camera: int = 0
    video: Path | None = None
    poses: Path | None = None
    format: str | None = None
    joint_set: str = "coco"
    joint_score: float = JOINT_SCORE
    detector: str = "auto"
    detector_model: Path | None = None
    fps: float | None = None
    every_frame: bool = False
    loop: bool = False
    focal: float | None = None
    mesh: str = NETWORK
    smooth: str = "input"
    temporal: str = OFF
    lookahead: int = 0
    show: str = PAGE
    host: str = "127.0.0.1"
    port: int = 0
    mirror: bool = False
    width: int | None = None
    output: Path | None = None
    frames: int | None = None
    seconds: float | None = None
    weights: Path | None = None
    body: str | None = None
    device: str = "cpu"
    precision: str = FLOAT32
    renderer: str = "auto"
    root: Path = ROOT
