"""The people in pictures by RTMPose and RTMO, with rtmlib and ONNX Runtime.

The packages are optional, the models are not part of them: Jiang et al., "RTMPose: Real-Time Multi-Person Pose
Estimation based on MMPose", 2023; Lu et al., "RTMO: Towards High-Performance One-Stage Real-Time Multi-Person Pose
Estimation", CVPR 2024. Everybody is found, each picture by itself; ``lib.poses.tracking`` follows people.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from lib.messages import one_line
from lib.poses.people import Frame
from lib.runtime.optional import optional

from .joints import HAND_JOINTS, frame_of, source_of, wanted_joints
from .published import cache_lacking, rtmlib
from .rtmpose_files import BOX_NUMBERS, ONE_STAGE, ModelFile, find_models

INSTALL = "sh requirements.sh --with-rtmpose"


def packages_lacking() -> str | None:
    """Why rtmlib cannot be used, and what to do about it; None when it can."""
    try:
        rtmlib()
        optional("onnxruntime", extra="rtmpose", use="--detector rtmpose")
    except ValueError as error:
        return str(error)
    return None


def lacking(kind: str, models: Path | None = None) -> str | None:
    """Why ``body`` or ``hand`` joints cannot be found, and what to do about it; None when they can.

    Args:
        kind: ``body`` or ``hand``.
        models: file or folder of the user's, which is looked into later; None: the models of rtmlib's cache.
    """
    return packages_lacking() or (cache_lacking(kind) if models is None else None)


class RtmposeDetector:
    """Everybody in a picture, or all hands.

    Attributes:
        source: whose joints the poses have, key of ``lib.poses.sources.SOURCES``.
        notes: which models are used, for the user.
    """

    def __init__(self, kind: str = "body", video: bool = False, models: Path | None = None):
        """
        Args:
            kind: ``body`` or ``hand``.
            video: pictures follow each other in time, which makes no difference here.
            models: file of a model of joints, or folder with the models; None: rtmlib's cache.

        Raises:
            FileNotFoundError, ValueError: no such models or packages; says what was found and what to do.
        """
        reason = packages_lacking()
        if reason is not None:
            raise ValueError(reason)
        pose, boxes = find_models(kind, models)
        source = source_of(kind, pose.joint_num)
        if source is None:
            raise ValueError(f"{pose.path} finds {pose.joint_num} joints; a {kind} needs {wanted_joints(kind)}")
        self.kind, self.source = kind, source
        self._pose, self._boxes = pose, boxes
        self._pose_tool: Any = _start("RTMO" if pose.role == ONE_STAGE else "RTMPose", pose)
        self._box_tool: Any = None if boxes is None else _start(_box_class(boxes), boxes)
        self.notes = self._describe()

    def _describe(self) -> list[str]:
        notes = [f"joints by {self._pose.name} ({self._pose.joint_num})"]
        if self._boxes is not None:
            notes[0] += f", boxes by {self._boxes.name}, taken for {_box_class(self._boxes)}"
        if self._pose.joint_num == HAND_JOINTS:
            notes.append(f"{self._pose.name} does not tell left hands from right ones: all are taken for right hands")
        return notes

    def __call__(self, image: np.ndarray, name: str = "") -> Frame:
        """The people, or hands, in one image.

        Args:
            image: (H, W, 3) uint8 BGR.
            name: of the frame.

        Returns:
            (N, J, 3) x, y in pixels and score, with hands or sides as ``frame_of`` says; N is 0 when nobody was found.

        Raises:
            ValueError: not such an image, or a model fails.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8 in BGR order, got {image.shape} of {image.dtype}")
        try:
            points, scores = self._everybody(image) if self._box_tool is None else self._one_by_one(image)
        except Exception as error:  # ONNX Runtime's errors have no class in common, a model may give any shape
            files = [str(model.path) for model in (self._boxes, self._pose) if model is not None]
            size = f"{image.shape[1]} x {image.shape[0]} pixels"
            raise ValueError(f"{' or '.join(files)} fails on an image of {size}: {one_line(error, 200)}") from error
        # the height of SimCC's peaks, which nothing bounds; thresholds of scores take 1 for certain
        scores = np.clip(np.nan_to_num(scores), 0, 1)
        people = np.concatenate([points, scores[..., None]], axis=2).astype(np.float32)
        return frame_of(people[scores.any(axis=1)], self.kind, name)

    def nobody(self, where: str) -> str:
        """Message for when nothing was found in ``where`` (photo or video, in words): what to try."""
        what = {"body": "person", "hand": "hand"}[self.kind]
        return (
            f"no {what} found in {where} by {self._pose.name}; try larger models (--detector_model), a crop, or the "
            "joints of another detector with --input_pose"
        )

    def __enter__(self) -> "RtmposeDetector":
        return self

    def __exit__(self, *exception) -> None:
        self._pose_tool = self._box_tool = None  # which frees the models

    def _everybody(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, K, 2) pixels and (N, K) scores of a one-stage model."""
        tool = self._pose_tool
        padded, ratio = tool.preprocess(image)
        boxes, joints = tool.inference(padded)
        if not boxes.shape[1]:  # of which rtmlib does not think
            return self._none()
        return tool.postprocess([boxes, joints], ratio, tool.nms_thr, tool.score_thr)

    def _one_by_one(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of a model of boxes and one of a person's joints."""
        tool = self._box_tool
        padded, ratio = tool.preprocess(image)
        boxes, *labels = tool.inference(padded)
        # people are the first class, which rtmlib does not ask in every case
        boxes = boxes[:, labels[0][0] == 0] if labels else boxes[..., : BOX_NUMBERS + 1]
        boxes = tool.postprocess(boxes, ratio)
        if not len(boxes):  # rtmlib would take the whole image for a person
            return self._none()
        return self._pose_tool(image, bboxes=boxes)

    def _none(self) -> tuple[np.ndarray, np.ndarray]:
        return np.empty((0, self._pose.joint_num, 2)), np.empty((0, self._pose.joint_num))


def _box_class(boxes: ModelFile) -> str:
    """rtmlib's class of a model of boxes: its file does not say how it wants its pixels, the name mostly does."""
    return "RTMDet" if "rtmdet" in f"{boxes.path.parent.name}/{boxes.path.name}".lower() else "YOLOX"


def _start(name: str, model: ModelFile) -> Any:
    """A model in rtmlib's class for it."""
    height, width = model.size
    size = (width, height) if name == "RTMPose" else (height, width)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            return getattr(rtmlib(), name)(str(model.path), model_input_size=size, backend="onnxruntime", device="cpu")
    except Exception as error:  # ONNX Runtime's
        raise ValueError(f"{model.path} cannot be started as {name}: {one_line(error, 200)}") from error
