"""Write a web page that turns 2D poses into meshes, without a server or network.

    npm ci --prefix docs/web
    python docs/web/build.py

The page is docs/web/pose2mesh.html: open it with a double click. Other weights:

    python docs/web/build.py --weights experiment/pose2mesh_manoJ_open --output hands.html

Needs node.js, and a few more packages: sh requirements.sh --with-onnx
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lib import ROOT
from lib.core.commands import run_command
from lib.files import say_replaced
from lib.messages import one_line
from lib.onnx.onnx_export import load_trained
from lib.onnx.web_page import WEB, find_runtime, write_web_page
from lib.runtime.optional import optional


def build(args: argparse.Namespace) -> None:
    """Write the page, print where it is."""
    optional("onnx", "onnx", use="docs/web/build.py")
    runtime = find_runtime()
    trained = load_trained(args.weights, body=args.body, root=args.root)
    replaced = [args.output] if Path(args.output).exists() else []
    path = write_web_page(trained, args.output, runtime)
    say_replaced(replaced)
    print(f"{one_line(trained.source)}: {trained.joint_set.name} joints")
    print(f"{one_line(path)}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write a web page of a network",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    weights = ROOT / "experiment" / "pose2mesh_cocoJ_open"
    parser.add_argument("--weights", default=weights, help="checkpoint file or folder (default: open weights of coco)")
    parser.add_argument("--output", default=WEB / "pose2mesh.html", help="(default: docs/web/pose2mesh.html)")
    parser.add_argument("--body", default="", help="mesh model (default: the one of the weights)")
    parser.add_argument("--root", default=ROOT, help="folder with the licensed models (default: repository)")
    run_command(build, parser.parse_args())


if __name__ == "__main__":
    main()
