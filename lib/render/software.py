"""A z-buffer rasteriser in NumPy: smooth vertex colours, anti-aliased, no OpenGL and no display.

Triangles are cut into horizontal spans, spans into samples, each step for all triangles at once. A sample knows its
span and how far along it lies, which gives its depth and, for the one that stays visible, its colour. Several samples
per pixel and direction are averaged for smooth edges.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_CHUNK = 1 << 15  # spans, or samples, handled at once: temporary arrays stay in the cache
_BAND = 1 << 21  # samples of a band of rows; those without anybody take no memory
# samples per pixel and direction, by the area that is drawn on (pixels)
_SAMPLING = ((150_000, 4), (2_000_000, 3), (np.inf, 2))


Area = tuple[slice, slice]  # rows and columns of pixels


def pixel_area(points: np.ndarray, size: tuple[int, int]) -> Area:
    """The pixels inside a picture that points (..., 2), x and y in -1..1, span."""
    pixels = (points.reshape(-1, 2) + 1) * np.array(size) / 2
    x0, y0 = np.clip(np.floor(pixels.min(axis=0, initial=np.inf)), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(pixels.max(axis=0, initial=-np.inf)), 0, size).astype(int).tolist()
    return slice(y0, max(y0, y1)), slice(x0, max(x0, x1))


def faces_of_each(faces, count: int) -> list[np.ndarray]:
    """Faces of each of ``count`` people: of arrays (F, 3), one for each, themselves; of a single one that of everybody.

    Raises:
        ValueError: another number of arrays.
    """
    if not len(faces) or np.ndim(faces[0]) < 2:
        return [np.asarray(faces)] * count
    if len(faces) != count:
        raise ValueError(f"{count} meshes have faces of {len(faces)}")
    return [np.asarray(own) for own in faces]


def draw(
    points: Sequence[np.ndarray],
    faces: np.ndarray | list[np.ndarray],
    colours: Sequence[np.ndarray],
    size: tuple[int, int],
) -> np.ndarray:
    """Rasterise people.

    Args:
        points: N times (V, 3): x, y in -1..1 across the picture (y down), z in -1..1, smaller is nearer.
        faces: (F, 3) vertex indices, for each of the N or one array for each.
        colours: N times (V, 3) red, green, blue in 0..1.
        size: width and height, pixels.

    Returns:
        (height, width, 4) uint8 red, green, blue, alpha; premultiplied.
    """
    canvas = Canvas(size, pixel_area(np.concatenate(points)[:, :2], size))
    for person in zip(points, faces_of_each(faces, len(points)), colours):
        canvas.add(*person)
    return canvas.rgba((slice(0, size[1]), slice(0, size[0])))


class Canvas:
    """A picture to which people are added one after the other, in any order: depth and colour of its samples are kept.

    Memory: 8 bytes for each sample of the bands of rows that somebody was drawn in, whatever the number of people.

    Args:
        size: width and height, pixels.
        area: of everybody who will be drawn; decides the samples per pixel.
    """

    def __init__(self, size: tuple[int, int], area: Area):
        self._size = size
        self._top, self._left = area[0].start, area[1].start
        self._height, width = area[0].stop - self._top, area[1].stop - self._left
        self._factor = next(factor for limit, factor in _SAMPLING if width * self._height <= limit)
        self._columns = width * self._factor
        self._band = max(_BAND // max(self._columns * self._factor, 1), 1)  # rows of pixels
        self._bands: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # depth (n,), 0 where nobody is, and RGBA (n, 4)

    def add(self, points: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
        """Draw a person: points (V, 3), faces (F, 3) and colours (V, 3) as in ``draw``."""
        triangles = _facing(points[None], faces)
        # from front to back: what is covered is not coloured
        triangles = triangles[np.argsort(points[triangles[:, 0], 2], kind="stable")]
        pixels = (points[:, :2] + 1) * np.array(self._size) / 2 - [self._left, self._top]
        # one row per value: x, y in samples (centres at whole numbers), depth (negative), colour
        values = np.concatenate([(pixels * self._factor - 0.5).T, points[None, :, 2] - 2, colours.T * 255])
        low, high = np.clip([pixels[:, 1].min(), np.ceil(pixels[:, 1].max())], 0, self._height).astype(int).tolist()
        for band in range(low // self._band, -(-high // self._band)):
            if band not in self._bands:
                count = self._columns * self._factor * self._band
                self._bands[band] = np.zeros(count, np.float32), np.zeros((count, 4), np.uint8)
            start, stop = band * self._band, min((band + 1) * self._band, self._height)
            rows = start * self._factor, stop * self._factor
            _draw_samples(*self._bands[band], values, triangles, self._columns, *rows)

    def rgba(self, area: Area) -> np.ndarray:
        """(h, w, 4) uint8 red, green, blue, alpha of an area of the picture; premultiplied."""
        (y0, y1), (x0, x1) = ((part.start, part.stop) for part in area)
        out = np.zeros((y1 - y0, x1 - x0, 4), dtype=np.uint8)
        left, right = max(x0 - self._left, 0), min(x1 - self._left, self._columns // self._factor)
        for band, (_, samples) in self._bands.items():
            first = band * self._band + self._top
            top, bottom = max(y0, first), min(y1, first + self._band, self._top + self._height)
            if top >= bottom or left >= right:
                continue
            rows = slice((top - first) * self._factor, (bottom - first) * self._factor)
            part = samples.reshape(-1, self._columns, 4)[rows, left * self._factor : right * self._factor]
            # averages of premultiplied colours
            place = slice(top - y0, bottom - y0), slice(left + self._left - x0, right + self._left - x0)
            out[place] = cv2.resize(part, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        return out


def _facing(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Triangles (T, 3) of all people, as indices into the N * V points; of closed meshes only those seen from outside.

    The back of a closed mesh is hidden by its front; leaving it out halves the work.
    """
    count, vertex_num = points.shape[:2]
    triangles = (faces[None] + np.arange(count)[:, None, None] * vertex_num).reshape(-1, 3)
    if not _is_closed(faces, vertex_num):
        return triangles
    a, b, c = (points[:, faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    outward = np.sign(np.einsum("nfc,nfc->n", a - points.mean(axis=1, keepdims=True), across))
    return triangles[(across[..., 2] * outward[:, None] < 0).ravel()]


def _is_closed(faces: np.ndarray, vertex_num: int) -> bool:
    """Whether each edge is passed once in each direction: no holes, all faces turn alike."""
    a = np.asarray(faces, dtype=np.int64).ravel()
    b = np.roll(faces, -1, axis=1).astype(np.int64).ravel()
    return np.array_equal(np.sort(a * vertex_num + b), np.sort(b * vertex_num + a))


@dataclass(frozen=True)
class _Spans:
    """S runs of samples, each in one row of one triangle.

    Attributes:
        first: (S,) index of the first sample in the flattened band.
        length: (S,) samples.
        begin, step: (6, S) values (x, y, depth, colour) at the first sample, and their change to the next one.
    """

    first: np.ndarray
    length: np.ndarray
    begin: np.ndarray
    step: np.ndarray


def _draw_samples(
    depth: np.ndarray,
    samples: np.ndarray,
    values: np.ndarray,
    triangles: np.ndarray,
    columns: int,
    start: int,
    stop: int,
) -> None:
    """Draw into rows start..stop of samples: their ``depth`` (n,) and RGBA ``samples`` (n, 4)."""
    # few rows at once bound the memory, however large the triangles
    y = values[1][triangles]
    rows = np.clip(np.ceil(y.max(axis=1)), start, stop) - np.clip(np.ceil(y.min(axis=1)), start, stop)
    triangles = triangles[rows > 0]
    for block in _blocks(rows[rows > 0], _CHUNK):
        spans = _cut(values, triangles[block], columns, start, stop)
        for chunk in _blocks(spans.length, _CHUNK):
            _fill(depth, samples, spans, chunk)


def _fill(depth: np.ndarray, samples: np.ndarray, spans: _Spans, chunk: slice) -> None:
    """Draw some spans into the samples (n, 4) where they are nearer than what is there; ``depth`` (n,) follows."""
    length = spans.length[chunk]
    span = np.repeat(np.arange(chunk.start, chunk.stop), length)
    # counted from the span's own start: steps across slivers are too steep for sums over longer ways
    offset = np.arange(len(span)) - np.repeat(_starts(length), length)
    index = np.repeat(spans.first[chunk], length) + offset
    z = spans.begin[2].take(span) + spans.step[2].take(span) * offset
    z = z.astype(np.float32)
    np.minimum.at(depth, index, z)
    nearest = np.flatnonzero(depth.take(index) == z)
    span, offset, index = span[nearest], offset[nearest], index[nearest]
    for channel in range(3):
        colour = spans.begin[3 + channel].take(span) + spans.step[3 + channel].take(span) * offset
        samples[index, channel] = colour + 0.5
    samples[index, 3] = 255


def _blocks(sizes: np.ndarray, limit: int) -> Iterator[slice]:
    """Cut a list into runs whose sizes sum up to at most ``limit``, or of one entry."""
    ends = np.cumsum(sizes)
    low = 0
    while low < len(ends):
        high = max(int(np.searchsorted(ends, ends[low] - sizes[low] + limit, side="right")), low + 1)
        yield slice(low, high)
        low = high


def _cut(values: np.ndarray, triangles: np.ndarray, columns: int, start: int, stop: int) -> _Spans:
    """Triangles to spans. Rows and columns are half open: a sample on a shared edge belongs to one triangle."""
    y = values[1][triangles]
    order = np.argsort(y, axis=1)
    triangles, y = np.take_along_axis(triangles, order, axis=1), np.take_along_axis(y, order, axis=1)
    rows = np.clip(np.ceil(y[:, [0, 2]]), start, stop).astype(np.int64)
    crossed = rows[:, 1] > rows[:, 0]
    triangles, rows = triangles[crossed], rows[crossed]
    count = rows[:, 1] - rows[:, 0]
    top, middle, bottom = (values[:, corner] for corner in triangles.T)

    # in each row, samples lie between the long edge (top to bottom) and one of the two short ones
    origins = np.concatenate([top, top, middle], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # level edges; no row uses them
        ends = ((bottom, top), (middle, top), (bottom, middle))
        slopes = np.concatenate([(low - high) / (low[1] - high[1]) for low, high in ends], axis=1)
    triangle = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(triangle)) + np.repeat(rows[:, 0] - _starts(count), count)
    short = triangle + np.where(row < middle[1][triangle], len(count), 2 * len(count))

    def cross(edge: np.ndarray) -> np.ndarray:
        origin = origins[:, edge]
        return origin + (row - origin[1]) * slopes[:, edge]

    long_side, short_side = cross(triangle), cross(short)
    swapped = long_side[0] > short_side[0]
    left, right = np.where(swapped, short_side, long_side), np.where(swapped, long_side, short_side)
    first, last = (np.clip(np.ceil(side[0]), 0, columns).astype(np.int64) for side in (left, right))
    filled = np.flatnonzero(last > first)
    left, right, first, last, row = left[:, filled], right[:, filled], first[filled], last[filled], row[filled]
    step = (right - left) / (right[0] - left[0])
    return _Spans((row - start) * columns + first, last - first, left + (first - left[0]) * step, step)


def _starts(lengths: np.ndarray) -> np.ndarray:
    """Where runs of these lengths start when they are laid end to end."""
    return np.cumsum(lengths) - lengths
