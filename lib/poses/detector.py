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

import cv2
import numpy as np

from .people import Frame
from .sources import get_source

MODELS = {"body": "mediapipe33", "hand": "mediapipe_hand21"}  # kind: its joints, key of ``lib.poses.sources.SOURCES``
_INSTALL = "sh requirements.sh --with-detector"
_REPAIR = "python -m pip install --no-deps -r requirements-detector.txt"
_NEWEST_PYTHON = (3, 12)
_NEWEST_PROTOBUF = 4  # major version
_MAX_HANDS = 4
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
                f"POSE2MESH_PYTHON=python3.12 POSE2MESH_VENV=.venv312 {_INSTALL}"
            )
        return f"--detect needs MediaPipe, which cannot be imported ({error}): {_INSTALL}"
    if not hasattr(mediapipe, "solutions"):
        version = getattr(mediapipe, "__version__", "of unknown version")
        return f"mediapipe {version} is installed, --detect needs 0.10.14: {_REPAIR}"
    protobuf = _protobuf_version()
    if int(protobuf.split(".")[0]) > _NEWEST_PROTOBUF:
        return f"protobuf {protobuf} is installed, MediaPipe needs 4.25: {_REPAIR}"
    return None


class Detector:
    """MediaPipe's model of bodies or of hands, kept between images.

    The body model finds one person per image, the most prominent; for several, detect on crops. The hand model finds up
    to four hands; right ones are kept, as the hand mesh is a right hand.
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
        self.kind = kind
        self.source = MODELS[kind]
        self._joint_num = get_source(self.source).joint_num
        solutions = _import().solutions
        with _quiet():
            if kind == "body":
                # 1 is the model inside the package, 0 and 2 would be downloaded
                self._model = solutions.pose.Pose(static_image_mode=not video, model_complexity=1)
            else:
                self._model = solutions.hands.Hands(
                    static_image_mode=not video, model_complexity=1, max_num_hands=_MAX_HANDS
                )
        self._started = False

    def __call__(self, image: np.ndarray, name: str = "") -> Frame:
        """The people, or right hands, in one image.

        Args:
            image: (H, W, 3) uint8 BGR.
            name: of the frame.

        Returns:
            (N, 33 or 21, 3) x, y in pixels and score: the visibility of body joints (joints outside the image are
            guessed, with a low one), 1 for joints of hands, which have none. N is 0 when nobody was found.

        Raises:
            ValueError: not such an image.
        """
        return Frame(name, self._stack([pose for pose, right in self.find(image) if right]))

    def find(self, image: np.ndarray) -> list[tuple[np.ndarray, bool]]:
        """All that was found: (J, 3) poses as in ``__call__``, each with False if it is a left hand's."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an image (H, W, 3) of uint8 in BGR order, got {image.shape} of {image.dtype}")
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if self._started:
            results = self._model.process(rgb)
        else:  # the models are loaded with the first image
            with _quiet():
                results = self._model.process(rgb)
            self._started = True
        size = image.shape[1], image.shape[0]
        if self.kind == "body":
            return [] if results.pose_landmarks is None else [(_pixels(results.pose_landmarks, size, True), True)]
        hands = zip(results.multi_hand_landmarks or (), results.multi_handedness or ())
        return [(_pixels(hand, size, False), _is_right(handedness)) for hand, handedness in hands]

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _stack(self, poses: list[np.ndarray]) -> np.ndarray:
        return np.stack(poses) if poses else np.empty((0, self._joint_num, 3), dtype=np.float32)


def detect(image: np.ndarray, kind: str = "body", name: str = "") -> Frame:
    """The person, or the right hands, in a photo; see ``Detector``.

    Args:
        image: (H, W, 3) uint8 BGR.
        kind: ``body`` or ``hand``.
        name: of the frame, for messages too.

    Returns:
        (N, 33 or 21, 3) x, y in pixels and score, N at least 1.

    Raises:
        ValueError: nobody found, or only left hands; not such an image; MediaPipe is missing. Says what to do.
    """
    with Detector(kind) as detector:
        found = detector.find(image)
        poses = [pose for pose, right in found if right]
        where = f"in {name or 'the photo'} ({image.shape[1]} x {image.shape[0]} pixels)"
        if not poses and found:
            raise ValueError(f"{len(found)} left and no right hand {where}; mirror it: the hand mesh is a right hand")
        if not poses:
            raise ValueError(f"no {'person' if kind == 'body' else 'hand'} found {where}; {_ADVICE[kind]}")
        return Frame(name, detector._stack(poses))


def _pixels(landmarks, size: tuple[int, int], visibility: bool) -> np.ndarray:
    """(J, 3) of MediaPipe's landmarks, which are in fractions of the image."""
    rows = [(mark.x, mark.y, mark.visibility if visibility else 1.0) for mark in landmarks.landmark]
    return np.array(rows, dtype=np.float32) * np.array((*size, 1), dtype=np.float32)


def _is_right(handedness) -> bool:
    """MediaPipe names hands as if the image were mirrored, like that of a front camera: photos are not."""
    return handedness.classification[0].label == "Left"


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
