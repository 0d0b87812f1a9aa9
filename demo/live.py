"""Meshes while a camera runs: webcam or video file, people found by a detector, shown with the figures of speed.

    python demo/live.py                                              camera 0, a page on this machine's own address
    python demo/live.py --camera 1 --mirror --show window
    python demo/live.py --video video.mp4 --output live.mp4          a film played as a camera
    python demo/live.py --poses demo/demo_input_video.json --loop    without detector: poses of a file, before black

Pictures that come too fast are left out, none is queued. Ctrl-C or SIGTERM stops, films are complete then.
More: demo/README.md
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.runtime.startup import exit_code, imports_kept

with imports_kept():
    from lib.joints.tables import JOINT_SETS
    from lib.live.options import LIVE_SMOOTHING, SHOWS, LiveOptions
    from lib.poses.detectors import TOOLS
    from lib.render.mesh_renderer import BACKENDS
    from lib.settings.setting import PRECISIONS, SURFACES

_PATHS = ("video", "poses", "detector_model", "output", "weights", "root")


def parse_arguments(arguments: list[str] | None = None) -> LiveOptions:
    parser = argparse.ArgumentParser(
        description="Pose2Mesh live: meshes over the pictures of a camera or a film.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_inputs(parser.add_argument_group("input").add_argument)
    _add_outputs(parser.add_argument_group("output").add_argument)
    _add_network(parser.add_argument_group("network").add_argument)
    values = vars(parser.parse_args(arguments))
    for name, value in values.items():
        if value == "":
            parser.error(f"--{name} is empty")
        if name in _PATHS and value is not None:
            values[name] = Path(value)
    return LiveOptions(**{name: value for name, value in values.items() if value is not None})


def _add_inputs(add) -> None:
    add("--camera", type=int, help="number of the camera (default: 0)")
    add("--video", help="film that is played as a camera, at its own rate; what comes too fast is left out")
    add("--poses", help="file of a pose detector, see demo/README.md: taken for what a detector finds, over --video or "
        "before black")  # fmt: skip
    add("--format", help="file format or joints of --poses where they are not recognised")
    add("--fps", type=float, help="frames per second of --video or --poses (default: the video's, or 30)")
    add("--every_frame", action="store_true", help="leave out no frame of --video or --poses: they wait, and go as "
        "fast as frames are drawn")  # fmt: skip
    add("--loop", action="store_true", help="play --video or --poses again and again")
    add("--detector", choices=("auto", *TOOLS), help="see demo/run.py (default: auto)")
    add("--detector_model", help="of rtmpose: ONNX file, or folder of the models; a small one is fast")
    add("--min_score", dest="joint_score", metavar="SCORE", type=float, help="joints with scores up to this are "
        "missing (default: 0.1)")  # fmt: skip
    add("--frames", type=int, help="stop after so many frames")
    add("--seconds", type=float, help="stop after so many seconds")


def _add_outputs(add) -> None:
    add("--show", choices=SHOWS, help="a page (MJPEG), a window, or none (default: page)")
    add("--host", help="address of the page; others than this machine's own show the camera to the network (default: "
        "127.0.0.1)")  # fmt: skip
    add("--port", type=int, help="of the page; 0: a free one (default: 0)")
    add("--mirror", action="store_true", help="show left and right as a mirror does; meshes stay as they are")
    add("--width", type=int, help="draw in at most so many pixels, which is faster (default: the camera's)")
    add("--output", help="record what is shown, .mp4 or .gif")
    add("--renderer", choices=("auto", *BACKENDS), help="what draws the meshes (default: auto)")
    add("--temporal", metavar="on|off|PATH", help="lift people with what came before, which takes about 25 ms a person "
        "on a core; PATH: with these weights of a temporal lifter (default: off)")  # fmt: skip
    add("--lookahead", type=int, metavar="N", help="with --temporal: show pictures N later, lifted with these, too "
        "(default: 0)")  # fmt: skip
    add("--smooth", choices=LIVE_SMOOTHING, help="One-Euro filter, which looks back only: on 2D poses, on meshes and "
        "cameras, on both (default: input)")  # fmt: skip


def _add_network(add) -> None:
    add("--joint_set", help=f"{', '.join(JOINT_SETS)} or a joint set file .yml (default: coco)")
    add("--mesh", choices=("auto", *SURFACES), help="network is fast; refined is nearer to the truth and needs about "
        "50 ms a person on a core (default: network)")  # fmt: skip
    add("--focal", type=float, help="focal length of the camera in pixels (default: the diagonal of the picture)")
    add("--weights", help="checkpoint file or folder (default: those of the joint set)")
    add("--body", help="mesh model (default: the one the weights were trained for)")
    add("--device", help="cpu, cuda, cuda:<number> or auto (default: cpu)")
    add(
        "--precision",
        choices=PRECISIONS,
        help="for weights of the published size, see demo/run.py; the open networks are "
        "too narrow to gain, and stay as they are (default: float32)",
    )
    add("--root", help="folder with licensed models and weights (default: repository)")


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)

    def run() -> None:
        with imports_kept():
            from lib.live.running import run_live
        run_live(options)

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
