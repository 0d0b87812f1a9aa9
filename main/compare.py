"""Put results of tests side by side: figures, joints, actions, paired statistics, pictures of the worst samples.

    python main/compare.py experiment/exp_11-22_14-00-00 experiment/exp_11-23_09-00-00
    python main/compare.py ours/metrics.json theirs/metrics.csv --names ours,theirs
    python main/compare.py RUN RUN/result/predictions other.npz --cfg asset/yaml/pose2mesh_cocoJ_test_3dpw.yml
    python main/compare.py RUN --samples 12,57 --size 400 --ply

A result is a run folder, its metrics.json or metrics.csv, or saved predictions (main/test.py --set
TEST.save_predictions=True), which are evaluated with the settings of their run or of --cfg. Others are compared with
the first. One result alone gives its tables and sheets of its worst and median samples. Tables go to the screen and to
compare.md, compare.csv and compare.json in --output; sheets beside them where there are saved predictions.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import ROOT
from lib.comparison.command import CompareOptions, compare
from lib.core.commands import run_command
from lib.render.mesh_renderer import BACKENDS


def run(args: argparse.Namespace) -> None:
    """Compare what the command line names.

    Raises:
        ValueError: options that make no sense.
    """
    try:
        chosen = tuple(int(number) for number in args.samples.split(",")) if args.samples else ()
    except ValueError as error:
        raise ValueError(f"--samples {args.samples}: expected whole numbers with commas between them") from error
    if args.pictures < 0 or not 64 <= args.size <= 2000:
        raise ValueError("--pictures is a number from 0, --size one from 64 to 2000 pixels")
    names = tuple(name.strip() for name in args.names.split(",")) if args.names else ()
    compare(
        CompareOptions(
            tuple(map(Path, args.results)),
            names,
            args.cfg,
            args.figure,
            args.pictures,
            chosen,
            args.size,
            args.ply,
            Path(args.output),
            Path(args.root),
            args.renderer,
            args.debug,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Compare results", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("results", nargs="+", metavar="RESULT", help="run folder, metrics.json, metrics.csv or saved predictions")
    add("--names", help="of the results, with commas between them (default: A,B,C,...)")
    add("--cfg", help="settings of the test, for saved predictions (default: those of their run)")
    add("--figure", help="that decides which samples are the worst (default: MPVPE, else the first)")
    add("--pictures", type=int, default=4, help="samples of each kind in the sheets, 0 draws none (default: 4)")
    add("--samples", help="numbers of further samples to draw, with commas between them")
    add("--size", type=int, default=200, help="side of a panel, pixels (default: 200)")
    add("--ply", action="store_true", help="also write the drawn meshes, errors as vertex colours")
    add("--output", default="comparison", help="folder (default: comparison/)")
    add("--root", default=ROOT, help="folder with data/ and the licensed models (default: repository)")
    add("--debug", action="store_true", help="the tests had --debug")
    add("--renderer", default="auto", choices=("auto", *BACKENDS), help="default: the best that works")
    run_command(run, parser.parse_args())


if __name__ == "__main__":
    main()
