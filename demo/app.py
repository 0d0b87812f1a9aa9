"""Pose2Mesh in a browser: drop poses, a photo or a video, see and download meshes.

    sh requirements.sh --with-app python demo/app.py
    python demo/app.py --port 8000 --device cuda

Listens on this machine alone, and needs no network. demo/README.md has more.
"""

import argparse
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.app.jobs import Limits
from lib.app.server import ServerOptions, serve_app
from lib.demo.options import DemoOptions
from lib.render.mesh_renderer import BACKENDS
from lib.runtime.startup import exit_code
from lib.settings.setting import FLOAT32, PRECISIONS


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pose2Mesh in a browser.")
    add = parser.add_argument
    add("--host", default=ServerOptions.host, help="address to listen at (default: %(default)s, this machine alone); "
        "0.0.0.0 lets everybody in the network use the app, without a password")  # fmt: skip
    add("--port", type=int, help="default: the first free one from 7860 on")
    add("--open", action="store_true", help="open the page in the browser")
    add("--max_upload", type=_positive, default=200.0, metavar="MB", help="of one upload (default: %(default)g)")
    add("--max_frames", type=_positive, default=Limits.frames, help="of a film (default: %(default)g)")
    add("--max_minutes", type=_positive, default=Limits.seconds / 60, help="of one job (default: %(default)g)")
    add("--max_results", type=_positive, default=Limits.result_bytes / 1e6, metavar="MB", help="of one job (default: "
        "%(default)g)")  # fmt: skip
    add("--keep", type=_positive, default=ServerOptions.keep / 60, metavar="MINUTES", help="files are removed when "
        "their page is closed, and after this time (default: %(default)g)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)")
    add("--precision", choices=PRECISIONS, default=FLOAT32, help="see demo/run.py (default: %(default)s)")
    add("--renderer", default="auto", choices=("auto", *BACKENDS), help="default: the best that works")
    add("--detector_model", type=Path, help="of rtmpose, see demo/run.py")
    add("--root", type=Path, default=DemoOptions.root, help="folder with the licensed models and experiment/ with "
        "weights (default: repository)")  # fmt: skip
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return number


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)
    base = DemoOptions(
        device=args.device,
        precision=args.precision,
        renderer=args.renderer,
        detector_model=args.detector_model,
        root=args.root,
    )
    options = ServerOptions(args.host, args.port, int(1e6 * args.max_upload), 60 * args.keep, args.open)
    limits = Limits(int(args.max_frames), 60 * args.max_minutes, 1e6 * args.max_results)
    code = exit_code(lambda: serve_app(base, options, limits, functools.partial(print, flush=True)))
    return 0 if code == 130 else code  # Ctrl-C is how it ends


if __name__ == "__main__":
    sys.exit(main())
