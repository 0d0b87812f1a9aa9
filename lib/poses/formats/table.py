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
from lib.poses.reading.request import Format

JSON_FORMATS: dict[str, Format] = {
    "coco_annotations": coco_annotations.FORMAT,
    "openpose": openpose.FORMAT,
    "comfyui": comfyui.FORMAT,
    "easymocap": easymocap.FORMAT,
    "mmpose": mmpose.FORMAT,
    "ultralytics": ultralytics.FORMAT,
    "alphapose": alphapose.FORMAT,
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
