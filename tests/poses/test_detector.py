"""Poses from photos: MediaPipe's landmarks to pixels, which hands are kept, what is said when something is missing."""

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lib.poses import detector, get_source, map_pose
from lib.poses.detector import MODELS, Detector, detect, detector_available
from tests.helpers import ROOT

LOOKS = ["process"] * detector._LOOKS
IMAGE = np.zeros((40, 80, 3), dtype=np.uint8)


def landmarks(count, visibility=0.75):
    """MediaPipe's list: joint i at the fraction i / 100 of the width and i / 50 of the height."""
    marks = [SimpleNamespace(x=i / 100, y=i / 50, z=0.0, visibility=visibility) for i in range(count)]
    return SimpleNamespace(landmark=marks)


def handedness(label):
    return SimpleNamespace(classification=[SimpleNamespace(label=label, score=0.9)])


class Model:
    """Stands for ``solutions.pose.Pose`` and ``solutions.hands.Hands``: gives prepared results, the last for ever."""

    def __init__(self, answers):
        self.answers = answers
        self.calls = []

    def __call__(self, **settings):
        self.settings = settings
        return self

    def process(self, rgb):
        assert rgb.flags.c_contiguous
        self.calls.append("process")
        os.write(2, b"I0000 native log\n")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def reset(self):
        self.calls.append("reset")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def fake(monkeypatch):
    """Puts a fake MediaPipe in place whose models give the answers."""

    def install(*answers):
        model = Model(list(answers))
        solutions = SimpleNamespace(pose=SimpleNamespace(Pose=model), hands=SimpleNamespace(Hands=model))
        monkeypatch.setitem(sys.modules, "mediapipe", SimpleNamespace(solutions=solutions, __version__="0.10.14"))
        monkeypatch.setattr(detector, "_protobuf_version", lambda: "4.25.9")
        return model

    return install


def body(count=33):
    return SimpleNamespace(pose_landmarks=None if count is None else landmarks(count))


def hands(*labels):
    if not labels:
        return SimpleNamespace(multi_hand_landmarks=None, multi_handedness=None)
    return SimpleNamespace(
        multi_hand_landmarks=[landmarks(21, visibility=0.0) for _ in labels],
        multi_handedness=[handedness(label) for label in labels],
    )


def test_body_landmarks_become_pixels(fake, capfd):
    model = fake(body())
    frame = detect(IMAGE, "body", "a.jpg")
    assert frame.name == "a.jpg"
    assert frame.poses.shape == (1, 33, 3)
    assert frame.poses.dtype == np.float32
    np.testing.assert_allclose(frame.poses[0, 10], [8.0, 8.0, 0.75])
    assert map_pose(frame.poses, MODELS["body"], "coco").shape == (1, 19, 3)
    assert model.settings == {"static_image_mode": False, "smooth_landmarks": False, "model_complexity": 1}
    assert model.calls == [*LOOKS, "close"]
    assert capfd.readouterr().err == ""  # the native log is held back


def test_photos_do_not_depend_on_each_other(fake):
    model = fake(body())
    with Detector("body") as photos:
        assert len(photos(IMAGE).poses) == len(photos(IMAGE).poses) == 1
    assert model.calls == [*LOOKS, "reset", *LOOKS, "close"]


def test_a_closer_look_that_finds_nobody_does_not_count(fake):
    fake(body(), body(None))
    assert len(detect(IMAGE).poses) == 1


def test_a_video_is_followed(fake):
    model = fake(body(), body(None), body())
    with Detector("body", video=True) as film:
        counts = [len(film(IMAGE, str(number)).poses) for number in range(3)]
    assert counts == [1, 0, 1]
    assert model.settings["smooth_landmarks"]
    assert model.calls == ["process"] * 3 + ["close"]


def test_hands_of_both_sides(fake):
    """MediaPipe says Left of a right hand, as it takes images for mirrored."""
    fake(hands("Right", "Left", "Left"))
    with Detector("hand") as photo:
        frame = photo(IMAGE)
    assert frame.poses.shape == (3, 21, 3)
    assert frame.left.tolist() == [True, False, False]
    np.testing.assert_allclose(frame.poses[2, 20], [16.0, 16.0, 1.0])  # hands have no visibility: seen
    assert map_pose(frame.poses, MODELS["hand"], "mano").shape == (3, 21, 3)


def test_nobody_found(fake):
    fake(body(None))
    with pytest.raises(ValueError, match=r"no person found in a\.jpg \(80 x 40 pixels\); .*crop it to the person"):
        detect(IMAGE, "body", "a.jpg")
    fake(hands())
    with pytest.raises(ValueError, match=r"no hand found in the photo .*--input_pose"):
        detect(IMAGE, "hand")


def test_wrong_arguments(fake):
    fake(body())
    with pytest.raises(ValueError, match="unknown kind 'face'; choose one of body, hand"):
        Detector("face")
    for image in (IMAGE[..., 0], IMAGE.astype(np.float32)):
        with pytest.raises(ValueError, match="uint8 in BGR order"):
            detect(image)


def test_missing_or_unfit_packages_say_what_to_do(fake, monkeypatch):
    fake(body())
    assert detector_available() is None
    monkeypatch.setattr(detector, "_protobuf_version", lambda: "7.36.2")
    assert detector_available().startswith("protobuf 7.36.2 is installed, MediaPipe needs 4.25: python -m pip install")
    monkeypatch.setitem(sys.modules, "mediapipe", SimpleNamespace(__version__="1.2.2"))
    assert detector_available().startswith("mediapipe 1.2.2 is installed, --detect needs 0.10.14")
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert detector_available().endswith("sh requirements.sh --with-detector")
    with pytest.raises(ValueError, match=r"sh requirements\.sh --with-detector"):
        detect(IMAGE)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert "POSE2MESH_PYTHON=python3.12" in detector_available()


def test_an_error_shows_the_native_log(fake, monkeypatch, capfd):
    model = fake(body())

    def fail(rgb):
        os.write(2, b"E0000 no such model\n")
        raise RuntimeError("graph failed")

    monkeypatch.setattr(model, "process", fail)
    with pytest.raises(RuntimeError, match="graph failed"):
        detect(IMAGE)
    assert "E0000 no such model" in capfd.readouterr().err


def test_source_orders():
    assert get_source(MODELS["body"]).joint_num == 33
    assert get_source(MODELS["hand"]).joint_num == 21


def test_mediapipe_finds_a_rendered_hand():
    """In a process of its own, as tests of ONNX files may have loaded another protobuf."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("MediaPipe is not installed: sh requirements.sh --with-detector")
    code = """
import json, sys
import cv2, numpy as np
from lib.poses.detector import MODELS, Detector
from lib.poses import map_pose
from lib.predictor import Pose2MeshPredictor
from lib.render.mesh_renderer import MeshRenderer
predictor = Pose2MeshPredictor("mano")
hand = predictor.predict(np.load("demo/sample_pose_mano.npy").reshape(1, 21, -1)[..., :2])
mesh, joints = hand.mesh[0].numpy(), hand.joints[0].numpy()
centre = (mesh.min(0) + mesh.max(0))[:2] / 2
scale = 1.4 / np.ptp(mesh, axis=0)[:2].max()
background = np.full((480, 480, 3), (90, 110, 80), np.uint8)
camera = np.array([scale, scale, *-centre])
with MeshRenderer("software") as renderer:
    picture = renderer.render(mesh, predictor.mesh_model.faces, background, camera, (0.85, 0.62, 0.52))
true = ((joints[:, :2] - centre) * scale + 1) * 240
with Detector("hand") as detector:
    right = map_pose(detector(picture).poses, MODELS["hand"], "mano")
    left = detector(np.ascontiguousarray(picture[:, ::-1]))
    error = np.linalg.norm(right[0, :, :2] - true, axis=1).mean() / np.ptp(true, axis=0).max()
    print(json.dumps([len(right), float(error), len(left.poses), left.left.tolist()]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found, error, found_mirrored, left = json.loads(done.stdout.splitlines()[-1])
    assert (found, found_mirrored, left) == (1, 1, [True])
    assert error < 0.08
    assert done.stderr == ""
