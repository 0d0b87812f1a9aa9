"""The pictures under the meshes: one image, a folder, a video, or black."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from lib.files.images import open_film, read_image
from lib.messages import one_line, shown
from lib.poses import Frame, missing_joints

_MARGIN = 1.5  # without an image the canvas reaches this much further than the largest coordinate
_LARGEST_SIDE = 16384  # pixels
_LARGEST_CANVAS = 1 << 25  # pixels of a picture without an image
_COCO_DIGITS = 12  # COCO's files are called by their padded image id
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif")


def checked_canvas(width: float, height: float) -> tuple[int, int]:
    """A size of a picture without an image.

    Raises:
        ValueError: there is nothing, or it is larger than can be.
    """
    if not max(width, height) <= _LARGEST_SIDE or width * height > _LARGEST_CANVAS:
        raise ValueError(f"{width:.6g} x {height:.6g} pixels would be a larger picture than can be; give pixels")
    if width < 1 or height < 1:
        raise ValueError("all joints have negative x or y, outside any picture; give pixel coordinates of the image")
    return int(width), int(height)


def canvas_size(frames: Sequence[Frame]) -> tuple[int, int]:
    """Width and height of a picture without an image: 1.5 times the largest x and y of all joints, pixels.

    Missing joints and absurd ones do not count.

    Raises:
        ValueError: all joints left of or above the picture, or coordinates too large for pixels.
    """
    points = np.concatenate([frame.poses[..., :2][~missing_joints(frame.poses, joint_score=-1.0)] for frame in frames])
    if not len(points):
        raise ValueError("no joint has coordinates")
    return checked_canvas(*(_MARGIN * points.max(axis=0)))


class Images:
    """Pictures of frames. This one is black: of one size, or as large as each frame's poses need.

    Attributes:
        size: width and height, None where frames differ.
        title: for the user.
        fps: frames per second of a video, else None.
        blank: the pictures are black.
    """

    def __init__(self, size: tuple[int, int] | None = None, title: str | None = None):
        self.size, self.title, self.blank = size, title or "black background", title is None
        self.fps: float | None = None

    def read(self, number: int, frame: Frame) -> np.ndarray:
        """Picture (H, W, 3) uint8, blue-green-red, of the frame with this number.

        Raises:
            FileNotFoundError, ValueError: there is none, or it cannot be read.
        """
        width, height = self.size or canvas_size([frame])
        return np.zeros((height, width, 3), dtype=np.uint8)


class StillImage(Images):
    """The same picture under every frame."""

    def __init__(self, image: np.ndarray, title: str):
        super().__init__((image.shape[1], image.shape[0]), title)
        self._image = image

    def read(self, number: int, frame: Frame) -> np.ndarray:
        return self._image


class ImageFolder(Images):
    """Images by the frames' names, or in the order of their names where none agrees.

    Raises:
        FileNotFoundError: the folder has no images.
    """

    def __init__(self, folder: Path):
        super().__init__(title=str(folder))
        self.files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
        if not self.files:
            raise FileNotFoundError(f"{folder} holds no images ({', '.join(_IMAGE_SUFFIXES)})")
        self._folder = folder
        self._by_name = {path.name: path for path in self.files} | {path.stem: path for path in self.files}

    def path(self, number: int, frame: Frame) -> Path:
        name = Path(frame.name)
        inside = frame.name and not name.is_absolute() and ".." not in name.parts
        if inside and (self._folder / name).is_file():
            return self._folder / name
        names = (name.name, name.stem, name.stem.zfill(_COCO_DIGITS))
        path = next((self._by_name[name] for name in names if name in self._by_name), None)
        if path is None and frame.name.isdecimal() and number < len(self.files):
            path = self.files[number]
        if path is None:
            raise FileNotFoundError(
                f"{self._folder} has no image {shown(frame.name)} among its {len(self.files)} images"
            )
        return path

    def read(self, number: int, frame: Frame) -> np.ndarray:
        return read_image(self.path(number, frame))


class VideoImages(Images):
    """Frames of a video, read one after the other.

    Raises:
        ValueError: not a video that OpenCV can read.
    """

    def __init__(self, path: Path):
        super().__init__(title=str(path))
        self._path = path
        self._open()
        get = self._stream.get
        self.size = int(get(cv2.CAP_PROP_FRAME_WIDTH)), int(get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.count = max(0, int(get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= 1000 else None

    def _open(self) -> None:
        self._stream = open_film(self._path)
        self._next = 0
        self._image: np.ndarray = np.zeros((0, 0, 3), np.uint8)  # until one is read

    def read(self, number: int, frame: Frame) -> np.ndarray:
        if number < self._next - 1:
            self._open()
        while self._next <= number:
            found, image = self._stream.read()
            if not found:
                raise ValueError(f"{self._path} has only {self._next} frames, the poses are of more")
            self._image = image
            self._next += 1
        return self._image

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames from the first on, whatever has been read."""
        stream = open_film(self._path)
        while True:
            found, image = stream.read()
            if not found:
                return
            yield image


def open_images(path: str | Path) -> Images:
    """The images of a path: image file, folder of images or video.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing that can be read.
    """
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path)
    if not path.is_file():
        raise FileNotFoundError(f"image {one_line(path, 200)} not found")
    if path.suffix.lower() in _VIDEO_SUFFIXES:
        return VideoImages(path)
    return StillImage(read_image(path), str(path))
