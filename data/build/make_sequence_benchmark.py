"""Make the open sequence benchmark's clips from motion of the held-out subjects.

    python data/convert/cmu_bvh.py --input cmu_bvh --output heldout30 --fps 30 --split heldout
    python data/build/make_sequence_benchmark.py --motion heldout30/CMU

A clip with faulty frames, which are left out, is cut there, so that the frames of a piece follow each other in time;
pieces of less than a second are dropped. The file holds, per frame, ``poses`` (72 axis-angle values, int16, 1e-4
radians: half a unit of rounding is part of the benchmark's definition; float16 would shake the feet by 0.3 mm) and
``trans`` (3, float32 metres), and, per piece, ``clip`` and ``start``, its first row. A piece is called by its clip and,
unless it begins with it, the frame that it begins with: ``05_02@139``. Cameras and body shapes are drawn by the data
set, from a fixed seed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build.make_benchmark import heldout_files
from data.Synthetic.benchmark import POSE_UNIT, SEQUENCES
from lib.datasets.sequences.clips import FPS
from lib.datasets.storage.motion_files import SMPL_POSE, read_clips
from lib.files import read_arrays

SHORTEST = 30  # frames


def collect(motion: Path) -> dict[str, np.ndarray]:
    """Clips of the held-out subjects among the files below ``motion``.

    Args:
        motion: folder of files that ``data/convert/cmu_bvh.py --fps 30`` wrote.

    Returns:
        poses (N, 72) int16, trans (N, 3) float32, clip (C,) text, start (C,) int32.

    Raises:
        FileNotFoundError: no file of a held-out subject.
        ValueError: another frame rate, no frame numbers, or no piece is long enough.
    """
    poses, trans, clips, lengths = [np.zeros((0, SMPL_POSE), np.int16)], [], [], []
    for file in heldout_files(motion):
        hint = "data/convert/cmu_bvh.py --fps 30 makes it"
        read_arrays(file, ("frame",), "motion with numbered frames", hint)
        name = file.name.removesuffix("_poses.npz")
        for clip in read_clips(file):
            if abs(clip.fps - FPS) > 0.01 * FPS:
                raise ValueError(f"{file} has {clip.fps:.4g} frames per second, not {FPS:.0f}; {hint}")
            if len(clip.poses) >= SHORTEST:
                poses.append((clip.poses.astype(np.float64) / POSE_UNIT).round().astype(np.int16))
                trans.append(clip.trans)
                clips.append(f"{name}@{clip.first}" if clip.first else name)
                lengths.append(len(clip.poses))
    if not clips:
        raise ValueError(f"no clip below {motion} has {SHORTEST} frames that follow each other")
    start = np.cumsum([0, *lengths[:-1]]).astype(np.int32)
    return {"poses": np.concatenate(poses), "trans": np.concatenate(trans), "clip": np.array(clips), "start": start}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path, required=True, help="folder of AMASS-format motion files")
    parser.add_argument("--output", type=Path, default=SEQUENCES)
    options = parser.parse_args(arguments)
    try:
        arrays = collect(options.motion)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.output, **arrays)
    frames, size = len(arrays["poses"]), options.output.stat().st_size / 1024
    print(f"{options.output}: {frames} frames of {len(arrays['clip'])} clips, {size:.0f} KiB")


if __name__ == "__main__":
    main()
