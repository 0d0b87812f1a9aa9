"""A z-buffer rasteriser in NumPy: smooth vertex colours, anti-aliased, no OpenGL and no display.

Triangles are cut into horizontal spans, spans into samples, each step for all triangles at once. A sample knows its
span and how far along it lies, which gives its depth and, for the one that stays visible, its colour. Several samples
per pixel and direction are averaged for smooth edges.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

_CHUNK = 1 << 15  # spans, or samples, handled at once: temporary arrays stay in the cache
_BAND = 1 << 21  # samples of a band of rows; bounds the memory of large pictures
# samples per pixel and direction, by the area that is drawn on (pixels)
_SAMPLING = ((150_000, 4), (2_000_000, 3), (np.inf, 2))


def draw(points: np.ndarray, faces: np.ndarray, colours: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rasterise people.

    Args:
        points: (N, V, 3): x, y in -1..1 across the picture (y down), z in -1..1, smaller is nearer.
        faces: (F, 3) vertex indices, for each of the N.
        colours: (N, V, 3) red, green, blue in 0..1.
        size: width and height, pixels.

    Returns:
        (height, width, 4) uint8 red, green, blue, alpha; premultiplied.
    """
    width, height = size
    rgba = np.zeros((height, width, 4), dtype=np.uint8)
    triangles = _facing(points, faces)
    # from front to back: what is covered is not coloured
    triangles = triangles[np.argsort(points[..., 2].ravel()[triangles[:, 0]], kind="stable")]
    pixels = (points[..., :2].reshape(-1, 2) + 1) * np.array([width, height]) / 2
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    x0, y0 = np.clip(np.floor(low), 0, [width, height]).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(high), 0, [width, height]).astype(int).tolist()
    if x0 >= x1 or y0 >= y1 or not len(triangles):
        return rgba
    factor = next(factor for area, factor in _SAMPLING if (x1 - x0) * (y1 - y0) <= area)
    columns = (x1 - x0) * factor
    # one row per value: x, y in samples (centres at whole numbers), depth, colour
    values = np.concatenate(
        [
            ((pixels - [x0, y0]) * factor - 0.5).T,
            points[..., 2].reshape(1, -1),
            colours.reshape(-1, 3).T * 255,
        ]
    )
    band = max(_BAND // (columns * factor), 1)  # rows of pixels
    for start in range(y0, y1, band):
        stop = min(start + band, y1)
        samples = _draw_samples(values, triangles, columns, (start - y0) * factor, (stop - y0) * factor)
        # averages of premultiplied colours
        rgba[start:stop, x0:x1] = cv2.resize(samples, (x1 - x0, stop - start), interpolation=cv2.INTER_AREA)
    return rgba


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


def _draw_samples(values: np.ndarray, triangles: np.ndarray, columns: int, start: int, stop: int) -> np.ndarray:
    """Rows start..stop of samples (stop - start, columns, 4) uint8 RGBA."""
    depth = np.full((stop - start) * columns, np.inf, dtype=np.float32)
    samples = np.zeros((len(depth), 4), dtype=np.uint8)
    # few rows at once bound the memory, however large the triangles
    y = values[1][triangles]
    rows = np.clip(np.ceil(y.max(axis=1)), start, stop) - np.clip(np.ceil(y.min(axis=1)), start, stop)
    triangles = triangles[rows > 0]
    for block in _blocks(rows[rows > 0], _CHUNK):
        spans = _cut(values, triangles[block], columns, start, stop)
        for chunk in _blocks(spans.length, _CHUNK):
            _fill(depth, samples, spans, chunk)
    return samples.reshape(stop - start, columns, 4)


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
