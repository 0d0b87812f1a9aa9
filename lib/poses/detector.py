"""2D poses straight from a photo or a video: MediaPipe's pose and hand models.

The package ``mediapipe`` is optional. It carries both models (BlazePose "full" and the full hand model), so nothing is
downloaded: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", CVPR workshop 2020; Zhang et al.,
"MediaPipe Hands: On-device Real-time Hand Tracking", CVPR workshop 2020.

Usage::

    frame = detect(cv2.imread("photo.jpg"), "body")  # one person, frame.poses (1, 33, 3)
    poses = map_pose(frame.poses, MODELS["body"], "coco")

    with Detector("body", video=True) as detector:   # follows the person from frame to frame
        frames = [detector(image, str(number)) for number, image in enumerate(images)]
"""

import importlib.metadata
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from .people import Frame
from .sources import get_source

MODELS = {"body": "mediapipe33", "hand": "mediapipe_hand21"}  # kind: its joints, key of ``lib.poses.sources.SOURCES``
INSTALL = "sh requirements.sh --with-detector"
_REPAIR = "python -m pip install --no-deps -r requirements-detector.txt"
_NEWEST_PYTHON = (3, 12)
_NEWEST_PROTOBUF = 4  # major version
_MAX_HANDS = 4
_LOOKS = 5
_ADVICE = {
    "body": "a person should be upright, seen from head to hips at least, and a quarter of the photo high or more: "
    "crop it to the person, or give the joints of another detector with --input_pose",
    "hand": "a hand should be seen whole and be a quarter of the photo high or more: crop it to the hand, or give the "
    "joints of another detector with --input_pose",
}


def detector_available() -> str | None:
    """Why poses cannot be detected here, and what to do about it; None when they can."""
    try:
        mediapipe = _import()
    except ImportError as error:
        if sys.version_info[:2] > _NEWEST_PYTHON:
            return (
                "--detect needs MediaPipe 0.10.14, which exists for Python 3.10 to 3.12; make another environment: "
                f"POSE2MESH_PYTHON=python3.12 POSE2MESH_VENV=.venv312 {INSTALL}"
            )
        return f"--detect needs MediaPipe, which cannot be imported ({error}): {INSTALL}"
    if not hasattr(mediapipe, "solutions"):
        version = getattr(mediapipe, "__version__", "of unknown version")
        return f"mediapipe {version} is installed, --detect needs 0.10.14: {_REPAIR}"
    protobuf = _protobuf_version()
    if int(protobuf.split(".")[0]) > _NEWEST_PROTOBUF:
        return f"protobuf {protobuf} is installed, MediaPipe needs 4.25: {_REPAIR}"
    return None


class Detector:
    """MediaPipe's model of bodies or of hands, kept between images.

    The body model finds one person per image, the most prominent one; for several, detect on crops. The hand model
    finds up to four hands and tells left from right ones.
    """

    def __init__(self, kind: str = "body", video: bool = False):
        """
        Args:
            kind: ``body`` or ``hand``.
            video: images follow each other in time: the person is followed and the joints are smoothed.

        Raises:
            ValueError: unknown kind, or MediaPipe is missing or unfit; says how to install it.
        """
        if kind not in MODELS:
            raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(MODELS)}")
        reason = detector_available()
        if reason:
            raise ValueError(reason)
        self.kind, self.video = kind, video
        self.source = MODELS[kind]
        self._joint_num = get_source(self.source).joint_num
        # made with the first image: it writes to the log when it starts, from threads of its own
        self._model: Any = None

    def __call__(self, image: np.ndarray, name: str = "") -> Frame:
        """The people, or hands, in one image.

        Args:
            image: (H, W, 3) uint8 BGR.
            name: of the frame.

        Returns:
            (N, 33 or 21, 3) x, y in pixels and score: the visibility of body joints (joints outside the image are
            guessed, with a low one), 1 for joints of hands, which have none. N is 0 when nobody was found. Of hands
            ``left`` says which are left ones.

        Raises:
            ValueError: not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8 in BGR order, got {image.shape} of {image.dtype}")
        results = self._looks(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        left = None
        if self.kind == "body":
            found = [] if results.pose_landmarks is None else [results.pose_landmarks]
        else:
            found = list(results.multi_hand_landmarks or ())
            left = np.array([_is_left(handedness) for handedness in results.multi_handedness or ()], dtype=bool)
        poses = np.empty((len(found), self._joint_num, 3), dtype=np.float32)
        for pose, landmarks in zip(poses, found):
            pose[:] = [(mark.x, mark.y, mark.visibility) for mark in landmarks.landmark]
        poses[..., :2] *= image.shape[1], image.shape[0]
        if self.kind == "hand":
            poses[..., 2] = 1.0
        return Frame(name, poses, left=left)

    def nobody(self, where: str) -> str:
        """Message for when nothing was found: what to try.

        Args:
            where: the photo or video, in words.
        """
        what = {"body": "person", "hand": "hand"}[self.kind]
        return f"no {what} found in {where}; {_ADVICE[self.kind]}"

    def close(self) -> None:
        """Free the model."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _start(self):
        """MediaPipe's model; photos of bodies are followed too, see ``_looks``."""
        solutions = _import().solutions
        if self.kind == "body":
            # model 1 is in the package, 0 and 2 would be downloaded
            return solutions.pose.Pose(static_image_mode=False, smooth_landmarks=self.video, model_complexity=1)
        return solutions.hands.Hands(static_image_mode=not self.video, model_complexity=1, max_num_hands=_MAX_HANDS)

    def _looks(self, rgb: np.ndarray):
        """MediaPipe's results.

        A body in a photo gets several looks, as if a film stood still: each frames the person by the joints of the one
        before, more closely than the first, coarse detection does. ``lib/poses/README.md`` has the gain.
        """
        photo = self.kind == "body" and not self.video
        with _quiet():
            if self._model is None:
                self._model = self._start()
            elif photo:
                self._model.reset()  # forget the person of the photo before
            results = self._model.process(rgb)
            for _ in range(_LOOKS - 1 if photo else 0):
                closer = self._model.process(rgb)
                if closer.pose_landmarks is None:
                    break
                results = closer
        return results


def detect(image: np.ndarray, kind: str = "body", name: str = "") -> Frame:
    """The person, or the hands, in a photo; see ``Detector``.

    Args:
        image: (H, W, 3) uint8 BGR.
        kind: ``body`` or ``hand``.
        name: of the frame, and of the photo in messages.

    Returns:
        (N, 33 or 21, 3) x, y in pixels and score, N at least 1.

    Raises:
        ValueError: nobody found; not such an image; MediaPipe is missing. Says what to do.
    """
    with Detector(kind) as detector:
        frame = detector(image, name)
        if not len(frame.poses):
            raise ValueError(detector.nobody(f"{name or 'the photo'} ({image.shape[1]} x {image.shape[0]} pixels)"))
        return frame


def _is_left(handedness) -> bool:
    """MediaPipe names hands as if the image were mirrored, like that of a front camera: photos are not."""
    return handedness.classification[0].label == "Right"


def _import() -> ModuleType:
    with _quiet():
        import mediapipe
    return mediapipe


def _protobuf_version() -> str:
    return importlib.metadata.version("protobuf")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the log that MediaPipe's C++ parts write past ``sys.stderr``, and its calls' deprecation warnings.

    The log is shown after all when an error other than a missing package occurs.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(log.fileno(), 2)
        try:
            yield
        except Exception as error:
            os.dup2(stderr, 2)
            if not isinstance(error, ImportError):
                log.seek(0)
                os.write(2, log.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
