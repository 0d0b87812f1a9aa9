"""Make the open benchmark's poses from motion of the held-out subjects.

    python data/convert/cmu_bvh.py --input cmu_bvh --output heldout --fps 10 --split heldout
    python data/build/make_benchmark.py --motion heldout/CMU --output asset/open_benchmark/cmu_heldout.npz

The file holds, per row, ``poses`` (72 axis-angle values, float16: this rounding of at most 0.001 rad is part of the
benchmark's definition), ``subject``, ``clip`` and ``frame`` (row in the clip's pose file). The world is z up as in
AMASS files. Cameras and body shapes are drawn by the data set, from a fixed seed.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build.pose_distance import heading_free_joints, thin
from data.convert.cmu_bvh import DEFAULT_BODY, read_rest_joints
from data.Synthetic.benchmark import BENCHMARK
from data.Synthetic.split import in_split
from lib.datasets.storage.motion_files import find_motion, read_motion

DEFAULT_OUTPUT = BENCHMARK


def heldout_files(motion: Path) -> list[Path]:
    """Motion files of the held-out subjects below a folder.

    Raises:
        FileNotFoundError: there are none.
    """
    files = [file for file in find_motion(motion) if in_split(file.parent.name, "heldout")]
    if not files:
        raise FileNotFoundError(
            f"no *_poses.npz of held-out subjects below {motion}; data/convert/cmu_bvh.py makes them"
        )
    return files


def collect(motion: Path, rest_joints: np.ndarray, distance: float) -> dict[str, np.ndarray]:
    """Poses of the held-out subjects among the files below ``motion``.

    Args:
        motion: folder of AMASS-format files. rest_joints: (24, 3) metres. distance: two poses are at least so far
            apart (RMS over the joints, metres, heading left out); 0 keeps every frame.

    Returns:
        poses (N, 72) float16, subject (N,), clip (N,) text, frame (N,) int32.

    Raises:
        FileNotFoundError: no file of a held-out subject.
    """
    files = heldout_files(motion)
    poses = [read_motion(file).poses for file in files]
    owner = np.repeat(np.arange(len(files)), [len(clip) for clip in poses])
    frame = np.concatenate([np.arange(len(clip), dtype=np.int32) for clip in poses])
    poses = np.concatenate(poses)
    kept = thin(heading_free_joints(poses, rest_joints), distance) if distance > 0 else np.arange(len(poses))
    owner = owner[kept]
    return {
        "poses": poses[kept].astype(np.float16),
        "subject": np.array([file.parent.name for file in files])[owner],
        "clip": np.array([file.name.removesuffix("_poses.npz") for file in files])[owner],
        "frame": frame[kept],
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path, required=True, help="folder of AMASS-format motion files")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    parser.add_argument("--body", type=Path, default=DEFAULT_BODY, help="body model (.npz) for distances between poses")
    parser.add_argument("--distance", type=float, default=0.0, help="keep only poses this far apart (RMS, metres)")
    options = parser.parse_args(arguments)
    try:
        rows = collect(options.motion, read_rest_joints(options.body), options.distance)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.output, **rows)
    for subject, count in sorted(Counter(rows["subject"].tolist()).items()):
        print(f"{subject:>5}: {count} poses")
    print(f"{options.output}: {len(rows['poses'])} poses, {options.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
