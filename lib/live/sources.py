"""Where pictures come from: a camera, or a film or black frames that are played as if a camera took them."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from lib.files.images import open_film
from lib.live.latest import Latest

CAMERA_FPS = 30.0  # of cameras that do not say
_PATIENCE = 10.0  # seconds without a picture, after which a camera is given up


@dataclass(frozen=True)
class Shot:
    """A picture that was taken.

    Attributes:
        number: of the picture since the start, from 0; those that were left out are counted.
        place: the same in its film, which may be played again.
        picture: (H, W, 3) uint8, blue-green-red.
        taken: seconds of ``time.perf_counter``.
    """

    number: int
    place: int
    picture: np.ndarray
    taken: float


class Reader(Protocol):
    """What of ``cv2.VideoCapture`` is used."""

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, np.ndarray]: ...


class Source(Protocol):
    """Gives pictures, the newest one each time; ``fps`` per second at most."""

    fps: float

    def next(self) -> Shot | None:
        """The next picture; None at the end."""

    def close(self) -> None: ...


class BlackFrames:
    """``count`` black pictures of a size (width, height)."""

    def __init__(self, size: tuple[int, int], count: int):
        self._size, self._left = size, count

    def grab(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((self._size[1], self._size[0], 3), np.uint8)


class FilmSource:
    """A film at its own rate: whoever comes late misses pictures, as before a camera.

    Args:
        start: opens the film at its first picture.
        fps: pictures per second.
        loop: from the beginning again at the end.
        every_frame: no picture is left out, the film waits.
    """

    def __init__(self, start: Callable[[], Reader], fps: float, loop: bool = False, every_frame: bool = False):
        self.fps, self.loop, self.every_frame = fps, loop, every_frame
        self._open, self._reader = start, start()
        self._number = self._first = 0  # the next picture, and the number of the film's first one
        self._begin: float | None = None
        self._stop = threading.Event()

    def next(self) -> Shot | None:
        """See ``Source``.

        Raises:
            ValueError: not one picture can be read.
        """
        now = time.perf_counter()
        self._begin = now if self._begin is None else self._begin
        wanted = self._number
        if not self.every_frame:
            wanted = max(wanted, int((now - self._begin) * self.fps))
            if self._stop.wait(max(self._begin + wanted / self.fps - now, 0.0)):
                return None
        if self._stop.is_set() or not self._grab(wanted):
            return None
        found, picture = self._reader.retrieve()
        if not found:
            return None
        return Shot(wanted, wanted - self._first, picture, time.perf_counter())

    def _grab(self, wanted: int) -> bool:
        """Go on to the picture with this number."""
        while self._number <= wanted:
            if self._reader.grab():
                self._number += 1
                continue
            if self._number == self._first:
                raise ValueError("no picture can be read")
            if not self.loop:
                return False
            self._reader, self._first = self._open(), self._number
        return True

    def close(self) -> None:
        self._stop.set()


class CameraSource:
    """A camera, read all the time by a thread of its own: cameras keep old pictures for who is slow.

    Args:
        stream: the opened camera; None: number ``camera`` of this machine.

    Raises:
        ValueError: no such camera, or it gives no picture.
    """

    def __init__(self, camera: int = 0, stream: cv2.VideoCapture | None = None, patience: float = _PATIENCE):
        cv2.setLogLevel(0)
        self._stream = cv2.VideoCapture(camera) if stream is None else stream
        self._name, self._patience = f"camera {camera}", patience
        if not self._stream.isOpened():
            raise ValueError(
                f"{self._name} cannot be opened: is it plugged in, used by another program, or not allowed to you "
                "(Linux: group video, /dev/video*)? --camera has its number, --video plays a film instead"
            )
        with suppress(cv2.error):
            self._stream.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._stream.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 1 <= fps <= 1000 else CAMERA_FPS
        self._newest: Latest[Shot] = Latest()
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        number = 0
        while True:
            found, picture = self._stream.read()
            if not found:
                self._newest.close(ValueError(f"{self._name} gives no more pictures; was it unplugged?"))
                break
            if not self._newest.put(Shot(number, number, picture, time.perf_counter())):
                break
            number += 1
        self._stream.release()

    def next(self) -> Shot | None:
        """See ``Source``.

        Raises:
            ValueError: the camera stopped.
        """
        shot = self._newest.take(self._patience)
        if shot is None and not self._newest.closed:
            raise ValueError(f"{self._name} gave no picture for {self._patience:g} s; was it unplugged?")
        return shot

    def close(self) -> None:
        self._newest.close()
        self._thread.join(1.0)


def film_source(path: Path, fps: float | None, loop: bool, every_frame: bool) -> FilmSource:
    """A film of a file; ``fps`` None: its own.

    Raises:
        FileNotFoundError, ValueError: no film that can be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"video {path} not found")
    own = open_film(path).get(cv2.CAP_PROP_FPS)
    rate = fps or (float(own) if 1 <= own <= 1000 else CAMERA_FPS)
    return FilmSource(lambda: open_film(path), rate, loop, every_frame)
