"""The pictures under the meshes: one image, a folder, a video, or black."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from lib.files.images import open_film, read_image
from lib.messages import one_line, shown
from lib.poses import Frame, missing_joints
from lib.poses.reading.content import natural_key
from lib.poses.timeline import split_number

_MARGIN = 1.5  # without an image the canvas reaches this much further than the largest coordinate
_LARGEST_SIDE = 16384  # pixels
_LARGEST_CANVAS = 1 << 25  # pixels of a picture without an image
_COCO_DIGITS = 12  # COCO's files are called by their padded image id
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif")


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

    def lacks(self, frame: Frame) -> bool:
        """There is no picture of this frame, as far as names tell."""
        return False


class StillImage(Images):
    """The same picture under every frame."""

    def __init__(self, image: np.ndarray, title: str):
        super().__init__((image.shape[1], image.shape[0]), title)
        self._image = image

    def read(self, number: int, frame: Frame) -> np.ndarray:
        return self._image


class ImageSeries(Images):
    """One image file for each frame."""

    def __init__(self, files: Sequence[Path], title: str):
        super().__init__(title=title)
        self._files = files

    def read(self, number: int, frame: Frame) -> np.ndarray:
        return read_image(self._files[number])


class ImageFolder(Images):
    """Images by the frames' names, or by the numbers in both names.

    Attributes:
        files: those of the folder itself, in natural order of their names: 10 after 9. Images in folders inside are
            found by frames' names that say where.

    Raises:
        FileNotFoundError: the folder has neither images nor folders.
    """

    def __init__(self, folder: Path):
        super().__init__(title=str(folder))
        self.files = image_files(folder)
        if not self.files and not any(path.is_dir() for path in folder.iterdir()):
            raise FileNotFoundError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
        self._folder = folder
        self._by_name = {path.name: path for path in self.files} | {path.stem: path for path in self.files}

    def named(self, frame_name: str) -> Path | None:
        """The image that is called like a frame."""
        name = Path(frame_name)
        inside = frame_name and not name.is_absolute() and ".." not in name.parts
        with suppress(OSError, ValueError):  # a name that no file can have
            if inside and (self._folder / name).is_file():
                return self._folder / name
        names = (name.name, name.stem, name.stem.zfill(_COCO_DIGITS))
        return next((self._by_name[name] for name in names if name in self._by_name), None)

    @cached_property
    def numbers(self) -> dict[int, Path] | None:
        """The files by the last numbers in their names; None unless all have one, and different ones."""
        parts = [split_number(path.name) for path in self.files]
        places = {part[1]: path for part, path in zip(parts, self.files) if part is not None}
        return places if len(places) == len(self.files) else None

    def lacks(self, frame: Frame) -> bool:
        return self._found(frame) is None

    def path(self, number: int, frame: Frame) -> Path:
        """
        Raises:
            FileNotFoundError: no image belongs to the frame.
        """
        path = self._found(frame)
        if path is None:
            raise FileNotFoundError(
                f"{self._folder} has no image {shown(frame.name)} among its {len(self.files)} images"
            )
        return path

    def _found(self, frame: Frame) -> Path | None:
        """By the whole name, or by the number, where nothing stands before it or the same as in the image's name."""
        path, wanted = self.named(frame.name), split_number(frame.name)
        if path is not None or wanted is None or wanted[2]:
            return path
        path = (self.numbers or {}).get(wanted[1])
        before = path and split_number(path.name)
        return path if before and wanted[0] in ("", before[0]) else None

    def read(self, number: int, frame: Frame) -> np.ndarray:
        return read_image(self.path(number, frame))


def image_files(folder: Path) -> list[Path]:
    """The images in a folder, in natural order of their names."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(files, key=lambda path: (natural_key(path.name), path.name))


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
        fps = get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if 0 < fps <= 1000 else None

    @cached_property
    def count(self) -> int:
        """Frames that can be read; what the file says of itself may be wrong.

        Raises:
            ValueError: none.
        """
        from tqdm import tqdm

        stream = open_film(self._path)
        count = sum(1 for _ in tqdm(iter(stream.grab, False), "counting", unit="frame", disable=None, leave=False))
        if not count:
            raise ValueError(f"{self._path} has no frame that can be read")
        return count

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
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoImages(path)
    return StillImage(read_image(path), str(path))
