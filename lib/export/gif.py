"""Animated GIFs, frame by frame.

Pillow's own ``save(save_all=True)`` keeps all frames until the end. Here each frame is encoded by Pillow and written
at once, so that memory does not grow with the length.
"""

from pathlib import Path

import cv2
import numpy as np

_CLOCK = 10.0  # milliseconds; a GIF's unit of time
_SHORTEST = 2  # units: viewers play shorter frames at a tenth of a second
_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # repeat for ever
_END = b"\x3b"


class GifStream:
    """An animated GIF that repeats.

    Args:
        path: file to write.
        fps: frames per second, at most 50. Times are rounded so that their sum stays right: at 30 the frames take 30,
            30 and 40 milliseconds in turn.
    """

    def __init__(self, path: Path, fps: float):
        self._file = open(path, "wb")  # noqa: SIM115  (closed by release)
        self._period = max(1000.0 / fps / _CLOCK, _SHORTEST)
        self._count = 0

    def write(self, frame: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8, blue-green-red; its colours become the best 256."""
        from PIL import GifImagePlugin, Image

        picture = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).quantize(256, dither=Image.Dither.NONE)
        if self._count == 0:
            header = b"".join(GifImagePlugin.getheader(picture)[0])
            self._file.write(b"GIF89a" + header[6:])  # the version with times and repetition
            self._file.write(_LOOP)
        start, end = (round(index * self._period) for index in (self._count, self._count + 1))
        duration = (end - start) * _CLOCK
        blocks = GifImagePlugin.getdata(picture, duration=duration, include_color_table=True)
        self._file.write(b"".join(blocks))
        self._count += 1

    def release(self) -> None:
        if not self._file.closed:
            self._file.write(_END)
            self._file.close()
