"""Coordinates of a file in pixels: fractions of the image are recognised by their range."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.poses.people import Frame, PoseSequence
from lib.poses.sources import get_source

# no person is so few pixels large: such coordinates are fractions of the image
_FRACTIONS = 4.0
_SIGNED = 0.1  # share of coordinates below zero from which they are about the image's middle
_OUTSIDE = -0.02  # so far below zero a joint at the image's rim may be
_BEYOND = -0.35  # so far beyond the image's rim, in fractions of it, nobody's joints are
_CENTRED = 0.02  # of a unit: the hips of world landmarks are their origin
_SAME_SHAPE = 0.01  # relative difference of two pictures' width to height


def in_pixels(path: Path, sequence: PoseSequence, wanted_size: tuple[int, int] | None) -> PoseSequence:
    """The sequence with coordinates in pixels of the picture that the user gave, else of the file's own.

    Args:
        path: for messages.
        sequence: as in the file, with its image size where it has one.
        wanted_size: width and height of the user's picture, where there is one.

    Raises:
        ValueError: fractions of an image of unknown size; metres around the hips; coordinates about the image's middle
            of which nobody can tell how they were made.
    """
    points = [frame.poses[..., :2][_seen(frame.poses)] for frame in sequence.frames]
    joined = np.concatenate(points) if points else np.zeros((0, 2), np.float32)
    if not len(joined) or np.abs(joined).max() > _FRACTIONS:
        return _resized(sequence, wanted_size)
    size = sequence.image_size or wanted_size
    if _about_the_hips(sequence):
        raise ValueError(
            f"{path} holds world landmarks, metres around the hips, which do not say where the person is in the image; "
            "give the landmarks in fractions of the image (pose_landmarks, landmarks)"
        )
    signed = bool(((joined < _OUTSIDE).mean(axis=0) >= _SIGNED).any())
    if signed and not sequence.format.startswith("OpenPose"):
        raise ValueError(
            f"{path}: x and y lie between {joined.min():.3g} and {joined.max():.3g}, about the image's middle; give "
            "pixels. VideoPose3D's are x = (x + 1) * width / 2, y = (y + height / width) * width / 2, others' "
            "y = (y + 1) * height / 2"
        )
    if size is None:
        raise ValueError(
            f"{path}: x and y are fractions of the image (largest {np.abs(joined).max():.3g}), so the image's size "
            "is needed to get pixels: give the image itself, or its width and height"
        )
    if signed and not _surely_signed(sequence, joined):
        raise ValueError(
            f"{path}: x lies between {joined[:, 0].min():.3g} and {joined[:, 0].max():.3g}, y between "
            f"{joined[:, 1].min():.3g} and {joined[:, 1].max():.3g}: fractions from 0 to 1 of somebody partly outside, "
            "or from -1 to 1? Give pixels (OpenPose: --keypoint_scale 0)"
        )
    scale, shift = (0.5, 1.0) if signed else (1.0, 0.0)
    note = f"x and y from {-1 if signed else 0} to 1 became pixels" if sequence.format.startswith("OpenPose") else None
    size = wanted_size or size
    return _moved(sequence, np.array(size) * scale, shift, size, note)


def _seen(poses: np.ndarray) -> np.ndarray:
    """(N, J) joints with a place and a score."""
    return np.isfinite(poses).all(axis=2) & (poses[..., 2] > 0)


def _surely_signed(sequence: PoseSequence, points: np.ndarray) -> bool:
    """Coordinates below zero are from -1 to 1, and not those of people partly outside of the image."""
    people = [pose[seen, :2] for frame in sequence.frames for pose, seen in zip(frame.poses, _seen(frame.poses))]
    beside = any(len(person) and (person.max(axis=0) < 0).any() for person in people)
    return beside or points.min() < _BEYOND


def _about_the_hips(sequence: PoseSequence) -> bool:
    roles = get_source(sequence.source).role_names
    if not {"L_Hip", "R_Hip"} <= set(roles):
        return False
    poses = np.concatenate([frame.poses for frame in sequence.frames])[..., :2]
    middle = (poses[:, roles.index("L_Hip")] + poses[:, roles.index("R_Hip")]) / 2
    middle = middle[np.isfinite(middle).all(axis=1)]
    return bool(len(middle)) and bool(np.median(np.abs(middle).max(axis=1)) < _CENTRED)


def _resized(sequence: PoseSequence, wanted_size: tuple[int, int] | None) -> PoseSequence:
    """Pixels of the file's picture in those of the user's, where both have the same shape."""
    own = sequence.image_size
    if own is None or wanted_size is None or own == wanted_size:
        return replace(sequence, image_size=wanted_size or own)
    scale = np.array(wanted_size) / own
    text = f"the file is of a picture of {own[0]} x {own[1]} pixels, this one has {wanted_size[0]} x {wanted_size[1]}"
    if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE:
        return replace(sequence, image_size=wanted_size, notes=(*sequence.notes, f"{text}: nothing was scaled"))
    return _moved(sequence, scale, 0.0, wanted_size, f"{text}: the poses were scaled")


def _moved(sequence: PoseSequence, scale: np.ndarray, shift: float, size, note: str | None) -> PoseSequence:
    factor = np.array([*scale, 1], dtype=np.float32)
    offset = np.array([shift, shift, 0], dtype=np.float32)

    def moved(frame: Frame) -> Frame:
        hands = None if frame.hands is None else (frame.hands + offset) * factor
        return replace(frame, poses=(frame.poses + offset) * factor, hands=hands)

    notes = (*sequence.notes, *([note] if note else []))
    return replace(sequence, frames=[moved(frame) for frame in sequence.frames], image_size=size, notes=notes)
