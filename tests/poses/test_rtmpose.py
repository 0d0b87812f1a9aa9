"""RTMPose: which detector and models are taken, what is refused, whole bodies taken apart; with stand-ins for packages
and models."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.demo.inputs import load_input
from lib.demo.options import DemoOptions
from lib.poses import detector as mediapipe
from lib.poses import get_source
from lib.poses.detectors import TOOLS, choose_tool
from lib.poses.detectors.joints import frame_of
from lib.poses.detectors.rtmpose import RtmposeDetector
from tests.support import rtmlib_stand_in
from tests.support.demo_inputs import sample

IMAGE = np.zeros((64, 80, 3), np.uint8)
BOXES = "input 1,3,64,64\ndets 1,n,5\nlabels 1,n"
RTMO = "input 1,3,64,64\ndets 1,n,5\nkeypoints 1,n,17,3"
TWO = np.array([[[0, 0, 30, 40, 0.9], [40, 0, 70, 60, 0.8], [0, 0, 9, 9, 0.9]]], np.float32), np.array([[0, 0, 2]])


def pose_text(joints: object, size: str = "64,48") -> str:
    return f"input b,3,{size}\nsimcc_x b,{joints},96\nsimcc_y b,{joints},128"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "hub"


@pytest.fixture
def tool(monkeypatch, cache):
    """rtmlib's stand-in; MediaPipe is missing."""
    monkeypatch.setattr(mediapipe, "detector_available", lambda: "MediaPipe is missing")
    return rtmlib_stand_in.install(monkeypatch, cache)


def put(folder, **models):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in models.items():
        (folder / f"{name.replace('__', '-')}.onnx").write_text(text)
    return folder


def whole_bodies(count=2):
    """People (N, 133, 3) whose joints are told apart; the last has no left hand."""
    people = np.arange(count * 133 * 3, dtype=np.float32).reshape(count, 133, 3)
    people[..., 2] = 0.9
    people[-1, 91:112, 2] = 0.29
    return people


def test_whole_bodies_have_hands():
    people = whole_bodies()
    frame = frame_of(people, "body", "a.jpg")
    assert frame.name == "a.jpg"
    np.testing.assert_array_equal(frame.poses, people[:, :23])
    np.testing.assert_array_equal(frame.hands[:, 1], people[:, 112:])
    np.testing.assert_array_equal(frame.hands[0, 0], people[0, 91:112])
    assert np.isnan(frame.hands[1, 0]).all()


def test_hands_of_whole_bodies_know_their_side():
    people = whole_bodies()
    frame = frame_of(people, "hand")
    assert frame.left.tolist() == [True, False, False]
    np.testing.assert_array_equal(frame.poses, [people[0, 91:112], people[0, 112:], people[1, 112:]])
    assert frame_of(people[:0], "hand").poses.shape == (0, 21, 3)


def test_bodies_are_left_as_they_are():
    people = whole_bodies()[:, :26]
    assert frame_of(people, "body").hands is None
    np.testing.assert_array_equal(frame_of(people, "body").poses, people)


@pytest.mark.parametrize(
    "kind, joints, source", [("body", 17, "coco17"), ("body", 26, "halpe26"), ("body", 133, "wholebody23"),
                             ("hand", 133, "mano21"), ("hand", 21, "mano21")],
)  # fmt: skip
def test_people_of_a_picture(tool, tmp_path, capsys, kind, joints, source):
    put(tmp_path / "models", boxes=BOXES, joints=pose_text(joints))
    pose = np.column_stack([np.full((joints, 2), 5.0), np.full(joints, 1.4)])
    pose[0, 2] = -0.1
    tool.found |= {"YOLOX": TWO, "RTMPose": pose}
    with RtmposeDetector(kind, models=tmp_path / "models") as detector:
        frame = detector(IMAGE, "a.jpg")
        tool.found["YOLOX"] = [part[:, :0] for part in TWO]
        assert len(detector(IMAGE).poses) == 0
    assert detector.source == source
    hands = 2 if (kind, joints) == ("hand", 133) else 1
    assert frame.poses.shape == (2 * hands, get_source(source).joint_num, 3)
    assert frame.poses.dtype == np.float32
    assert frame.poses[[0, hands], 1, 0].tolist() == [5, 45]  # the third box is no person
    assert set(frame.poses[:, 1, 2]) == {1.0}  # SimCC's scores exceed 1, and are below 0
    assert frame.poses[..., 2].min() >= 0
    assert ("right hands" in " ".join(detector.notes)) == (joints == 21)
    assert tool.made == [("RTMPose", "joints.onnx", (48, 64)), ("YOLOX", "boxes.onnx", (64, 64))]
    assert capsys.readouterr().out == ""


def test_boxes_before_suppression_are_asked_for_people_alone(tool, tmp_path):
    put(tmp_path, boxes="input 1,3,64,64\noutput 1,84,85", joints=pose_text(17))
    raw = np.zeros((1, 84, 85), np.float32)
    raw[0, 3, 5] = raw[0, 4, 6] = 0.9
    tool.found |= {"YOLOX": [raw], "RTMPose": np.ones((17, 3))}
    assert len(RtmposeDetector(models=tmp_path)(IMAGE).poses) == 1


def test_one_stage_models(tool, tmp_path):
    put(tmp_path, rtmo=RTMO)
    people = np.full((1, 3, 17, 3), 7.0, np.float32)
    tool.found["RTMO"] = TWO[0], people
    detector = RtmposeDetector(models=tmp_path / "rtmo.onnx")
    assert len(detector(IMAGE).poses) == 3
    tool.found["RTMO"] = TWO[0] * np.float32(0.1), people  # rtmlib gives a person of zeros then
    assert len(detector(IMAGE).poses) == 0
    tool.found["RTMO"] = TWO[0][:, :0], people[:, :0]
    assert detector(IMAGE).poses.shape == (0, 17, 3)
    assert "no person found in the photo by rtmo.onnx" in detector.nobody("the photo")


def test_sizes_that_the_file_leaves_open(tool, tmp_path, cache):
    put(
        cache / "checkpoints",
        **{"yolox__balanced": BOXES.replace("64,64", "h,w"), "whole__balanced": pose_text(133, "h,w")},
    )
    RtmposeDetector("body")
    assert [entry[2] for entry in tool.made] == [(192, 256), (416, 416)]  # rtmlib's tables
    put(tmp_path / "a", boxes=BOXES.replace("64,64", "h,w"), joints=pose_text("k", "h,w"))
    detector = RtmposeDetector(models=tmp_path / "a")
    assert [entry[2] for entry in tool.made[2:]] == [(48, 64), (640, 640)]  # the bins, rtmlib's own
    assert detector.source == "coco17"  # found by running it once
    put(
        tmp_path / "b",
        **{"joints_128x96": pose_text(17, "h,w").replace(",96", ",x").replace(",128", ",y"), "boxes": BOXES},
    )
    RtmposeDetector(models=tmp_path / "b")
    assert tool.made[4][2] == (96, 128)


def test_models_of_the_cache(tool, cache):
    folder = cache / "checkpoints"
    with pytest.raises(
        ValueError, match=r"not in .*hub/checkpoints \(yolox-balanced.onnx, whole-balanced.onnx\); get"
    ) as no:
        choose_tool("rtmpose", "body")
    assert f'python -c "from rtmlib import Wholebody; Wholebody()", which downloads {rtmlib_stand_in.HOST}' in str(
        no.value
    )
    put(folder, rtmo=RTMO)
    assert choose_tool("auto", "body")[0] is TOOLS["rtmpose"]
    assert choose_tool("auto", "body", folder)[0] is TOOLS["rtmpose"]
    with pytest.raises(ValueError, match="RTMPose's models are not in"):
        choose_tool("rtmpose", "hand")  # RTMO has no hands
    put(folder, yolox__lightweight=BOXES, body__lightweight=pose_text(17), rtmdet_hand__lightweight=BOXES)
    put(folder, hand__lightweight=pose_text(21))
    RtmposeDetector("body")
    assert [entry[1] for entry in tool.made] == ["body-lightweight.onnx", "yolox-lightweight.onnx"]
    RtmposeDetector("hand")
    assert [entry[:2] for entry in tool.made[2:]] == [
        ("RTMPose", "hand-lightweight.onnx"),
        ("RTMDet", "rtmdet_hand-lightweight.onnx"),
    ]
    put(folder, whole__lightweight=pose_text(133))
    assert RtmposeDetector("body").source == "wholebody23"


def test_boxes_for_a_model_of_joints(tool, tmp_path, cache):
    file = put(tmp_path / "own", joints=pose_text(17), other="no model") / "joints.onnx"
    with pytest.raises(FileNotFoundError, match=r"joints\.onnx needs a model of boxes of people beside it or in .*hub"):
        RtmposeDetector(models=file)
    put(cache / "checkpoints", yolox__balanced=BOXES, rtmdet_hand__lightweight=BOXES)
    RtmposeDetector(models=file)
    put(tmp_path / "own", mine=BOXES)
    RtmposeDetector(models=file)
    put(tmp_path / "own", yolox__performance=BOXES)
    RtmposeDetector(models=file)
    assert [entry[1] for entry in tool.made[1::2]] == ["yolox-balanced.onnx", "mine.onnx", "yolox-performance.onnx"]
    put(tmp_path / "archives" / "rtmdet_m", end2end=BOXES)
    put(tmp_path / "archives" / "rtmpose_m", end2end=pose_text(17))
    detector = RtmposeDetector(models=tmp_path / "archives")
    assert detector.notes == ["joints by rtmpose_m/end2end.onnx (17), boxes by rtmdet_m/end2end.onnx, taken for RTMDet"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("<html>", r"joints\.onnx cannot be read as an ONNX model: Protobuf parsing failed"),
        (BOXES, "finds boxes of people; name a model of joints"),
        (
            BOXES.replace("n,5", "300,4"),
            r"no model of RTMPose: .*simcc_x and simcc_y .*; found 1 input.*dets \[1, 300, 4",
        ),
        ("input 1,3,64,64\nheatmaps 1,17,64,48", "no model of RTMPose"),
        (f"{pose_text(17)}\nsimcc_z 1,17,64", "no model of RTMPose"),
        (pose_text(17).replace("b,3", "b,1"), "no model of RTMPose"),
        (pose_text(17).replace("64,48", "64,48 tensor(float16)"), "wanted an input of 32-bit numbers"),
        (f"input2 1,3,6,6\n{pose_text(17)}", r"found 2 input\(s\)"),
        (pose_text(17, "64,99999"), "takes 99999 x 64 pixels, expected sides of 16 to 2048"),
        (pose_text(17, "h,w").replace(",96", ",x"), "have it in the file's name, height x width"),
        (pose_text(14), r"finds 14 joints; a body needs 17 \(coco17\), 26 \(halpe26\), 133 \(wholebody23\)"),
    ],
)
def test_other_models_are_refused(tool, tmp_path, text, message):
    put(tmp_path, joints=text, boxes=BOXES)
    with pytest.raises(ValueError, match=message):
        RtmposeDetector(models=tmp_path / "joints.onnx")


def test_folders_that_do_not_say_which_model(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere not found"):
        RtmposeDetector(models=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no ONNX models"):
        RtmposeDetector(models=put(tmp_path / "empty"))
    with (put(tmp_path / "holes") / "large.onnx").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ValueError, match=r"large\.onnx is no file, or larger than an ONNX model can be, 2 GB"):
        RtmposeDetector(models=tmp_path / "holes")
    with pytest.raises(ValueError, match=r"bad\.onnx cannot be read"):
        RtmposeDetector(models=put(tmp_path / "bad", bad="<html>", boxes=BOXES))
    with pytest.raises(ValueError, match=r"holds 2 models of joints .*: a\.onnx, b\.onnx; name the file"):
        RtmposeDetector(models=put(tmp_path / "two", a=pose_text(17), b=pose_text(26), boxes=BOXES))
    with pytest.raises(ValueError, match=r"holds 2 models of boxes of people: c\.onnx, d\.onnx"):
        RtmposeDetector(models=put(tmp_path / "boxes", a=pose_text(17), c=BOXES, d=BOXES))


def test_a_model_that_fails_is_named(tool, tmp_path, monkeypatch):
    put(tmp_path, boxes=BOXES, joints=pose_text(17))
    tool.found |= {"YOLOX": TWO, "RTMPose": RuntimeError("Non-zero status code\nin node")}
    with pytest.raises(ValueError, match=r"joints\.onnx fails on an image of 80 x 64 pixels: Non-zero status code in"):
        RtmposeDetector(models=tmp_path)(IMAGE)
    with pytest.raises(ValueError, match="uint8 in BGR order"):
        RtmposeDetector(models=tmp_path)(IMAGE.astype(np.float32))
    monkeypatch.setattr(rtmlib_stand_in.RTMPose, "__init__", lambda *_, **__: 1 / 0)
    with pytest.raises(ValueError, match=r"joints\.onnx cannot be started as RTMPose: division by zero"):
        RtmposeDetector(models=tmp_path)


def test_which_detector_is_taken(tool, monkeypatch, cache):
    why = choose_error("auto")
    assert why.startswith("RTMPose's models are not in")  # who installed it wants it
    why, _, other = why.partition("; or MediaPipe")
    assert other.endswith("sh requirements.sh --with-detector")
    monkeypatch.setattr(mediapipe, "detector_available", lambda: None)
    assert choose_tool("auto", "body") == (TOOLS["mediapipe"], [why])
    assert choose_tool("mediapipe", "hand") == (TOOLS["mediapipe"], [])
    with pytest.raises(ValueError, match="--detector_model is for RTMPose"):
        choose_tool("mediapipe", "body", cache)
    with pytest.raises(ValueError, match="unknown detector 'yolo'; choose auto or one of rtmpose, mediapipe"):
        choose_tool("yolo", "body")
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    assert choose_tool("auto", "body") == (TOOLS["mediapipe"], [])
    assert choose_error("rtmpose").endswith("sh requirements.sh --with-rtmpose")
    with pytest.raises(ValueError, match="--with-rtmpose"):
        RtmposeDetector()
    monkeypatch.setattr(mediapipe, "detector_available", lambda: "MediaPipe is missing")
    assert choose_error("auto") == "MediaPipe is missing; for several people: sh requirements.sh --with-rtmpose"


def choose_error(name: str) -> str:
    with pytest.raises(ValueError) as error:
        choose_tool(name, "body")
    return str(error.value)


def test_the_demo_says_what_detects(run_demo, tool, tmp_path, capsys):
    models = put(tmp_path / "models", boxes=BOXES, joints=pose_text(133))
    pose = np.ones((133, 3))
    pose[:17, :2] = sample() / 20
    tool.found |= {"YOLOX": TWO, "RTMPose": pose}
    (tmp_path / "photos").mkdir()
    for name in ("a0", "a1"):
        cv2.imwrite(str(tmp_path / "photos" / f"{name}.png"), IMAGE)
    arguments = ["--input_img", tmp_path / "photos", "--detect", "--detector_model", models, "--check_input"]
    assert run_demo(*arguments) == 0
    out = capsys.readouterr().out
    assert f"found by RTMPose in {tmp_path / 'photos'} (joints of wholebody23); 4 people in 2 frames" in out
    assert "Note: joints by joints.onnx (133), boxes by boxes.onnx, taken for YOLOX" in out
    options = DemoOptions(input_img=tmp_path / "photos", detect=True, detector_model=models)
    for video, numbers in ((False, [None, None]), (True, [0, 1])):
        sequence = load_input(replace(options, video=video)).sequence
        assert sequence.is_video is video
        assert [frame.number for frame in sequence.frames] == numbers
        assert sequence.frames[0].hands.shape == (2, 2, 21, 3)
    assert run_demo("--detector", "rtmpose") == 2
    assert "add --detect" in capsys.readouterr().err
    tool.found["YOLOX"] = [part[:, :0] for part in TWO]
    assert run_demo(*arguments) == 2
    assert "no person found in" in capsys.readouterr().err
