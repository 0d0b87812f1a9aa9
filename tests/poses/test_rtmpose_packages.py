"""RTMPose by its real packages, where they are installed, on tiny models with the published inputs and outputs."""

import cv2
import numpy as np
import pytest

from lib.export import load_npz
from lib.poses.detectors.rtmpose import RtmposeDetector
from tests.support import tiny_onnx
from tests.support.demo_inputs import sample

IMAGE = np.zeros((64, 80, 3), np.uint8)


def require_rtmlib() -> None:
    for package in ("rtmlib", "onnxruntime"):
        pytest.importorskip(
            package, reason=f"optional package {package} is not installed: sh requirements.sh --with-rtmpose"
        )


def tiny_models(folder, boxes, joints=133, scores=0.9):
    """Models that always find people with the pose of the sample in their boxes, given in pixels of 64 x 64."""
    pose = np.vstack([sample(), np.tile(sample().mean(axis=0), (joints - 17, 1))])
    pose = (pose - pose.min(axis=0)) / np.ptp(pose, axis=0) * 0.9 + 0.05
    tiny_onnx.boxes_model(folder / "boxes.onnx", [[*box, 0.9] for box in boxes])
    tiny_onnx.pose_model(folder / "joints.onnx", pose, np.full(joints, scores))
    return folder


def test_real_packages_find_the_places_of_tiny_models(tmp_path):
    require_rtmlib()
    places = np.random.default_rng(0).uniform(0.1, 0.9, (133, 2))
    scores = np.where(np.arange(133) < 112, 1.2, 0.1)  # no right hand
    tiny_onnx.boxes_model(
        tmp_path / "boxes.onnx", [[0, 0, 24, 32, 0.9], [0, 0, 9, 9, 0.2], [9, 9, 19, 19, 0.9]], [0, 0, 1]
    )
    tiny_onnx.pose_model(tmp_path / "joints.onnx", places, scores)
    with RtmposeDetector("body", models=tmp_path) as detector:
        frame = detector(np.zeros((128, 96, 3), np.uint8))
    # the box is 48 x 64 pixels of the image, and 1.25 times as large for the model of joints
    expected = places * [60, 80] + [24 - 30, 32 - 40]
    np.testing.assert_allclose(frame.poses[0, :, :2], expected[:23], atol=0.7)
    np.testing.assert_allclose(frame.hands[0, 0, :, :2], expected[91:112], atol=0.7)
    assert np.isnan(frame.hands[0, 1]).all()
    assert len(frame.poses) == 1
    assert frame.poses[..., 2].max() == 1


def test_real_packages_with_one_stage_and_open_shapes(tmp_path, capfd):
    require_rtmlib()
    people = np.random.default_rng(0).uniform(1, 60, (2, 17, 3))
    people[..., 2] = 0.8
    boxes = [[0, 0, 20, 20, 0.9], [30, 30, 60, 60, 0.8]]
    tiny_onnx.one_stage_model(tmp_path / "rtmo_64x64.onnx", boxes, people, size=("h", "w"), fixed=False)
    detector = RtmposeDetector(models=tmp_path / "rtmo_64x64.onnx")
    frame = detector(np.zeros((32, 32, 3), np.uint8))
    np.testing.assert_allclose(frame.poses[..., :2], people[..., :2] / 2, rtol=1e-5)
    tiny_onnx.one_stage_model(tmp_path / "none.onnx", np.zeros((0, 5)), np.zeros((0, 17, 3)))
    assert len(RtmposeDetector(models=tmp_path / "none.onnx")(IMAGE).poses) == 0
    tiny_onnx.write_model(tmp_path / "other.onnx", {"output": np.zeros((1, 1000), np.float32)})
    with pytest.raises(ValueError, match=r"no model of RTMPose: .*output \[1, 1000\]"):
        RtmposeDetector(models=tmp_path / "other.onnx")
    (tmp_path / "text.onnx").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"text\.onnx cannot be read as an ONNX model"):
        RtmposeDetector(models=tmp_path / "text.onnx")
    damaged = (tmp_path / "rtmo_64x64.onnx").read_bytes().replace(b"keypoints", b"\x8a" * 9)
    (tmp_path / "damaged.onnx").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged\.onnx"):  # which ONNX Runtime prints
        RtmposeDetector(models=tmp_path / "damaged.onnx")
    assert capfd.readouterr() == ("", "")


def test_real_packages_from_a_video_to_a_film(run_demo, tmp_path, capsys):
    require_rtmlib()
    models = tiny_models(tmp_path / "models", [[2, 5, 22, 45], [36, 5, 62, 55]])
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12, (320, 320))
    for _ in range(3):
        writer.write(np.full((320, 320, 3), 60, np.uint8))
    writer.release()
    video = ["--input_img", tmp_path / "v.avi", "--detect", "--detector_model", models, "--save", "mp4,npz"]
    assert run_demo(*video) == 0
    assert "found by RTMPose" in capsys.readouterr().out
    people = load_npz(tmp_path / "result" / "v_mesh.npz")
    assert people.track.tolist() == [0, 1] * 3
    assert (tmp_path / "result" / "v_mesh.mp4").stat().st_size > 1000
