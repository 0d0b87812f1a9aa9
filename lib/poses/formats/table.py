"""The one table of file formats, by the names that ``--format`` takes; the first that matches is chosen."""

from lib.poses.formats import (
    alphapose,
    coco_annotations,
    coco_results,
    comfyui,
    demo,
    easymocap,
    mediapipe,
    mmpose,
    openpifpaf,
    openpose,
    plain,
    poseflow,
    scored_lists,
    tables,
    tfjs,
    ultralytics,
)
from lib.poses.formats.frames import UNSPECIFIC, Part, by_record, format_of_all, frames_of, inside
from lib.poses.reading.request import Format

JSON_FORMATS: dict[str, Format] = {
    "coco_annotations": coco_annotations.FORMAT,
    "openpose": openpose.FORMAT,
    "comfyui": comfyui.FORMAT,
    "easymocap": easymocap.FORMAT,
    "mmpose": mmpose.FORMAT,
    "ultralytics": ultralytics.FORMAT,
    "alphapose": alphapose.FORMAT,
    "alphapose_cmu": alphapose.CMU,
    "coco_results": coco_results.FORMAT,
    "rtmlib": scored_lists.RTMLIB,
    "huggingface": scored_lists.HUGGING_FACE,
    "openpifpaf": openpifpaf.FORMAT,
    "tfjs": tfjs.FORMAT,
    "mediapipe": mediapipe.FORMAT,
    "poseflow": poseflow.FORMAT,
    "demo": demo.FORMAT,
    "plain": plain.FORMAT,
}
"""Layouts of JSON; the last one takes what names no tool."""

TABLE_FORMATS: dict[str, Format] = {"yolo_labels": ultralytics.LABELS, "csv": tables.FORMAT}
"""Layouts of text tables."""

FORMATS = ("npy", *JSON_FORMATS, *TABLE_FORMATS)
"""File formats, for ``--format``."""


def recognised(content, formats: dict[str, Format]) -> str | None:
    """The name of the format that some content has; None when it has none."""
    return next((name for name, form in formats.items() if form.matches(content)), None)


def in_frames(content, formats: dict[str, Format]) -> tuple[str | None, list[Part]]:
    """The format of some content and its parts: the whole, or frame after frame where it is a list or dict of what a
    tool writes for one image, perhaps in a dict around it all.

    Returns:
        the name, None when it has none of the formats; name, number and content of each part, an empty name for the
        whole.
    """
    name = recognised(content, formats)
    own = name is not None and name not in UNSPECIFIC
    records = isinstance(content, list) and all(isinstance(entry, dict) for entry in content)
    if not own or (records and formats[name or ""].per_image):
        parts = by_record(content) if own else frames_of(content)
        each = format_of_all(parts, formats) if parts else None
        if each is not None and parts is not None:
            return each, parts
    inner = None if own else inside(content)
    if inner is not None:
        inner_name, parts = in_frames(inner, formats)
        if inner_name is not None and (inner_name not in UNSPECIFIC or len(parts) > 1):
            return inner_name, parts
    return name, [("", None, content)]
