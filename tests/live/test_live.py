"""``demo/live.py`` and its parts: what comes late is left out, nothing waits, numbers are the predictor's."""

import re
import signal
import sys
import threading
import time

import cv2
import numpy as np
import pytest
import torch

from demo.live import main, parse_arguments
from lib.demo.lifting import Lifter
from lib.demo.options import DemoOptions
from lib.live.finding import FilePoses, Watch
from lib.live.latest import Latest
from lib.live.lifting import LiveLifter
from lib.live.sources import BlackFrames, CameraSource, FilmSource, film_source
from lib.poses import Frame, assign_tracks, read_poses
from lib.predictor import Circumstances, Pose2MeshPredictor
from tests.helpers import ROOT

POSES = ROOT / "demo" / "demo_input_video.json"
SIZE = (64, 48)
WAIT = 5.0  # seconds


class FakeCamera:
    """Gives ``count`` pictures, each with its number in it, then no more."""

    def __init__(self, count=3, opened=True):
        self.count, self.opened, self.number = count, opened, 0

    def isOpened(self):
        return self.opened

    def set(self, *_):
        return False

    def get(self, _):
        return 0.0

    def read(self):
        self.number += 1
        return self.number <= self.count, np.full((4, 4, 3), self.number, np.uint8)

    def release(self):
        self.opened = False


def test_the_newest_takes_the_place_of_what_nobody_took():
    place = Latest()
    for number in range(5):
        assert place.put(number)
    assert (place.take(), place.replaced) == (4, 4)
    assert place.take(timeout=0.01) is None
    assert not place.closed
    place.put(5)
    place.close(ValueError("first"))
    place.close(ValueError("second"))
    assert not place.put(6)
    assert place.take() == 5  # what is there is shown yet
    with pytest.raises(ValueError, match="first"):
        place.take()


def test_nothing_is_replaced_where_every_item_counts():
    place, taken = Latest(every=True), []
    thread = threading.Thread(target=lambda: [place.put(number) for number in range(5)] and place.close())
    thread.start()
    while (item := place.take(WAIT)) is not None:
        taken.append(item)
    thread.join(WAIT)
    assert (taken, place.replaced) == ([0, 1, 2, 3, 4], 0)


def test_a_film_leaves_out_what_is_late_and_waits_for_what_is_early(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    film = FilmSource(lambda: BlackFrames(SIZE, 30), fps=10)
    monkeypatch.setattr(film._stop, "wait", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert film.next().number == 0
    assert (film.next().number, round(now[0], 6)) == (1, 100.1)  # waited
    now[0] = 101.55
    assert film.next().number == 15  # 2 to 14 were missed
    now[0] = 103.5
    assert film.next() is None  # over


def test_a_film_that_waits_and_one_that_is_played_again():
    film = FilmSource(lambda: BlackFrames(SIZE, 3), fps=1e3, loop=True, every_frame=True)
    shots = [film.next() for _ in range(7)]
    assert [(shot.number, shot.place) for shot in shots] == [(n, n % 3) for n in range(7)]
    assert shots[0].picture.shape == (48, 64, 3)
    film.close()
    assert film.next() is None
    with pytest.raises(ValueError, match="no picture can be read"):
        FilmSource(lambda: BlackFrames(SIZE, 0), fps=1, loop=True).next()
    with pytest.raises(FileNotFoundError, match="nowhere.mp4 not found"):
        film_source(ROOT / "nowhere.mp4", None, False, False)


def test_cameras_that_are_not_there_stop_or_say_nothing():
    with pytest.raises(ValueError, match="camera 3 cannot be opened: is it plugged in"):
        CameraSource(3, FakeCamera(opened=False))
    camera = CameraSource(3, FakeCamera(count=2))
    camera._thread.join(WAIT)
    assert (camera.next().number, camera.fps) == (1, 30.0)  # the newest, and a usual rate
    with pytest.raises(ValueError, match="camera 3 gives no more pictures"):
        camera.next()
    silent = FakeCamera()
    hold = threading.Event()
    silent.read = lambda: (hold.wait(WAIT), None)
    camera = CameraSource(3, silent, patience=0.02)
    with pytest.raises(ValueError, match="gave no picture for 0.02 s"):
        camera.next()
    hold.set()
    camera.close()


def test_poses_belong_to_their_frames_and_errors_come_out():
    sequence = read_poses(POSES)
    find = FilePoses(sequence)
    with Watch(FilmSource(lambda: BlackFrames(SIZE, 61), 30, every_frame=True), find, every=True) as watch:
        seen = []
        while (sighting := watch.newest.take(WAIT)) is not None:
            seen.append(sighting)
    assert [sighting.shot.place for sighting in seen] == list(range(61))
    for sighting, frame in zip(seen, sequence.frames):
        np.testing.assert_array_equal(sighting.frame.poses, frame.poses)
    assert not len(seen[60].frame.poses)  # behind the last one

    def fails(shot):
        raise ValueError("the detector fails")

    with Watch(FilmSource(lambda: BlackFrames(SIZE, 3), 30), fails) as watch, pytest.raises(ValueError, match="fails"):
        watch.newest.take(WAIT)


@pytest.fixture(scope="module")
def predictor():
    return Pose2MeshPredictor("coco", ROOT / "experiment/pose2mesh_cocoJ_open", "cpu", mesh="network")


def test_meshes_are_the_predictors(predictor):
    sequence = read_poses(POSES)
    live = LiveLifter(Lifter(predictor, DemoOptions()), sequence.source, 30.0)
    size, tracks = (1371, 766), []
    for number, frame in enumerate(sequence.frames[:3]):
        people = live(number, frame, size)
        known = Circumstances(size)
        chosen = predictor.select_people(frame.poses, sequence.source, image_size=size)
        expected = predictor.predict(chosen.poses, known=known)
        np.testing.assert_allclose(people.vertices, expected.mesh, atol=1e-6)
        np.testing.assert_allclose(people.camera_image, expected.image_camera(size), rtol=1e-5)
        tracks.append(people.track.tolist())
    assert tracks == [frame.tracks.tolist() for frame in assign_tracks(sequence).frames[:3]]
    nobody = sequence.frames[0].take(slice(0))
    assert live(3, nobody, size) is None


def test_smoothing_knows_nothing_of_what_comes(predictor):
    """The same beginning gives the same meshes, whatever follows; and smoothing does smooth."""
    sequence = read_poses(POSES)
    noise = np.random.default_rng(0).normal(0, 6, (4, 17, 2))

    def lifted(smooth, other_end):
        live = LiveLifter(Lifter(predictor, DemoOptions()), sequence.source, 30.0, smooth)
        found = []
        for number in range(4):
            pose = sequence.frames[0].poses[:1].copy()
            pose[..., :2] += noise[number] + (200 if other_end and number > 2 else 0)
            found.append(live(number, Frame(str(number), pose, np.array([0])), (1371, 766)).vertices[0])
        return np.stack(found)

    one, other, rough = lifted("both", False), lifted("both", True), lifted("none", False)
    np.testing.assert_array_equal(one[:3], other[:3])
    assert np.abs(one[3] - other[3]).max() > 1e-3
    assert np.abs(np.diff(one, axis=0)).mean() < 0.8 * np.abs(np.diff(rough, axis=0)).mean()


def test_a_run_over_poses_of_a_file(tmp_path, capsys):
    film = tmp_path / "live.mp4"
    before = torch.get_num_threads(), sys.getswitchinterval()
    words = ["--poses", str(POSES), "--frames", "20", "--every_frame", "--show", "none", "--width", "320"]
    assert main([*words, "--renderer", "software", "--mirror", "--output", str(film)]) == 0
    assert (torch.get_num_threads(), sys.getswitchinterval()) == before
    text = capsys.readouterr().out
    assert "20 pictures shown" in text
    assert "0 came too fast" in text
    assert "mesh: median" in text
    stream = cv2.VideoCapture(str(film))
    pictures = [stream.read()[1] for _ in range(20)]
    assert not stream.read()[0]
    body = np.argwhere(pictures[0][60:].max(axis=2) > 60)
    assert body[:, 1].mean() > 160  # the first person comes from the left: in a mirror from the right


@pytest.fixture
def interruptible():
    """SIGINT interrupts, also where the tests run in the background of a shell, which ignores it there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_film_is_complete_when_the_run_is_stopped(stop, tmp_path, capsys, monkeypatch):
    """The signal comes while the third picture is drawn."""
    drawn = []

    def draw(picture, lines):
        drawn.append(lines)
        time.sleep(0.02)  # ten frames of the film
        if len(drawn) == 3:
            signal.raise_signal(stop)
        return picture

    monkeypatch.setattr("lib.live.running.draw_figures", draw)
    film, before = tmp_path / "live.mp4", signal.getsignal(signal.SIGTERM)
    words = ["--poses", str(POSES), "--fps", "500", "--show", "none", "--width", "160", "--renderer", "software"]
    assert main([*words, "--loop", "--output", str(film)]) == 0
    text = capsys.readouterr().out
    assert "Stopped" in text
    left_out = int(re.search(r"(\d+) came too fast", text)[1])
    assert left_out > 5
    assert signal.getsignal(signal.SIGTERM) == before
    stream = cv2.VideoCapture(str(film))
    assert 1 < sum(stream.read()[0] for _ in range(1000)) <= 3 + left_out
    assert [path.name for path in tmp_path.iterdir()] == ["live.mp4"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--poses", "nowhere.json"], "nowhere.json"),
        (["--poses", str(POSES), "--seconds", "0"], "--seconds must be larger than 0"),
        (["--loop"], "a camera has its own time"),
        (["--poses", str(POSES), "--output", "live.avi"], "give a film"),
        (["--poses", str(POSES), "--port", "70000"], "--port is 0"),
        (["--video", "a/../film.mp4", "--output", "film.mp4"], "is --video itself"),
    ],
)
def test_what_cannot_be_is_said(words, problem, capsys):
    assert main(words) == 2
    assert problem in capsys.readouterr().err


def test_options_of_the_command_are_those_of_the_run():
    options = parse_arguments(["--video", "video.mp4", "--mesh", "refined", "--min_score", "0.3", "--port", "8000"])
    assert (options.video.name, options.mesh, options.joint_score, options.port) == ("video.mp4", "refined", 0.3, 8000)
    with pytest.raises(SystemExit):
        parse_arguments(["--output", ""])
