"""Pictures, read in time and memory that are bounded whatever their few bytes claim."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lib.messages import naming, one_line

LARGEST_IMAGE = 1 << 27  # pixels
_LARGEST_FRAME = 1 << 26  # pixels of a film
_MOST_BYTES = 1 << 29  # of an image file
_MOST_SCANS = 3 << 29  # pixels of a progressive JPEG times its scans: seconds of decoding


def read_image(path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8, blue-green-red.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image, or one that is too large.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"image {one_line(path, 200)} not found")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is larger than an image file can be, {_MOST_BYTES >> 20} MB")
    with naming(path):
        data = path.read_bytes()  # OpenCV itself cannot open every path on Windows
    width, height, scans = _claims(data)
    if width * height > LARGEST_IMAGE:
        raise ValueError(f"{path} claims {width} x {height} pixels, at most {LARGEST_IMAGE} are read")
    if width * height * scans > _MOST_SCANS:
        raise ValueError(f"{path} claims {width} x {height} pixels in {scans} scans, which would take minutes to read")
    image = None
    cv2.setLogLevel(0)  # what decoders say of damaged files goes past Python, with bytes of the file in it
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if width * height else None
    except cv2.error as error:
        raise ValueError(f"{path} cannot be read as an image: {one_line(error.err, 200)}") from error
    if image is None:
        raise ValueError(f"{path} is not an image that can be read (JPEG, PNG, WebP, TIFF, ...)")
    return image


def open_film(path: str | Path) -> cv2.VideoCapture:
    """A film's frames.

    Raises:
        ValueError: not a film that OpenCV can read, or its frames are too large.
    """
    cv2.setLogLevel(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet, see ``read_image``
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # which OpenCV cannot take, and crashes of
        raise ValueError(f"{one_line(path, 200)}: the film's name is not UTF-8; give it another one") from error
    # OpenCV's own readers print bytes of damaged files, and take a name with digits for that of numbered images
    quiet = cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends()
    stream = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG if quiet else cv2.CAP_ANY)
    if not stream.isOpened() or stream.getBackendName() == "CV_IMAGES":
        raise ValueError(f"{path} is not a video that OpenCV can read")
    width, height = (int(stream.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > _LARGEST_FRAME:
        raise ValueError(f"{path} claims frames of {width} x {height} pixels, at most {_LARGEST_FRAME} are read")
    return stream


def _claims(data: bytes) -> tuple[int, int, int]:
    """Width, height and number of scans that an image file claims; zeros of formats that cannot be bounded so."""
    try:
        width, height, scans = next((sizes(data) for matches, sizes in _FORMATS if matches(data)), (0, 0, 0))
    except (struct.error, ValueError, IndexError):
        return 0, 0, 0
    return abs(width), abs(height), scans


def _at(form: str, place: int) -> Callable[[bytes], tuple[int, int, int]]:
    return lambda data: (*struct.unpack_from(form, data, place), 1)


def _jpeg(data: bytes) -> tuple[int, int, int]:
    place = 2
    while True:  # segments up to the frame's
        while data[place : place + 2] == b"\xff\xff":
            place += 1
        mark, kind, length = struct.unpack_from(">BBH", data, place)
        if mark != 0xFF:
            raise ValueError("no segment")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height, max(1, data.count(b"\xff\xda"))
        place += 2 + length


def _webp(data: bytes) -> tuple[int, int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, 26))
    return width, height, 1


def _tiff(data: bytes) -> tuple[int, int, int]:
    order = "<" if data.startswith(b"II") else ">"
    large = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    (place,) = struct.unpack_from(f"{order}Q" if large else f"{order}I", data, 8 if large else 4)
    (count,) = struct.unpack_from(f"{order}Q" if large else f"{order}H", data, place)
    entry, value = (20, 12) if large else (12, 8)
    start, sizes = place + (8 if large else 2), {}
    for number in range(min(count, 4096)):
        tag, kind = struct.unpack_from(f"{order}HH", data, start + number * entry)
        if tag in (256, 257):
            form = {3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            (sizes[tag],) = struct.unpack_from(order + form, data, start + number * entry + value)
    return sizes.get(256, 0), sizes.get(257, 0), 1


def _box(name: bytes, transposed: bool) -> Callable[[bytes], tuple[int, int, int]]:
    """The largest size that boxes of a name claim, as JPEG 2000 and AVIF have them."""

    def sizes(data: bytes) -> tuple[int, int, int]:
        found, place = [(0, 0)], data.find(name)
        while 0 <= place <= len(data) - 16:
            found.append(struct.unpack_from(">II", data, place + (4 if transposed else 8)))
            place = data.find(name, place + 4)
        first, second = max(found, key=lambda size: size[0] * size[1])
        return (second, first, 1) if transposed else (first, second, 1)

    return sizes


def _netpbm(data: bytes) -> tuple[int, int, int]:
    lines = (line.partition(b"#")[0] for line in data[2:2000].splitlines())
    width, height = (int(word[:12]) for word in b" ".join(lines).split()[:2])
    return width, height, 1


def _starts(*heads: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(heads)


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], tuple[int, int, int]]], ...] = (
    (_starts(b"\xff\xd8"), _jpeg),
    (_starts(b"\x89PNG"), _at(">II", 16)),
    (_starts(b"BM"), _at("<ii", 18)),
    (_starts(b"GIF8"), _at("<HH", 6)),
    (_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (lambda data: data[4:8] == b"ftyp", _box(b"ispe", False)),
    (lambda data: data[4:8] == b"jP  ", _box(b"ihdr", True)),
    (_starts(*(b"P%d" % number for number in range(1, 7))), _netpbm),
)
