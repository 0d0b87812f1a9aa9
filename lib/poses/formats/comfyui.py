"""DWPose's and ComfyUI's POSE_KEYPOINT: OpenPose's records with the size of the canvas, a frame or a list of frames."""

from lib.poses.formats.openpose import are_people, openpose_person
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import people_in
from lib.poses.reading.request import Format

_LAYOUT = (
    'DWPose / ComfyUI JSON [{"people": [{"pose_keypoints_2d": [18 joints x, y, score], "hand_left_keypoints_2d": ..., '
    '"hand_right_keypoints_2d": ...}], "canvas_width": w, "canvas_height": h}], a list of frames or one of them'
)


def matches(content) -> bool:
    if isinstance(content, dict):
        return "people" in content and "canvas_width" in content
    frames = [frame for frame in content if frame is not None] if isinstance(content, list) else []
    return bool(frames) and all(map(_is_frame, frames))


def _is_frame(entry) -> bool:
    return isinstance(entry, dict) and "people" in entry and (entry["people"] is None or are_people(entry["people"]))


def add(builder: FrameBuilder, content, name: str) -> None:
    frames = [content] if isinstance(content, dict) else content
    for number, frame in enumerate(frames):
        frame_name = str(number) if len(frames) > 1 else name
        builder.add_frame(frame_name, number if len(frames) > 1 else None)
        frame = frame or {}
        builder.sized(frame.get("canvas_width"), frame.get("canvas_height"))
        where = f"frame {number}"
        for row, person in enumerate(people_in(frame.get("people"), f"{builder.path}: {where}", builder.form.layout)):
            place = f"{where}, person {row}"
            builder.add(frame_name, openpose_person(person, f"{builder.path}: {place}", builder.form.layout), place)


FORMAT = Format("OpenPose's layout of DWPose / ComfyUI", _LAYOUT, matches, add, per_image=True)
