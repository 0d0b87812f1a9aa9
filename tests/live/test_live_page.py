"""The page of ``demo/live.py``: viewers get the newest picture, and nobody waits for them."""

import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from lib.live.page import LivePage

WAIT = 5.0  # seconds


def read(url, host=None):
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host})
    return urllib.request.urlopen(request, timeout=WAIT)


def next_jpeg(stream):
    length = 0
    while (line := stream.readline().strip()) or not length:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    picture = cv2.imdecode(np.frombuffer(stream.read(length), np.uint8), cv2.IMREAD_COLOR)
    stream.readline()
    return int(picture.mean().round())


def test_a_page_has_several_viewers_and_none_holds_it_up():
    page = LivePage()
    try:
        page.show(np.full((8, 8, 3), 10, np.uint8))
        assert b"stream.mjpg" in read(page.url).read()
        first, second = (read(f"{page.url}stream.mjpg") for _ in range(2))
        assert (next_jpeg(first), next_jpeg(second)) == (10, 10)
        large = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), np.uint8)
        start = time.perf_counter()
        for _ in range(20):  # 10 MB that ``second`` does not read
            page.show(large)
        assert time.perf_counter() - start < WAIT
        first.close()
        page.show(np.full((8, 8, 3), 90, np.uint8))
        assert read(f"{page.url}newest.jpg").headers["Content-Type"] == "image/jpeg"
        third = read(f"{page.url}stream.mjpg")
        assert next_jpeg(third) == 90  # of others' ends and slowness it sees nothing
        for path, host, code in (("nothing", None, 404), ("newest.jpg", "evil.example", 403)):
            with pytest.raises(urllib.error.HTTPError) as error:
                read(page.url + path, host)
            assert error.value.code == code
        with pytest.raises(OSError, match="cannot be had at 127.0.0.1"):
            LivePage(port=int(page.url.rsplit(":")[-1].strip("/")))
    finally:
        page.close()
    assert third.read() == b""  # streams end with the page


def test_who_comes_later_sees_the_newest_picture():
    page = LivePage()
    try:
        for value in (10, 50, 90):
            page.show(np.full((8, 8, 3), value, np.uint8))  # nobody looks
        newest = np.frombuffer(read(f"{page.url}newest.jpg").read(), np.uint8)
        assert round(cv2.imdecode(newest, cv2.IMREAD_COLOR).mean()) == 90
    finally:
        page.close()
