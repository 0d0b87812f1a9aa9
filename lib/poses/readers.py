"""Reading poses: the one entry point for all file formats.

    sequence = read_poses("alphapose-results.json", joint_set="coco")

A file's format is recognised by its content, the joints by their number. ``format`` names the one or the other where
that is not enough: a key of ``FORMATS``, or a key of ``lib.poses.sources.SOURCES``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.poses.formats import alphapose_files, array_files, coco_files, mediapipe_files, mmpose_files, openpose_files
from lib.poses.formats.content import Request, found, read_json

from .people import Frame, PoseSequence
from .sources import SOURCES

# no person is so few pixels large: such coordinates are fractions of the image
_FRACTIONS = 4.0


@dataclass(frozen=True)
class Format:
    """One layout of JSON files: test, reader, and the layout in words."""

    matches: Callable[[object], bool]
    read: Callable[[Path, object, Request], PoseSequence]
    layout: str


JSON_FORMATS: dict[str, Format] = {
    "coco_annotations": Format(coco_files.is_annotations, coco_files.read_annotations, coco_files.ANNOTATIONS_LAYOUT),
    "openpose": Format(openpose_files.matches, openpose_files.read_openpose, openpose_files.LAYOUT),
    "mmpose": Format(mmpose_files.matches, mmpose_files.read_mmpose, mmpose_files.LAYOUT),
    "alphapose": Format(alphapose_files.matches, alphapose_files.read_alphapose, alphapose_files.LAYOUT),
    "coco_results": Format(coco_files.is_results, coco_files.read_results, coco_files.RESULTS_LAYOUT),
    "mediapipe": Format(mediapipe_files.matches, mediapipe_files.read_mediapipe, mediapipe_files.LAYOUT),
    "demo": Format(coco_files.is_demo, coco_files.read_demo, coco_files.DEMO_LAYOUT),
}
FORMATS = ("npy", *JSON_FORMATS)
"""File formats, for ``--format``."""


def read_poses(
    path: str | Path,
    format: str | None = None,
    joint_set: str | Path | JointSet | None = None,
    image_size: tuple[int, int] | None = None,
) -> PoseSequence:
    """Read a detector's file, or a folder of OpenPose frames.

    Args:
        path: ``.npy``, ``.npz``, ``.json``, or a folder.
        format: a key of ``FORMATS`` (layout of the file) or of ``SOURCES`` (its joints); None recognises both.
        joint_set: joint set that is wanted (name, file or itself); decides between body and hands, and between sources
            with equally many joints (an array of 17: COCO or Human3.6M). An array with as many joints as a user's own
            set has is taken to be in its order.
        image_size: width and height, needed for fractions of the image (MediaPipe).

    Returns:
        poses in pixels; their scores are the file's, 1 where it has none.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: unknown format, or another layout than expected: names what was expected and what was found.
    """
    path = Path(path)
    if format is not None and format not in FORMATS and format not in SOURCES:
        known = f"a file format, {', '.join(FORMATS)}, or the joints, {', '.join(SOURCES)}"
        raise ValueError(f"unknown format {format!r}; choose {known}")
    request = Request(joint_set, format if format in SOURCES else None, image_size)
    layout = format if format in FORMATS else None
    sequence = _read(path, layout, request)
    return replace(sequence, frames=_in_pixels(path, sequence))


def _read(path: Path, layout: str | None, request: Request) -> PoseSequence:
    if path.is_dir():
        if layout not in (None, "openpose"):
            raise ValueError(f"{path} is a folder; only OpenPose's frames are read from one: {openpose_files.LAYOUT}")
        return openpose_files.read_openpose_folder(path, request)
    if layout == "npy" or (layout is None and path.suffix.lower() in (".npy", ".npz")):
        return array_files.read_arrays(path, request)
    content = read_json(path)
    recognised = next((name for name, form in JSON_FORMATS.items() if form.matches(content)), None)
    if layout is not None and not JSON_FORMATS[layout].matches(content):
        guess = f"; it looks like {recognised}" if recognised else ""
        raise ValueError(
            f"{path} is not {layout}: expected {JSON_FORMATS[layout].layout}; found {found(content)}{guess}"
        )
    chosen = layout or recognised
    if chosen is None:
        known = ", ".join(JSON_FORMATS)
        raise ValueError(f"{path} holds {found(content)}, none of the known layouts: {known}; see lib/poses/README.md")
    return JSON_FORMATS[chosen].read(path, content, request)


def _in_pixels(path: Path, sequence: PoseSequence) -> list[Frame]:
    """The frames, with fractions of the image turned into pixels."""
    points = np.concatenate([frame.poses[..., :2].reshape(-1, 2) for frame in sequence.frames])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points) or np.abs(points).max() > _FRACTIONS or not points.any():
        return sequence.frames
    if sequence.image_size is None:
        raise ValueError(
            f"{path}: x and y are fractions of the image (largest {np.abs(points).max():.3g}), so the image's size "
            "is needed to get pixels: give the image itself, or its width and height"
        )
    scale = np.array([*sequence.image_size, 1], dtype=np.float32)
    return [Frame(frame.name, frame.poses * scale, frame.tracks) for frame in sequence.frames]
