"""Sequences through the temporal lifter: whether it is used, and every person's frames lifted together."""

from collections.abc import Sequence

import numpy as np
import torch

from lib.checkpoints.finding import find_checkpoint
from lib.demo.inputs import DemoInput
from lib.demo.options import AUTO, OFF, ON, DemoOptions
from lib.messages import one_line
from lib.poses import Selection
from lib.predictor import LiftedPeople, Pose2MeshPredictor, SequenceLifter, find_temporal_weights, ships
from lib.predictor.sequence_lifter import FPS_RANGE
from lib.settings.setting import REFINED


def temporal_lifter(
    source: DemoInput, predictor: Pose2MeshPredictor, options: DemoOptions, fps: float
) -> SequenceLifter | None:
    """The temporal lifter where it is used; prints a line that says whether it is.

    Raises:
        ValueError, FileNotFoundError: ``options.temporal`` asks for it, and it cannot be used.
    """
    why_not = _why_not(source, options, fps)
    found = None if why_not else open_temporal(predictor, options.temporal, options.root)
    if isinstance(found, SequenceLifter):
        unrefined = "; meshes are fitted, not refined" if predictor.mesh == REFINED else ""
        print(one_line(f"Lifting: each person's frames together, {found.weights}{unrefined}"))
        if options.smooth in ("input", "both"):
            print("Smoothing: not of 2D poses, whose jitter the temporal lifter takes out by itself")
        return found
    why_not = why_not or found or ""
    if options.temporal not in (AUTO, OFF):
        raise ValueError(f"--temporal {options.temporal}: {why_not}")
    print(one_line(f"Lifting: frame by frame ({why_not})"))
    return None


def open_temporal(predictor: Pose2MeshPredictor, choice: str, root) -> SequenceLifter | str:
    """The temporal lifter for a predictor's joints, or why there is none.

    Args:
        choice: ``auto``, ``on``, ``off``, or the path of its weights.
        root: see ``Pose2MeshPredictor``.

    Raises:
        ValueError, FileNotFoundError: no usable weights at the path, or damaged ones.
    """
    if choice == OFF:
        return "--temporal off"
    joint_set, device = predictor.joint_set, predictor.device
    if choice not in (AUTO, ON):
        weights = find_checkpoint(choice, root=root, setting="--temporal", hint="It may also be auto, on or off")
        return SequenceLifter(joint_set, weights, device)
    if choice == AUTO and not ships(predictor.weights, joint_set):
        return "the weights are not those that ship, whose PoseNet it goes with; --temporal on takes it all the same"
    try:
        weights = find_temporal_weights(joint_set)
    except FileNotFoundError as error:
        return str(error)
    return SequenceLifter(joint_set, weights, device)


def _why_not(source: DemoInput, options: DemoOptions, fps: float) -> str:
    """Why an input cannot be lifted as a sequence; empty where it can."""
    frames = source.sequence.frames
    if options.temporal == OFF:
        return "--temporal off"
    if source.pose3d is not None:
        return "the joints are 3D already"
    if len(frames) < 2:
        return "there is one frame only"
    if any(frame.left is not None and frame.left.any() for frame in frames):
        return "left hands are lifted frame by frame"
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        return f"{fps:g} frames per second, it takes {FPS_RANGE[0]:g} to {FPS_RANGE[1]:g}"
    return ""


def lift_tracks(
    lifter: SequenceLifter,
    selections: Sequence[Selection],
    fps: float,
    image_size: tuple[int, int] | None = None,
    focal: float | None = None,
) -> list[LiftedPeople]:
    """The people of all frames, those with track numbers lifted, each over all frames of the track.

    Args:
        selections: of all frames, in order of time.
        fps: frames per second.
        image_size, focal: see ``lib.predictor.Circumstances``.
    """
    counts = [len(people) for people in selections]
    tracks, numbers = (
        np.concatenate([people.tracks for people in selections]),
        np.repeat(np.arange(len(counts)), counts),
    )
    poses = np.concatenate([people.poses for people in selections])
    seen = ~np.concatenate([people.filled for people in selections])
    lifted = LiftedPeople.nobody(len(poses), lifter.joint_set.joint_num)
    for track in np.unique(tracks[tracks >= 0]).tolist():
        rows = np.flatnonzero(tracks == track)
        rows = rows[np.unique(numbers[rows], return_index=True)[1]]  # nobody is in a frame twice
        runs = lifter.runs(poses[rows], seen[rows], numbers[rows], fps)
        lifted.put(torch.from_numpy(rows), lifter.lift(runs, fps, *lifter.camera(runs, image_size, focal)))
    ends = np.cumsum(counts).tolist()
    return [lifted[end - count : end] for end, count in zip(ends, counts)]
