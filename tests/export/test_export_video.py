import os
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from lib.export import VideoWriter
from tests.support.files.limits import largest_file


def frames(count, width=96, height=64):
    """A bright square moves over a dark ramp."""
    for index in range(count):
        picture = np.repeat(np.linspace(20, 90, width).astype(np.uint8)[None, :, None], height, 0).repeat(3, 2)
        picture[20:44, 4 + 2 * index % 60 : 28 + 2 * index % 60] = (30, 120, 250)
        yield picture


def broken_off():
    yield from frames(3)
    raise KeyError("no more")


def write(path, pictures):
    with VideoWriter(path) as video:
        for picture in pictures:
            video.write(picture)


def read(path):
    """Pictures and stream of a film."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return [picture.to_ndarray(format="bgr24") for picture in film.decode(stream)], stream


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_frames_come_back(tmp_path, suffix):
    path = tmp_path / "new" / f"a.{suffix}"
    with VideoWriter(path, fps=25) as video:
        for frame in frames(30):
            video.write(frame)
        assert not path.exists()
    assert video.count == 30
    pictures, stream = read(path)
    assert len(pictures) == stream.frames == 30
    assert stream.average_rate == 25
    for picture, frame in zip(pictures, frames(30)):
        assert picture.shape == frame.shape
        assert np.abs(picture.astype(int) - frame).mean() < (3 if suffix == "mp4" else 1)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_mp4_plays_in_browsers(tmp_path):
    """H.264 with halved colours, coded as its size makes players expect; the index before the pictures."""
    write(tmp_path / "a.mp4", frames(12))
    _, stream = read(tmp_path / "a.mp4")
    context = stream.codec_context
    assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)  # BT.709
    content = (tmp_path / "a.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_a_build_without_h264_says_so(tmp_path, monkeypatch):
    def absent(name, mode):
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av, "Codec", absent)
    with pytest.raises(RuntimeError, match=r"this PyAV has no H.264, .* write a \.gif"):
        write(tmp_path / "a.mp4", frames(2))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fps", "rate"), [(30000 / 1001, Fraction(30000, 1001)), (12.5, Fraction(25, 2)), (0.5, Fraction(1, 2))]
)
def test_mp4_keeps_fractions_of_frames_per_second(tmp_path, fps, rate):
    with VideoWriter(tmp_path / "a.mp4", fps) as video:
        for frame in frames(7):
            video.write(frame)
    pictures, stream = read(tmp_path / "a.mp4")
    assert (len(pictures), stream.average_rate) == (7, rate)
    assert abs(stream.duration * stream.time_base - 7 / rate) < Fraction(1, 1000)


@pytest.mark.parametrize(("height", "width"), [(63, 95), (64, 95), (1, 4)])
def test_odd_sizes(tmp_path, height, width):
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 1)).astype(np.uint8).repeat(3, 2)
    for suffix, size in (("mp4", (height + height % 2, width + width % 2)), ("gif", (height, width))):
        write(tmp_path / f"a.{suffix}", [picture] * 3)
        pictures, _ = read(tmp_path / f"a.{suffix}")
        assert [found.shape[:2] for found in pictures] == [size] * 3
        assert np.abs(pictures[0][:height, :width].astype(int) - picture).mean() < 6


def test_gif_repeats_and_keeps_time(tmp_path):
    with VideoWriter(tmp_path / "a.gif", fps=30) as video:
        for frame in frames(31):
            video.write(frame)
    content = (tmp_path / "a.gif").read_bytes()
    assert content.startswith(b"GIF89a")
    assert b"NETSCAPE2.0\x03\x01\x00\x00\x00" in content  # for ever
    with av.open(str(tmp_path / "a.gif")) as film:
        times = [packet.duration for packet in film.demux() if packet.size]
        assert film.streams.video[0].time_base == Fraction(1, 100)
    assert len(times) == 31
    assert set(times) == {3, 4}
    assert sum(times) == 103


def test_gif_has_colours_for_each_frame(tmp_path):
    """Later frames may have other colours than the first one, and a small thing keeps its own."""
    first, second = np.zeros((2, 120, 160, 3), np.uint8)
    second[:] = np.linspace(0, 255, 160).astype(np.uint8)[None, :, None]
    second[40:48, 60:68] = (40, 200, 255)
    write(tmp_path / "a.gif", [first, second, first])
    for picture, frame in zip(read(tmp_path / "a.gif")[0], (first, second, first)):
        assert np.abs(picture.astype(int) - frame).max() < 8


def test_gif_is_no_faster_than_viewers_play(tmp_path):
    with VideoWriter(tmp_path / "a.gif", fps=100) as video:
        for frame in frames(4):
            video.write(frame)
    pictures, stream = read(tmp_path / "a.gif")
    assert (len(pictures), stream.average_rate) == (4, 50)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_an_error_leaves_the_older_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_text("old")
    with pytest.raises(KeyError):
        write(path, broken_off())
    with pytest.raises(ValueError, match="no frames"):
        write(path, [])
    with pytest.raises(ValueError, match="the first one was"):
        write(path, [np.zeros((64, width, 3), np.uint8) for width in (64, 66)])
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_unusable_arguments(tmp_path):
    with pytest.raises(ValueError, match="mp4, gif"):
        VideoWriter(tmp_path / "a.avi")
    for fps in (0, -1, 1e-9, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frames per second"):
            VideoWriter(tmp_path / "a.mp4", fps=fps)
    for frame in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"), VideoWriter(tmp_path / "a.gif") as video:
            video.write(frame)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_full_disk_leaves_nothing(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (40, 240, 320, 3)).astype(np.uint8)
    with pytest.raises(OSError, match="File too large"), largest_file(100_000):
        write(tmp_path / f"a.{suffix}", noise)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_memory_does_not_grow(tmp_path, suffix):
    picture = np.zeros((240, 320, 3), np.uint8)
    tracemalloc.start()
    try:
        with VideoWriter(tmp_path / f"a.{suffix}") as video:
            for index in range(60):
                if index == 10:
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
                video.write(picture)
            peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 5 * picture.nbytes  # 50 frames are ten times that
