"""Archives of VideoPose3D: its prepared 2D data sets (``data_2d_*.npz``) and Detectron's detections before that step.

They hold pickled objects, which the restricted reader of body models takes apart: nothing in them is executed.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.messages import one_line, shown_names
from lib.poses.people import PoseSequence
from lib.poses.reading import objects
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found
from lib.poses.reading.joint_names import HUMAN36_NAMES
from lib.poses.reading.records import person_of
from lib.poses.reading.request import Format, Request

ARCHIVE_KEYS = ("positions_2d", "segments")
_LAYOUT = (
    'VideoPose3D .npz with "positions_2d" {video: {action: [(T, 17, 2) pixels]}} and "metadata", or Detectron\'s with '
    '"boxes", "keypoints" [T][class](N, 4, 17) and "metadata"'
)
_PERSON_CLASS = 1  # of Detectron's two


def read_archive(path: Path, request: Request) -> PoseSequence:
    """The people of one video.

    Raises:
        ValueError: another layout, damage, several videos; names what was found.
    """
    builder = FrameBuilder(path, request, FORMAT)
    values = objects.read_archive(path, _LAYOUT)
    try:
        metadata = values.get("metadata")
        sizes = metadata if isinstance(metadata, dict) else {}
        if "positions_2d" in values:
            _add_data_set(builder, values["positions_2d"], sizes)
        else:
            builder.sized(sizes.get("w"), sizes.get("h"))
            _add_detections(builder, values.get("keypoints"))
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({one_line(error, 100)}); expected {_LAYOUT}") from error
    return builder.sequence()


def _add_data_set(builder: FrameBuilder, positions, sizes: dict) -> None:
    videos = {
        f"{video}, {action}": (video, cameras)
        for video, actions in positions.items()
        for action, cameras in actions.items()
    }
    if len(videos) != 1 or len(next(iter(videos.values()))[1]) != 1:
        raise ValueError(
            f"{builder.path} holds {len(videos)} videos ({shown_names(videos)}), some from several cameras; save the "
            "one that is wanted: numpy.save('pose.npy', positions_2d[video][action][camera])"
        )
    video, cameras = next(iter(videos.values()))
    size = sizes.get("video_metadata", {}).get(video, {})
    human36 = str(sizes.get("layout_name")).lower() in ("h36m", "human36", "human36m")
    builder.sized(size.get("w"), size.get("h"))
    for number, pose in enumerate(cameras[0]):
        where = f"frame {number}"
        person = person_of(pose, f"{builder.path}: {where}", _LAYOUT)
        named = human36 and len(pose) == len(HUMAN36_NAMES)
        builder.add(str(number), replace(person, names=HUMAN36_NAMES) if named else person, where, number)


def _add_detections(builder: FrameBuilder, frames) -> None:
    """Detectron: x, y, logit and score in rows; one frame after the other."""
    if not isinstance(frames, list):
        raise ValueError(f"{builder.path}: keypoints are {found(frames)}; expected {_LAYOUT}")
    classes = 2 if frames and not isinstance(frames[0], list) else 1
    for number, frame in enumerate(frames[_PERSON_CLASS::classes] if classes == 2 else frames):
        people = frame[_PERSON_CLASS] if isinstance(frame, list) else frame
        name = str(number)
        builder.add_frame(name, number)
        for row, pose in enumerate(people if people is not None else ()):
            where = f"frame {number}, person {row}"
            pose = np.asarray(pose, dtype=np.float64)
            if pose.ndim != 2 or len(pose) != 4:
                raise ValueError(f"{builder.path}: {where} has shape {pose.shape}; expected {_LAYOUT}")
            builder.add(name, person_of(pose[[0, 1, 3]].T, f"{builder.path}: {where}", _LAYOUT), where, number)


FORMAT = Format("VideoPose3D archive", _LAYOUT, lambda content: False, lambda *_: None)
