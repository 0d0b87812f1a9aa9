"""Write a tiny set in the official format of every data set, made from the open body and real held-out poses.

    python data/tiny.py --output tiny
    python main/train.py --cfg asset/yaml/posenet_cocoJ_train_human36_coco_muco.yml --root tiny

Shows what the files look like, and lets every setting be tried without a download. Projected joints, cameras, SMPL fits
and detections agree with one another up to noise. Nothing in it is real data: results on it mean nothing.
Missing fits, bad fits, crowds and boxes without area are among the records, as in the real sets.

    OUTPUT/data/<Name>/...                       annotations, in the trees that data/README.md shows
    OUTPUT/smplpytorch/.../basicModel_*.pkl      the open body in SMPL's format
    OUTPUT/manopth/mano/models/MANO_RIGHT.pkl    the open hand in MANO's format
    OUTPUT/data/{Human36M,COCO}/J_regressor_*.npy
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.tiny_set.amass import write_amass
from data.tiny_set.coco import write_coco
from data.tiny_set.freihand import write_freihand
from data.tiny_set.human36m import write_human36m
from data.tiny_set.models import StandIns
from data.tiny_set.muco import write_muco
from data.tiny_set.people import People, write_json
from data.tiny_set.pw3d import write_pw3d
from data.tiny_set.surreal import write_surreal

MARKER = "tiny_set.json"  # tells folders that this program made
WRITERS = {
    "Human36M": write_human36m,
    "MuCo": write_muco,
    "COCO": write_coco,
    "PW3D": write_pw3d,
    "AMASS": write_amass,
    "SURREAL": write_surreal,
    "FreiHAND": write_freihand,
}
MODELS = "models"
ALL = (MODELS, *WRITERS)


def write_tiny(output: Path, samples: int = 8, seed: int = 0, names: Sequence[str] = ALL) -> None:
    """Write the tiny set.

    Args:
        output: folder; what an earlier call wrote there is written over.
        samples: usable records per data set and split, roughly.
        seed: the same seed gives the same files, whatever other sets are written.
        names: data sets, and ``models`` for the stand-in model files.

    Raises:
        ValueError: unknown name, fewer than two samples, or the folder has something else in it.
    """
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise ValueError(f"unknown name {', '.join(unknown)}; choose among {', '.join(ALL)}")
    if samples < 2:
        raise ValueError(f"samples must be at least 2, got {samples}")
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file, not a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / MARKER).is_file():
        raise ValueError(f"{output} has files that this program did not write; name an empty or a new folder")
    # first of all, so that a folder whose writing was interrupted can be written over
    write_json(output / MARKER, {"made by": "data/tiny.py", "samples": samples, "seed": seed})
    models = StandIns()
    if MODELS in names:
        models.write(output)
    for number, (name, write) in enumerate(WRITERS.items()):
        if name in names:
            write(output, People(models, np.random.default_rng((seed, number))), samples)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write a tiny set in every official format")
    parser.add_argument("--output", type=Path, required=True, help="empty or new folder")
    parser.add_argument("--samples", type=int, default=8, help="usable records per data set and split, roughly")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--names", nargs="+", choices=ALL, default=ALL, help="write only these")
    args = parser.parse_args(arguments)
    write_tiny(args.output, args.samples, args.seed, args.names)
    print(f"Saved at {args.output}; use it with --root {args.output}")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
