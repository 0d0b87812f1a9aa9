"""CMU motion capture (BVH) to pose files in the layout of AMASS.

    python data/convert/cmu_bvh.py --input cmu_bvh --output data/AMASS/data
    python data/convert/cmu_bvh.py --input cmu_bvh/01_01.bvh.gz --output data/AMASS/data --fps keep --split train

Reads ``.bvh`` and ``.bvh.gz`` clips of the CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu) and writes
``OUTPUT/SUBSET/SUBJECT/CLIP_poses.npz`` with AMASS' keys:

    poses (N, 156)       axis-angle; columns 0:72 are SMPL's 24 joints, the rest (SMPL+H's fingers) is zero. Columns
                         66:72, which real AMASS files use for fingers, hold SMPL's two hand joints, as readers that
                         take the first 72 columns expect.
    trans (N, 3)         metres; betas (16,), dmpls (N, 8) zero; gender "neutral"
    mocap_framerate      frames per second after thinning. Faulty frames are left out, so neighbouring rows may be
                         further apart in time; frame (N,), which AMASS files lack, counts them at this rate.

The world is z-up, as in AMASS: the source's y-up world is turned by +90 degrees about x.
"""

import argparse
import csv
import io
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.convert.bvh import BvhMotion, read_bvh
from data.convert.retarget import keep_frames, retarget, root_positions, z_up
from data.Synthetic.split import UNKNOWN_SUBJECT, in_split
from lib import ROOT
from lib.files import atomic_write, read_arrays, read_text
from lib.messages import naming, one_line, shown, shown_names

_MOST_INDEX = 1 << 24  # bytes
DEFAULT_BODY = ROOT / "asset" / "open_body" / "open_body_1723.npz"


def convert_clip(motion: BvhMotion, rest_joints: np.ndarray, fps: float | None = None) -> dict[str, np.ndarray]:
    """The arrays of one AMASS file.

    Args:
        motion: the clip. rest_joints: (24, 3) metres, T-pose joints of the target body. fps: wanted frame rate, reached
            by taking every n-th frame; None keeps all.

    Raises:
        ValueError: a frame rate above the clip's.
    """
    step = 1
    if fps is not None:
        step = round(motion.fps / fps)
        if step < 1:
            raise ValueError(f"the clip has {motion.fps:.4g} frames per second, {fps:.4g} were asked for")
    poses = retarget(motion, rest_joints)
    chosen = np.zeros(len(motion), dtype=bool)
    chosen[::step] = True
    chosen &= keep_frames(poses, rest_joints, motion.frame_time)
    poses, trans = z_up(poses[chosen], root_positions(motion, rest_joints)[chosen], rest_joints)
    return {
        "poses": np.concatenate([poses.reshape(-1, 72), np.zeros((len(poses), 84))], axis=1).astype(np.float32),
        "trans": trans.astype(np.float32),
        "betas": np.zeros(16, dtype=np.float32),
        "dmpls": np.zeros((len(poses), 8), dtype=np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(motion.fps / step),
        "frame": np.flatnonzero(chosen).astype(np.int32) // step,
    }


def clip_name(path: Path) -> str:
    """File name without ``.bvh`` or ``.bvh.gz``."""
    return re.sub(r"\.bvh(\.gz)?$", "", path.name, flags=re.IGNORECASE)


def subject_of(clip: str, index: dict[str, str]) -> str:
    """Subject of a clip: from the index, else the part of the name before the first underscore.

    Clips without a subject number (``expmap-*``, index entry ``unlisted``) belong to the subject ``unknown``.
    """
    subject = index.get(clip, clip.split("_")[0])
    return UNKNOWN_SUBJECT if subject == "unlisted" or subject.startswith("expmap") else subject


def read_index(path: Path | None) -> dict[str, str]:
    """Clip name -> subject from a CSV table with the columns ``file`` and ``subject``; empty without a table."""
    if path is None:
        return {}
    rows = csv.DictReader(io.StringIO(read_text(path, _MOST_INDEX)), strict=True)
    try:
        if not {"file", "subject"} <= set(rows.fieldnames or ()):
            raise ValueError(
                f"{path}: columns 'file' and 'subject' expected, found {shown_names(rows.fieldnames or ())}"
            )
        index = {clip_name(Path(row["file"] or "")): row["subject"] or "" for row in rows}
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: {error}") from error
    for clip, subject in index.items():
        if not re.fullmatch(r"[\w.-]*\w", subject):  # which names a folder
            raise ValueError(
                f"{path}: clip {shown(clip)} has the subject {shown(subject)}; expected letters and digits"
            )
    return index


def find_clips(inputs: list[Path]) -> list[Path]:
    """All BVH files among the given files and folders, sorted by name."""
    clips = []
    for path in inputs:
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        found = [path] if path.is_file() else [p for p in path.rglob("*") if re.search(r"\.bvh(\.gz)?$", p.name, re.I)]
        if not found:
            raise FileNotFoundError(f"no .bvh or .bvh.gz files in {path}")
        clips += found
    return sorted(set(clips), key=lambda path: (path.name, str(path)))


def read_rest_joints(path: Path) -> np.ndarray:
    """(24, 3) T-pose joints in metres from a body model's ``.npz`` (key ``J``)."""
    hint = "asset/open_body/ holds the open body of this repository"
    joints = read_arrays(path, ("J",), "a body model with joints J (24, 3)", hint)["J"]
    if joints.shape != (24, 3) or joints.dtype.kind != "f":
        raise ValueError(f"{path} has J {joints.dtype} {joints.shape}; expected floating point numbers (24, 3); {hint}")
    if not (np.ptp(joints, axis=0) > 0).all() or not (np.abs(joints) < 100).all():
        raise ValueError(f"{path}: J are no joints of a body in metres; {hint}")
    return joints.astype(np.float64)


def convert(inputs: list[Path], output: Path, rest_joints: np.ndarray, *, subset: str, fps, split, index) -> Counter:
    """Convert clips to files; returns the number of frames written per subject."""
    frames = Counter()
    for path in find_clips(inputs):
        clip = clip_name(path)
        subject = subject_of(clip, index)
        if not in_split(subject, split):
            continue
        with naming(path):
            arrays = convert_clip(read_bvh(path), rest_joints, fps)
            if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
                raise ValueError("positions too large to be a person's")
        if len(arrays["poses"]) == 0:
            print(f"{clip}: no usable frame, skipped", file=sys.stderr)
            continue
        target = output / subset / subject / f"{clip}_poses.npz"
        with atomic_write(target, "wb") as stream:
            np.savez_compressed(stream, **arrays)
        frames[subject] += len(arrays["poses"])
    return frames


def _frame_rate(text: str) -> float | None:
    return None if text == "keep" else float(text)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, nargs="+", required=True, help="BVH files, or folders searched for them")
    parser.add_argument("--output", type=Path, required=True, help="folder of the AMASS sub-datasets: data/AMASS/data")
    parser.add_argument("--subset", default="CMU", help="name of the sub-dataset (default: CMU)")
    parser.add_argument("--index", type=Path, help="CSV table with columns file, subject; else file names tell")
    parser.add_argument("--fps", type=_frame_rate, default=10.0, help="frames per second, or 'keep' (default: 10)")
    parser.add_argument("--split", choices=("all", "train", "heldout"), default="all", help="which subjects to write")
    parser.add_argument("--body", type=Path, default=DEFAULT_BODY, help="body model (.npz) that gives the rest joints")
    options = parser.parse_args(arguments)
    try:
        frames = convert(
            options.input,
            options.output,
            read_rest_joints(options.body),
            subset=options.subset,
            fps=options.fps,
            split=options.split,
            index=read_index(options.index),
        )
    except (OSError, ValueError) as error:
        parser.exit(1, f"error: {one_line(error)}\n")
    for subject, count in sorted(frames.items()):
        print(f"{subject:>12}: {count} frames")
    print(f"{'all':>12}: {sum(frames.values())} frames of {len(frames)} subjects in {options.output / options.subset}")


if __name__ == "__main__":
    main()
