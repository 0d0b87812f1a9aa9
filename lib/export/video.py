"""Films, frame by frame: H.264 in MP4, and GIF, both by FFmpeg's libraries in PyAV.

CPU time a frame at 1,483 x 742 pixels on one thread, before black and on a photo: H.264 13 and 21 ms, in less than half
the bytes of OpenCV's MPEG-4 Part 2, which browsers do not play (4.5 ms); imageio-ffmpeg's program 18 and 23 ms, in a
wheel twice as large (68 MB). GIF 20 and 110 ms; Pillow's median cut took 47 and 340 to 500, with worse colours.
"""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lib.files import hidden_beside

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.filter import Graph
    from av.video.stream import VideoStream

VIDEO_FORMATS = ("mp4", "gif")
_X264 = {"preset": "veryfast", "crf": "18"}  # as true to the pictures as OpenCV's MPEG-4 in half the bytes
_THREADS = 4  # of the encoder; a fixed number gives the same bytes on every machine
_BT709 = 1  # how H.264 of this size is taken to code colours, and the number of that in the file
_GIF_CLOCK = Fraction(1, 100)  # seconds
_GIF_FASTEST = 50  # frames per second: viewers play shorter frames at a tenth of a second
# the best 256 colours of each frame, found in every fourth row and column of large ones: faster, and looks the same
_GIF_FILTER = (
    ("split", ""), ("scale", "max(iw/4,min(iw,160)):max(ih/4,min(ih,160)):flags=neighbor"),
    ("palettegen", "stats_mode=single"), ("paletteuse", "dither=none:new=1"),
)  # fmt: skip


class VideoWriter:
    """Writes frames as they come; memory does not grow with their number.

    Usage::

        with VideoWriter("result.mp4", fps=30) as video:
            for frame in frames:
                video.write(frame)

    The file grows under a hidden name beside ``path`` and is renamed at the end; when the block raises it is removed
    and an older ``path`` stays. Frames have the size of the first one. H.264 needs even sizes: an odd width or height
    gets its last column or row twice. The MP4 can be played while it is still being loaded, by browsers too.

    Args:
        path: ``.mp4`` or ``.gif``; missing folders are created.
        fps: frames per second. A GIF rounds each frame's time to hundredths of a second, so that the sum is right, and
            has at most 50.

    Attributes:
        count: frames written.

    Raises:
        ValueError: another suffix, frames per second that make no video, a frame of another size or type.
        RuntimeError: a PyAV without H.264.
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | Path, fps: float = 30.0):
        self.path = Path(path)
        self._kind = self.path.suffix.lower().lstrip(".")
        if self._kind not in VIDEO_FORMATS:
            raise ValueError(f"{path}: unknown video format {self.path.suffix!r}; choose one of mp4, gif")
        # 29.97002997 becomes 30000/1001
        self._rate = Fraction(fps).limit_denominator(100_000) if np.isfinite(fps) else Fraction(0)
        if not 0 < self._rate <= 1000:
            raise ValueError(f"{path}: frames per second must be between 0 and 1000, got {fps}")
        self.count = 0
        self._size: tuple[int, int] | None = None
        self._container: OutputContainer | None = None
        self._graph: Graph | None = None
        self._aside = hidden_beside(self.path)

    def write(self, frame: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8, blue-green-red as OpenCV has them."""
        from av import VideoFrame

        frame = np.asarray(frame)
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            raise ValueError(f"{self.path}: frames must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}")
        size = frame.shape[1], frame.shape[0]
        if self._size is None:
            self._size = size
            self._stream = self._open(*size)
        if size != self._size:
            raise ValueError(f"{self.path}: frame {self.count} is {size}, the first one was {self._size}")
        if self._kind == "mp4":
            even = np.asarray(cv2.copyMakeBorder(frame, 0, size[1] % 2, 0, size[0] % 2, cv2.BORDER_REPLICATE), np.uint8)
            picture = VideoFrame.from_ndarray(even, "bgr24").reformat(format="yuv420p", dst_colorspace=_BT709)
        else:
            picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), "bgr24")
        picture.pts, picture.time_base = self.count, 1 / self._rate
        if self._graph is not None:
            self._graph.push(picture)
            coloured = self._graph.pull()
            assert isinstance(coloured, VideoFrame)  # the graph has no sound
            picture = coloured
        assert self._container is not None  # open since the first frame
        self._container.mux(self._stream.encode(picture))
        self.count += 1

    def _open(self, width: int, height: int) -> "VideoStream":
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._kind == "gif":
            self._rate = min(self._rate, Fraction(_GIF_FASTEST))
            self._container = av.open(str(self._aside), "w", format="gif")
            stream = self._container.add_stream("gif", rate=self._rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
            stream.codec_context.time_base = _GIF_CLOCK
            self._graph = self._palettes(width, height)
            return stream
        try:
            av.Codec("libx264", "w")
        except av.codec.codec.UnknownCodecError as error:
            raise RuntimeError(f"{self.path}: this PyAV has no H.264, PyPI's has; or write a .gif") from error
        options = {"movflags": "faststart"}  # the index first
        self._container = av.open(str(self._aside), "w", format="mp4", options=options)
        stream = self._container.add_stream("libx264", rate=self._rate, options=_X264)
        stream.pix_fmt = "yuv420p"
        stream.width, stream.height = width + width % 2, height + height % 2
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.thread_count = _THREADS
        return stream

    def _palettes(self, width: int, height: int):
        """The filter that gives each frame colours of its own."""
        from av import VideoFormat
        from av.filter import Graph

        graph = Graph()
        start = graph.add_buffer(width=width, height=height, format=VideoFormat("bgr24"), time_base=1 / self._rate)
        split, scale, palette, use = (graph.add(*words) for words in _GIF_FILTER)
        start.link_to(split)
        split.link_to(scale, 0, 0)
        scale.link_to(palette)
        split.link_to(use, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        return graph

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            ValueError: no frames were written.
            OSError: the file cannot be written.
        """
        try:
            if self._container is None:
                raise ValueError(f"{self.path}: no frames to write")
            self._container.mux(self._stream.encode())
            self._container.close()
            self._container = None
            self._aside.replace(self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Give up: remove what was written."""
        if self._container is not None:
            from av.error import FFmpegError

            with suppress(FFmpegError):  # it may complain of the missing end
                self._container.close()
            self._container = None
        self._aside.unlink(missing_ok=True)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
