"""MMPose's prediction files (``pred_out_dir`` of its inferencer, ``--save-predictions`` of its demos)."""

from pathlib import Path

import numpy as np

from lib.messages import shown_name
from lib.poses.formats.content import FrameBuilder, Request, found, numbers, track_number
from lib.poses.people import PoseSequence

LAYOUT = (
    'MMPose JSON: a list of people {"keypoints": [[x, y], ...], "keypoint_scores": [...], "bbox": ...}, a list of '
    'frames {"frame_id": 0, "instances": [people]}, or {"meta_info": ..., "instance_info": [frames]}'
)


def matches(content) -> bool:
    if isinstance(content, dict):
        return isinstance(content.get("instance_info"), list)
    entries = _flat(content)
    return bool(entries) and isinstance(entries[0], dict) and bool({"instances", "keypoint_scores"} & set(entries[0]))


def read_mmpose(path: Path, content, request: Request) -> PoseSequence:
    """The people of an image, or of the frames of a video; with ``track_id`` where it is given.

    Raises:
        ValueError: another layout; names the person and what was found.
    """
    builder = FrameBuilder(path, request, LAYOUT)
    entries = content["instance_info"] if isinstance(content, dict) else _flat(content)
    video = isinstance(content, dict) or "instances" in entries[0]
    if not video:
        entries = [{"frame_id": path.stem, "instances": entries}]
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("instances"), list):
            raise ValueError(f"{path}: frame {place} is {found(entry)}; expected {LAYOUT}")
        name = str(entry.get("frame_id", place))
        builder.add_frame(name)
        for number, person in enumerate(entry["instances"]):
            where = f"frame {shown_name(name)}, person {number}" if video else f"person {number}"
            builder.add(name, _pose(path, person, where), where, track_number(person.get("track_id")))
    return builder.sequence("MMPose JSON", is_video=video and len(builder.names) > 1)


def _flat(content) -> list:
    """Some versions wrap the people of an image in one more list."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        return content[0]
    return content if isinstance(content, list) else []


def _pose(path: Path, person, where: str) -> np.ndarray:
    """(J, 3) of one person."""
    if not isinstance(person, dict) or not {"keypoints", "keypoint_scores"} <= set(person):
        raise ValueError(
            f"{path}: {where} is {found(person)}, without keypoints and keypoint_scores; expected {LAYOUT}"
        )
    points = numbers(person["keypoints"], f"{path}: {where}, keypoints", LAYOUT)
    scores = numbers(person["keypoint_scores"], f"{path}: {where}, keypoint_scores", LAYOUT)
    if points.ndim != 2 or points.shape[1] != 2 or scores.shape != points.shape[:1]:
        raise ValueError(
            f"{path}: {where} has keypoints of shape {points.shape} and keypoint_scores of shape {scores.shape}; "
            f"expected {LAYOUT}"
        )
    return np.column_stack([points, scores])
