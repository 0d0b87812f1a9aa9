"""PNG files of pictures that change little from one to the next."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

_STRIP = 1 << 17  # bytes of pixels that are packed together
_THREADS = 4  # zlib lets others run
_SUB = 1  # PNG's number of the filter that takes differences to the pixel at the left
_ADLER = 65521


class PngSeries:
    """Writes pictures of one size, of each only the rows that differ from the picture before anew.

    Rows are packed in strips that do not refer to each other, and strips that are the same are taken over; any reader
    sees ordinary files, as small as OpenCV's.
    """

    def __init__(self) -> None:
        self._strips: list[tuple[bytes, int, int]] = []  # chunk of the file, Adler-32 and length of what is packed

    def save(self, path: Path, picture: np.ndarray, changed: slice = slice(None)) -> None:
        """Write a picture (H, W, 3) uint8, blue-green-red, of which only the rows ``changed`` differ from the last."""
        height, width = picture.shape[:2]
        rows = max(_STRIP // (3 * width), 1)
        first, stop, _ = changed.indices(height)
        if not self._strips:
            first, stop = 0, height
            self._strips = [(b"", 1, 0)] * -(-height // rows)
        anew = range(first // rows, -(-stop // rows)) if first < stop else range(0)
        with ThreadPoolExecutor(_THREADS) as pool:
            packed = pool.map(lambda strip: _packed(picture[strip * rows : (strip + 1) * rows]), anew)
            self._strips[anew.start : anew.stop] = packed
        adler = 1
        for _, own, length in self._strips:
            adler = _joined(adler, own, length)
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
            file.write(_chunk(b"IDAT", b"\x78\x01"))  # zlib's header, then the strips, an empty last block, the sum
            file.writelines(chunk for chunk, _, _ in self._strips)
            file.write(_chunk(b"IDAT", b"\x03\x00" + struct.pack(">I", adler)) + _chunk(b"IEND", b""))


def _packed(rows: np.ndarray) -> tuple[bytes, int, int]:
    """Chunk of some rows (h, W, 3), Adler-32 and length of their filtered bytes."""
    pixels = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB).reshape(len(rows), -1)
    filtered = np.empty((len(rows), 1 + pixels.shape[1]), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1:4] = pixels[:, :3]
    np.subtract(pixels[:, 3:], pixels[:, :-3], out=filtered[:, 4:])
    content = filtered.tobytes()
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS, strategy=zlib.Z_RLE)  # OpenCV's choice: fast on differences
    data = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
    return _chunk(b"IDAT", data), zlib.adler32(content), len(content)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _joined(first: int, second: int, length: int) -> int:
    """Adler-32 of two parts, of which the second has so many bytes."""
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER << 16 | low % _ADLER
