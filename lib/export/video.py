"""Videos, frame by frame: MP4 through OpenCV, GIF through Pillow."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lib.export.gif import GifStream

VIDEO_FORMATS = ("mp4", "gif")
# H.264 plays everywhere, but only some builds of OpenCV may encode it; MPEG-4 Part 2 is in all of them
_CODECS = ("avc1", "mp4v")


class VideoWriter:
    """Writes frames as they come; memory does not grow with their number.

    Usage::

        with VideoWriter("result.mp4", fps=30) as video:
            for frame in frames:
                video.write(frame)

    The file grows under a hidden name beside ``path`` and is renamed at the end; when the block raises it is removed
    and an older ``path`` stays. Frames have the size of the first one; in MP4 an odd width or height loses its last
    column or row, which the codecs cannot hold.

    MPEG-4 plays in desktop players, H.264 and VP9 (``codec="vp09"``, some ten times slower) in browsers too.

    Args:
        path: ``.mp4`` or ``.gif``; missing folders are created.
        fps: frames per second. A GIF rounds each frame's time to hundredths of a second, so that the sum is right.
        codec: four characters for MP4; None takes the first that works of H.264 (``avc1``) and MPEG-4 (``mp4v``).

    Attributes:
        codec: in use, after the first frame; None of a GIF.
        count: frames written.

    Raises:
        ValueError: another suffix, frames per second that make no video, a frame of another size or type.
        RuntimeError: OpenCV has no encoder, or wrote a file that it cannot read.
    """

    def __init__(self, path: str | Path, fps: float = 30.0, codec: str | None = None):
        self.path = Path(path)
        self._kind = self.path.suffix.lower().lstrip(".")
        if self._kind not in VIDEO_FORMATS:
            raise ValueError(f"{path}: unknown video format {self.path.suffix!r}; choose one of mp4, gif")
        if not (np.isfinite(fps) and 0 < fps <= 1000):
            raise ValueError(f"{path}: frames per second must be between 0 and 1000, got {fps}")
        self.fps, self.codec, self.count = float(fps), None, 0
        self._wanted = codec
        self._size: tuple[int, int] | None = None
        self._stream = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        name = f".{self.path.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp{self.path.suffix.lower()}"
        self._aside = self.path.with_name(name)

    def write(self, frame: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8, blue-green-red as OpenCV has them."""
        frame = np.asarray(frame)
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"{self.path}: frames must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}")
        size = frame.shape[1], frame.shape[0]
        if self._size is None:
            self._size = size
            self._stream = self._open_mp4(size) if self._kind == "mp4" else GifStream(self._aside, self.fps)
        if size != self._size:
            raise ValueError(f"{self.path}: frame {self.count} is {size}, the first one was {self._size}")
        if self._kind == "mp4":
            frame = np.ascontiguousarray(frame[: size[1] // 2 * 2, : size[0] // 2 * 2])
        self._stream.write(frame)
        self.count += 1

    def _open_mp4(self, size: tuple[int, int]) -> cv2.VideoWriter:
        if min(size) < 2:
            raise ValueError(f"{self.path}: frames of {size[0]} x {size[1]} pixels are too small")
        even = size[0] // 2 * 2, size[1] // 2 * 2
        for codec in (self._wanted,) if self._wanted else _CODECS:
            with _silence():  # a missing encoder is no news here, but OpenCV and FFmpeg print it
                writer = cv2.VideoWriter(
                    str(self._aside), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), self.fps, even
                )
            if writer.isOpened():
                self.codec = codec
                return writer
        raise RuntimeError(
            f"{self.path}: this OpenCV cannot encode MP4; write a .gif, or install opencv-python-headless"
        )

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            ValueError: no frames were written.
            RuntimeError: the file cannot be read back.
        """
        try:
            if self._stream is None:
                raise ValueError(f"{self.path}: no frames to write")
            self._stream.release()
            self._stream = None
            if self._kind == "mp4" and not _readable(self._aside):
                raise RuntimeError(f"{self.path}: the video cannot be read back; is the disk full?")
            os.replace(self._aside, self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Give up: remove what was written."""
        if self._stream is not None:
            self._stream.release()
            self._stream = None
        self._aside.unlink(missing_ok=True)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _readable(path: Path) -> bool:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        return bool(video.read()[0])
    finally:
        video.release()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
