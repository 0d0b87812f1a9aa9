"""The demo with several people: names of the original's files, filters, depth order, all formats, checks, 3D joints."""

import json

import cv2
import numpy as np
import pytest

from data.convert.bvh import read_bvh
from lib.demo.pictures import output_stems
from lib.export import load_npz
from lib.mesh.mesh_model import load_mesh_model
from lib.poses import Frame
from tests.support.demo_inputs import sample
from tests.support.gltf import Gltf

SIZE = 320, 240


def person(x: float, y: float, scale: float, score: float = 0.9) -> list:
    """The sample pose as a detector's list of 17 joints, its box's corner at (x, y)."""
    pose = (sample() - sample().min(axis=0)) * scale + [x, y]
    return np.column_stack([pose, np.full(len(pose), score)]).tolist()


@pytest.fixture
def scene(tmp_path):
    """Detections of four entries for one picture: two people, the first once more, and a faint one."""
    near, far = person(20, 20, 0.45), person(180, 40, 0.3)
    twice = (np.array(near) + np.array([1, 0.5, 0])).tolist()
    people = {"street.jpg": [near, far, twice, person(60, 60, 0.3, score=0.05)]}
    (tmp_path / "people.json").write_text(json.dumps(people))
    (tmp_path / "images").mkdir()
    picture = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    cv2.imwrite(str(tmp_path / "images" / "street.jpg"), picture)
    return ["--input_pose", tmp_path / "people.json", "--input_img", tmp_path / "images"]


def test_files_of_several_people_have_the_names_of_the_original(run_demo, scene, tmp_path, capsys):
    assert run_demo(*scene) == 0
    names = {f"street_{what}_{number}.png" for what in ("pose2d", "mesh") for number in (0, 1)}
    names |= {"street_mesh_0.obj", "street_mesh_1.obj", "street_mesh.glb", "street_views.png"}
    assert {path.name for path in (tmp_path / "result").iterdir()} == names
    out = capsys.readouterr().out
    assert "street.jpg: person 2 left out: the same as person 0" in out
    assert "street.jpg: person 3 left out: scores sum to" in out
    first, second = (cv2.imread(str(tmp_path / f"result/street_mesh_{number}.png")) for number in (0, 1))
    # pictures add up: the second also shows the first person
    left, right = slice(0, 140), slice(200, None)
    assert np.ptp(first[:, left]) > 60
    assert np.ptp(first[:, right]) < 10  # what JPEG leaves of a grey
    assert np.ptp(second[:, right]) > 60
    assert np.array_equal(first[:, left], second[:, left])


def test_all_formats_of_a_picture(run_demo, scene, tmp_path):
    result = tmp_path / "result"
    result.mkdir()
    (result / "street_person_7.bvh").write_text("of an earlier run")
    assert run_demo(*scene, "--save", "ply,glb,npz,params,html,bvh,rigged", "--focal", "500") == 0
    people = load_npz(result / "street_mesh.npz")
    assert len(people) == 2
    assert people.focal == 500
    assert people.image_size.tolist() == list(SIZE)
    # the larger one in the picture is nearer, by the ratio of sizes
    depth = people.translation[:, 2]
    assert depth[1] / depth[0] == pytest.approx(1.5, rel=0.06)  # each has a shape of its own
    params = np.load(result / "street_params.npz")
    assert params["body_pose"].shape == (2, 69)
    np.testing.assert_allclose(params["transl"], people.translation, atol=0.5)
    assert sorted(path.name for path in result.glob("*.bvh")) == ["street_person_0.bvh", "street_person_1.bvh"]
    rigged = Gltf(result / "street_rigged.glb")
    for row, name in enumerate(("person_0", "person_1")):
        pelvis = rigged.joints(name, rigged.world(name))[0] * [1, -1, -1]
        clip = read_bvh(result / f"street_{name}.bvh")
        np.testing.assert_allclose(clip.values[0, :3], pelvis * [1, -1, -1], atol=1e-5)
        surface = rigged.skinned(name, rigged.world(name)) * [1, -1, -1]
        away = np.linalg.norm(surface - people.placed[row], axis=1)
        assert away.mean() < 0.004  # pose blend shapes
        assert np.linalg.norm(pelvis - people.placed[row].mean(axis=0)) < 0.5
    html = (result / "street_mesh.html").read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "street" in html
    assert (result / "street_mesh.ply").stat().st_size > 1723 * 2 * 12


def test_check_input_draws_names_and_stops(run_demo, scene, tmp_path, capsys):
    assert run_demo(*scene, "--check_input", "--joint_set", "human36") == 0
    assert [path.name for path in (tmp_path / "result").iterdir()] == ["street_check.png"]
    out = capsys.readouterr().out
    assert "Neck: 0.65 Neck + 0.35 Ears" in out
    assert "Joints estimated from several of coco17" in out
    assert "Weights:" not in out


def test_images_are_found_by_name(run_demo, tmp_path, capsys):
    frames = {"a.jpg": [person(20, 20, 0.4)], "b.jpg": [person(40, 20, 0.3)]}
    (tmp_path / "people.json").write_text(json.dumps(frames))
    (tmp_path / "images").mkdir()
    for name, grey in (("a.jpg", 10), ("b.jpg", 200)):
        cv2.imwrite(str(tmp_path / "images" / name), np.full((SIZE[1], SIZE[0], 3), grey, np.uint8))
    poses = ["--input_pose", tmp_path / "people.json"]
    assert run_demo(*poses, "--input_img", tmp_path / "images", "--save", "npz") == 0
    result = tmp_path / "result"
    assert abs(int(cv2.imread(str(result / "b_mesh_0.png"))[0, 0, 0]) - 200) < 4
    assert load_npz(result / "a_mesh.npz").frame.tolist() == ["a.jpg"]
    assert run_demo(*poses, "--input_img", tmp_path / "images" / "b.jpg", output=tmp_path / "one") == 0
    assert (tmp_path / "one" / "demo_mesh.png").is_file()
    cv2.imwrite(str(tmp_path / "c.jpg"), np.zeros((10, 10, 3), np.uint8))
    capsys.readouterr()
    assert run_demo(*poses, "--input_img", tmp_path / "c.jpg") == 2
    assert "the poses are of 2 images (a.jpg, b.jpg), none called c.jpg" in capsys.readouterr().err


def test_one_bad_image_or_empty_frame_does_not_cost_the_others(run_demo, tmp_path, capsys):
    frames = {"a.jpg": [], "b.jpg": [person(40, 20, 0.3)], "c.jpg": [person(40, 20, 0.3)]}
    (tmp_path / "people.json").write_text(json.dumps(frames))
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "b.jpg"), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    (tmp_path / "images" / "a.jpg").write_text("cut off")
    poses = ["--input_pose", tmp_path / "people.json", "--save", "npz"]
    assert run_demo(*poses, "--input_img", tmp_path / "images") == 0
    out = capsys.readouterr().out
    assert "a.jpg left out" in out
    assert "has no image 'c.jpg'" in out
    assert not (tmp_path / "result" / "c_mesh.npz").exists()
    assert run_demo(*poses) == 0
    assert {path.name for path in (tmp_path / "result").glob("*.npz")} == {"b_mesh.npz", "c_mesh.npz"}


def test_images_of_one_name_in_two_folders_have_outputs_of_their_own():
    assert output_stems(["a/1.jpg", "b/1.jpg", "/c/2.png", "3"]) == ["a_1", "b_1", "2", "3"]


def test_absurd_joints_do_not_stretch_the_picture(run_demo, tmp_path):
    pose = sample()
    pose[9] = 1e5, 1e5
    np.save(tmp_path / "pose.npy", pose)
    assert run_demo("--input_pose", tmp_path / "pose.npy") == 0
    assert cv2.imread(str(tmp_path / "result" / "demo_mesh.png")).shape == (688, 579, 3)


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_3d_joints_in_mesh_out(run_demo, tmp_path, unit):
    model = load_mesh_model("body", "open_1723")
    template = model.joint_regressor("coco") @ model.arrays()["v_template"] * [1, -1, -1]
    np.save(tmp_path / "joints.npy", template * {"mm": 1000, "m": 1}[unit])
    arguments = ["--input_pose3d", tmp_path / "joints.npy", "--unit", unit, "--save", "npz"]
    assert run_demo(*arguments, output=tmp_path / unit) == 0
    people = load_npz(tmp_path / unit / "demo_mesh.npz")
    given = template - (template[11] + template[12]) / 2  # pelvis
    np.testing.assert_allclose(people.pose3d[0, :17], 1000 * given, atol=0.1)


def test_3d_joints_in_the_wrong_unit(run_demo, tmp_path, capsys):
    np.save(tmp_path / "joints.npy", np.random.default_rng(0).normal(size=(17, 3)) * 0.12)
    assert run_demo("--input_pose3d", tmp_path / "joints.npy") == 2
    assert "are these metres?" in capsys.readouterr().err
    np.save(tmp_path / "joints.npy", np.zeros((17, 2)))
    assert run_demo("--input_pose3d", tmp_path / "joints.npy") == 2
    assert "(19, 3) or (N, 19, 3)" in capsys.readouterr().err


class FakeDetector:
    """Finds the same 33 landmarks in every picture, nobody in black ones."""

    source = "mediapipe33"

    def __init__(self, kind, video=False):
        assert kind == "body"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __call__(self, picture, name=""):
        landmarks = np.random.default_rng(0).uniform(40, 200, (1, 33, 3)).astype(np.float32)
        landmarks[..., 2] = 1
        return Frame(name, landmarks if picture.any() else landmarks[:0])

    @staticmethod
    def nobody(where):
        return f"nobody in {where}"


def test_detected_people_in_photos_and_videos(run_demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no models of RTMPose
    monkeypatch.setattr("lib.poses.detector.Detector", FakeDetector)
    monkeypatch.setattr("lib.poses.detector.detector_available", lambda: None)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((240, 240, 3), 40, np.uint8))
    assert run_demo("--input_img", photo, "--detect") == 0
    assert (tmp_path / "result" / "demo_mesh.png").is_file()
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12, (240, 240))
    for grey in (0, 40, 60, 80):
        writer.write(np.full((240, 240, 3), grey, np.uint8))
    writer.release()
    assert run_demo("--input_img", tmp_path / "v.avi", "--detect") == 0
    people = load_npz(tmp_path / "result" / "v_mesh.npz")
    assert people.frame.tolist() == ["1", "2", "3"]
    cv2.imwrite(str(photo), np.zeros((240, 240, 3), np.uint8))
    assert run_demo("--input_img", photo, "--detect") == 2
    assert f"nobody in {photo}" in capsys.readouterr().err


def test_detector_that_is_not_installed(run_demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no models of RTMPose
    monkeypatch.setattr("lib.poses.detector.detector_available", lambda: "sh requirements.sh --with-detector")
    assert run_demo("--input_img", tmp_path / "photo.png", "--detect") == 2
    assert "--with-detector" in capsys.readouterr().err
