"""Where pictures go: a page, a window, a film."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from lib.export import VideoWriter
from lib.live.options import NOTHING, WINDOW, LiveOptions
from lib.live.page import LivePage
from lib.messages import one_line

_MOST_REPEATS = 150  # pictures that a film repeats in a row, for those that came late


class Show(Protocol):
    """Takes the newest picture (H, W, 3) uint8, blue-green-red; False: the user closed it."""

    def show(self, picture: np.ndarray) -> bool: ...

    def close(self) -> None: ...


class Window:
    """A window of Tk, which comes with Python: the OpenCV that is installed here has none.

    Raises:
        RuntimeError: no Tk, or no screen.
    """

    def __init__(self, title: str = "Pose2Mesh live"):
        try:
            import tkinter
        except ImportError as error:
            raise RuntimeError(f"Python's tkinter is not there ({error}; Debian/Ubuntu: python3-tk)") from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise RuntimeError(f"there is no screen: {one_line(error, 200)}") from error
        self._image = tkinter.PhotoImage()
        self._root.title(title)
        self._open = True
        self._root.protocol("WM_DELETE_WINDOW", self._closed)
        for key in ("q", "<Escape>"):
            self._root.bind(key, self._closed)
        tkinter.Label(self._root, image=self._image, borderwidth=0).pack()

    def _closed(self, *_) -> None:
        self._open = False

    def show(self, picture: np.ndarray) -> bool:
        self._image.configure(data=cv2.imencode(".ppm", picture)[1].tobytes())
        self._root.update()
        return self._open

    def close(self) -> None:
        self._root.destroy()


def open_show(options: LiveOptions) -> tuple[Show | None, list[str]]:
    """What the user looks at, and lines about it.

    Raises:
        OSError: the page's address cannot be had.
    """
    if options.show == NOTHING:
        return None, []
    lines = []
    if options.show == WINDOW:
        try:
            return Window(), ["Window: close it, or press q, to stop"]
        except RuntimeError as error:
            lines.append(f"No window: {error}; a page instead")
    page = LivePage(options.host, options.port)
    return page, [*lines, f"Page: {page.url} (Ctrl-C stops)"]


class Recorder:
    """A film of what is shown, as fast as it was: pictures are repeated for those that were left out.

    Args:
        path: ``.mp4`` or ``.gif``.
        fps: of the pictures' numbers.
    """

    def __init__(self, path: Path, fps: float):
        self._writer = VideoWriter(path, fps)
        self._number: int | None = None
        self._before: np.ndarray | None = None

    def write(self, number: int, picture: np.ndarray) -> None:
        """Add picture ``number``; numbers grow."""
        if self._number is not None and self._before is not None:
            for _ in range(min(number - self._number - 1, _MOST_REPEATS)):
                self._writer.write(self._before)
        self._writer.write(picture)
        self._number, self._before = number, picture

    def close(self) -> None:
        """Finish the file; without a picture there is none."""
        if self._writer.count:
            self._writer.close()
        else:
            self._writer.discard()
