"""3DPW sequence files to the annotation files that the data set PW3D reads, ``3DPW_latest_<split>.json``.

    python data/3dpw2coco.py
    python data/3dpw2coco.py --input ~/3DPW --output data/PW3D/data --splits test

The input folder holds ``sequenceFiles`` and ``imageFiles`` of https://virtualhumans.mpi-inf.mpg.de/3DPW/.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.convert.pw3d import annotation_file, convert_splits
from data.convert.pw3d_sequences import SEQUENCES, present_splits
from lib import ROOT
from lib.body.lbs import BodyParams
from lib.body.model_file import load_model_arrays, require_model_file
from lib.files import say_replaced
from lib.mesh.mesh_model import SMPL_FOLDER
from lib.messages import one_line


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Convert 3DPW sequence files to COCO-style annotation files")
    parser.add_argument("--root", type=Path, default=ROOT, help="holds smplpytorch/ (SMPL's neutral file) and data/")
    parser.add_argument("--input", type=Path, help="3DPW's folder (default: ROOT/data/PW3D)")
    parser.add_argument("--output", type=Path, help="folder of the result (default: ROOT/data/PW3D/data)")
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=list(SEQUENCES),
        help="ids run on in the order given (default: all that are there)",
    )
    known = [name for names in SEQUENCES.values() for name in names]
    parser.add_argument("--sequences", nargs="+", choices=known, metavar="NAME", help="only these sequences")
    parser.add_argument(
        "--image_size", nargs=2, type=int, metavar=("WIDTH", "HEIGHT"), help="for sequences whose images are not there"
    )
    args = parser.parse_args(arguments)
    folder = args.root / "data" / "PW3D"
    source = args.input or folder
    model = require_model_file(args.root / SMPL_FOLDER, "body", "neutral")
    neutral = BodyParams.from_arrays(load_model_arrays(model, "body"), dtype=torch.float64)
    output, splits = args.output or folder / "data", args.splits or present_splits(source)
    replaced = [path for split in splits if (path := annotation_file(output, split)).exists()]
    written = convert_splits(
        source,
        output,
        splits,
        neutral,
        names=tuple(args.sequences) if args.sequences else None,
        size=tuple(args.image_size) if args.image_size else None,
    )
    say_replaced(replaced)
    for file in written:
        print(f"Saved at {file}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {one_line(error)}")
