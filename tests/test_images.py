"""Pictures and films are refused by what their first bytes claim, whatever their format."""

import struct

import cv2
import numpy as np
import pytest

from lib.files import images
from lib.files.images import open_film, read_image
from lib.poses import Frame, draw_check

FORMATS = ("jpg", "png", "bmp", "gif", "tif", "webp", "jp2", "avif", "ppm", "pgm", "pbm")


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_bounded(tmp_path, monkeypatch, ending):
    path = tmp_path / f"good.{ending}"
    try:
        coded, data = cv2.imencode(f".{ending}", np.zeros((40, 56, 3), np.uint8))
    except cv2.error:
        coded = False
    if not coded:
        pytest.skip(f"this OpenCV writes no {ending}")
    path.write_bytes(data.tobytes())
    assert read_image(path).shape == (40, 56, 3)
    monkeypatch.setattr(images, "LARGEST_IMAGE", 40 * 56 - 1)
    with pytest.raises(ValueError, match=rf"good\.{ending} claims 56 x 40 pixels"):
        read_image(path)


def test_formats_of_unknown_size_and_endless_scans_are_refused(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n" + bytes(100))
    with pytest.raises(ValueError, match=r"x\.jpg is not an image"):
        read_image(tmp_path / "x.jpg")
    frame = b"\xff\xd8\xff\xc2" + struct.pack(">HBHHB", 8, 8, 10_000, 10_000, 0)
    (tmp_path / "scans.jpg").write_bytes(frame + b"\xff\xda" * 100)
    with pytest.raises(ValueError, match=r"scans\.jpg claims 10000 x 10000 pixels in 100 scans"):
        read_image(tmp_path / "scans.jpg")


def test_films_of_absurd_size_are_refused(tmp_path, monkeypatch):
    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (56, 40))
    film.write(np.zeros((40, 56, 3), np.uint8))
    film.release()
    assert open_film(tmp_path / "film.avi").read()[1].shape == (40, 56, 3)
    monkeypatch.setattr(images, "_LARGEST_FRAME", 40 * 56 - 1)
    with pytest.raises(ValueError, match=r"film\.avi claims frames of 56 x 40 pixels"):
        open_film(tmp_path / "film.avi")
    with pytest.raises(ValueError, match="not a video"):
        open_film(tmp_path / "none.mp4")


def test_names_that_no_font_has_are_drawn():
    frame = Frame("\ud800\udcff \u202e", np.random.default_rng(0).uniform(40, 400, (1, 17, 3)).astype(np.float32))
    assert draw_check(None, frame, "coco17", 0.0).any()
