import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.export import VideoWriter


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
    video = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        found, picture = video.read()
        if not found:
            break
        pictures.append(picture)
    rate = video.get(cv2.CAP_PROP_FPS)
    video.release()
    return pictures, rate


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_frames_come_back(tmp_path, suffix):
    path = tmp_path / "new" / f"a.{suffix}"
    with VideoWriter(path, fps=25) as video:
        for frame in frames(30):
            video.write(frame)
        assert not path.exists()
    assert video.count == 30
    pictures, rate = read(path)
    assert len(pictures) == 30
    assert rate == pytest.approx(25, rel=0.01)
    for picture, frame in zip(pictures, frames(30)):
        assert picture.shape == frame.shape
        assert np.abs(picture.astype(int) - frame).mean() < 6
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_mp4_says_which_codec(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(np.zeros((64, 64, 3), np.uint8))
    assert video.codec in ("avc1", "mp4v")
    with pytest.raises(RuntimeError, match="cannot encode"), VideoWriter(tmp_path / "b.mp4", codec="none") as video:
        video.write(np.zeros((64, 64, 3), np.uint8))


def test_odd_sizes(tmp_path):
    for suffix, size in (("mp4", (62, 94)), ("gif", (63, 95))):
        with VideoWriter(tmp_path / f"a.{suffix}") as video:
            for frame in frames(3, 95, 63):
                video.write(frame)
        pictures, _ = read(tmp_path / f"a.{suffix}")
        assert [picture.shape[:2] for picture in pictures] == [size] * 3


def test_gif_repeats_and_keeps_time(tmp_path):
    with VideoWriter(tmp_path / "a.gif", fps=30) as video:
        for frame in frames(31):
            video.write(frame)
    assert (tmp_path / "a.gif").read_bytes()[:6] == b"GIF89a"
    with Image.open(tmp_path / "a.gif") as picture:
        times = []
        for index in range(picture.n_frames):
            picture.seek(index)
            times.append(picture.info["duration"])
        assert picture.info["loop"] == 0
    assert len(times) == 31
    assert set(times) == {30, 40}
    assert sum(times) == 1030


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
    for fps in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="frames per second"):
            VideoWriter(tmp_path / "a.mp4", fps=fps)
    for frame in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(ValueError, match="uint8"), VideoWriter(tmp_path / "a.gif") as video:
            video.write(frame)
    with pytest.raises(ValueError, match="too small"), VideoWriter(tmp_path / "a.mp4") as video:
        video.write(np.zeros((1, 4, 3), np.uint8))
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
